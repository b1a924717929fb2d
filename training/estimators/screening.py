"""Which photosites of a sensor deserve the full likelihood: those whose level changes in time.

For each photosite the largest squared change of its mean over all onsets, in units of its noise
(the change of a mean as of Page's cumulative sums, generalised likelihood ratio), once as it is and
once in proportion to the exposure factor. Samples are clipped, so that single edges of scenes don't
pass for defects, and those of a scene with an edge at a photosite count for less there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.estimators.acceptance import LEAST_SAMPLES
from training.estimators.images import Images
from training.estimators.noise_model import NoiseModel
from training.estimators.residuals import ResidualStrip, residual_strips
from training.estimators.scene_scales import (
    SceneGroups,
    of_images,
    scene_groups,
    scene_scales,
)

Floats = NDArray[np.float64]

_CLIPPED = 5.0
_LEAST_CHANGE = 12.0
_BYTES_OF_SAMPLE = 56
"""Of one photosite in one image: residual, light, noise and their like."""


def conspicuous_photosites(
    images: Images,
    scales: Floats,
    separable: NDArray[np.bool_],
    noise: NoiseModel,
    *,
    most: int,
    memory_bytes: int,
) -> tuple[NDArray[np.int64], int]:
    """Return photosites whose residual changes at some time, the most conspicuous first.

    Parameters
    ----------
    images
        In the order of time.
    scales
        By how much each image scatters more than the model, shape (images,).
    separable
        Onsets to try, shape (images + 1,).
    noise
        Of photosites without defect.
    most
        The most photosites to return.
    memory_bytes
        What a strip of rows may take.

    Returns
    -------
    places, tried
        (row, column), int64 of shape (places, 2), and how many photosites were looked at.
    """
    _, _, height, width = images.frames[0].visible
    rows = max(int(memory_bytes // (_BYTES_OF_SAMPLE * len(images) * width)), 1)
    groups = scene_groups(images.scenes)
    places: list[NDArray[np.int64]] = []
    changes: list[Floats] = []
    for strip in residual_strips(images, min(rows, height)):
        change = _largest_change(strip, images.exposure_factors, scales, separable, noise, groups)
        found = np.argwhere(change >= _LEAST_CHANGE)
        changes.append(change[tuple(found.T)])
        places.append(found + np.array([strip.first_row, strip.first_column]))
    together, change = np.concatenate(places), np.concatenate(changes)
    chosen = np.argsort(-change, kind="stable")[:most]
    return together[chosen].astype(np.int64), height * width


def _largest_change(
    strip: ResidualStrip,
    factors: Floats,
    scales: Floats,
    separable: NDArray[np.bool_],
    noise: NoiseModel,
    groups: SceneGroups,
) -> Floats:
    deviation = noise.deviation(strip.light) * scales[:, None, None]
    relative = np.clip(strip.residuals / deviation, -_CLIPPED, _CLIPPED).astype(np.float32)
    relative[np.isnan(relative)] = 0.0
    steady = _change_in_proportion(
        _evened(relative, groups, None), np.ones(len(factors)), separable
    )
    if np.ptp(factors) == 0:
        return steady
    weights = factors / np.median(factors)
    return np.maximum(
        steady,
        _change_in_proportion(_evened(relative, groups, weights), weights, separable),
    )


def _evened(
    relative: NDArray[np.float32], groups: SceneGroups, weights: Floats | None
) -> NDArray[np.float32]:
    """Return samples that count for less in scenes in which their photosite scatters more.

    A signal in proportion to weights may scatter more where these are larger.
    """
    if not len(groups.names):
        return relative
    growth = None
    if weights is not None:
        growth = np.array(
            [weights[groups.numbers == scene].max() for scene in range(len(groups.names))]
        )
    scales = of_images(scene_scales(relative, groups, growth), groups)
    return np.divide(relative, scales, dtype=np.float32, casting="same_kind")


def _change_in_proportion(
    relative: NDArray[np.float32], weights: Floats, separable: NDArray[np.bool_]
) -> Floats:
    """Return 2 ln of the ratio that a signal in proportion to weights changes, its best onset."""
    count = len(relative)
    total = np.tensordot(weights, relative, axes=1)
    energy = float((weights**2).sum())
    since = np.zeros(relative.shape[1:])
    energy_since = 0.0
    best = np.zeros_like(since)
    for onset in range(count - 1, 0, -1):
        since += weights[onset] * relative[onset]
        energy_since += float(weights[onset] ** 2)
        if separable[onset] and LEAST_SAMPLES <= onset <= count - LEAST_SAMPLES:
            share = energy_since / energy
            np.maximum(best, (since - share * total) ** 2 / (energy_since * (1 - share)), out=best)
    return best
