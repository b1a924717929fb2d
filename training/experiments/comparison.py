"""What several runs say together: of one experiment, and of two against one another; pure.

Runs on resplits of one data set share most of what they learn from, so that their spread is too
small for their number: intervals and tests are those of Nadeau and Bengio (2003), and sizes count
sessions. Runs on one and the same split differ by seed alone, which is less again, so the runs of a
split are averaged first and splits are what is counted; where there is one split only, runs are
counted and nothing is said of other sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.experiments.errors import ExperimentError
from training.statistics import PairedComparison, nadeau_bengio

Difference = Literal["first-better", "second-better", "no-difference-shown"]


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
    train_sessions, test_sessions
        How many sessions these frames are of.
    """

    number: int
    accuracy: float
    images: int
    learned_from: str
    judged_on: str
    train_sessions: int
    test_sessions: int

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
        interval = _corrected(runs, accuracies, confidence, steps=1).interval
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
            " the mean over seeds and says nothing of other sessions, as the chance interval does"
        )
    return (
        f"{len(runs)} runs on {splits} splits (the first of {sessions}), the runs of a split"
        " averaged: the interval is of the mean over splits, corrected for what these share"
    )


def _corrected(
    runs: Sequence[RunResult], values: NDArray[np.float64], confidence: float, *, steps: int
) -> PairedComparison:
    """Apply the correction to splits, or to runs where there is one split.

    Each value is made of `steps` accuracies that come in steps of one image.
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


@dataclass(frozen=True)
class PairedTest:
    """Two experiments on one block, run by run.

    Attributes
    ----------
    block
        Evaluation on which they are compared.
    first, second
        The experiments.
    runs, splits
        How many pairs there are, and how many splits these are on.
    difference
        Mean of first minus second.
    low, high
        Corrected interval of the difference, of this pair alone.
    p_value
        Two-sided, corrected resampled t-test.
    adjusted_p
        The same after Holm's correction over all pairs and blocks that were asked for.
    alpha
        Level of the verdict.
    same_training
        Whether both learned from the same frames; otherwise they differ by data as well.
    """

    block: str
    first: str
    second: str
    runs: int
    splits: int
    difference: float
    low: float
    high: float
    p_value: float
    adjusted_p: float
    alpha: float
    same_training: bool

    @property
    def verdict(self) -> Difference:
        """Which is better after Holm's correction, if that is shown."""
        if self.adjusted_p > self.alpha:
            return "no-difference-shown"
        return "first-better" if self.difference > 0 else "second-better"

    @property
    def meaning(self) -> str:
        """What the test speaks of, in words."""
        what = (
            "" if self.same_training else "; they learned from different frames, not only otherwise"
        )
        if self.splits == 1:
            return f"over seeds on one split, nothing is said of other sessions{what}"
        return f"over {self.splits} splits{what}"

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON document."""
        return {**asdict(self), "verdict": self.verdict, "meaning": self.meaning}


PAIRED_COLUMNS = (
    "block", "first", "second", "difference", "interval", "p", "Holm p", "runs", "verdict",
)  # fmt: skip
"""Columns of `paired_rows`."""


def paired_rows(tests: Sequence[PairedTest]) -> list[dict[str, Any]]:
    """Return one row of text per test, for a table."""
    return [
        {
            "block": one.block,
            "first": one.first,
            "second": one.second,
            "difference": f"{one.difference:+.3f}",
            "interval": f"{one.low:+.3f} to {one.high:+.3f}",
            "p": f"{one.p_value:.3g}",
            "Holm p": f"{one.adjusted_p:.3g}",
            "runs": one.runs,
            "verdict": one.verdict,
        }
        for one in tests
    ]


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted for their number by Holm's step-down method (Holm 1979).

    Rejecting those at most alpha keeps the chance of any false alarm at alpha, however the tests
    depend on one another.

    Parameters
    ----------
    p_values
        One per test, shape (tests,).
    """
    given = np.asarray(p_values, np.float64)
    order = np.argsort(given, kind="stable")
    scaled = given[order] * np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def compare_experiments(
    experiments: Mapping[str, Mapping[str, Sequence[RunResult]]],
    blocks: Sequence[str] | None = None,
    *,
    alpha: float = 0.05,
    confidence: float = 0.95,
) -> tuple[PairedTest, ...]:
    """Test every pair of experiments on every block, with Holm's correction over all of them.

    Parameters
    ----------
    experiments
        Runs by block, by the experiment's name; at least two experiments.
    blocks
        On which to compare; all that every experiment was judged on by default.
    alpha
        Chance of any false alarm among all the tests together.
    confidence
        Of the intervals, each by itself.

    Raises
    ------
    ExperimentError
        If there are fewer than two experiments or runs, a block is not there, or runs are not
        paired: the runs of one number have to have judged the same frames.
    """
    names = list(experiments)
    if len(names) < 2:
        raise ExperimentError("a comparison is of two experiments at least")
    common = [one for one in experiments[names[0]] if all(one in experiments[n] for n in names)]
    for block in blocks or ():
        lacking = next((name for name in names if block not in experiments[name]), None)
        if lacking is not None:
            raise ExperimentError(f"experiment {lacking} was not judged on {block}")
    chosen = list(dict.fromkeys(blocks)) if blocks else common
    if not chosen:
        raise ExperimentError(f"experiments {', '.join(names)} have no evaluation in common")
    pairs = [(block, *pair) for block in chosen for pair in combinations(names, 2)]
    compared = [
        _paired(block, pair, [experiments[name][block] for name in pair], confidence)
        for block, *pair in pairs
    ]
    adjusted = holm([one.comparison.p_value for one in compared])
    return tuple(
        PairedTest(
            block=block,
            first=first,
            second=second,
            runs=one.runs,
            splits=one.splits,
            difference=one.comparison.mean,
            low=one.comparison.interval.low,
            high=one.comparison.interval.high,
            p_value=one.comparison.p_value,
            adjusted_p=float(p_value),
            alpha=alpha,
            same_training=one.same_training,
        )
        for (block, first, second), one, p_value in zip(pairs, compared, adjusted, strict=True)
    )


