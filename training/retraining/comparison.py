"""Whether a new model replaces the one in service, given what both said of the same frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.experiments.predictions import Predictions
from training.retraining.policy import Promotion
from training.statistics import bootstrap_interval, session_permutation_test


@dataclass(frozen=True)
class Decision:
    """Whether to promote, why, and the numbers that it rests on."""

    promotes: bool
    reason: str
    numbers: dict[str, Any]


@dataclass(frozen=True)
class Against:
    """How much better a candidate is than the model in service, on frames that neither learned.

    Attributes
    ----------
    images, sessions
        What both judged.
    candidate, in_service
        Image-level accuracy, mean over the runs of each.
    difference
        Of the candidate over the one in service.
    low, high
        95 % interval of it from resampling whole sessions and scenes; with fewer than ten sessions
        it is too narrow.
    """

    images: int
    sessions: int
    candidate: float
    in_service: float
    difference: float
    low: float
    high: float


def recognised(said: Sequence[Predictions]) -> NDArray[np.float64]:
    """Return in what share of the runs each frame was recognised, shape (frames,)."""
    return np.mean([one.image_classes() == one.labels for one in said], axis=0)


def compare(candidate: Sequence[Predictions], in_service: Sequence[Predictions]) -> Against:
    """Compare two models on the same frames.

    Parameters
    ----------
    candidate, in_service
        What the runs of each said of the same frames in the same order.
    """
    frames = candidate[0]
    new, old = recognised(candidate), recognised(in_service)
    interval = bootstrap_interval(
        new - old, frames.sessions, frames.scenes, labels=frames.labels, samples=4000
    )
    return Against(
        images=len(new),
        sessions=len(np.unique(frames.sessions)),
        candidate=float(new.mean()),
        in_service=float(old.mean()),
        difference=float((new - old).mean()),
        low=interval.low,
        high=interval.high,
    )


def decide(rule: Promotion, clean: Sequence[Predictions], against: Against | None) -> Decision:
    """Apply a policy's rule.

    Parameters
    ----------
    rule
        When a model is promoted.
    clean
        What the candidate's runs said of its clean block.
    against
        The comparison with the model in service; None where there is none.
    """
    frames = clean[0]
    test = session_permutation_test(
        frames.labels, np.stack([one.image_classes() for one in clean]), frames.sessions
    )
    numbers: dict[str, Any] = {
        "accuracy": test.accuracy,
        "p_value": test.p_value,
        "smallest_p": test.smallest_p,
        "verdict": test.verdict,
        "sessions": len(np.unique(frames.sessions)),
    }
    if against is not None:
        numbers["against"] = asdict(against)
    stated = (
        f"{test.accuracy:.1%} of the clean images, p = {test.p_value:.3g} by sessions"
        f" ({test.verdict.replace('-', ' ')})"
    )
    if rule.above_chance and test.verdict != "above-chance":
        return Decision(False, f"not above chance: {stated}", numbers)
    if against is None:
        return Decision(True, f"the first of its line: {stated}", numbers)
    least = 0.0 if rule.rule == "better" else -rule.margin
    compared = (
        f"{against.candidate:.1%} against {against.in_service:.1%} in service on the same"
        f" {against.images} images of {against.sessions} sessions, difference"
        f" {against.low:+.3f} to {against.high:+.3f}"
    )
    if against.low > least:
        return Decision(True, f"{rule.rule}: {compared}", numbers)
    return Decision(False, f"not shown to be {rule.rule}: {compared}", numbers)
