"""Interventions change the photosites that they name, as they say, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.interventions import (
    InterventionError,
    mask_defects,
    mask_variation,
    random_mask,
    transplant_defects,
)

SHAPE = (40, 60)


@pytest.fixture
def mosaic() -> NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, 16383, SHAPE).astype(np.uint16)


@pytest.fixture
def defects() -> NDArray[np.int64]:
    return random_mask(SHAPE, 300, np.empty((0, 2), np.int64), seed=1)


def _median_by_hand(
    mosaic: NDArray[np.uint16], row: int, column: int, masked: set[tuple[int, int]]
) -> float:
    for reach in (2, 4, 6):
        values = [
            int(mosaic[row + down, column + right])
            for down in range(-reach, reach + 1, 2)
            for right in range(-reach, reach + 1, 2)
            if max(abs(down), abs(right)) == reach
            and 0 <= row + down < SHAPE[0]
            and 0 <= column + right < SHAPE[1]
            and (row + down, column + right) not in masked
        ]
        if values:
            return float(np.median(values))
    raise AssertionError


def test_masking_takes_the_median_of_sound_neighbours_of_the_same_colour(
    mosaic: NDArray[np.uint16], defects: NDArray[np.int64]
) -> None:
    before = mosaic.copy()
    result = mask_defects(mosaic, defects)
    places = {(row, column) for row, column in defects.tolist()}
    for row, column in places:
        assert result[row, column] == np.rint(_median_by_hand(mosaic, row, column, places))
    untouched = np.ones(SHAPE, bool)
    untouched[tuple(defects.T)] = False
    np.testing.assert_array_equal(result[untouched], before[untouched])
    np.testing.assert_array_equal(mosaic, before)


def test_masking_mixes_no_colours() -> None:
    colours = np.tile(np.array([[100, 2000], [3000, 400]], np.uint16), (20, 30))
    everywhere = random_mask(SHAPE, 500, np.empty((0, 2), np.int64), seed=2)
    np.testing.assert_array_equal(mask_defects(colours, everywhere), colours)


def test_masking_a_cluster_asks_wider_rings() -> None:
    flat = np.full(SHAPE, 700, np.uint16)
    cluster = np.argwhere(np.ones((7, 7), bool)) + 10
    hurt = transplant_defects(flat, cluster, np.full(len(cluster), 9000.0), 16383)
    np.testing.assert_array_equal(mask_defects(hurt, cluster), flat)


def test_masking_undoes_a_transplant(defects: NDArray[np.int64]) -> None:
    flat = np.full(SHAPE, 1000, np.uint16)
    hurt = transplant_defects(flat, defects, np.linspace(0, 20000, len(defects)), 16383)
    assert hurt.max() == 16383
    np.testing.assert_array_equal(mask_defects(hurt, defects), flat)


def test_a_transplant_adds_what_it_was_told(mosaic: NDArray[np.uint16]) -> None:
    places, amplitudes = np.array([[3, 4], [10, 11]]), np.array([250.4, -20000.0])
    result = transplant_defects(mosaic, places, amplitudes, 16383)
    assert result[3, 4] == min(int(mosaic[3, 4]) + 250, 16383)
    assert result[10, 11] == 0
    assert (result != mosaic).sum() == 2


def test_the_random_mask_is_seeded_distinct_and_free_of_defects(
    defects: NDArray[np.int64],
) -> None:
    control = random_mask(SHAPE, 300, defects, seed=7)
    as_pairs = {tuple(place) for place in control.tolist()}
    assert len(as_pairs) == 300
    assert not as_pairs & {tuple(place) for place in defects.tolist()}
    np.testing.assert_array_equal(control, random_mask(SHAPE, 300, defects, seed=7))
    assert as_pairs != {tuple(place) for place in random_mask(SHAPE, 300, defects, 8).tolist()}


def test_a_masks_name_is_its_content() -> None:
    places = np.array([[4, 4], [10, 7]])
    assert mask_variation(places).name == mask_variation(places[::-1]).name
    assert mask_variation(places).name != mask_variation(places[:1]).name


def test_requests_that_no_frame_can_take_are_refused(mosaic: NDArray[np.uint16]) -> None:
    with pytest.raises(InterventionError, match="outside of the frame 40x60"):
        mask_defects(mosaic, np.array([[40, 0]]))
    with pytest.raises(InterventionError, match="no same-colour neighbour"):
        mask_defects(mosaic, np.argwhere(np.ones(SHAPE, bool)))
    with pytest.raises(InterventionError, match="2 defects"):
        transplant_defects(mosaic, np.array([[0, 0], [1, 1]]), np.array([1.0]), 16383)
    with pytest.raises(InterventionError, match="2400 of 2399"):
        random_mask(SHAPE, 2400, np.array([[0, 0]]), seed=0)
