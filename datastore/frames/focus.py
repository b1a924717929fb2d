"""How sharp a frame is against a reference of the same scene; pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datastore.frames.cells import Image, detail_energy, green_cells
from datastore.frames.frame import Frame
from datastore.frames.registration import Part, Shift, is_clipped

_LEAST_PARTS: Final = 3


@dataclass(frozen=True)
class Sharpness:
    """Sharpness as a ratio to a reference's.

    Attributes
    ----------
    ratio
        1 for equally sharp frames, smaller for a blurred one; 0 where no detail is left.
    uncertainty
        One standard deviation, from the spread over the parts.
    """

    ratio: float
    uncertainty: float


def measure_sharpness(
    frame: Frame, reference_parts: dict[Part, tuple[Image, Image]], shift: Shift
) -> Sharpness | None:
    """Compare the sharpness of a frame with that of the reference, on the registered parts.

    The root of the ratio of the sums of `detail_energy`. None where fewer
    than three parts can be compared.

    Parameters
    ----------
    frame
        The frame.
    reference_parts
        Both planes of parts of the reference.
    shift
        Of the frame.
    """
    rows, columns = round(shift.rows / 2), round(shift.columns / 2)
    cells_shape = [n // 2 for n in frame.visible[2:]]
    seen, held = [], []
    for part, planes in reference_parts.items():
        height, width = planes[0].shape
        top, left = part.row + rows, part.column + columns
        inside = top >= 0 and left >= 0
        if not inside or top + height > cells_shape[0] or left + width > cells_shape[1]:
            continue
        others = green_cells(frame, top, left, height, width)
        if not is_clipped(frame, others):
            held.append(detail_energy(*planes))
            seen.append(detail_energy(*others))
    if len(held) < _LEAST_PARTS:
        return None
    return _ratio(np.array(seen), np.array(held))


def _ratio(seen: NDArray[np.float64], held: NDArray[np.float64]) -> Sharpness | None:
    """Return the root of the ratio of sums, with its uncertainty by the jackknife."""
    if held.sum() <= 0:
        return None
    roots = np.sqrt(np.maximum(seen.sum() - seen, 0.0) / np.maximum(held.sum() - held, 1e-12))
    count = len(held)
    error = float(np.sqrt((count - 1) / count * np.sum((roots - roots.mean()) ** 2)))
    ratio = float(np.sqrt(max(seen.sum(), 0.0) / held.sum()))
    return Sharpness(ratio, error)
