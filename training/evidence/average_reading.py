"""What accuracies on averages of more and more frames say; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from training.evidence.averages import AverageKind
from training.evidence.errors import EvidenceError
from training.experiments.predictions import Predictions
from training.statistics import SessionTest, session_permutation_test

AverageOutcome = Literal["trace", "content", "nothing", "undecided", "inconclusive", "uncalibrated"]

HOLDS_WITHIN = 0.05
"""Largest loss of accuracy, against the fewest frames, that counts as holding."""

SHOWS_FROM = 0.1
"""Least accuracy above the middle of chance with the fewest frames from which a fall to chance says
something: averages are unlike what was learned from, and answers may lean to a class."""


@dataclass(frozen=True)
class AveragePoint:
    """Accuracy on averages of one number of frames.

    Attributes
    ----------
    count
        Frames per average.
    averages, units
        How many averages there are, and how many independent units of them.
    test
        Accuracy against chance, with units of whole sessions.
    """

    count: int
    averages: int
    units: int
    test: SessionTest


@dataclass(frozen=True)
class AverageReading:
    """What averages of a kind say.

    Attributes
    ----------
    kind
        Of the averages.
    points
        By growing number of frames.
    outcome
        `trace` if accuracy grows or holds, `content` if it falls to chance, `nothing` if the
        fewest frames are at chance already or hardly above it, `undecided` if it falls and stays
        above chance, `inconclusive` if the most frames leave too few units to tell, `uncalibrated`
        if known cases were not told apart.
    reason
        In a sentence.
    """

    kind: AverageKind
    points: tuple[AveragePoint, ...]
    outcome: AverageOutcome
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self)


def read_averages(
    kind: AverageKind,
    answers: Mapping[int, Sequence[Predictions]],
    *,
    alpha: float = 0.05,
    samples: int = 9999,
    seed: int = 0,
) -> AverageReading:
    """Read how accuracy changes with the number of averaged frames.

    Averages of the same scene keep their content and do not tell it from a trace; those of `mixed`
    classes say `nothing` unless something is wrong.

    Parameters
    ----------
    kind
        Of the averages.
    answers
        By the number of frames per average, what each run said of the frames of `average_frames`.
    alpha
        Level of the tests against chance.
    samples, seed
        Of their relabellings.

    Raises
    ------
    EvidenceError
        When there are fewer than two numbers of frames, or no runs.
    """
    if len(answers) < 2 or not all(answers.values()):
        raise EvidenceError(f"{kind}: answers for {len(answers)} numbers of frames, expected two")
    points = tuple(_point(count, answers[count], alpha, samples, seed) for count in sorted(answers))
    outcome, reason = _outcome(points, alpha)
    return AverageReading(kind, points, outcome, reason)


def calibrated(
    reading: AverageReading, positive: AverageReading, negative: AverageReading
) -> AverageReading:
    """Return a reading that stands only if known cases are read as what they are.

    Parameters
    ----------
    reading
        In question.
    positive, negative
        Of the same kind, for networks known to have learned a trace and content alone.

    Raises
    ------
    EvidenceError
        When the kinds differ.
    """
    if not reading.kind == positive.kind == negative.kind:
        raise EvidenceError(
            f"{reading.kind}: calibrated with {positive.kind} and {negative.kind}; kinds differ"
        )
    if positive.outcome == "trace" and negative.outcome == "content":
        return reading
    return replace(
        reading,
        outcome="uncalibrated",
        reason=f"a known trace reads as {positive.outcome}, known content as {negative.outcome}",
    )


def _point(
    count: int, answers: Sequence[Predictions], alpha: float, samples: int, seed: int
) -> AveragePoint:
    first = answers[0]
    test = session_permutation_test(
        first.labels,
        np.stack([one.image_classes() for one in answers]),
        first.sessions,
        alpha=alpha,
        samples=samples,
        seed=seed,
    )
    return AveragePoint(count, len(first.labels), len(np.unique(first.sessions)), test)


def _outcome(points: Sequence[AveragePoint], alpha: float) -> tuple[AverageOutcome, str]:
    fewest, most = points[0], points[-1]
    told = (
        f"{fewest.test.accuracy:.0%} with {fewest.count}, {most.test.accuracy:.0%} with"
        f" {most.count} frames per average"
    )
    if fewest.test.smallest_p > alpha or most.test.smallest_p > alpha:
        units = min(fewest.units, most.units)
        return "inconclusive", f"{units} units of sessions are too few to tell; {told}"
    if fewest.test.p_value > alpha:
        return "nothing", f"at chance with the fewest frames already; {told}"
    middle = (fewest.test.chance.low + fewest.test.chance.high) / 2
    if most.test.p_value > alpha and fewest.test.accuracy < middle + SHOWS_FROM:
        return "nothing", f"hardly above chance with the fewest frames already; {told}"
    if most.test.p_value > alpha:
        return "content", f"it falls to chance: {told}"
    if most.test.accuracy >= fewest.test.accuracy - HOLDS_WITHIN:
        return "trace", f"it grows or holds: {told}"
    return "undecided", f"it falls and stays above chance: {told}"
