"""What every age estimator must do, whatever it is made of: the same suite for all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.estimator_worlds import ESTIMATORS, World, make_world
from training.estimators.errors import EstimatorError, NotFittedError
from training.estimators.images import Images
from training.estimators.protocol import AgeEstimator
from training.estimators.state import load_state, save_state

EVERY_ESTIMATOR = pytest.mark.parametrize("name", list(ESTIMATORS))


@pytest.fixture(scope="module")
def world() -> World:
    """A camera whose defects stand out, with timeslots that are not 0, 1, 2."""
    made = make_world(d_prime=10.0, timeslots=5, images_per_timeslot=16, seed=11)
    return replace(
        made,
        timeslots=made.timeslots * 3 + 7,
        questioned_timeslots=made.questioned_timeslots * 3 + 7,
    )


@pytest.fixture(scope="module")
def fitted(world: World) -> dict[str, AgeEstimator]:
    return {
        name: make(world).fit(world.trusted, world.timeslots) for name, make in ESTIMATORS.items()
    }


@EVERY_ESTIMATOR
def test_answers_have_the_promised_shapes_and_types(
    name: str, world: World, fitted: dict[str, AgeEstimator]
) -> None:
    estimator, images = fitted[name], world.questioned
    assert estimator.name == name
    assert estimator.timeslots_.dtype == np.int64
    assert estimator.timeslots_.tolist() == [7, 10, 13, 16, 19]
    predicted = estimator.predict(images)
    assert isinstance(predicted, np.ma.MaskedArray)
    assert predicted.dtype == np.int64 and predicted.shape == (len(images),)
    probabilities = estimator.predict_proba(images)
    assert probabilities.dtype == np.float64 and probabilities.shape == (len(images), 5)
    interval = estimator.predict_interval(images, 0.9)
    assert interval.low.dtype == interval.high.dtype == np.int64
    assert interval.low.shape == interval.high.shape == (len(images),)
    assert interval.confidence == 0.9


@EVERY_ESTIMATOR
def test_probabilities_are_probabilities(
    name: str, world: World, fitted: dict[str, AgeEstimator]
) -> None:
    probabilities = fitted[name].predict_proba(world.questioned)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-9)


@EVERY_ESTIMATOR
def test_the_most_probable_timeslot_is_predicted(
    name: str, world: World, fitted: dict[str, AgeEstimator]
) -> None:
    estimator = fitted[name]
    predicted = estimator.predict(world.questioned)
    likeliest = estimator.timeslots_[estimator.predict_proba(world.questioned).argmax(axis=1)]
    answered = ~np.ma.getmaskarray(predicted)
    assert answered.any()
    np.testing.assert_array_equal(predicted.data[answered], likeliest[answered])


@EVERY_ESTIMATOR
def test_strong_defects_tell_the_age_far_better_than_chance(
    name: str, world: World, fitted: dict[str, AgeEstimator]
) -> None:
    predicted = fitted[name].predict(world.questioned)
    right = (predicted.data == world.questioned_timeslots) & ~np.ma.getmaskarray(predicted)
    # 20 images, five timeslots: 11 right by chance have a probability below 0.001
    assert right.sum() >= 11


@EVERY_ESTIMATOR
def test_intervals_lie_within_the_timeslots_and_grow_with_confidence(
    name: str, world: World, fitted: dict[str, AgeEstimator]
) -> None:
    estimator = fitted[name]
    narrow = estimator.predict_interval(world.questioned, 0.5)
    wide = estimator.predict_interval(world.questioned, 0.99)
    for interval in (narrow, wide):
        assert np.isin(interval.low, estimator.timeslots_).all()
        assert np.isin(interval.high, estimator.timeslots_).all()
        assert (interval.low <= interval.high).all()
    assert (wide.low <= narrow.low).all() and (wide.high >= narrow.high).all()


@EVERY_ESTIMATOR
def test_the_order_of_images_does_not_matter(
    name: str, world: World, fitted: dict[str, AgeEstimator]
) -> None:
    order = np.random.default_rng(5).permutation(len(world.trusted))
    shuffled = ESTIMATORS[name](world).fit(world.trusted.subset(order), world.timeslots[order])
    asked = np.random.default_rng(6).permutation(len(world.questioned))
    np.testing.assert_allclose(
        shuffled.predict_proba(world.questioned.subset(asked)),
        fitted[name].predict_proba(world.questioned)[asked],
        atol=1e-6,
    )


@EVERY_ESTIMATOR
def test_fitting_again_gives_the_same_numbers(
    name: str, world: World, fitted: dict[str, AgeEstimator]
) -> None:
    before = fitted[name].predict_proba(world.questioned)
    # once more the same object, that has seen something else in between, and a new one
    estimator = ESTIMATORS[name](world)
    some = np.flatnonzero(world.timeslots < 14)
    estimator.fit(world.trusted.subset(some), world.timeslots[some])
    estimator.fit(world.trusted, world.timeslots)
    np.testing.assert_array_equal(estimator.predict_proba(world.questioned), before)


@EVERY_ESTIMATOR
def test_an_answer_to_one_image_does_not_depend_on_the_others(
    name: str, world: World, fitted: dict[str, AgeEstimator]
) -> None:
    together = fitted[name].predict_proba(world.questioned)
    alone = fitted[name].predict_proba(world.questioned.subset([7]))
    np.testing.assert_allclose(alone[0], together[7], atol=1e-9)
    assert fitted[name].predict_proba(world.questioned.subset([])).shape == (0, 5)


@EVERY_ESTIMATOR
def test_what_was_stored_answers_as_before(
    name: str, world: World, fitted: dict[str, AgeEstimator], tmp_path: Path
) -> None:
    lineage = {"dataset": "a" * 64}
    save_state(tmp_path / "fitted.npz", fitted[name].to_state(), lineage)
    state, read = load_state(tmp_path / "fitted.npz")
    assert (state.estimator, read) == (name, lineage)
    again = type(fitted[name]).from_state(state)
    np.testing.assert_array_equal(
        again.predict_proba(world.questioned), fitted[name].predict_proba(world.questioned)
    )
    assert again.facts() == fitted[name].facts()
    with pytest.raises(NotFittedError, match="call fit"):
        ESTIMATORS[name](world).to_state()


@EVERY_ESTIMATOR
def test_asking_before_fitting_says_what_to_do(name: str, world: World) -> None:
    estimator = ESTIMATORS[name](world)
    for ask in (estimator.predict, estimator.predict_proba, estimator.predict_interval):
        with pytest.raises(NotFittedError, match="call fit"):
            ask(world.questioned)
    with pytest.raises(NotFittedError, match="call fit"):
        estimator.facts()
    with pytest.raises(NotFittedError, match="call fit"):
        _ = estimator.timeslots_


@EVERY_ESTIMATOR
def test_another_camera_or_size_is_refused(
    name: str, world: World, fitted: dict[str, AgeEstimator]
) -> None:
    other = replace(world.questioned, cameras=np.full(len(world.questioned), "another"))
    with pytest.raises(EstimatorError, match="camera another"):
        fitted[name].predict(other)
    half = np.where(np.arange(len(world.trusted)) % 2, "another", world.trusted.cameras)
    with pytest.raises(EstimatorError, match="one camera"):
        ESTIMATORS[name](world).fit(replace(world.trusted, cameras=half), world.timeslots)
    small = make_world(defects=1, rows=24, columns=32, timeslots=2, images_per_timeslot=1)
    with pytest.raises(EstimatorError, match="rows and columns"):
        fitted[name].predict(small.questioned)


@EVERY_ESTIMATOR
def test_images_of_one_timeslot_are_refused(name: str, world: World) -> None:
    one = world.timeslots == 10
    with pytest.raises(EstimatorError, match="fewer than two timeslots"):
        ESTIMATORS[name](world).fit(world.trusted.subset(one), world.timeslots[one])


@EVERY_ESTIMATOR
def test_an_impossible_confidence_is_refused(
    name: str, world: World, fitted: dict[str, AgeEstimator]
) -> None:
    for confidence in (0.0, 1.0, 95.0):
        with pytest.raises(EstimatorError, match="share between 0 and 1"):
            fitted[name].predict_interval(world.questioned, confidence)


@EVERY_ESTIMATOR
def test_facts_are_json_and_name_the_estimator(name: str, fitted: dict[str, AgeEstimator]) -> None:
    facts = fitted[name].facts()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["estimator"] == name


def test_images_refuse_what_does_not_fit_together(world: World) -> None:
    images = world.trusted
    with pytest.raises(EstimatorError, match="one value for each image"):
        replace(images, sessions=images.sessions[:-1])
    with pytest.raises(EstimatorError, match="above 0"):
        replace(images, exposure_factors=np.zeros(len(images)))
    assert images.times is not None
    some = images.times.copy()
    some[3] = np.datetime64("NaT")
    with pytest.raises(EstimatorError, match="some have none"):
        replace(images, times=some)
    with pytest.raises(EstimatorError, match="no image"):
        images.subset([len(images)])


def test_subsets_keep_what_belongs_together_and_open_no_frame(world: World) -> None:
    before = world.trusted.frames.opened  # type: ignore[attr-defined]
    once = world.trusted.subset(np.arange(len(world.trusted)) % 2 == 1)
    twice: Images = once.subset([3, 0])
    assert world.trusted.frames.opened == before  # type: ignore[attr-defined]
    assert len(twice) == 2
    assert [frame.key for frame in twice.frames] == ["True-7", "True-1"]
    assert twice.times is not None and world.trusted.times is not None
    np.testing.assert_array_equal(twice.times, world.trusted.times[[7, 1]])
    np.testing.assert_array_equal(twice.exposure_factors, world.trusted.exposure_factors[[7, 1]])


@EVERY_ESTIMATOR
def test_without_defects_it_abstains(name: str) -> None:
    bare = make_world(defects=0, timeslots=4, images_per_timeslot=15, seed=21)
    estimator = ESTIMATORS[name](bare).fit(bare.trusted, bare.timeslots)
    assert np.ma.getmaskarray(estimator.predict(bare.questioned)).all()
    interval = estimator.predict_interval(bare.questioned)
    assert (interval.low == 0).all() and (interval.high == 3).all()
