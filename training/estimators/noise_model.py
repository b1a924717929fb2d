"""How much residuals scatter where there is no defect: by brightness, and by image; pure.

Photon noise grows with the light, and what a median leaves of a textured scene differs from image
to image. Both are measured at control photosites, robustly, as a few of them may be defects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from training.estimators.errors import EstimatorError

Floats = NDArray[np.float64]

_BINS = 16
_LEAST_SAMPLES = 200
_ROUNDING_VARIANCE = 1 / 12
_QUANTILE = 0.9
_NORMAL_QUANTILE = 1.6448536269514722
"""That many standard deviations hold `_QUANTILE` of normal noise; a median makes residuals peak at
0, so that smaller quantiles would tell too little noise, and larger ones hang on defects."""

_LEAST_SCALE = 0.25


@dataclass(frozen=True)
class NoiseModel:
    """Variance of residuals as a line over brightness, in DN^2.

    Attributes
    ----------
    read_variance
        At no light.
    photon_slope_dn
        Growth for each DN of light.
    """

    read_variance: float
    photon_slope_dn: float

    def deviation(self, light: NDArray[Any]) -> Floats:
        """Return the standard deviation expected at some light, NaN where that is NaN."""
        variance = self.read_variance + self.photon_slope_dn * np.maximum(light, 0.0)
        return np.sqrt(np.maximum(variance, _ROUNDING_VARIANCE), dtype=np.float64)


def fit_noise(residuals: NDArray[np.float32], light: NDArray[np.float32]) -> NoiseModel:
    """Fit the line to the robust variances of brightness classes.

    Parameters
    ----------
    residuals, light
        W and I of control photosites, shape (images, pixels), NaN where saturated.

    Raises
    ------
    EstimatorError
        When too few samples are left to tell the noise.
    """
    known = ~np.isnan(residuals)
    if known.sum() < _LEAST_SAMPLES:
        raise EstimatorError(
            f"{known.sum()} samples of {residuals.size} are not saturated, too few to tell the"
            " noise: give images that are not over-exposed"
        )
    values, lights = residuals[known].astype(np.float64), light[known].astype(np.float64)
    groups = np.array_split(np.argsort(lights, kind="stable"), _BINS)
    brightness = np.array([np.median(lights[group]) for group in groups])
    variance = np.array([_robust_deviation(values[group]) ** 2 for group in groups])
    variance = np.maximum(variance, _ROUNDING_VARIANCE)
    design = np.stack([np.ones(_BINS), np.maximum(brightness, 0.0)], axis=1)
    line, _ = optimize.nnls(design / variance[:, None], np.ones(_BINS))
    return NoiseModel(float(line[0]), float(line[1]))


def image_scales(
    residuals: NDArray[np.float32], light: NDArray[np.float32], noise: NoiseModel
) -> Floats:
    """Return by how much each image scatters more than the model says, shape (images,)."""
    relative = np.abs(residuals) / noise.deviation(light)
    scales = np.ones(len(relative))
    for number, one in enumerate(relative):
        known = one[~np.isnan(one)]
        if len(known) >= _BINS:
            scales[number] = np.quantile(known, _QUANTILE) / _NORMAL_QUANTILE
    return np.maximum(scales, _LEAST_SCALE)


def _robust_deviation(values: Floats) -> float:
    return float(np.quantile(np.abs(values), _QUANTILE) / _NORMAL_QUANTILE)