@dataclass(frozen=True)
class _Pair:
    comparison: PairedComparison
    runs: int
    splits: int
    same_training: bool


def _by_number(runs: Sequence[RunResult]) -> list[RunResult]:
    return sorted(runs, key=lambda run: run.number)


def _paired(
    block: str, names: Sequence[str], results: Sequence[Sequence[RunResult]], confidence: float
) -> _Pair:
    first, second = (_by_number(runs) for runs in results)
    title = f"experiments {names[0]} and {names[1]} on {block}"
    numbers = [[run.number for run in runs] for runs in (first, second)]
    if numbers[0] != numbers[1]:
        raise ExperimentError(
            f"{title}: runs {_listed(numbers[0])} and {_listed(numbers[1])} cannot be paired;"
            " give both as many runs"
        )
    if len(first) < 2:
        raise ExperimentError(f"{title}: a paired test needs at least two runs of each")
    for run, other in zip(first, second, strict=True):
        if run.judged_on != other.judged_on:
            raise ExperimentError(
                f"{title}: their runs {run.number} judged different images and cannot be paired;"
                " judge both on the same dataset's block"
            )
    differences = np.array(
        [run.accuracy - other.accuracy for run, other in zip(first, second, strict=True)]
    )
    # a split of a pair is what both learned from
    paired = [
        replace(run, learned_from=f"{run.learned_from} {other.learned_from}")
        for run, other in zip(first, second, strict=True)
    ]
    return _Pair(
        comparison=_corrected(paired, differences, confidence, steps=2),
        runs=len(paired),
        splits=len({run.split for run in paired}),
        same_training=all(
            run.learned_from == other.learned_from for run, other in zip(first, second, strict=True)
        ),
    )


def _listed(numbers: Sequence[int]) -> str:
    return " ".join(str(number) for number in numbers) or "(none)"
