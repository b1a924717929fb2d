"""Contrasts within answers: who follows the scene, who the defects, told by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evidence.contrasts_within import content_swap, crops_contrast, joined, of_frames
from training.experiments.predictions import Predictions
from training.interventions import InterventionError

SCENES, SESSIONS = 3, 8


def _answers(named: NDArray[np.int64], *, camera: str = "c") -> Predictions:
    """Return answers of one crop a frame: every session shows every scene, odd ones are late."""
    labels = np.repeat(np.arange(SESSIONS) % 2, SCENES)
    probabilities = np.where(np.eye(2)[named] > 0, 0.9, 0.1)
    count = SESSIONS * SCENES
    return Predictions(
        crop_frames=np.arange(count),
        crop_origins=np.zeros((count, 2), np.int64),
        crop_log_probabilities=np.log(probabilities).astype(np.float32),
        labels=labels.astype(np.int64),
        sessions=np.repeat([f"s{number}" for number in range(SESSIONS)], SCENES),
        scenes=np.tile([f"scene {number}" for number in range(SCENES)], SESSIONS),
        cameras=np.full(count, camera),
    )


def _labels() -> NDArray[np.int64]:
    return np.repeat(np.arange(SESSIONS) % 2, SCENES).astype(np.int64)


def test_answers_of_the_defects_stay_when_the_scene_changes() -> None:
    found = content_swap([_answers(_labels())])
    assert found is not None
    assert (found.agreement.intervention, found.agreement.control) == (1.0, 0.0)
    # eight sessions lean one way, two-sided
    assert found.agreement.p_value == pytest.approx(2 / 2**8)
    assert (found.runs, found.images, found.sessions) == (1, 24, 8)


def test_answers_of_the_scene_stay_with_it() -> None:
    by_scene = np.tile([0, 1, 1], SESSIONS)
    found = content_swap([_answers(by_scene)])
    assert found is not None
    # scene 0 never agrees within its session, scenes 1 and 2 with each other
    assert found.agreement.intervention == pytest.approx(1 / 3)
    assert found.agreement.control == 1.0
    assert found.agreement.difference < 0


def test_one_answer_to_everything_tells_nothing() -> None:
    found = content_swap([_answers(np.ones(SESSIONS * SCENES, np.int64))])
    assert found is not None
    assert found.agreement.difference == 0 and found.agreement.p_value == 1.0


def test_runs_are_averaged() -> None:
    found = content_swap([_answers(_labels()), _answers(np.ones(24, np.int64))])
    assert found is not None
    assert (found.agreement.intervention, found.agreement.control) == (1.0, 0.5)
    assert found.runs == 2


def test_frames_of_another_camera_are_never_compared() -> None:
    one, other = _answers(_labels(), camera="c"), _answers(1 - _labels(), camera="d")
    found = content_swap([joined([one, other])])
    assert found is not None
    assert (found.agreement.intervention, found.agreement.control) == (1.0, 0.0)


def test_without_a_scene_of_both_classes_nothing_can_be_swapped() -> None:
    answers = _answers(_labels())
    own = np.array(
        [f"{scene} {label}" for scene, label in zip(answers.scenes, answers.labels, strict=True)]
    )
    assert content_swap([replace(answers, scenes=own)]) is None
    single = replace(answers, scenes=np.full(24, "one scene"))
    assert content_swap([single]) is None


def _crops(right: dict[tuple[int, int], bool], images: int = 8) -> Predictions:
    """Return answers of two crops an image, at (0, 0) and (0, 32), right where it is said."""
    labels = np.arange(images) % 2
    named = []
    for image in range(images):
        for crop in range(2):
            is_right = right.get((image, crop), True)
            named.append(labels[image] if is_right else 1 - labels[image])
    probabilities = np.where(np.eye(2)[named] > 0, 0.9, 0.1)
    return Predictions(
        crop_frames=np.repeat(np.arange(images), 2),
        crop_origins=np.tile([(0, 0), (0, 32)], (images, 1)),
        crop_log_probabilities=np.log(probabilities).astype(np.float32),
        labels=labels.astype(np.int64),
        sessions=np.array([f"s{image}" for image in range(images)]),
        scenes=np.full(images, "desk"),
        cameras=np.full(images, "c"),
    )


def test_crops_with_a_defect_are_held_against_those_without_of_the_same_image() -> None:
    # the defect lies in the second crop of each image; the first one is wrong in half of them
    answers = _crops({(image, 0): image >= 4 for image in range(8)})
    found = crops_contrast([answers], {"c": np.array([[5, 40]])}, 32)
    assert found is not None
    assert (found.accuracy.intervention, found.accuracy.control) == (1.0, 0.5)
    assert found.share_with == 0.5
    assert (found.runs, found.images, found.sessions) == (1, 8, 8)


def test_a_defect_belongs_to_the_crop_that_begins_at_it_not_to_the_one_that_ends_before_it() -> (
    None
):
    answers = _crops({(image, 1): False for image in range(8)})
    for column, accuracy in ((31, 1.0), (32, 0.0)):
        found = crops_contrast([answers], {"c": np.array([[0, column]])}, 32)
        assert found is not None and found.accuracy.intervention == accuracy


def test_images_without_both_kinds_of_crop_are_left_out() -> None:
    assert crops_contrast([_crops({})], {"c": np.zeros((0, 2), np.int64)}, 32) is None
    everywhere = np.array([[5, 5], [5, 40]])
    assert crops_contrast([_crops({})], {"c": everywhere}, 32) is None
    with pytest.raises(InterventionError, match="camera c: its defects are not given"):
        crops_contrast([_crops({})], {"d": everywhere}, 32)


def test_joined_answers_are_those_of_all_frames_in_order() -> None:
    one, other = _crops({}, 3), _crops({(0, 0): False}, 5)
    found = joined([one, other])
    assert found.crop_frames.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    np.testing.assert_array_equal(found.labels, [0, 1, 0, 0, 1, 0, 1, 0])
    np.testing.assert_array_equal(
        found.crop_classes()[6:], other.crop_classes(), "the second run's crops follow"
    )


def test_answers_of_some_frames_are_theirs_alone() -> None:
    answers = _crops({(2, 0): False, (2, 1): False})
    found = of_frames(answers, np.array([2, 5]))
    assert found.crop_frames.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(found.labels, [0, 1])
    np.testing.assert_array_equal(found.image_classes(), [1, 1])
    assert found.sessions.tolist() == ["s2", "s5"]
    back = joined([of_frames(answers, np.arange(4)), of_frames(answers, np.arange(4, 8))])
    np.testing.assert_array_equal(back.crop_log_probabilities, answers.crop_log_probabilities)
