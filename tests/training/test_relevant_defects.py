"""Photosites relevant to age: found where they are, false ones as rarely as promised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.estimator_worlds import World, make_world
from training.estimators.errors import EstimatorError
from training.estimators.measured_noise import measure_noise
from training.estimators.relevant_defects import RelevantDefects, class_contrast_defects

NOTHING = np.empty((0, 2), np.int64)
SESSIONS = 5


def _found(
    world: World, classes: NDArray[np.int64] | None = None, **options: object
) -> RelevantDefects:
    """Give each timeslot's images to sessions of their own, and look for class contrasts."""
    numbers = world.timeslots if classes is None else classes
    part = np.arange(len(world.trusted)) % SESSIONS
    names = np.array([f"{slot}-{one}" for slot, one in zip(world.timeslots, part, strict=True)])
    images = replace(world.trusted, sessions=names)
    noise = measure_noise(images, NOTHING, 0)
    return class_contrast_defects(images, numbers, noise, **options)  # type: ignore[arg-type]


def test_defects_that_arose_between_timeslots_are_found() -> None:
    world = make_world(d_prime=8.0, timeslots=2, images_per_timeslot=20, defects=20, seed=41)
    found = _found(world)
    true = {tuple(place) for place in world.places.tolist()}
    hits = [tuple(place) in true for place in found.places.tolist()]
    # of 20 some arose near an end of the years, and are in nearly all images of both timeslots
    assert sum(hits) >= 8
    assert len(hits) - sum(hits) <= max(1, 0.15 * len(hits))
    assert (found.discovery_rate <= 0.05).all()
    assert found.relabellings > 100 and found.tried == world.spec.rows * world.spec.columns


def test_without_defects_hardly_anything_is_found() -> None:
    counts = [
        len(_found(make_world(defects=0, timeslots=2, images_per_timeslot=20, seed=seed)).places)
        for seed in range(50, 56)
    ]
    assert sum(count > 0 for count in counts) <= 1


def test_labels_that_have_nothing_to_do_with_time_find_nothing() -> None:
    """The placebo: sessions of both timeslots in each class."""
    world = make_world(d_prime=8.0, timeslots=2, images_per_timeslot=20, defects=20, seed=41)
    part = np.arange(len(world.trusted)) % SESSIONS
    classes = ((part + world.timeslots) % 2).astype(np.int64)
    assert len(_found(world, classes).places) <= 1


def test_strips_and_order_change_nothing() -> None:
    world = make_world(d_prime=8.0, timeslots=2, images_per_timeslot=20, defects=20, seed=41)
    whole, strips = _found(world), _found(world, memory_bytes=200_000)
    np.testing.assert_array_equal(whole.places, strips.places)
    np.testing.assert_allclose(whole.discovery_rate, strips.discovery_rate)


def test_one_session_in_each_timeslot_permits_no_contrast() -> None:
    world = make_world(d_prime=8.0, timeslots=3, images_per_timeslot=6, seed=42)
    noise = measure_noise(world.trusted, NOTHING, 0)
    found = class_contrast_defects(world.trusted, world.timeslots, noise)
    assert not len(found.places) and found.relabellings == 0


def test_a_session_of_two_timeslots_is_refused() -> None:
    world = make_world(d_prime=8.0, timeslots=2, images_per_timeslot=6, seed=42)
    images = replace(world.trusted, sessions=np.full(len(world.trusted), "one"))
    with pytest.raises(EstimatorError, match="session one has images of two timeslots"):
        class_contrast_defects(images, world.timeslots, measure_noise(images, NOTHING, 0))
