"""How much an intervention changes answers beyond its matched control, on the same frames; pure.

The session is the unit: intervals resample whole sessions and scenes, p-values flip the signs of
whole sessions. Networks are taken as they were trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evidence.errors import EvidenceError
from training.experiments.predictions import Predictions
from training.experiments.sign_flips import SignFlipTest, sign_flip_test
from training.statistics import Interval, bootstrap_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A mean difference between an intervention and its control.

    Attributes
    ----------
    intervention, control
        Mean under each.
    difference
        Intervention less control.
    interval
        Of the difference, by resampling whole sessions and scenes.
    p_value
        Two-sided, by flipping the signs of whole sessions.
    smallest_p
        What it would be, did all sessions lean one way.
    """

    intervention: float
    control: float
    difference: float
    interval: Interval
    p_value: float
    smallest_p: float


@dataclass(frozen=True)
class Effect:
    """What an intervention does beyond its matched control.

    Attributes
    ----------
    name
        Of the intervention.
    accuracy
        Of the share of images recognised.
    log_odds
        Of the log-odds of the true class, mean over the images.
    runs, images, sessions, scenes
        How many stand behind it.
    """

    name: str
    accuracy: Difference
    log_odds: Difference
    runs: int
    images: int
    sessions: int
    scenes: int

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Flips:
    """How often answers go over to another class, of those that were right before.

    Attributes
    ----------
    name
        Of the intervention.
    rate, control_rate
        Share of right answers that turned to the target class under the intervention and under its
        control; None where no answer was right before.
    interval, control_interval
        Of the shares, by resampling whole sessions and scenes.
    excess
        Difference of the two shares.
    answers
        How many (run, image) pairs were right before.
    sessions
        How many sessions these are of.
    """

    name: str
    rate: float | None
    control_rate: float | None
    interval: Interval | None
    control_interval: Interval | None
    excess: Difference | None
    answers: int
    sessions: int

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self)


def true_class_log_odds(predictions: Predictions) -> Floats:
    """Return ``ln p(true) - ln (1 - p(true))`` of each image, shape (images,).

    The probabilities are those of `Predictions.image_log_probabilities`, normalised.
    """
    scores = predictions.image_log_probabilities()
    rows = np.arange(len(scores))
    others = scores.copy()
    others[rows, predictions.labels] = -np.inf
    odds: Floats = scores[rows, predictions.labels] - np.logaddexp.reduce(others, axis=1)
    return odds


