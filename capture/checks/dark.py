"""Checks of dark fields."""

from __future__ import annotations

from typing import Final

import numpy as np

from datastore.frames import Finding, Frame, robust_black

_DARK_EXCESS_SHARE: Final = 0.01
"""Share of the sensor's range by which a dark field's level may lie above its black level."""


def check_dark(frame: Frame) -> list[Finding]:
    """Judge whether a dark field is dark: its robust level above the file's black level."""
    if frame.black_level is None:
        return []
    top, left, height, width = frame.visible
    # even offsets keep the planes of the whole mosaic
    top, left = top + top % 2, left + left % 2
    visible = frame.mosaic[top : top + height // 2 * 2, left : left + width // 2 * 2]
    levels = np.asarray(robust_black(visible, frame.cfa))
    black = np.asarray(frame.black_level)
    excess_dn = float(np.max(levels - black))
    limit_dn = _DARK_EXCESS_SHARE * float(frame.white_level - black.max())
    if excess_dn <= limit_dn:
        return []
    numbers: dict[str, int | float | str] = {
        "excess_dn": round(excess_dn, 3),
        "limit_dn": round(limit_dn, 3),
    }
    return [
        Finding(
            "not-dark",
            numbers,
            f"The dark field lies {excess_dn:.1f} DN above black, more than {limit_dn:.1f} DN: is"
            " the body cap on?",
        )
    ]
