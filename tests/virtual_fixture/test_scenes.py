"""The carousel: many scenes, each textured everywhere, each unlike the others, always the same."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from fixtures.errors import UnknownSceneError
from fixtures.scenes import render_scene, scene_named, scene_names

NAMES = [name for name in scene_names() if name != "flat-panel"]
BACKGROUNDS = sorted({name.split("-")[0] for name in NAMES})
OBJECTS = sorted({name.split("-")[1] for name in NAMES})
LAMPS = sorted({name.split("-")[2] for name in NAMES})
HEIGHT, WIDTH = 128, 192


def grey(name: str, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.float32]:
    return np.asarray(render_scene(name, height, width).mean(axis=2), dtype=np.float32)


@pytest.fixture(scope="module")
def of_backgrounds() -> dict[str, NDArray[np.float32]]:
    return {name: grey(f"{name}-ball-daylight") for name in BACKGROUNDS}


@pytest.fixture(scope="module")
def of_objects() -> dict[str, NDArray[np.float32]]:
    return {name: grey(f"sand-{name}-daylight") for name in OBJECTS}


def correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_the_carousel_is_every_combination() -> None:
    assert len(BACKGROUNDS) >= 12
    assert len(OBJECTS) >= 8
    assert LAMPS == ["daylight", "tungsten"]
    assert len(set(NAMES)) == len(NAMES) == len(BACKGROUNDS) * len(OBJECTS) * len(LAMPS)


def test_a_scene_is_the_same_every_time() -> None:
    first, second = (render_scene("cork-mug-tungsten", HEIGHT, WIDTH) for _ in range(2))
    assert first.dtype == np.float32 and first.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(first, second)


def test_a_scene_is_the_same_at_every_size() -> None:
    small = grey("brick-cone-daylight", 96, 144)
    # Four by four pixels of the large picture are one of the small.
    large = grey("brick-cone-daylight", 384, 576).reshape(96, 4, 144, 4).mean(axis=(1, 3))
    assert correlation(small, large) > 0.9


def test_every_background_is_within_one_exposure(
    of_backgrounds: dict[str, NDArray[np.float32]],
) -> None:
    medians = [float(np.median(picture)) for picture in of_backgrounds.values()]
    assert min(medians) > 0.05
    assert max(medians) / min(medians) < 4


def test_nothing_is_flat(of_backgrounds: dict[str, NDArray[np.float32]]) -> None:
    for name, picture in of_backgrounds.items():
        blocks = picture.reshape(HEIGHT // 16, 16, WIDTH // 16, 16)
        contrast = blocks.std(axis=(1, 3)) / blocks.mean(axis=(1, 3))
        assert np.quantile(contrast, 0.05) > 0.01, name


def test_spectra_fall_towards_fine_detail(of_backgrounds: dict[str, NDArray[np.float32]]) -> None:
    rows, columns = np.fft.fftfreq(HEIGHT)[:, None], np.fft.fftfreq(WIDTH)[None]
    frequency = np.hypot(rows, columns)
    for name, picture in of_backgrounds.items():
        power = np.abs(np.fft.fft2(picture - picture.mean())) ** 2
        coarse = power[(frequency > 0.02) & (frequency < 0.1)].mean()
        fine = power[(frequency > 0.3) & (frequency < 0.5)].mean()
        assert coarse > 3 * fine > 0, name


def test_scenes_are_unlike_each_other(
    of_backgrounds: dict[str, NDArray[np.float32]], of_objects: dict[str, NDArray[np.float32]]
) -> None:
    border = np.ones((HEIGHT, WIDTH), bool)
    border[HEIGHT // 6 : -HEIGHT // 6, WIDTH // 4 : -WIDTH // 4] = False
    for first, second in combinations(of_backgrounds.values(), 2):
        assert abs(correlation(first[border], second[border])) < 0.7
    for first, second in combinations(of_objects.values(), 2):
        assert np.abs(first - second).max() > 0.1


def test_the_lamps_differ_in_colour() -> None:
    daylight, tungsten = (
        render_scene(f"knit-box-{lamp}", HEIGHT, WIDTH).mean(axis=(0, 1)) for lamp in LAMPS
    )
    assert tungsten[0] / tungsten[2] > 3 * daylight[0] / daylight[2]


def test_the_flat_panel_is_even() -> None:
    assert np.ptp(render_scene("flat-panel", 40, 60)) == 0


@pytest.mark.parametrize(
    "name", ["brick", "brick-ball", "brick-ball-moonlight", "no-such-scene", ""]
)
def test_an_unknown_scene_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(UnknownSceneError, match=r"brick.*ball.*daylight"):
        scene_named(name)
