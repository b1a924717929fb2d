"""Dust in flat fields: found where the virtual optics put it, compared between sessions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fixtures.optics import Optics
from training.defects.dust import DustSpots, compare_dust, find_dust, under_dust
from training.defects.errors import DarkFrameError

_SHAPE = (600, 800)
_BLACK = (512.0,) * 4


def _flat(
    seed: int, transmission: NDArray[np.float32] | None = None, prnu: float = 0.01
) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    electrons = 12_000.0 * (1 + prnu * generator.standard_normal(_SHAPE))
    if transmission is not None:
        electrons = electrons * transmission
    down = np.linspace(0.9, 1.1, _SHAPE[0])[:, None]
    return (512 + generator.poisson(electrons * down)).astype(np.float32)


def _spots(row: list[float], column: list[float], radius: float = 4.0) -> DustSpots:
    size = len(row)
    return DustSpots(
        np.array(row), np.array(column), np.full(size, radius), np.full(size, 0.1),
        np.full(size, 0.001), np.full(size, 50.0),
    )  # fmt: skip


def test_dust_free_flats_show_no_dust() -> None:
    found = sum(len(find_dust(_flat(seed), "RGGB", _BLACK).row) for seed in range(12))
    assert found <= 1


def test_spots_are_found_with_their_depth_and_width() -> None:
    rows, columns = np.mgrid[: _SHAPE[0], : _SHAPE[1]]
    truth = [(120.0, 200.0, 6.0, 0.10), (400.0, 500.0, 9.0, 0.05), (300.0, 90.0, 4.0, 0.20)]
    transmission = np.ones(_SHAPE, np.float32)
    for row, column, sigma, depth in truth:
        distance2 = (rows - row) ** 2 + (columns - column) ** 2
        transmission *= (1 - depth * np.exp(-distance2 / (2 * sigma**2))).astype(np.float32)
    found = find_dust(_flat(5, transmission), "RGGB", _BLACK)
    assert len(found.row) == len(truth)
    for row, column, sigma, depth in truth:
        place = int(np.argmin(np.hypot(found.row - row, found.column - column)))
        assert np.hypot(found.row[place] - row, found.column[place] - column) < 3
        assert found.radius[place] == pytest.approx(sigma, rel=0.3)
        assert found.depth[place] == pytest.approx(depth, rel=0.25)


def test_the_virtual_optics_dust_is_found() -> None:
    optics = Optics.drawn(5, width=_SHAPE[1], height=_SHAPE[0], pixel_pitch_um=6.0, seed=3)
    found = find_dust(_flat(6, optics.transmission(*_SHAPE, 16.0)), "RGGB", _BLACK)
    for row, column in zip(optics.dust_row, optics.dust_column, strict=True):
        assert np.hypot(found.row - row, found.column - column).min() < 6
    assert len(found.row) == 5


def test_a_dead_photosite_is_no_dust() -> None:
    flat = _flat(7)
    flat[100, 100] = flat[300:302, 401] = 512
    assert not len(find_dust(flat, "RGGB", _BLACK).row)


def test_dust_that_moved_went_and_came() -> None:
    change = compare_dust(_spots([10, 50, 90], [10, 50, 90]), _spots([51, 200, 10], [50, 9, 10]))
    assert sorted(map(tuple, change.stayed.tolist())) == [(0, 2), (1, 0)]
    assert change.went.tolist() == [2]
    assert change.came.tolist() == [1]
    nothing = compare_dust(_spots([], []), _spots([], []))
    assert not len(nothing.stayed) and not len(nothing.went) and not len(nothing.came)


def test_photosites_in_a_shadow_are_told_apart() -> None:
    shaded = under_dust(_spots([50], [50]), np.array([50, 57, 60]), np.array([51, 50, 50]))
    assert shaded.tolist() == [True, True, False]


def test_unlit_and_tiny_frames_are_refused() -> None:
    with pytest.raises(DarkFrameError, match="lamp"):
        find_dust(np.full(_SHAPE, 500, np.float32), "RGGB", _BLACK)
    with pytest.raises(DarkFrameError, match="too small"):
        find_dust(np.full((40, 40), 900, np.float32), "RGGB", _BLACK)
