"""Items as the lines of a manifest, and back; knows no header, proves nothing.

A hundred thousand lines say the same few things about cameras, timeslots and settings over and
over, so what repeats is written and checked once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, NoReturn

from datastore.canonical import canonical_json
from datastore.datasets.errors import ManifestError
from datastore.datasets.items import CameraIdentity, Item, TimeslotBounds, time_text


def item_writer() -> Callable[[Item], bytes]:
    """Return a function that writes items as canonical JSON, one line each without its end.

    The bytes are those of `canonical_json` of the item's fields; `age_s` is left out where it is
    None, as manifests of classes have no ages.
    """

    @cache
    def text(value: str | int | None) -> str:
        return canonical_json(value).decode()

    @cache
    def timeslot(bounds: TimeslotBounds) -> str:
        return canonical_json(bounds.model_dump()).decode()

    @cache
    def content(
        block: str, camera: CameraIdentity, class_name: str, exposure: str | None,
        f_number: str | None, firmware: str | None, fixture: str | None, iso: int | None,
        kind: str, role: str, scene: str | None,
    ) -> str:  # fmt: skip
        return (
            f'"block":"{block}","camera":{canonical_json(camera.model_dump()).decode()}'
            f',"class_name":{text(class_name)},"exposure":{text(exposure)}'
            f',"f_number":{text(f_number)},"firmware":{text(firmware)},"fixture":{text(fixture)}'
            f',"iso":{text(iso)},"kind":"{kind}","role":"{role}","scene":{text(scene)}'
        )

    @cache
    def session(uuid: str, started_at: datetime) -> str:
        return f'"session":{text(uuid)},"session_started_at":"{time_text(started_at)}"'

    def write(item: Item) -> bytes:
        age = "" if item.age_s is None else f'"age_s":{item.age_s},'
        same_content = content(
            item.block, item.camera, item.class_name, item.exposure, item.f_number, item.firmware,
            item.fixture, item.iso, item.kind, item.role, item.scene,
        )  # fmt: skip
        return (
            f"{{{age}{same_content},{session(item.session, item.session_started_at)}"
            f',"sha256":"{item.sha256}"'
            f',"temperature_millidegrees":{text(item.temperature_millidegrees)}'
            f',"timeslot":{timeslot(item.timeslot)}'
            f',"triggered_at":"{time_text(item.triggered_at)}","verdict":{text(item.verdict)}}}'
        ).encode()

    return write


def item_reader() -> Callable[[int, bytes], Item]:
    """Return a function that reads items from their numbered lines.

    It raises ManifestError for a line that is not canonical JSON and pydantic.ValidationError for
    one that is no item. Cameras and timeslots of equal content are one object.
    """
    write = item_writer()
    cameras: dict[CameraIdentity, CameraIdentity] = {}
    timeslots: dict[TimeslotBounds, TimeslotBounds] = {}

    def read(number: int, line: bytes) -> Item:
        item = Item.checked(_parsed(number, line))
        if write(item) != line:
            raise ManifestError(f"manifest line {number}: not in canonical form")
        return replace(
            item,
            camera=cameras.setdefault(item.camera, item.camera),
            timeslot=timeslots.setdefault(item.timeslot, item.timeslot),
        )

    return read


def _refuse_float(text: str) -> NoReturn:
    raise ValueError(f"the number {text} is no integer")


def _parsed(number: int, line: bytes) -> Any:
    try:
        return json.loads(line, parse_float=_refuse_float, parse_constant=_refuse_float)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"manifest line {number}: not readable as JSON: {error}") from None


def read_line(number: int, line: bytes) -> Any:
    """Parse one line and refuse every spelling of it but the canonical one.

    Raises
    ------
    ManifestError
        If it is no JSON, holds a float or is spelled otherwise; names the line.
    """
    value = _parsed(number, line)
    try:
        is_canonical = canonical_json(value) == line
    except (ValueError, RecursionError):
        is_canonical = False
    if not is_canonical:
        raise ManifestError(f"manifest line {number}: not in canonical form")
    return value
