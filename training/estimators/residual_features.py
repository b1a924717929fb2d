"""Residuals at some photosites as features of images, in units of their noise.

A defect of dark current grows with the exposure factor, another does not; so each photosite's
residual is taken as it is or over the exposure factor, whichever tells the timeslots of the trusted
images apart better (reconstructed).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.estimators.images import Images
from training.estimators.noise_model import NoiseModel, image_scales
from training.estimators.residuals import residuals_at

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class ResidualFeatures:
    """How features are read.

    Attributes
    ----------
    places
        (row, column) of the photosites, int64 of shape (pixels, 2).
    by_exposure
        Which of them are taken over the exposure factor, bool of shape (pixels,).
    median_factor
        Of the trusted images; features over the exposure factor are as of it.
    controls
        (row, column) of photosites that tell by how much an image scatters.
    noise
        By brightness.
    """

    places: Places
    by_exposure: NDArray[np.bool_]
    median_factor: float
    controls: Places
    noise: NoiseModel

    def read(self, images: Images) -> Floats:
        """Return the features, float64 of shape (images, pixels); NaN where saturated."""
        steady = steady_features(images, self.places, self.controls, self.noise)
        over = steady * (self.median_factor / images.exposure_factors)[:, None]
        return np.where(self.by_exposure, over, steady)


def steady_features(images: Images, places: Places, controls: Places, noise: NoiseModel) -> Floats:
    """Return residuals in units of their noise, float64 of shape (images, pixels).

    Parameters
    ----------
    images
        One frame is read at a time.
    places, controls
        (row, column) of the photosites, and of those that tell by how much an image scatters.
    noise
        By brightness.
    """
    together = np.concatenate([places, controls])
    residuals, light = residuals_at(images, together)
    count = len(places)
    scales = image_scales(residuals[:, count:], light[:, count:], noise)
    deviation = noise.deviation(light[:, :count]) * scales[:, None]
    features: Floats = residuals[:, :count] / deviation
    return features


def learn_features(
    images: Images,
    numbers: NDArray[np.int64],
    places: Places,
    controls: Places,
    noise: NoiseModel,
) -> tuple[ResidualFeatures, Floats]:
    """Choose how each photosite is taken, and return the features of the trusted images.

    Parameters
    ----------
    images
        Trusted ones.
    numbers
        Of each one's timeslot, from 0, shape (images,).
    places, controls, noise
        As of `steady_features`.
    """
    steady = steady_features(images, places, controls, noise)
    median = float(np.median(images.exposure_factors))
    over = steady * (median / images.exposure_factors)[:, None]
    by_exposure = explained_share(over, numbers) > explained_share(steady, numbers)
    reader = ResidualFeatures(places, by_exposure, median, controls, noise)
    return reader, np.where(by_exposure, over, steady)


def explained_share(features: Floats, numbers: NDArray[np.int64]) -> Floats:
    """Return the share of each feature's variance that lies between classes, shape (pixels,).

    0 where a feature does not vary; missing samples take no part.
    """
    known = ~np.isnan(features)
    values = np.where(known, features, 0.0)
    counts, sums = known.sum(axis=0), values.sum(axis=0)
    mean = sums / np.maximum(counts, 1)
    total = np.where(known, (features - mean) ** 2, 0.0).sum(axis=0)
    between = np.zeros(features.shape[1])
    for number in np.unique(numbers):
        own = numbers == number
        own_counts = known[own].sum(axis=0)
        own_means = values[own].sum(axis=0) / np.maximum(own_counts, 1)
        between += own_counts * (own_means - mean) ** 2
    return np.divide(between, total, out=np.zeros_like(between), where=total > 0)
