"""Photosites of low response in flat fields, against drawn truth and a plain second measurement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from training.defects.errors import DarkFrameError
from training.defects.flats import low_response

_BLACK = (512.0,) * 4
_SHAPE = (256, 320)


def _flats(
    seed: int, response: NDArray[np.float64], count: int, lamp: float = 9000.0
) -> list[Callable[[], NDArray[np.uint16]]]:
    generator = np.random.default_rng(seed)
    shading = 1 - 0.3 * np.linspace(-1, 1, response.shape[1]) ** 2
    frames = [
        np.round(512 + generator.poisson(lamp * (1 + 0.02 * n) * response * shading)).astype(
            np.uint16
        )
        for n in range(count)
    ]
    return [lambda frame=frame: frame for frame in frames]  # type: ignore[misc]


def _prnu(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(1.0, 0.01, _SHAPE)


def test_uneven_response_alone_gives_no_defects() -> None:
    found = sum(
        len(low_response(_flats(seed, _prnu(seed), 2), "RGGB", _BLACK, largest_response=1.0).row)
        for seed in range(12)
    )
    assert found <= 1


def test_kinds_and_errors() -> None:
    response = _prnu(1)
    response[10, 20], response[40, 41], response[90, 90] = 0.0, 0.6, 1.8
    low = low_response(_flats(2, response, 6), "RGGB", _BLACK, white_level=65535)
    assert list(zip(low.row.tolist(), low.column.tolist(), strict=True)) == [(10, 20), (40, 41)]
    assert low.kind == ("dead", "low-response")
    noise = np.sqrt(9450 * 0.9) / (9450 * 0.9) / 2
    assert low.response_error == pytest.approx([noise] * 2, rel=0.25)


def test_one_frame_of_a_blinking_photosite_does_not_count() -> None:
    frames = [read() for read in _flats(3, _prnu(3), 5)]
    frames[2][100, 100] = 512
    frames[1][7, 7] = 60_000
    low = low_response([lambda frame=frame: frame for frame in frames], "RGGB", _BLACK)  # type: ignore[misc]
    assert not len(low.row)


def test_a_plain_second_measurement_agrees() -> None:
    response = _prnu(4)
    response[11, 12], response[200, 301] = 0.05, 0.5
    flats = _flats(5, response, 4)
    low = low_response(flats, "RGGB", _BLACK)
    stack = np.stack([read() for read in flats]).astype(float) - 512
    for row, column, value in zip(low.row, low.column, low.response, strict=True):
        plane = stack[:, row % 2 :: 2, column % 2 :: 2]
        plane = plane / np.median(plane, axis=(1, 2), keepdims=True)
        mean = np.sort(plane, axis=0)[1:-1].mean(axis=0)
        local = ndimage.median_filter(mean, 5, mode="nearest")
        assert value == pytest.approx((mean / local)[row // 2, column // 2], abs=1e-5)
    assert len(low.row) == 2


def test_unusable_flats_are_refused() -> None:
    with pytest.raises(DarkFrameError, match="no flat fields"):
        low_response([], "RGGB", _BLACK)
    with pytest.raises(DarkFrameError, match="saturated"):
        low_response([lambda: np.full(_SHAPE, 4095, np.uint16)], "RGGB", _BLACK, white_level=4095)
    with pytest.raises(DarkFrameError, match="too dark"):
        low_response(_flats(6, _prnu(6), 1, lamp=20.0), "RGGB", _BLACK)
    with pytest.raises(DarkFrameError, match="one size"):
        low_response(
            [
                lambda: np.full(_SHAPE, 900, np.uint16),
                lambda: np.full((64, 64), 900, np.uint16),
            ],
            "RGGB",
            _BLACK,
        )
