"""Averages keep a trace and lose content as closed forms say, and readings tell the two apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from training.evidence.average_reading import AverageReading, calibrated, read_averages
from training.evidence.averages import AVERAGE_KINDS, AverageKind, average_frames, plan_averages
from training.evidence.errors import EvidenceError
from training.evidence.noise import NoiseModel, measure_noise
from training.experiments.frame_set import FrameSet
from training.experiments.predictions import Predictions
from training.patches.inputs import CachedFrame

ROWS, COLUMNS, BLACK, SIGMA = 32, 48, 512, 20.0
SCENES, REPEATS, SESSIONS = 4, 4, 16
DEFECTS = np.stack(
    np.unravel_index(
        np.random.default_rng(5).choice(ROWS // 2 * (COLUMNS // 4), 8, replace=False),
        (ROWS // 2, COLUMNS // 4),
    ),
    axis=-1,
) * (2, 4)
BESIDE = DEFECTS + np.array([0, 2])
# the sum of eight differences of two values tells one frame in Phi(0.6)
D_PRIME = 0.6
AMPLITUDE = 2 * D_PRIME * SIGMA * np.sqrt(2 / len(DEFECTS))
CONTRAST = 300.0


def _frames(*, trace: bool, content: bool, sessions: int = SESSIONS) -> FrameSet:
    """Frames that differ by sensor-fixed defects, by the contrast of their content, or both."""
    rows = []
    for session in range(sessions):
        label = session % 2
        for number in range(SCENES * REPEATS):
            generator = np.random.default_rng((session, number))
            phase = generator.uniform(0, 2 * np.pi)
            strength = CONTRAST * (2 ** (label - 0.5) if content else 1.0)
            strength *= np.exp(0.3 * generator.normal())
            wave = strength * np.sin(np.arange(ROWS) * 2 * np.pi / ROWS + phase)
            values = BLACK + 2000 + wave[:, None] + SIGMA * generator.normal(size=(ROWS, COLUMNS))
            if trace and label:
                values[tuple(DEFECTS.T)] += AMPLITUDE
            mosaic = np.rint(values).astype(np.uint16)
            frame = CachedFrame(
                f"{session}-{number}-{trace}-{content}",
                mosaic,
                (BLACK,) * 4,
                16383,
                (0, 0, ROWS, COLUMNS),
            )
            rows.append((frame, label, f"{session:02d}", f"scene {number % SCENES}", "camera"))
    return FrameSet.of(*zip(*rows, strict=True))


def _told(frames: FrameSet, statistic: Callable[[NDArray[np.float64]], float]) -> Predictions:
    """Answers of a detector: class 1 where its statistic is above 0."""
    values = np.array([statistic(one.pixels.astype(np.float64)) for one in frames.frames])
    scores = np.stack([-values, values], axis=1)
    count = len(values)
    return Predictions(
        crop_frames=np.arange(count),
        crop_origins=np.zeros((count, 2), np.int64),
        crop_log_probabilities=(scores - np.logaddexp(*scores.T)[:, None]).astype(np.float32),
        labels=frames.labels,
        sessions=frames.sessions,
        scenes=frames.scenes,
        cameras=frames.cameras,
    )


def _by_trace(mosaic: NDArray[np.float64]) -> float:
    rows, columns = DEFECTS.T
    return float((mosaic[rows, columns] - mosaic[rows, columns + 2]).mean() - AMPLITUDE / 2)


def _by_contrast(mosaic: NDArray[np.float64]) -> float:
    return float(mosaic.mean(axis=1).std() - CONTRAST / np.sqrt(2))


def _reading(
    frames: FrameSet,
    statistic: Callable[[NDArray[np.float64]], float],
    kind: AverageKind = "same-class-different-scenes",
    noise: NoiseModel | None = None,
) -> AverageReading:
    answers = {
        count: [_told(average_frames(frames, kind, count, noise=noise), statistic)]
        for count in (1, 4, 16)
    }
    return read_averages(kind, answers, samples=999)


def test_a_trace_grows_with_the_number_of_frames_as_its_closed_form() -> None:
    reading = _reading(_frames(trace=True, content=False), _by_trace)
    assert reading.outcome == "trace"
    for point in reading.points:
        expected = norm.cdf(D_PRIME * np.sqrt(point.count))
        error = np.sqrt(expected * (1 - expected) / point.averages)
        assert abs(point.test.accuracy - expected) < 4 * error + 0.02
    assert [point.averages for point in reading.points] == [256, 64, 16]
    assert {point.units for point in reading.points} == {SESSIONS}


def test_content_falls_to_chance_and_calibration_wants_both_known_cases() -> None:
    content = _frames(trace=False, content=True)
    negative = _reading(content, _by_contrast)
    assert negative.points[0].test.accuracy > 0.8
    assert negative.outcome == "content"
    positive = _reading(_frames(trace=True, content=True), _by_trace)
    asked = _reading(_frames(trace=True, content=True), _by_contrast)
    assert calibrated(asked, positive, negative).outcome == "content"
    spoilt = calibrated(asked, positive, positive)
    assert spoilt.outcome == "uncalibrated" and "known content as trace" in spoilt.reason
    assert _reading(content, _by_trace).outcome == "nothing"


@pytest.mark.parametrize("kind", ["class-minus-global", "residual"])
def test_averages_on_grey_keep_the_trace_and_lose_all_content(kind: AverageKind) -> None:
    frames = _frames(trace=True, content=True)
    averages = average_frames(frames, kind, 16)
    mean = np.mean(
        [
            one.pixels[tuple(DEFECTS.T)].astype(float) - one.pixels[tuple(BESIDE.T)]
            for one, label in zip(averages.frames, averages.labels, strict=True)
            if label == 1
        ]
    )
    # the global mean holds half of class 1, and so half of its trace
    expected = AMPLITUDE / 2 if kind == "class-minus-global" else AMPLITUDE
    assert mean == pytest.approx(expected, abs=3.0)
    whole = np.stack([one.pixels for one in averages.frames]).astype(float)
    assert whole.mean() == pytest.approx(BLACK + 2000, abs=2)
    if kind == "residual":
        profile = whole[:, 2:-2].mean(axis=(0, 2))
        assert np.ptp(profile) < 12


def test_mixed_averages_say_nothing_even_of_a_perfect_trace() -> None:
    frames = _frames(trace=True, content=False)
    answers = {
        count: [_told(average_frames(frames, "mixed", count), _by_trace)] for count in (2, 16)
    }
    reading = read_averages("mixed", answers, samples=999)
    assert reading.outcome == "nothing"
    with pytest.raises(EvidenceError, match="averages of 3"):
        plan_averages(frames, "mixed", 3)


def test_matched_noise_gives_averages_the_noise_of_single_frames() -> None:
    frames = _frames(trace=True, content=False)
    noise = NoiseModel(read_variance_dn2=SIGMA**2, gain_dn=0.0)
    averages = average_frames(frames, "same-class-different-scenes", 16, noise=noise)
    spread = [
        (one.pixels[:, 2:].astype(float) - one.pixels[:, :-2]).std() / np.sqrt(2)
        for one in averages.frames
    ]
    assert np.mean(spread) == pytest.approx(SIGMA, rel=0.05)
    plain = average_frames(frames, "same-class-different-scenes", 16)
    quiet = (plain.frames[0].pixels[:, 2:].astype(float) - plain.frames[0].pixels[:, :-2]).std()
    assert quiet / np.sqrt(2) == pytest.approx(SIGMA / 4, rel=0.1)


def test_noise_is_measured_from_repeats_whatever_their_content() -> None:
    generator = np.random.default_rng(0)
    gain, read = 0.8, 6.0
    ramp = np.linspace(200, 8000, 256)[:, None] * np.ones((1, 200))
    rows = []
    for repeat in range(4):
        values = gain * generator.poisson(ramp / gain) + read * generator.normal(size=ramp.shape)
        mosaic = np.rint(values + BLACK).astype(np.uint16)
        frame = CachedFrame(str(repeat), mosaic, (BLACK,) * 4, 16383, (0, 0, 256, 200))
        rows.append((frame, 0, "s", "scene", "camera"))
    frames = FrameSet.of(*zip(*rows, strict=True))
    model = measure_noise(frames)
    assert model.gain_dn == pytest.approx(gain, rel=0.05)
    assert model.variance_dn2(np.array([4000.0]))[0] == pytest.approx(gain * 4000 + 36, rel=0.05)
    with pytest.raises(EvidenceError, match="no two frames"):
        measure_noise(frames.subset(np.array([0])))


@pytest.mark.parametrize("kind", AVERAGE_KINDS)
def test_averages_use_a_frame_once_and_units_share_no_session(kind: AverageKind) -> None:
    frames = _frames(trace=False, content=False, sessions=6)
    plan = plan_averages(frames, kind, 6, seed=3)
    used = [number for one in plan for number in one.members]
    assert len(used) == len(set(used))
    units: dict[str, set[str]] = {}
    for one in plan:
        sessions = {str(frames.sessions[number]) for number in one.members}
        assert sessions <= set(one.unit.split("+"))
        units[one.unit] = set(one.unit.split("+"))
        labels = {int(frames.labels[number]) for number in one.members}
        assert labels == ({0, 1} if kind == "mixed" else {one.label})
        scenes = {str(frames.scenes[number]) for number in one.members}
        assert scenes == {one.scene} if kind == "same-class-same-scene" else len(scenes) > 1
    joined = [session for members in units.values() for session in members]
    assert len(joined) == len(set(joined))
    assert plan == plan_averages(frames, kind, 6, seed=3)


def test_kept_averages_equal_those_made_again(tmp_path: Path) -> None:
    frames = _frames(trace=True, content=False, sessions=4)
    kept = average_frames(frames, "residual", 8, folder=tmp_path)
    made = average_frames(frames, "residual", 8)
    assert kept.sha256() == made.sha256()
    np.testing.assert_array_equal(kept.frames[1].pixels, made.frames[1].pixels)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = average_frames(frames, "residual", 8, folder=tmp_path)
    np.testing.assert_array_equal(again.frames[1].pixels, made.frames[1].pixels)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert made.sha256() != average_frames(frames, "residual", 4).sha256()


def test_too_few_frames_and_frames_that_do_not_fit_are_refused() -> None:
    frames = _frames(trace=False, content=False, sessions=2)
    with pytest.raises(EvidenceError, match="too few frames of class 0"):
        average_frames(frames, "same-class-same-scene", 5)
    other = replace(frames.frames[1], white_level=4095)
    odd = replace(frames, frames=[frames.frames[0], other, *list(frames.frames)[2:]])
    with pytest.raises(EvidenceError, match="white_level 16383 and 4095"):
        list(average_frames(odd, "same-class-different-scenes", 16).frames)
    few = {1: [_told(frames, _by_trace)]}
    with pytest.raises(EvidenceError, match="expected two"):
        read_averages("residual", few)
    twice = read_averages("residual", {**few, 2: few[1]})
    assert twice.outcome == "inconclusive"
