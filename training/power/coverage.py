"""Which share of a sensor the patches of a frame see; exact geometry, pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datastore.datasets.patch_spec import PatchSpec
from training.patches.places import (
    Area,
    even_choices,
    five_crop_origins,
    grid_origins,
    tile_origins,
)


@dataclass(frozen=True)
class Coverage:
    """What the patches of one frame see.

    Attributes
    ----------
    patches
        Patches of a frame; None where the number follows from the defects (`defect-centred`).
    patch_share
        Area of one patch over that of the sensor.
    frame_share
        Share of the sensor that is in one patch of a frame at least. Of `random` patches, the mean;
        of `defect-centred` ones, the share of new defects, which is 1 where the ledger knows all.
    fixed
        Whether every frame shows the same share.
    """

    patches: int | None
    patch_share: float
    frame_share: float
    fixed: bool


def coverage_of(patches: PatchSpec, width: int, height: int) -> Coverage:
    """Return what the patches of a frame see of a sensor that sees light everywhere.

    Places are those of `training.patches.places`, overlaps are counted once.

    Parameters
    ----------
    patches
        Kind, size and number.
    width, height
        Photosites.

    Raises
    ------
    PatchError
        If a patch does not fit.
    """
    visible: Area = (0, 0, height, width)
    share = patches.size**2 / (width * height)
    if patches.kind == "defect-centred":
        return Coverage(None, share, 1.0, True)
    if patches.kind == "random":
        count = patches.count or 1
        return Coverage(count, share, _random_share(visible, patches.size, count), False)
    if patches.kind == "five-crop":
        origins = five_crop_origins(visible, patches.size)
    elif patches.kind == "grid":
        origins = grid_origins(visible, patches.size, patches.count)
    else:
        origins = tile_origins(visible, patches.size)
    union = union_area(origins, patches.size) / (width * height)
    return Coverage(len(origins), share, union, True)


def union_area(origins: NDArray[np.int64], size: int) -> int:
    """Return how many photosites are in one of the squares at least.

    Parameters
    ----------
    origins
        (row, column) of each square's first photosite, shape (squares, 2).
    size
        Side of the squares.
    """
    rows = np.unique(np.concatenate([origins[:, 0], origins[:, 0] + size]))
    columns = np.unique(np.concatenate([origins[:, 1], origins[:, 1] + size]))
    # between two neighbouring edges a place is in a square as a whole or not at all
    inside_rows = (origins[:, :1] <= rows[:-1]) & (rows[:-1] < origins[:, :1] + size)
    inside_columns = (origins[:, 1:] <= columns[:-1]) & (columns[:-1] < origins[:, 1:] + size)
    covered = (inside_rows.T.astype(np.int64) @ inside_columns.astype(np.int64)) > 0
    return int(np.diff(rows) @ covered @ np.diff(columns))


def _random_share(visible: Area, size: int, count: int) -> float:
    """Return the mean share that patches at random even places see: less at the borders."""
    first, choices = even_choices(visible, size)
    shares = []
    for low, number, length in zip(first.tolist(), choices.tolist(), visible[2:], strict=True):
        starts = low + 2 * np.arange(number)
        edges = np.zeros(length + 1)
        np.add.at(edges, starts, 1.0)
        np.add.at(edges, starts + size, -1.0)
        shares.append(np.unique(np.round(np.cumsum(edges)[:-1] / number, 15), return_counts=True))
    (by_row, rows), (by_column, columns) = shares
    missed = (1.0 - np.outer(by_row, by_column)) ** count
    return float(1.0 - rows @ missed @ columns / (rows.sum() * columns.sum()))
