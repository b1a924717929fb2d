"""Images in the order of time, and the onsets that they can tell apart; pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.estimators.images import Images

Floats = NDArray[np.float64]

_MICROSECONDS = 1e6


@dataclass(frozen=True)
class Timeline:
    """The order of the images of one fit.

    Attributes
    ----------
    order
        Numbers of the images in the order of time, or of timeslots where there are no times.
    positions
        Where on the line each lies, in that order: seconds after the first image, or its
        timeslot's ordinal; float64 of shape (images,).
    separable
        Whether an onset j of 0 ... n can be told from the others, shape (images + 1,): images of
        the same position have the defect together.
    times
        Of the images in that order, datetime64[us]; None where there are none.
    """

    order: NDArray[np.int64]
    positions: Floats
    separable: NDArray[np.bool_]
    times: NDArray[np.datetime64] | None

    @property
    def span(self) -> float:
        """From the first to the last position."""
        return float(self.positions[-1] - self.positions[0])

    def around(self, onset: int) -> tuple[np.datetime64 | None, np.datetime64 | None]:
        """Return the times of the images before and from an onset on, None where there is none."""
        if self.times is None:
            return None, None
        return (
            self.times[onset - 1] if onset > 0 else None,
            self.times[onset] if onset < len(self.times) else None,
        )

    def time_of(self, position: float) -> np.datetime64 | None:
        """Return the time at a position; None where the images have no times."""
        if self.times is None:
            return None
        return self.times[0] + np.timedelta64(round(position * _MICROSECONDS), "us")


def timeline_of(images: Images, timeslots: NDArray[np.int64]) -> Timeline:
    """Put images in order, those of the same time by names that tell them apart."""
    if images.times is None:
        positions = timeslots.astype(np.float64)
    else:
        since = (images.times - images.times.min()).astype("timedelta64[us]").astype(np.int64)
        positions = since / _MICROSECONDS
    order = np.lexsort((images.exposure_factors, images.scenes, images.sessions, positions))
    ordered = positions[order]
    separable = np.concatenate([[True], np.diff(ordered) > 0, [True]])
    times = None if images.times is None else images.times[order]
    return Timeline(order.astype(np.int64), ordered, separable, times)


def log_prior_of_onsets(
    timeline: Timeline,
    after: NDArray[np.datetime64] | None = None,
    before: NDArray[np.datetime64] | None = None,
) -> Floats:
    """Return the log of each onset's prior probability: even in time, as defects arise.

    Onset j lies between images j - 1 and j. Before the first image and after the last it may lie
    as far away as the images reach.

    Parameters
    ----------
    timeline
        Of the images.
    after, before
        Limits of each pixel's onset, NaT where open, shape (pixels,); they count only where the
        images have times. A pixel whose limits leave nothing has no limits.

    Returns
    -------
    numpy.ndarray
        float64 of shape (images + 1, pixels), or (images + 1, 1) without limits; -inf where an
        onset is impossible or not separable.
    """
    positions = timeline.positions
    edges = np.concatenate(
        [[positions[0] - timeline.span], positions, [positions[-1] + timeline.span]]
    )
    low, high = edges[:-1, None], edges[1:, None]
    lengths = high - low
    if timeline.times is not None and after is not None and before is not None:
        limited = np.minimum(high, _seconds(timeline, before, np.inf)) - np.maximum(
            low, _seconds(timeline, after, -np.inf)
        )
        limited = np.maximum(limited, 0.0)
        lengths = np.where(limited.sum(axis=0) > 0, limited, lengths)
    lengths = np.where(timeline.separable[:, None], lengths, 0.0)
    with np.errstate(divide="ignore"):
        logs: Floats = np.log(lengths / lengths.sum(axis=0))
    return logs


def _seconds(timeline: Timeline, at: NDArray[np.datetime64], where_open: float) -> Floats:
    assert timeline.times is not None
    is_open = np.isnat(at)
    known = np.where(is_open, timeline.times[0], at)
    since = (known - timeline.times[0]).astype("timedelta64[us]").astype(np.int64) / _MICROSECONDS
    return np.where(is_open, where_open, since)
