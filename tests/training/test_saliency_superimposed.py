"""Superimposed maps: means over correctly predicted crops, in crop and sensor coordinates."""

from __future__ import annotations

import numpy as np
import pytest

from training.saliency.errors import SaliencyError
from training.saliency.superimposed import SensorCells, Superimposition

SENSOR = SensorCells(row=16, column=32, rows=4, columns=5, cell_photosites=8)


def _map(value: float) -> np.ndarray:
    return np.full((2, 2), value, np.float32)


def test_the_mean_is_over_correctly_predicted_crops_by_class_and_scene() -> None:
    over = Superimposition(2, ["desk", "wall"])
    over.add(
        np.stack([_map(1), _map(3), _map(100), _map(7)]),
        correct=[True, True, False, True],
        classes=[0, 0, 0, 1],
        scenes=["desk", "desk", "desk", "wall"],
    )
    found = over.superimposed()
    np.testing.assert_array_equal(found.crops, [[2, 0], [0, 1]])
    np.testing.assert_array_equal(found.crop_maps[0, 0], _map(2))
    np.testing.assert_array_equal(found.crop_maps[1, 1], _map(7))
    assert np.isnan(found.crop_maps[0, 1]).all() and np.isnan(found.crop_maps[1, 0]).all()
    assert found.sensor_maps is None and found.scenes == ("desk", "wall")


def test_batches_add_up_to_the_whole() -> None:
    generator = np.random.default_rng(1)
    maps = generator.normal(size=(40, 2, 2)).astype(np.float32)
    correct, classes = generator.random(40) < 0.7, generator.integers(0, 2, 40)
    scenes = generator.choice(["a", "b", "c"], 40)
    origins = np.stack(
        [16 + 8 * generator.integers(0, 3, 40), 32 + 8 * generator.integers(0, 4, 40)], 1
    )
    whole, parts = (Superimposition(2, ["a", "b", "c"], SENSOR) for _ in range(2))
    whole.add(maps, correct, classes, scenes, origins)
    for part in np.array_split(np.arange(40), 7):
        parts.add(maps[part], correct[part], classes[part], scenes[part], origins[part])
    for one, other in (
        (whole.superimposed().crop_maps, parts.superimposed().crop_maps),
        (whole.superimposed().sensor_maps, parts.superimposed().sensor_maps),
    ):
        assert one is not None and other is not None
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_crops_lie_on_the_sensor_where_they_were_cut() -> None:
    over = Superimposition(1, ["desk"], SENSOR)
    over.add(
        np.stack([_map(1), _map(3)]), [True, True], [0, 0], ["desk", "desk"], [(16, 32), (24, 40)]
    )
    maps = over.superimposed().sensor_maps
    assert maps is not None
    expected = np.full((4, 5), np.nan)
    expected[:2, :2] = 1
    expected[1:3, 1:3] = 3
    expected[1, 1] = 2  # both crops show this cell
    np.testing.assert_array_equal(maps[0, 0], expected)


def test_scenes_weigh_the_same_however_many_crops_they_have() -> None:
    over = Superimposition(1, ["desk", "wall", "empty"])
    over.add(
        np.stack([_map(1), _map(1), _map(1), _map(5)]),
        [True] * 4, [0] * 4, ["desk", "desk", "desk", "wall"],
    )  # fmt: skip
    crops, sensor = over.superimposed().over_scenes()
    np.testing.assert_array_equal(crops[0], _map(3))
    assert sensor is None


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SaliencyError, match="every scene once"):
        Superimposition(2, ["desk", "desk"])
    over = Superimposition(2, ["desk"], SENSOR)
    with pytest.raises(SaliencyError, match="nothing to superimpose"):
        over.superimposed()
    one = _map(1)[None]
    with pytest.raises(SaliencyError, match="were not announced"):
        over.add(one, [True], [0], ["wall"], [(16, 32)])
    with pytest.raises(SaliencyError, match="were not announced"):
        over.add(one, [True], [2], ["desk"], [(16, 32)])
    with pytest.raises(SaliencyError, match="one value per crop"):
        over.add(one, [True, False], [0], ["desk"], [(16, 32)])
    with pytest.raises(SaliencyError, match="row and column of each"):
        over.add(one, [True], [0], ["desk"])
    with pytest.raises(SaliencyError, match="beyond the cells"):
        over.add(one, [True], [0], ["desk"], [(16, 32 + 4 * 8)])
    with pytest.raises(SaliencyError, match="finite ones"):
        over.add(one * np.nan, [True], [0], ["desk"], [(16, 32)])
