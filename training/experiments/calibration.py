"""Whether a run's probabilities are those with which it is right; pure.

Bins are of equal width over [0, 1], each with its upper end, the first with 0 as well (those of Guo
et al. 2017, and of scikit-learn). With few images per bin the calibration error is biased upwards:
a perfectly calibrated network has one above 0, so compare it between networks that judged the same
images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.experiments.errors import ExperimentError

BINS = 10
"""Bins of probability, unless others are asked for."""


@dataclass(frozen=True)
class Reliability:
    """How often what was held to be probable came true.

    Attributes
    ----------
    edges
        Of the bins, one more than there are bins.
    counts
        Events per bin.
    probabilities
        Mean probability that was claimed, per bin; None where a bin is empty.
    shares
        Share of the events that came true, per bin; None where a bin is empty.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    probabilities: tuple[float | None, ...]
    shares: tuple[float | None, ...]

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean over the events of |share - claimed| of their bin."""
        return sum(
            count * abs(share - claimed) for count, share, claimed in self._occupied()
        ) / sum(self.counts)

    @property
    def largest_error(self) -> float:
        """Largest |share - claimed| of a bin that is not empty."""
        return max(abs(share - claimed) for _, share, claimed in self._occupied())

    def _occupied(self) -> list[tuple[int, float, float]]:
        return [
            (count, share, claimed)
            for count, share, claimed in zip(
                self.counts, self.shares, self.probabilities, strict=True
            )
            if share is not None and claimed is not None
        ]


def reliability(came_true: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> Reliability:
    """Compare claimed probabilities of events with how often these came true.

    Parameters
    ----------
    came_true
        Whether each event came true, shape (events,), at least one.
    probabilities
        Claimed probability of each event, from 0 to 1, shape (events,).
    bins
        Number of bins of equal width.

    Raises
    ------
    ExperimentError
        When shapes differ, there is no event, or a probability is none.
    """
    truth = np.asarray(came_true, np.float64)
    claimed = np.asarray(probabilities, np.float64)
    if truth.shape != claimed.shape or truth.ndim != 1 or not len(truth) or bins < 1:
        raise ExperimentError(
            f"reliability of {truth.shape} events with {claimed.shape} probabilities in {bins} bins"
        )
    if not ((claimed >= 0) & (claimed <= 1)).all():
        raise ExperimentError("reliability: a probability is not between 0 and 1")
    edges = np.linspace(0, 1, bins + 1)
    places = np.searchsorted(edges[1:-1], claimed)
    counts = np.bincount(places, minlength=bins)
    return Reliability(
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        probabilities=_means(places, claimed, counts),
        shares=_means(places, truth, counts),
    )


def _means(
    places: NDArray[np.intp], values: NDArray[np.float64], counts: NDArray[np.intp]
) -> tuple[float | None, ...]:
    sums = np.bincount(places, values, len(counts))
    return tuple(
        float(total / count) if count else None for total, count in zip(sums, counts, strict=True)
    )


def confidence_reliability(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], bins: int = BINS
) -> Reliability:
    """Compare the probability of the class that is named with how often it is the true one.

    Parameters
    ----------
    labels
        True class of each image, shape (images,).
    probabilities
        Of each image's classes, shape (images, classes).
    bins
        Number of bins of equal width; with two classes, the upper half of them is used.
    """
    named = probabilities.argmax(axis=1)
    return reliability(named == labels, probabilities.max(axis=1), bins)


def class_reliability(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], bins: int = BINS
) -> Sequence[Reliability]:
    """Compare each class's probability with how often images are of it; one curve per class."""
    return [
        reliability(labels == label, probabilities[:, label], bins)
        for label in range(probabilities.shape[1])
    ]
