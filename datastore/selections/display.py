"""Selections in a notebook: a table of the first shots with thumbnails; every text is escaped."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from datastore.selections.records import AssetRecord, ShotRecord

if TYPE_CHECKING:
    from datastore.selections.selection import Selection

_SHOWN: Final = 10
_THUMBNAIL_PX: Final = 120
_LARGEST_BYTES: Final = 40_000_000
_COLUMNS: Final = (
    *("camera_serial", "kind", "scene", "timeslot", "triggered_at"),
    *("exposure_s", "iso", "f_number", "state", "verdict"),
)


def as_html(selection: Selection) -> str:
    """Return a selection as HTML: its condition, how many shots it has, and the first of them."""
    page = selection.page(_SHOWN)
    heads = "".join(f"<th>{escape(name)}</th>" for name in ("", *_COLUMNS))
    rows = "".join(_row(record) for record in page.records)
    more = "" if page.after is None else f"<p>The first {_SHOWN} are shown.</p>"
    return (
        f"<p><b>{selection.count()} shots</b> <code>{escape(str(selection.condition))}</code></p>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}"
    )


def _row(record: ShotRecord) -> str:
    values = record.to_json()
    cells = "".join(
        f"<td>{'' if values[name] is None else escape(str(values[name]))}</td>" for name in _COLUMNS
    )
    return f'<tr title="{escape(record.id)}"><td>{_thumbnail(record.assets)}</td>{cells}</tr>'


def _thumbnail(assets: tuple[AssetRecord, ...]) -> str:
    """Return a small picture out of a preview or JPEG, nothing where there is none to be shown."""
    for role in ("preview", "jpeg"):
        for asset in assets:
            if asset.role == role and asset.bytes <= _LARGEST_BYTES:
                small = _small(Path(asset.path))
                if small is not None:
                    data = base64.b64encode(small).decode()
                    return f'<img alt="" src="data:image/jpeg;base64,{data}">'
    return ""


def _small(path: Path) -> bytes | None:
    import cv2

    try:
        data = path.read_bytes()
    except OSError:
        return None
    import numpy as np

    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_8)
        if image is None:
            return None
        height, width = image.shape[:2]
        scale = min(1.0, _THUMBNAIL_PX / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        done, encoded = cv2.imencode(".jpg", cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    except cv2.error:
        return None
    return encoded.tobytes() if done else None
