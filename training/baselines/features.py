"""Features of the pixel baselines, from the means of a frame's planes on a grid; pure functions."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from datastore.frames import Frame
from datastore.frames.cells import black_of, visible_cells
from datastore.frames.likeness import GRID, plane_grids

DEFINITION: Final = "pixels-1"
"""Names the definitions below; a change of one of them is a new name."""

BASELINES: Final = ("thumbnail", "low-pass", "mean-colour")

_THUMBNAIL: Final = 8
_BLUR_SIGMA: Final = 2.0
_STEP: Final = 4
_FLOOR: Final = 1e-3  # of the range, added before the logarithm

Grid = NDArray[np.float64]


def grids_of_frame(frame: Frame) -> Grid | None:
    """Return a frame's planes above black as shares of its range, shape (4, 32, 32).

    None of frames with fewer than 32 x 32 cells.
    """
    grids = plane_grids(visible_cells(frame))
    if grids is None:
        return None
    black = black_of(frame)
    shares: Grid = (grids - black[:, None, None]) / max(frame.white_level - float(black.mean()), 1)
    return shares


def grids_of_jpeg(rgb: NDArray[np.uint8]) -> Grid | None:
    """Return a picture's red, green, green and blue as shares of 255, shape (4, 32, 32)."""
    rows, columns = (side // 2 * 2 for side in rgb.shape[:2])
    found = []
    for channel in (0, 1, 2):
        grids = plane_grids(np.ascontiguousarray(rgb[:rows, :columns, channel]))
        if grids is None:
            return None
        found.append(grids.mean(axis=0) / 255)
    red, green, blue = found
    return np.stack([red, green, green, blue])


def features_of(grids: Grid) -> dict[str, NDArray[np.float64]]:
    """Return the features of each baseline, one row of floats each.

    All are logarithms, so that an exposure adds a constant. `thumbnail` is the mean of all planes
    on 8 x 8 fields; `low-pass` the same blurred (Gaussian of 2 fields of 32) and sampled every
    fourth field, with its differences across and down; `mean-colour` the mean of each plane, their
    ratios to the mean of all, and the spread of the fields.

    Parameters
    ----------
    grids
        Shape (4, 32, 32), as `grids_of_frame` gives them.
    """
    light = np.log(np.maximum(grids.mean(axis=0), 0) + _FLOOR)
    side = GRID // _THUMBNAIL
    thumbnail = light.reshape(_THUMBNAIL, side, _THUMBNAIL, side).mean(axis=(1, 3))
    blurred = cv2.GaussianBlur(light, (0, 0), _BLUR_SIGMA)[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]
    low_pass = [blurred, np.diff(blurred, axis=0), np.diff(blurred, axis=1)]
    means = np.log(np.maximum(grids.mean(axis=(1, 2)), 0) + _FLOOR)
    colour = [means, means - means.mean(), [light.std()]]
    return {
        "thumbnail": thumbnail.ravel(),
        "low-pass": np.concatenate([part.ravel() for part in low_pass]),
        "mean-colour": np.concatenate(colour),
    }
