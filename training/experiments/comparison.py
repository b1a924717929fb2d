"""Experiments against one another, run by run; pure.

The test is the corrected resampled t-test of Nadeau and Bengio (2003) over the splits that both
were judged on, with Holm's correction for the number of tests. Where there is one split, it speaks
of seeds alone; whether a difference holds for other sessions is then asked of the sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.experiments.errors import ExperimentError
from training.experiments.run_results import RunResult, corrected_over_splits
from training.experiments.sign_flips import SignFlipTest, sign_flip_test
from training.statistics import PairedComparison

Difference = Literal["first-better", "second-better", "no-difference-shown"]


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
    sessions_p, smallest_sessions_p
        Of flipping the signs of the sessions' differences, two-sided and uncorrected: what speaks
        of other sessions where all runs judged the same ones; and the smallest it could have been.
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
    sessions_p: float
    smallest_sessions_p: float
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
            return (
                "over seeds on one split: of other sessions than those judged only the sessions' p"
                f" speaks{what}"
            )
        return f"over {self.splits} splits{what}"

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON document."""
        return {**asdict(self), "verdict": self.verdict, "meaning": self.meaning}


PAIRED_COLUMNS = (
    "block", "first", "second", "difference", "interval", "p", "Holm p", "sessions' p", "runs",
    "verdict",
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
            "sessions' p": f"{one.sessions_p:.3g}",
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
            sessions_p=one.sessions.p_value,
            smallest_sessions_p=one.sessions.smallest_p,
            alpha=alpha,
            same_training=one.same_training,
        )
        for (block, first, second), one, p_value in zip(pairs, compared, adjusted, strict=True)
    )


@dataclass(frozen=True)
class _Pair:
    comparison: PairedComparison
    sessions: SignFlipTest
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
        comparison=corrected_over_splits(paired, differences, confidence, steps=2),
        sessions=sign_flip_test(_session_differences(first, second)),
        runs=len(paired),
        splits=len({run.split for run in paired}),
        same_training=all(
            run.learned_from == other.learned_from for run, other in zip(first, second, strict=True)
        ),
    )


def _session_differences(
    first: Sequence[RunResult], second: Sequence[RunResult]
) -> NDArray[np.float64]:
    """Return what each session adds to the mean difference, over the runs that judged it."""
    found: dict[str, float] = {}
    for run, other in zip(first, second, strict=True):
        for session, share in run.session_shares.items():
            difference = (share - other.session_shares[session]) / len(first)
            found[session] = found.get(session, 0.0) + difference
    return np.array(list(found.values()))


def _listed(numbers: Sequence[int]) -> str:
    return " ".join(str(number) for number in numbers) or "(none)"
