"""At which strength of a content cue a network leaves the trace and follows the cue; pure.

Frames carry the cue of another class than their own. The share of answers that name the cue's
class is fitted by ``logit p = a + b strength`` (reconstructed); the number of a network is the
strength of ``p = 1/2``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.evidence.errors import EvidenceError
from training.experiments.predictions import Predictions

Floats = NDArray[np.float64]

DistractionOutcome = Literal["crosses", "never", "always"]

_NEWTON_STEPS = 60
_LARGEST_STEP = 2.0


@dataclass(frozen=True)
class DosePoint:
    """Answers at one strength.

    Attributes
    ----------
    strength_sd
        Of the cue, in standard deviations of a frame's noise.
    followed
        Share of the answers that name the class of the cue.
    right
        Share of the answers that name the true class.
    """

    strength_sd: float
    followed: float
    right: float


@dataclass(frozen=True)
class Distraction:
    """Where a network leaves the trace.

    Attributes
    ----------
    outcome
        `crosses` where the fit passes one half within the strengths that were tried; `never` where
        the strongest cue is followed by less than half, `always` where the weakest is by half.
    strength_sd
        The strength of one half, in standard deviations of a frame's noise; None unless it crosses.
    low_sd, high_sd
        Its interval, by resampling whole sessions and scenes; None where it reaches beyond the
        strengths that were tried. Where strength 0 was tried and ``low_sd`` is None, a trace that
        could be left was not shown.
    confidence
        Of the interval.
    weakest_sd, strongest_sd
        What was tried.
    points
        By growing strength.
    runs, images, sessions
        How many stand behind it.
    """

    outcome: DistractionOutcome
    strength_sd: float | None
    low_sd: float | None
    high_sd: float | None
    confidence: float
    weakest_sd: float
    strongest_sd: float
    points: tuple[DosePoint, ...]
    runs: int
    images: int
    sessions: int

    @property
    def statement(self) -> str:
        """The number in words."""
        if self.outcome == "never":
            return f"more than {self.strongest_sd:g} standard deviations"
        if self.outcome == "always" and self.weakest_sd == 0:
            return f"no trace to leave: without a cue {self.points[0].right:.0%} is right"
        if self.outcome == "always":
            return f"at most {self.weakest_sd:g} standard deviations"
        return f"{self.strength_sd:.3g} standard deviations"

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self) | {"statement": self.statement}


def distraction_of(
    answers: Mapping[float, Sequence[Predictions]],
    cue_classes: NDArray[np.int64],
    *,
    confidence: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
) -> Distraction:
    """Find the strength at which answers follow the cue as often as not.

    Parameters
    ----------
    answers
        By the strength of the cue, what each run said; of the same frames, several runs pooled.
    cue_classes
        The class of each frame's cue, never its own, int64, shape (frames,).
    confidence
        Of the interval.
    samples
        Number of resamplings.
    seed
        Their seed.

    Raises
    ------
    EvidenceError
        When there are fewer than two strengths, no runs, other frames at other strengths, or a cue
        of the true class.
    """
    strengths = np.array(sorted(answers), np.float64)
    ordered = [answers[strength] for strength in sorted(answers)]
    if len(ordered) < 2 or not all(ordered):
        raise EvidenceError(f"distraction: answers at {len(ordered)} strengths, expected two")
    frames = ordered[0][0]
    for one in (one for some in ordered for one in some):
        if not np.array_equal(one.labels, frames.labels) or not np.array_equal(
            one.sessions, frames.sessions
        ):
            raise EvidenceError("distraction: the answers are of different frames")
    if cue_classes.shape != frames.labels.shape or (cue_classes == frames.labels).any():
        raise EvidenceError("distraction: every frame needs a cue of another class than its own")
    followed = np.stack(
        [np.mean([one.image_classes() == cue_classes for one in some], axis=0) for some in ordered]
    )
    right = [
        float(np.mean([one.image_classes() == one.labels for one in some])) for some in ordered
    ]
    weights = _resampled(frames, samples, seed)
    totals = weights.sum(axis=1)
    weights, totals = weights[totals > 0], totals[totals > 0]
    ends = (float(strengths[0]), float(strengths[-1]))
    (best,) = _halves(strengths, followed.sum(axis=1)[None], np.array([followed.shape[1]]))
    drawn = _halves(strengths, weights @ followed.T, totals)
    low, high = np.quantile(
        drawn, [(1 - confidence) / 2, (1 + confidence) / 2], method="inverted_cdf"
    )
    return Distraction(
        outcome="never" if best == np.inf else "always" if best == -np.inf else "crosses",
        strength_sd=_known(best),
        low_sd=_known(low),
        high_sd=_known(high),
        confidence=confidence,
        weakest_sd=ends[0],
        strongest_sd=ends[1],
        points=tuple(
            DosePoint(float(strength), float(share.mean()), correct)
            for strength, share, correct in zip(strengths, followed, right, strict=True)
        ),
        runs=len(ordered[0]),
        images=len(frames.labels),
        sessions=len(np.unique(frames.sessions)),
    )


def _known(strength: float) -> float | None:
    return float(strength) if np.isfinite(strength) else None


def _resampled(frames: Predictions, samples: int, seed: int) -> Floats:
    """Return the weights of frames where sessions (of each class) and scenes are resampled."""
    generator = np.random.default_rng(seed)
    sessions, session_of = np.unique(frames.sessions, return_inverse=True)
    first = np.array([np.flatnonzero(session_of == one)[0] for one in range(len(sessions))])
    labels = frames.labels[first]
    counts = np.zeros((samples, len(sessions)))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        shares = np.full(len(members), 1 / len(members))
        counts[:, members] = generator.multinomial(len(members), shares, size=samples)
    weights: Floats = counts[:, session_of]
    scenes, scene_of = np.unique(frames.scenes, return_inverse=True)
    # a single scene cannot be resampled: it counts as fixed
    if len(scenes) > 1:
        shares = np.full(len(scenes), 1 / len(scenes))
        weights *= generator.multinomial(len(scenes), shares, size=samples)[:, scene_of]
    return weights


def _halves(strengths: Floats, counts: Floats, totals: Floats) -> Floats:
    """Return where fits pass one half; infinite beyond the strengths that were tried.

    Half an answer is added to each side at every strength, which keeps fits finite where a cue is
    followed by none up to a strength and by all beyond it.

    Parameters
    ----------
    strengths
        Shape (strengths,), growing.
    counts
        Answers that follow, shape (fits, strengths).
    totals
        Answers at each strength, shape (fits,).
    """
    scale = strengths[-1] - strengths[0]
    x = (strengths - strengths[0]) / scale
    number = totals[:, None] + 1.0
    share = (counts + 0.5) / number
    slope = np.zeros(len(counts))
    start = np.zeros(len(counts))
    for _ in range(_NEWTON_STEPS):
        expected = 1 / (1 + np.exp(-(start[:, None] + slope[:, None] * x)))
        curvature = number * expected * (1 - expected) + 1e-12
        error = number * (share - expected)
        a, b, c = curvature.sum(1), (curvature * x).sum(1), (curvature * x * x).sum(1)
        one, other = error.sum(1), (error * x).sum(1)
        determinant = a * c - b * b
        start += np.clip((c * one - b * other) / determinant, -_LARGEST_STEP, _LARGEST_STEP)
        slope += np.clip((a * other - b * one) / determinant, -_LARGEST_STEP, _LARGEST_STEP)
    with np.errstate(divide="ignore", invalid="ignore"):
        halves = strengths[0] - scale * start / slope
    weakest, strongest = start, start + slope
    return np.where(strongest < 0, np.inf, np.where(weakest >= 0, -np.inf, halves))
