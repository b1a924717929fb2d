"""What an export tells of one file or shot, and how that is typed; reads no catalogue."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

ColumnKind = Literal["text", "integer", "number", "time"]

_SUFFIX = re.compile(r"\.([A-Za-z0-9]{1,8})")
_SUFFIX_OF_ROLE: Final = {"jpeg": "jpg", "raw": "raw"}


@dataclass(frozen=True)
class Item:
    """One file with the facts of its shot; what is unknown is None.

    Attributes
    ----------
    position
        Place in the export, from 0: the order of time, or that of a dataset's manifest.
    shot_id, session_id
        UUIDs.
    timeslot, timeslot_scheme
        The ordinal, and the scheme that it counts in.
    triggered_at
        In UTC.
    suffix
        Of a file's name, letters and digits alone.
    label, block
        Class and block in a frozen dataset.
    """

    position: int
    shot_id: str | None
    session_id: str
    camera_serial: str | None
    kind: str
    scene: str | None
    scene_revision: int | None
    timeslot: int | None
    timeslot_scheme: str | None
    triggered_at: datetime | None
    exposure_s: float | None
    iso: int | None
    f_number: float | None
    state: str | None
    verdict: str | None
    black_level_dn: float | None
    mean_dn: float | None
    clipped_share: float | None
    sharpness: float | None
    temperature_c: float | None
    role: str
    sha256: str
    bytes: int
    suffix: str
    label: str | None
    block: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON; the time is ISO 8601 in UTC."""
        return {**vars(self), "triggered_at": time_text(self.triggered_at)}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Item:
        """Return what `to_json` wrote."""
        at = facts["triggered_at"]
        return cls(**{**facts, "triggered_at": None if at is None else datetime.fromisoformat(at)})


_KINDS: Final[dict[str, ColumnKind]] = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "datetime": "time",
}

COLUMNS: Final[dict[str, ColumnKind]] = {
    field.name: _KINDS[str(field.type).partition(" ")[0]] for field in fields(Item)
}
"""The facts of an item, in their order, with their kinds."""


def time_text(at: datetime | None) -> str | None:
    """Write a time as ISO 8601 in UTC with microseconds; None stays None."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")


def suffix_of(original_name: str | None, role: str) -> str:
    """Return the suffix for a file's name; a name that came with the file is not trusted."""
    found = _SUFFIX.fullmatch(Path(original_name or "").suffix)
    return found[1].lower() if found else _SUFFIX_OF_ROLE.get(role, "bin")


def read_plan(plan: Path) -> Iterator[Item]:
    """Read the items that an export wrote down when it began."""
    with plan.open(encoding="utf-8") as lines:
        for line in lines:
            yield Item.from_json(json.loads(line))


def in_shards(
    items: Iterable[Item], most_bytes: int, most_items: int | None = None
) -> Iterator[list[Item]]:
    """Split items, in their order, into shards of bounded size; a larger item has its own."""
    shard: list[Item] = []
    size = 0
    for item in items:
        is_full = size + item.bytes > most_bytes or len(shard) == most_items
        if shard and is_full:
            yield shard
            shard, size = [], 0
        shard.append(item)
        size += item.bytes
    if shard:
        yield shard