def effect_of(
    name: str,
    intervention: Sequence[Predictions],
    control: Sequence[Predictions],
    *,
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> Effect:
    """Compare the answers of the same runs for the same frames under an intervention and a control.

    Sessions that the intervention cannot change, such as those without a defect to mask, lean
    neither way: six sessions that can are the fewest for p below 0.05.

    Parameters
    ----------
    name
        Of the intervention.
    intervention, control
        What each run said, in the same order of runs; all of the same frames.
    confidence
        Of the intervals.
    samples
        Number of resamplings.
    seed
        Seed of resamplings and sign flips.

    Raises
    ------
    EvidenceError
        When there is no run, or the runs or frames are not the same.
    """
    _require_same(name, [*intervention, *control], len(intervention), len(control))
    frames = intervention[0]

    def compare(treated: list[Floats], controlled: list[Floats]) -> Difference:
        return difference_of(
            np.mean(treated, axis=0),
            np.mean(controlled, axis=0),
            frames.sessions,
            frames.scenes,
            frames.labels,
            confidence,
            samples,
            seed,
        )

    return Effect(
        name=name,
        accuracy=compare([_right(one) for one in intervention], [_right(one) for one in control]),
        log_odds=compare(
            [true_class_log_odds(one) for one in intervention],
            [true_class_log_odds(one) for one in control],
        ),
        runs=len(intervention),
        images=len(frames.labels),
        sessions=len(np.unique(frames.sessions)),
        scenes=len(np.unique(frames.scenes)),
    )


def flips_of(
    name: str,
    untouched: Sequence[Predictions],
    intervention: Sequence[Predictions],
    control: Sequence[Predictions],
    target: int,
    *,
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> Flips:
    """Count the right answers that an intervention turns to a class, such as by its defects.

    Frames of the target class itself are left aside. A network that counts defects wherever they
    are goes over under the control of defects elsewhere too: the rate tells that it follows
    defects, the excess that it knows their coordinates.

    Parameters
    ----------
    name
        Of the intervention.
    untouched, intervention, control
        What each run said of the same frames, in the same order of runs.
    target
        The class whose defects were added.
    confidence, samples, seed
        As of `effect_of`.

    Raises
    ------
    EvidenceError
        When there is no run, or the runs or frames are not the same.
    """
    everything = [*untouched, *intervention, *control]
    _require_same(name, everything, len(untouched), len(intervention), len(control))
    frames = untouched[0]
    eligible = np.concatenate([(_right(one) > 0) & (one.labels != target) for one in untouched])
    count = int(eligible.sum())
    repeated = len(untouched)
    sessions = np.tile(frames.sessions, repeated)[eligible]
    scenes = np.tile(frames.scenes, repeated)[eligible]
    labels = np.tile(frames.labels, repeated)[eligible]
    if not count:
        return Flips(name, None, None, None, None, None, 0, 0)

    def turned(answers: Sequence[Predictions]) -> Floats:
        went = [one.image_classes() == target for one in answers]
        return np.concatenate(went)[eligible].astype(np.float64)

    treated, controlled = turned(intervention), turned(control)

    def interval(values: Floats) -> Interval:
        return _interval(values, sessions, scenes, labels, confidence, samples, seed)

    return Flips(
        name=name,
        rate=float(treated.mean()),
        control_rate=float(controlled.mean()),
        interval=interval(treated),
        control_interval=interval(controlled),
        excess=difference_of(
            treated, controlled, sessions, scenes, labels, confidence, samples, seed
        ),
        answers=count,
        sessions=len(np.unique(sessions)),
    )


def _right(predictions: Predictions) -> Floats:
    return (predictions.image_classes() == predictions.labels).astype(np.float64)


def _require_same(name: str, answers: Sequence[Predictions], *counts: int) -> None:
    if len(set(counts)) != 1 or not answers:
        raise EvidenceError(
            f"{name}: {counts} runs, expected the same number of each, at least one"
        )
    first = answers[0]
    for other in answers[1:]:
        for field in ("labels", "sessions", "scenes", "cameras"):
            if not np.array_equal(getattr(first, field), getattr(other, field)):
                raise EvidenceError(f"{name}: the answers are of frames of other {field}")


def difference_of(
    treated: Floats,
    controlled: Floats,
    sessions: NDArray[np.str_],
    scenes: NDArray[np.str_],
    labels: NDArray[np.int64],
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> Difference:
    """Compare two values of each frame, with the session as the unit.

    Parameters
    ----------
    treated, controlled
        Values under the intervention and under its control, shape (frames,).
    sessions, scenes, labels
        Of the frames, shape (frames,).
    confidence, samples, seed
        As of `effect_of`.
    """
    differences = treated - controlled
    test = _session_test(differences, sessions, seed)
    return Difference(
        intervention=float(treated.mean()),
        control=float(controlled.mean()),
        difference=float(differences.mean()),
        interval=_interval(differences, sessions, scenes, labels, confidence, samples, seed),
        p_value=test.p_value,
        smallest_p=test.smallest_p,
    )


def _session_test(differences: Floats, sessions: NDArray[np.str_], seed: int) -> SignFlipTest:
    names, session_of = np.unique(sessions, return_inverse=True)
    shares = np.bincount(session_of, differences, len(names)) / len(differences)
    return sign_flip_test(shares, seed=seed)


def _interval(
    values: Floats,
    sessions: NDArray[np.str_],
    scenes: NDArray[np.str_],
    labels: NDArray[np.int64],
    confidence: float,
    samples: int,
    seed: int,
) -> Interval:
    # a single scene cannot be resampled: it counts as fixed
    several = len(np.unique(scenes)) > 1
    return bootstrap_interval(
        values,
        sessions,
        scenes if several else None,
        labels=labels,
        confidence=confidence,
        samples=samples,
        seed=seed,
    )
