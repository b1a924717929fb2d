"""How much more a photosite scatters in one scene than in the others; pure.

Where a fixture's scene has an edge, a shift of a fraction of a photosite between two sessions
changes the residual for good, just as a defect would; but only in that scene, while a defect is in
all of them. So samples of a scene in which a photosite departs more from what its defect explains
than in the other scenes count for less (reconstructed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST_IMAGES = 4
_LEAST_SCENES = 3
_PRIOR_SAMPLES = 4.0


@dataclass(frozen=True)
class SceneGroups:
    """The scenes that are repeated often enough to be compared.

    Attributes
    ----------
    names
        Of them, shape (scenes,); empty where there are too few.
    numbers
        Of each image's scene among them, -1 for every other scene, shape (images,).
    """

    names: NDArray[np.str_]
    numbers: NDArray[np.int64]


def scene_groups(scenes: NDArray[np.str_]) -> SceneGroups:
    """Return the scenes with several images each, if there are several."""
    names, numbers, counts = np.unique(scenes, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts >= _LEAST_IMAGES)
    if len(repeated) < _LEAST_SCENES:
        repeated = repeated[:0]
    renumbered = np.full(len(names), -1, np.int64)
    renumbered[repeated] = np.arange(len(repeated))
    return SceneGroups(names[repeated], renumbered[numbers])


def scene_scales(
    relative: NDArray[Any], groups: SceneGroups, expected_growth: Floats | None = None
) -> Floats:
    """Return by how much each photosite scatters more in each scene than in most, at least 1.

    Parameters
    ----------
    relative
        What is left unexplained, over the noise, shape (images, ...); NaN where missing.
    groups
        Of the same images.
    expected_growth
        By how much each scene may scatter more for good reason, shape (scenes,).

    Returns
    -------
    numpy.ndarray
        float64 of shape (scenes, ...).
    """
    squares = np.nan_to_num(relative, nan=0.0) ** 2
    known = ~np.isnan(relative)
    scatter = np.empty((len(groups.names), *relative.shape[1:]))
    for scene in range(len(groups.names)):
        own = groups.numbers == scene
        scatter[scene] = (squares[own].sum(axis=0) + _PRIOR_SAMPLES) / (
            known[own].sum(axis=0) + _PRIOR_SAMPLES
        )
    if not len(scatter):
        return scatter
    usual = np.median(scatter, axis=0)
    if expected_growth is not None:
        growth = expected_growth.reshape(-1, *([1] * (relative.ndim - 1)))
        usual = usual * np.maximum(growth, 1.0) ** 2
    scales: Floats = np.sqrt(np.maximum(scatter / usual, 1.0))
    return scales


def of_images(scales: Floats, groups: SceneGroups) -> Floats:
    """Return the scale of each image's samples, 1 in scenes that are not compared."""
    neutral = np.ones((1, *scales.shape[1:]))
    return np.concatenate([scales, neutral])[groups.numbers]
