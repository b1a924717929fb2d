"""What the runs of one experiment say together; pure.

Runs on resplits of one data set share most of what they learn from, so that their spread is too
small for their number: intervals and tests are those of Nadeau and Bengio (2003), and sizes count
sessions. Runs on one and the same split differ by seed alone, which is less again, so the runs of a
split are averaged first and splits are what is counted; where there is one split only, runs are
counted and nothing is said of other sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.experiments.errors import ExperimentError
from training.statistics import PairedComparison, nadeau_bengio


@dataclass(frozen=True)
class RunResult:
    """How well one run did on one block.

    Attributes
    ----------
    number
        Of the run within its experiment.
    accuracy
        Share of images recognised.
    images
        How many images were judged.
    learned_from, judged_on
        Identities of the frames that the run learned from, and of those that it judged: equal texts
        are the same frames.
    train_sessions
        How many sessions the run learned from.
    session_shares
        What the images of each judged session add to the accuracy.
    """

    number: int
    accuracy: float
    images: int
    learned_from: str
    judged_on: str
    train_sessions: int
    session_shares: Mapping[str, float]

    @property
    def test_sessions(self) -> int:
        """How many sessions were judged."""
        return len(self.session_shares)

    @property
    def split(self) -> tuple[str, str]:
        """What runs have in common that differ by seed alone."""
        return self.learned_from, self.judged_on


@dataclass(frozen=True)
class RunsInterval:
    """Mean accuracy of runs with its corrected interval.

    Attributes
    ----------
    mean
        Over the runs.
    standard_deviation
        Of the runs; None of a single one.
    low, high
        Corrected interval, within 0 and 1; None of a single run.
    confidence
        Of the interval.
    runs, splits
        How many there are; runs of one split differ by seed alone.
    meaning
        What the interval speaks of, in words.
    """

    mean: float
    standard_deviation: float | None
    low: float | None
    high: float | None
    confidence: float
    runs: int
    splits: int
    meaning: str


def runs_interval(runs: Sequence[RunResult], confidence: float = 0.95) -> RunsInterval:
    """Summarise the runs of one experiment on one block.

    Raises
    ------
    ExperimentError
        If there are no runs.
    """
    if not runs:
        raise ExperimentError("there are no runs to summarise")
    accuracies = np.array([run.accuracy for run in runs])
    splits = len({run.split for run in runs})
    low = high = deviation = None
    if len(runs) > 1:
        deviation = float(accuracies.std(ddof=1))
        # an accuracy in steps of 1 / images is that of a rectangle of this width
        interval = corrected_over_splits(runs, accuracies, confidence, steps=1).interval
        low, high = max(0.0, interval.low), min(1.0, interval.high)
    return RunsInterval(
        mean=float(accuracies.mean()),
        standard_deviation=deviation,
        low=low,
        high=high,
        confidence=confidence,
        runs=len(runs),
        splits=splits,
        meaning=_meaning(runs, splits),
    )


def _meaning(runs: Sequence[RunResult], splits: int) -> str:
    sessions = f"{runs[0].train_sessions} training and {runs[0].test_sessions} judged sessions"
    if len(runs) == 1:
        return f"one run on {sessions}: no interval"
    if splits == 1:
        return (
            f"{len(runs)} runs on one split ({sessions}) differ by seed alone: the interval is of"
            " the mean over seeds; of other sessions only the chance interval speaks"
        )
    return (
        f"{len(runs)} runs on {splits} splits (the first of {sessions}), the runs of a split"
        " averaged: the interval is of the mean over splits, corrected for what these share; where"
        " runs learned from sessions that others judged, the p of chance is somewhat too small"
    )


def corrected_over_splits(
    runs: Sequence[RunResult], values: NDArray[np.float64], confidence: float, *, steps: int
) -> PairedComparison:
    """Correct the mean of what runs gave for the splits that they share.

    Parameters
    ----------
    runs
        At least two.
    values
        What each run gave, shape (runs,).
    confidence
        Of the interval.
    steps
        How many accuracies each value is the sum or difference of; they come in steps of an image.
    """
    of_split: dict[tuple[str, str], list[int]] = {}
    for place, run in enumerate(runs):
        of_split.setdefault(run.split, []).append(place)
    groups = list(of_split.values()) if len(of_split) > 1 else [[one] for one in range(len(runs))]
    rounding = [steps / 12 / runs[group[0]].images ** 2 / len(group) for group in groups]
    return nadeau_bengio(
        [values[group].mean() for group in groups],
        sum(run.train_sessions for run in runs),
        sum(run.test_sessions for run in runs),
        confidence,
        smallest_variance=float(np.mean(rounding)),
    )
