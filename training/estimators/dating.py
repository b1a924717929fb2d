"""When an image was taken, from what the photosites that went bad show in it; pure.

``l(t) = sum_i ln p_i(w_i | t)`` (Fridrich and Goljan 2011; reconstructed). A photosite shows its
defect at t if its onset is not later. Onset, amplitude and noise are not known but estimated, so
instead of plugging in their best values p_i averages over what the trusted images leave open:

    p_i(w | t) = sum_{j: onset j <= t} P_i(j) T(w; x . beta_ij, ...)
                 + sum_{j: onset j > t} P_i(j) T(w; 0, ...)

with each onset's posterior P_i(j) and Student's predictive densities T. A plugged-in onset that is
off by a few images makes intervals too short by as much. With probability `OUTLIER_SHARE` a
photosite tells nothing in an image, which caps its influence at a ratio of about 100.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln, logsumexp

from training.estimators.onset_likelihood import PRIOR_SAMPLES, Posterior, SplitSums

Floats = NDArray[np.float64]

OUTLIER_SHARE = 0.01


@dataclass(frozen=True)
class AgeingPixels:
    """Photosites that went bad within the trusted images, with what these tell of each.

    Attributes
    ----------
    places
        (row, column), int64 of shape (pixels, 2).
    log_onsets
        Log-probability of each onset, float64 of shape (images + 1, pixels).
    with_defect
        Posterior of amplitude and noise for each onset.
    samples_before, variance_before
        Of the residual without defect, shape (images + 1, pixels), in units of the noise.
    """

    places: NDArray[np.int64]
    log_onsets: Floats
    with_defect: Posterior
    samples_before: Floats
    variance_before: Floats

    def __len__(self) -> int:
        """Return the number of pixels."""
        return len(self.places)


@dataclass(frozen=True)
class PixelAnswers:
    """What each photosite says of one image.

    Attributes
    ----------
    log_likelihood
        Of the image having been taken when trusted image k was, float64 of shape (images, pixels);
        0 throughout where the sample is missing.
    log_ratio
        Defect present against absent, onset and amplitude averaged over, shape (pixels,).
    """

    log_likelihood: Floats
    log_ratio: Floats


def ageing_pixels(
    places: NDArray[np.int64], log_onsets: Floats, with_defect: Posterior, sums: SplitSums
) -> AgeingPixels:
    """Return pixels with the noise before each onset; arguments as of `AgeingPixels`."""
    samples = sums.before + PRIOR_SAMPLES
    return AgeingPixels(
        places, log_onsets, with_defect, samples, (sums.square_before + PRIOR_SAMPLES) / samples
    )


def pixel_answers(
    pixels: AgeingPixels,
    residuals: NDArray[np.float32],
    light: NDArray[np.float32],
    factor: float,
    noise: Floats,
) -> PixelAnswers:
    """Return what each photosite says of one image.

    Parameters
    ----------
    pixels
        The photosites.
    residuals, light, noise
        W, I and the expected standard deviation of W in the image, shape (pixels,).
    factor
        Exposure factor of the image.
    """
    known = ~np.isnan(residuals)
    inverse = np.where(known, 1.0 / np.where(known, noise, 1.0), 0.0)
    outcome = np.where(known, residuals, 0.0) * inverse
    covariates = np.stack([np.where(known, light, 0.0), np.full(len(noise), factor)], axis=1)
    covariates = np.concatenate([covariates, np.ones((len(noise), 1))], axis=1) * inverse[:, None]
    posterior = pixels.with_defect
    expected = np.einsum("jpa,pa->jp", posterior.mean, covariates)
    doubt = np.einsum("pa,jpab,pb->jp", covariates, posterior.covariance, covariates)
    present = _log_student(
        outcome - expected, posterior.samples, posterior.variance * (1.0 + doubt)
    )
    absent = _log_student(
        np.broadcast_to(outcome, expected.shape), pixels.samples_before, pixels.variance_before
    )
    begun = np.logaddexp.accumulate(pixels.log_onsets + present, axis=0)
    # onsets after image k, seen from the last one
    not_begun = np.logaddexp.accumulate((pixels.log_onsets + absent)[::-1], axis=0)[::-1]
    told = np.logaddexp(begun[:-1], not_begun[1:])
    told = np.logaddexp(np.log1p(-OUTLIER_SHARE) + told, np.log(OUTLIER_SHARE) + told.max(axis=0))
    ratio = logsumexp(pixels.log_onsets + present, axis=0) - logsumexp(
        pixels.log_onsets + absent, axis=0
    )
    return PixelAnswers(np.where(known, told, 0.0), np.where(known, ratio, 0.0))


def timeslot_log_likelihood(curve: Floats, numbers: NDArray[np.int64], timeslots: int) -> Floats:
    """Return the log of the mean likelihood over each timeslot's trusted images.

    Parameters
    ----------
    curve
        Log-likelihood at each trusted image, shape (images,).
    numbers
        Of each trusted image's timeslot, 0 ... timeslots - 1.
    timeslots
        How many there are; each has an image.
    """
    highest = curve.max()
    sums = np.bincount(numbers, np.exp(curve - highest), timeslots)
    counts = np.bincount(numbers, minlength=timeslots)
    logs: Floats = np.log(np.maximum(sums / counts, np.finfo(float).tiny)) + highest
    return logs


def central_interval(curve: Floats, positions: Floats, confidence: float) -> tuple[float, float]:
    """Return the positions between which an image lies with a probability.

    Every position from the first to the last trusted image is as probable beforehand; between two
    images the likelihood runs straight from one to the other, as a defect's onset may lie
    anywhere between them. Half of what is left lies on either side.

    Parameters
    ----------
    curve
        Log-likelihood at each trusted image, shape (images,).
    positions
        Their positions in time, ascending, not all the same.
    confidence
        Of the interval.
    """
    likelihood = np.exp(curve - curve.max())
    lengths = np.diff(positions)
    masses = lengths * (likelihood[:-1] + likelihood[1:]) / 2
    total = float(masses.sum())
    if total == 0.0:  # all likelihood at images that share a time with none of another likelihood
        place = int(curve.argmax())
        return float(positions[place]), float(positions[place])
    below = np.concatenate([[0.0], np.cumsum(masses)])
    tail = (1 - confidence) / 2
    low, high = (
        _position_of(share * total, below, positions, likelihood) for share in (tail, 1 - tail)
    )
    return low, high


def is_excluded(curve: Floats, image: int, confidence: float) -> bool:
    """Tell whether the likelihood ratio test excludes the time of a trusted image (Wilks)."""
    return bool(2 * (curve.max() - curve[image]) > stats.chi2.ppf(confidence, 1))


def _position_of(mass: float, below: Floats, positions: Floats, likelihood: Floats) -> float:
    """Return where the cumulative likelihood reaches a mass."""
    gap = int(np.searchsorted(below, mass, side="right")) - 1
    gap = min(max(gap, 0), len(positions) - 2)
    length = float(positions[gap + 1] - positions[gap])
    if length == 0.0:
        return float(positions[gap])
    first, slope = float(likelihood[gap]), float(likelihood[gap + 1] - likelihood[gap])
    left = (mass - float(below[gap])) / length
    # left = first x + slope x^2 / 2 on the share x of the gap, in the form that bears slope 0
    root = np.sqrt(max(first * first + 2 * slope * left, 0.0))
    share = 2 * left / (first + root) if first + root > 0 else 0.0
    return float(positions[gap] + length * min(max(share, 0.0), 1.0))


def _log_student(deviation: Floats, samples: Floats, variance: Floats) -> Floats:
    """Return the log of Student's density without its constant 1 / sqrt(pi)."""
    half = (samples + 1) / 2
    return (
        gammaln(half)
        - gammaln(samples / 2)
        - 0.5 * np.log(samples * variance)
        - half * np.log1p(deviation**2 / (samples * variance))
    )
