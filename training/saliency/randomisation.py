"""Sanity checks: maps of a network must change with its weights and with what it was taught.

Maps that look the same after the weights were randomised, or after training on permuted labels,
show the input rather than the network (Adebayo et al. 2018, "Sanity Checks for Saliency Maps").
Pure numpy and scipy; knows neither networks nor catalogues.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from training.saliency.errors import SaliencyError
from training.saliency.measures import standardised
from training.statistics import Interval, bootstrap_interval

Maps = NDArray[np.float32]
LIMIT = 0.5
"""Rank correlation that a changed network's maps must stay under (reconstructed, declared here)."""


@dataclass(frozen=True)
class SanityCheck:
    """Whether maps changed with the network.

    Attributes
    ----------
    rank_correlation
        Mean over the images of Spearman's correlation of the maps' absolute values; None where no
        image has one.
    interval
        Of it, by resampling whole sessions; None with fewer than two of them.
    limit
        What the interval must stay under, declared beforehand.
    passes
        Whether it does; None where it cannot be told.
    images
        Images that have a correlation.
    undefined
        Images that have none: one of the two maps is constant.
    sessions
        Units that were resampled.
    """

    rank_correlation: float | None
    interval: Interval | None
    limit: float
    passes: bool | None
    images: int
    undefined: int
    sessions: int

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self)


def rank_correlation(first: Maps, second: Maps) -> float | None:
    """Return Spearman's correlation of the absolute values of two maps of shape (rows, columns).

    Cells that either leaves undefined (NaN) take no part. None when one of the maps is constant.
    """
    both = np.isfinite(first) & np.isfinite(second)
    ranks = [stats.rankdata(np.abs(one[both])) for one in (first, second)]
    one, other = standardised(np.stack(ranks)[:, None])
    correlation = float(one @ other)
    return correlation if np.isfinite(correlation) else None


def sanity_check(
    trained: Maps,
    changed: Maps,
    *,
    sessions: ArrayLike | None = None,
    limit: float = LIMIT,
    samples: int = 2000,
    seed: int = 0,
) -> SanityCheck:
    """Compare a trained network's maps with those of the same network changed.

    Parameters
    ----------
    trained
        Maps of the trained network, float32, shape (images, rows, columns).
    changed
        Maps of the same images by the network with randomised weights, or by one trained on
        permuted labels.
    sessions
        Session of each image, shape (images,); every image is a unit of its own where None.
    limit
        Rank correlation that the interval must stay under to pass.
    samples
        Resamplings drawn.
    seed
        Seed of the drawing.

    Raises
    ------
    SaliencyError
        When the two sets are not of the same images.
    """
    if trained.shape != changed.shape or trained.ndim != 3:
        raise SaliencyError(
            f"maps of shapes {trained.shape} and {changed.shape}: expected the same images' maps, "
            "(images, rows, columns), of both networks"
        )
    units = np.arange(len(trained)) if sessions is None else np.asarray(sessions)
    if units.shape != trained.shape[:1]:
        raise SaliencyError(f"sessions {units.shape}: expected one per image, {len(trained)}")
    found = [rank_correlation(one, other) for one, other in zip(trained, changed, strict=True)]
    defined = np.array([value is not None for value in found], bool)
    values = np.array([value for value in found if value is not None])
    count = len(np.unique(units[defined]))
    interval = (
        bootstrap_interval(values, units[defined], samples=samples, seed=seed)
        if count > 1
        else None
    )
    return SanityCheck(
        rank_correlation=float(values.mean()) if len(values) else None,
        interval=interval,
        limit=limit,
        passes=None if interval is None else interval.high < limit,
        images=len(values),
        undefined=len(found) - len(values),
        sessions=count,
    )
