"""Cues are as strong as they say, and networks leave the trace where closed forms say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from training.evidence.cues import (
    drawn_cue,
    frame_noise_dn,
    opposed_classes,
    scene_cue,
    with_cue,
)
from training.evidence.distraction import Distraction, distraction_of
from training.evidence.errors import EvidenceError
from training.experiments.frame_set import FrameSet
from training.experiments.predictions import Predictions
from training.patches.inputs import CachedFrame

SESSIONS, SCENES = 12, 6
STRENGTHS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
SIZE, SIGMA = (48, 64), 25.0


def _labels() -> NDArray[np.int64]:
    return np.repeat(np.arange(SESSIONS) % 2, SCENES)


def _said(named: NDArray[np.int64]) -> Predictions:
    session, scene = np.divmod(np.arange(SESSIONS * SCENES), SCENES)
    return Predictions(
        crop_frames=np.arange(len(named)),
        crop_origins=np.zeros((len(named), 2), np.int64),
        crop_log_probabilities=np.log(np.where(np.eye(2)[named] > 0, 0.9, 0.1)).astype(np.float32),
        labels=_labels(),
        sessions=session.astype(str),
        scenes=scene.astype(str),
        cameras=np.full(len(named), "camera"),
    )


def _responder(half_sd: float, steepness: float, spread: float, world: int) -> Distraction:
    """A network that follows the cue by a logistic law, whose sessions differ in the strength."""
    generator = np.random.default_rng(world)
    own = half_sd + np.repeat(spread * generator.normal(size=SESSIONS), SCENES)
    labels, cues = _labels(), opposed_classes(_labels(), 2)
    answers = {}
    for strength in STRENGTHS:
        follows = generator.random(len(labels)) < expit(steepness * (strength - own))
        answers[strength] = [_said(np.where(follows, cues, labels))]
    return distraction_of(answers, cues, samples=300, seed=world)


def test_the_strength_of_one_half_is_recovered_with_its_interval() -> None:
    found = [_responder(1.2, 4.0, 0.15, world) for world in range(100)]
    assert {one.outcome for one in found} == {"crosses"}
    halves = [one.strength_sd for one in found if one.strength_sd is not None]
    assert np.mean(halves) == pytest.approx(1.2, abs=0.03)
    covered = sum(
        one.low_sd is not None and one.high_sd is not None and one.low_sd <= 1.2 <= one.high_sd
        for one in found
    )
    # 95 % intervals; binomial, and twelve sessions
    assert covered >= 86


def test_networks_that_never_or_always_follow_say_so_in_place_of_a_number() -> None:
    never, always = _responder(9.0, 4.0, 0.1, 0), _responder(-3.0, 4.0, 0.1, 0)
    assert (never.outcome, never.strength_sd, never.high_sd) == ("never", None, None)
    assert never.statement == "more than 3 standard deviations"
    assert (always.outcome, always.strength_sd, always.low_sd) == ("always", None, None)
    assert always.statement.startswith("no trace to leave: without a cue")
    assert always.points[0].right < 0.1 and always.points[0].followed > 0.9
    assert never.to_json()["outcome"] == "never"
    cues = opposed_classes(_labels(), 2)
    early = distraction_of({one: [_said(cues)] for one in (0.5, 1.0)}, cues)
    assert early.statement == "at most 0.5 standard deviations"


def test_a_switch_without_any_slope_lies_between_its_neighbours() -> None:
    labels, cues = _labels(), opposed_classes(_labels(), 2)
    answers = {
        strength: [_said(cues if strength > 1.2 else labels)] for strength in (0.0, 1.0, 1.5, 2.5)
    }
    found = distraction_of(answers, cues)
    assert found.strength_sd is not None and 1.0 < found.strength_sd < 1.5
    assert found.low_sd is not None and found.low_sd > 0.9


def _frames(level: float = 3000.0) -> FrameSet:
    rows = []
    for session in range(SESSIONS):
        for scene in range(SCENES):
            generator = np.random.default_rng((session, scene))
            values = level + SIGMA * generator.normal(size=SIZE)
            # the trace: rows of one parity are brighter in the second class
            values[::4] += SIGMA * (session % 2 - 0.5)
            mosaic = np.rint(values).astype(np.uint16)
            frame = CachedFrame(f"{session}-{scene}", mosaic, (512.0,) * 4, 16383, (0, 0, *SIZE))
            rows.append((frame, session % 2, str(session), str(scene), "camera"))
    return FrameSet.of(*zip(*rows, strict=True))


def test_a_cue_has_the_strength_that_was_asked() -> None:
    frames = _frames()
    assert frame_noise_dn(frames.frames[0]) == pytest.approx(SIGMA, rel=0.06)
    cue = drawn_cue(SIZE, 2, seed=1)
    np.testing.assert_allclose(cue.patterns.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(cue.patterns.std(axis=(1, 2)), 1, rtol=1e-5)
    changed = with_cue(frames, cue, 0.5, frames.labels)
    added = changed.frames[7].pixels.astype(float) - frames.frames[7].pixels
    expected = 0.5 * frame_noise_dn(frames.frames[7]) * cue.patterns[frames.labels[7]]
    np.testing.assert_allclose(added, expected, atol=1.0)
    assert added.std() == pytest.approx(expected.std(), rel=0.02)
    # smooth: neighbours hardly differ
    assert np.abs(np.diff(cue.patterns, axis=2)).max() < 0.5
    again = with_cue(frames, drawn_cue(SIZE, 2, seed=1), 0.5, frames.labels)
    other = with_cue(frames, drawn_cue(SIZE, 2, seed=2), 0.5, frames.labels)
    assert again.sha256() == changed.sha256() != other.sha256()
    assert with_cue(frames, cue, 0.0, frames.labels) is frames


def test_an_observer_of_trace_and_cue_turns_where_the_two_balance() -> None:
    frames = _frames()
    cue = drawn_cue(SIZE, 2, seed=4)
    template = (cue.patterns[1] - cue.patterns[0]).astype(float)
    attention = 0.4

    def answer(frame: CachedFrame) -> int:
        values = frame.pixels.astype(float)
        trace = (values[::4].mean() - values[2::4].mean()) / SIGMA
        seen = ((values - values.mean()) * template).mean() / SIGMA
        return int(trace + attention * seen > 0)

    cues = opposed_classes(frames.labels, 2)
    answers = {}
    for strength in STRENGTHS:
        made = with_cue(frames, cue, strength, cues)
        answers[strength] = [_said(np.array([answer(one) for one in made.frames]))]
    found = distraction_of(answers, cues)
    # with the trace at +-1/2 and the cue at +-strength times its overlap
    gains = [
        attention * float((pattern * template).mean()) * sign
        - float(pattern[2::4].mean() - pattern[::4].mean()) * sign
        for pattern, sign in zip(cue.patterns.astype(float), (-1, 1), strict=True)
    ]
    expected = [0.5 / gain for gain in gains]
    assert found.outcome == "crosses" and found.strength_sd is not None
    assert found.strength_sd == pytest.approx(np.mean(expected), abs=0.1)
    assert found.points[0].right == 1.0 and found.points[-1].followed == 1.0


def test_the_cue_of_scenes_is_what_their_classes_have_of_their_own() -> None:
    frames = _frames()
    cue = drawn_cue(SIZE, 2, seed=6)
    biased = with_cue(frames, cue, 3.0, frames.labels)
    found = scene_cue(biased)
    own = cue.patterns[1] - cue.patterns[0]
    assert np.corrcoef(found.patterns[1].ravel(), own.ravel())[0, 1] > 0.95
    assert np.corrcoef(found.patterns[0].ravel(), own.ravel())[0, 1] < -0.95


def test_requests_without_an_answer_are_refused() -> None:
    frames, cue = _frames(), drawn_cue(SIZE, 2, seed=0)
    with pytest.raises(EvidenceError, match="one of 2 classes"):
        with_cue(frames, cue, 1.0, frames.labels + 1)
    with pytest.raises(EvidenceError, match="patterns of"):
        list(with_cue(frames, drawn_cue((8, 8), 2, 0), 1.0, frames.labels).frames)
    labels = _labels()
    answers = {0.0: [_said(labels)], 1.0: [_said(labels)]}
    with pytest.raises(EvidenceError, match="another class"):
        distraction_of(answers, labels)
    with pytest.raises(EvidenceError, match="expected two"):
        distraction_of({0.0: [_said(labels)]}, 1 - labels)
    swapped = replace(_said(labels), labels=1 - labels)
    with pytest.raises(EvidenceError, match="different frames"):
        distraction_of({0.0: [_said(labels)], 1.0: [swapped]}, 1 - labels)
