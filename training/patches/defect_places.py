"""Patches around defects, and as many without one, at places that tell nothing; pure.

The places of a camera are the same in all its frames, so that they tell nothing of a frame's class.
Each patch around a defect has a control nearby, so that they hardly tell defect from control.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.patches.errors import PatchError
from training.patches.places import Area, Origins, even_choices

_REACH_PATCHES = 4
"""A control lies within so many patch sides of its defect."""

_MOST_REACH_PATCHES = 64
_TRIES = 16


@dataclass(frozen=True)
class DefectPlaces:
    """Patches with a defect in their middle, and their controls.

    Attributes
    ----------
    origins
        First half around defects, second half their controls in the same order, shape (2 n, 2).
    has_defect
        Whether the patch is around a defect, bool, shape (2 n,).
    """

    origins: Origins
    has_defect: NDArray[np.bool_]


def defect_centred_origins(
    visible: Area,
    patch_size: int,
    defects: NDArray[np.int64],
    seed: int,
    limit: int | None = None,
) -> DefectPlaces:
    """Return patches around defects, each with a control without any defect.

    A defect lies on the patch's middle cell of 2 x 2 photosites; those too near to the border for
    it are left out. A control is drawn from the even places around its defect, reflected at the
    border of where patches fit, which leaves an even spread even; where defects crowd, from
    further away.

    Parameters
    ----------
    visible
        The part of the sensor that patches keep within.
    patch_size
        Side of a patch in photosites, even.
    defects
        (row, column) of every known defect, shape (defects, 2).
    seed
        Of the drawing.
    limit
        At most this many patches, half of them controls, spread evenly over the defects.

    Raises
    ------
    PatchError
        When no defect can be in the middle of a patch, or one has no control.
    """
    first, counts = even_choices(visible, patch_size)
    known = np.unique(np.asarray(defects, np.int64).reshape(-1, 2), axis=0)
    # the middle cell of a patch begins at its origin plus this, an even number
    to_middle = (patch_size // 2 - 1) // 2 * 2
    origins = np.unique(known // 2 * 2 - to_middle, axis=0)
    origins = origins[((origins >= first) & (origins < first + 2 * counts)).all(axis=1)]
    if not len(origins):
        raise PatchError(
            f"none of {len(known)} defects can be in the middle of a patch of {patch_size}"
        )
    if limit is not None:
        wanted = max(limit // 2, 1)
        if wanted < len(origins):
            chosen = np.linspace(0, len(origins) - 1, wanted).round().astype(np.int64)
            origins = origins[chosen]
    free = _free_places(known, first, counts, patch_size)
    generator = np.random.default_rng(seed)
    numbers = (origins - first) // 2
    controls = np.array([_control(generator, place, free, patch_size) for place in numbers])
    both = np.concatenate([origins, first + 2 * controls])
    return DefectPlaces(both, np.repeat([True, False], len(origins)))


def _free_places(
    defects: NDArray[np.int64],
    first: NDArray[np.int64],
    counts: NDArray[np.int64],
    patch_size: int,
) -> NDArray[np.bool_]:
    """Return, for each even place, whether a patch there holds no defect."""
    free = np.ones(counts, bool)
    last = (defects - first) // 2
    # the first place whose patch reaches the defect, and the one after the last that holds it
    lowest = np.maximum(-((patch_size - 1 - (defects - first)) // 2), 0)
    for (top, left), (bottom, right) in zip(lowest.tolist(), (last + 1).tolist(), strict=True):
        if bottom > 0 and right > 0:
            free[top:bottom, left:right] = False
    return free


def _control(
    generator: np.random.Generator,
    place: NDArray[np.int64],
    free: NDArray[np.bool_],
    patch_size: int,
) -> NDArray[np.int64]:
    """Draw a free place around one, first nearby."""
    reach_patches = _REACH_PATCHES
    while reach_patches <= _MOST_REACH_PATCHES:
        reach = reach_patches * patch_size // 2
        drawn = place + generator.integers(-reach, reach + 1, size=(_TRIES, 2))
        drawn = _reflected(drawn, np.array(free.shape))
        usable = drawn[free[drawn[:, 0], drawn[:, 1]]]
        if len(usable):
            return usable[0]
        reach_patches *= 2
    anywhere = np.argwhere(free)
    if not len(anywhere):
        raise PatchError(
            f"no patch of {patch_size} is free of defects, so none can be a control: use smaller"
            " patches"
        )
    found: NDArray[np.int64] = generator.choice(anywhere)
    return found


def _reflected(places: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Mirror places at the borders, as often as needed, until they lie within."""
    folded = places % (2 * counts)
    return np.minimum(folded, 2 * counts - 1 - folded)
