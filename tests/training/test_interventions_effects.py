"""Effects of interventions equal what was put in, and their tests hold their level."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.trace_frames import COLUMNS, ROWS, defects, frame_set
from training.evidence.changed_frames import changed_frames, narrowed_frames
from training.evidence.effects import effect_of, flips_of, true_class_log_odds
from training.evidence.errors import EvidenceError
from training.experiments.predictions import Predictions
from training.interventions import mask_variation, shift_area, shift_variation
from training.patches.inputs import CachedFrame, Variation


def _answers(
    odds: NDArray[np.float64], sessions: int = 8, scenes: int = 5, *, classes: int = 2
) -> Predictions:
    """One crop per image; ``odds`` are ln p(1)/p(0), shape (sessions, scenes)."""
    flat = np.broadcast_to(odds, (sessions, scenes)).reshape(-1)
    scores = np.zeros((len(flat), classes))
    scores[:, 1] = flat
    scores[:, 2:] = -60
    log_probabilities = scores - np.logaddexp.reduce(scores, axis=1)[:, None]
    session, scene = np.divmod(np.arange(len(flat)), scenes)
    return Predictions(
        crop_frames=np.arange(len(flat)),
        crop_origins=np.zeros((len(flat), 2), np.int64),
        crop_log_probabilities=log_probabilities.astype(np.float32),
        labels=(session % 2).astype(np.int64),
        sessions=session.astype(str),
        scenes=scene.astype(str),
        cameras=np.full(len(flat), "camera"),
    )


def _signs(sessions: int = 8) -> NDArray[np.float64]:
    return np.where(np.arange(sessions) % 2, 1.0, -1.0)[:, None]


def test_log_odds_are_those_of_the_true_class() -> None:
    predictions = _answers(np.full((2, 1), 1.5), 2, 1, classes=3)
    np.testing.assert_allclose(true_class_log_odds(predictions), [-1.5, 1.5], atol=1e-5)


def test_an_effect_is_the_difference_that_was_put_in() -> None:
    sound, masked = _answers(2.0 * _signs()), _answers(-0.5 * _signs())
    effect = effect_of("mask", [masked, masked], [sound, sound])
    assert effect.accuracy.difference == -1.0
    assert (effect.accuracy.intervention, effect.accuracy.control) == (0.0, 1.0)
    assert effect.log_odds.difference == pytest.approx(-2.5, abs=1e-5)
    assert effect.log_odds.interval.low == pytest.approx(-2.5, abs=1e-5)
    # eight sessions of one sign: two of 2^8 ways to flip
    assert effect.accuracy.p_value == effect.accuracy.smallest_p == 2 / 256
    assert (effect.runs, effect.images, effect.sessions, effect.scenes) == (2, 40, 8, 5)
    assert json.loads(json.dumps(effect.to_json()))["accuracy"]["smallest_p"] == 2 / 256


def test_no_effect_is_rarely_called_one_where_sessions_are_noisy() -> None:
    generator = np.random.default_rng(0)
    worlds, called, covered = 200, 0, 0
    for world in range(worlds):
        shared = generator.normal(size=(8, 1))
        control = generator.normal(size=(8, 5))
        # a whole session moves together: frames are no independent witnesses
        moved = control + shared
        effect = effect_of("none", [_answers(moved)], [_answers(control)], samples=200, seed=world)
        called += effect.log_odds.p_value <= 0.05
        covered += effect.log_odds.interval.contains(0.0)
    # binomial 99.9 % bounds around the level of 5 %
    assert called <= 23
    # intervals of eight sessions are known to be too narrow
    assert covered >= 0.8 * worlds


def test_flips_count_answers_that_were_right_before() -> None:
    before = 2.0 * _signs() * np.ones((8, 5))
    before[0, 0] = 3.0  # wrong before: not asked
    after = np.full((8, 5), 1.0)
    after[2, :] = -1.0
    flips = flips_of(
        "transplant", [_answers(before)], [_answers(after)], [_answers(before)], target=1
    )
    assert flips.answers == 19 and flips.sessions == 4
    assert flips.rate == pytest.approx(14 / 19) and flips.control_rate == 0.0
    assert flips.interval is not None and flips.interval.contains(14 / 19)
    assert flips.excess is not None and flips.excess.difference == pytest.approx(14 / 19)
    # three sessions lean one way, one not at all
    assert flips.excess.p_value == 4 / 16 and flips.excess.smallest_p == 2 / 16
    wrong = -2.0 * _signs()
    nothing = flips_of("t", [_answers(wrong)], [_answers(after)], [_answers(before)], target=1)
    assert nothing.rate is None and nothing.excess is None


def test_other_frames_or_runs_are_refused() -> None:
    with pytest.raises(EvidenceError, match="same number"):
        effect_of("mask", [_answers(_signs())], [])
    with pytest.raises(EvidenceError, match="other labels"):
        effect_of("mask", [_answers(_signs())], [_answers(_signs(6), 6)])


def test_frames_are_changed_one_by_one_when_they_are_needed() -> None:
    frames = frame_set(range(2), range(2), 30)
    places = np.stack(np.unravel_index(defects(30)[40:], (ROWS, COLUMNS)), axis=-1)
    asked: list[int] = []

    def change(number: int, frame: CachedFrame) -> Variation | None:
        asked.append(number)
        return mask_variation(places) if frames.labels[number] else None

    changed = changed_frames(frames, change)
    assert not asked
    bright = changed.frames[-1 + len(frames.labels)]
    assert asked == [3]
    rows, columns = places.T
    assert np.median(bright.pixels[rows, columns]) < np.median(
        frames.frames[3].pixels[rows, columns]
    )
    assert changed.frames[0].key == frames.frames[0].key
    assert bright.key != frames.frames[3].key
    assert changed.sha256() != frames.sha256()


def test_shifted_frames_are_compared_where_both_saw_light() -> None:
    frames = frame_set(range(2), range(2), 0)

    def narrow(area: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        return shift_area(area, 4, -6)

    change = shift_variation(4, -6)
    shifted = narrowed_frames(changed_frames(frames, lambda _number, _frame: change), narrow)
    assert set(shifted.visible) == {(4, 6, ROWS - 8, COLUMNS - 12)}
    assert shifted.frames[0].pixels[4, 6] == frames.frames[0].pixels[0, 12]
