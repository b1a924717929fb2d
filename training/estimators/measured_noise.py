"""The noise of a set of images, measured at photosites drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.estimators.images import Images
from training.estimators.noise_model import NoiseModel, fit_noise, image_scales
from training.estimators.places import without
from training.estimators.residuals import residuals_at

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

MOST_CONTROLS = 4096


@dataclass(frozen=True)
class MeasuredNoise:
    """Noise of images.

    Attributes
    ----------
    controls
        (row, column) of the photosites that it was measured at, int64 of shape (controls, 2).
    model
        By brightness.
    scales
        Of each image, shape (images,).
    residuals, light
        At the controls, float32 of shape (images, controls).
    """

    controls: Places
    model: NoiseModel
    scales: Floats
    residuals: NDArray[np.float32]
    light: NDArray[np.float32]


def draw_controls(images: Images, known: Places, seed: int) -> Places:
    """Draw photosites of the visible area, none of them a known defect."""
    top, left, height, width = images.frames[0].visible
    generator = np.random.default_rng(seed)
    count = min(MOST_CONTROLS, height * width)
    drawn = generator.choice(height * width, count, replace=False)
    places = np.stack([top + drawn // width, left + drawn % width], axis=1)
    return without(places.astype(np.int64), known)


def measure_noise(images: Images, known: Places, seed: int) -> MeasuredNoise:
    """Measure the noise of images, one frame at a time.

    Parameters
    ----------
    images
        At least one.
    known
        (row, column) of known defects, which take no part.
    seed
        Of the photosites drawn.

    Raises
    ------
    EstimatorError
        When too few samples are not saturated.
    """
    controls = draw_controls(images, known, seed)
    residuals, light = residuals_at(images, controls)
    model = fit_noise(residuals, light)
    return MeasuredNoise(controls, model, image_scales(residuals, light, model), residuals, light)
