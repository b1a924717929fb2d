"""Frames are decoded once; crops are what naive indexing says they are."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import patches
from training.interventions import mask_defects, mask_variation
from training.patches import (
    CachedFrame,
    FrameCache,
    Mosaic,
    PatchError,
    gather,
    grid_origins,
    prefetched,
    random_origins,
    to_network_input,
)

BLACK = (512.0, 513.0, 514.0, 515.0)


@dataclass
class Decoded:
    mosaic: Mosaic
    black_level: tuple[float, float, float, float] | None = BLACK
    white_level: int = 16383
    visible: tuple[int, int, int, int] = (0, 0, 24, 32)


@dataclass
class Decoder:
    """Makes a frame out of a path and remembers what it was asked."""

    asked: list[Path] = field(default_factory=list)

    def __call__(self, path: Path) -> Decoded:
        self.asked.append(path)
        values = np.random.default_rng(len(path.name)).integers(0, 16383, (24, 32))
        return Decoded(values.astype(np.uint16))


def test_a_frame_is_decoded_once_for_ever(tmp_path: Path) -> None:
    decoder = Decoder()
    first = FrameCache(tmp_path, decoder).frame("a" * 64, Path("x.dng"))
    again = FrameCache(tmp_path, decoder).frame("a" * 64, Path("moved.dng"))
    assert decoder.asked == [Path("x.dng")]
    np.testing.assert_array_equal(first.mosaic, decoder(Path("x.dng")).mosaic)
    np.testing.assert_array_equal(first.mosaic, again.mosaic)
    assert again.black_levels == BLACK
    assert again.visible == (0, 0, 24, 32)
    assert isinstance(again.mosaic, np.memmap)
    assert not again.mosaic.flags.writeable


def test_the_address_names_everything_that_decides_the_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FrameCache(tmp_path, Decoder())
    mask = mask_variation(np.array([[4, 4]]))
    keys = {
        cache.key("a" * 64),
        cache.key("b" * 64),
        cache.key("a" * 64, mask),
        cache.key("a" * 64, mask_variation(np.array([[4, 6]]))),
        FrameCache(tmp_path, Decoder(), "raw-planes").key("a" * 64),
    }
    monkeypatch.setattr(patches, "CACHE_RECIPE", patches.CACHE_RECIPE + 1)
    keys.add(cache.key("a" * 64))
    assert len(keys) == 6


def test_a_variation_is_cached_beside_the_original(tmp_path: Path) -> None:
    decoder = Decoder()
    cache = FrameCache(tmp_path, decoder)
    places = np.array([[4, 4], [10, 7]])
    masked = cache.frame("a" * 64, Path("x.dng"), mask_variation(places))
    original = cache.frame("a" * 64, Path("x.dng"))
    np.testing.assert_array_equal(masked.mosaic, mask_defects(original.mosaic, places))
    assert masked.key != original.key
    assert len(decoder.asked) == 1


def test_an_interrupted_write_leaves_nothing_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_save = np.save

    def interrupted(file: BinaryIO, array: Mosaic, allow_pickle: bool) -> None:
        real_save(file, array[:3], allow_pickle=allow_pickle)
        raise KeyboardInterrupt

    cache = FrameCache(tmp_path, Decoder())
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cache.frame("a" * 64, Path("x.dng"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert cache.frame("a" * 64, Path("x.dng")).mosaic.shape == (24, 32)


@pytest.mark.parametrize(
    ("decoded", "message"),
    [
        (Decoded(np.zeros((24, 32), np.float32)), "two-dimensional uint16"),
        (Decoded(np.zeros((24, 32), np.uint16), black_level=None), "no black level"),
    ],
)
def test_frames_that_cannot_be_used_are_refused(
    tmp_path: Path, decoded: Decoded, message: str
) -> None:
    cache = FrameCache(tmp_path, lambda path: decoded)
    with pytest.raises(PatchError, match=rf"x\.dng.*{message}"):
        cache.frame("a" * 64, Path("x.dng"))


areas = st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(20, 90), st.integers(20, 90))


@given(area=areas, patch_size=st.integers(4, 9).map(lambda half: 2 * half))
def test_a_tiling_stays_within_never_overlaps_and_wastes_less_than_a_patch(
    area: tuple[int, int, int, int], patch_size: int
) -> None:
    top, left, height, width = area
    covered = np.zeros((top + height, left + width), int)
    for row, column in grid_origins(area, patch_size):
        assert row % 2 == 0 and column % 2 == 0
        assert row >= top and column >= left
        assert covered[row : row + patch_size, column : column + patch_size].size == patch_size**2
        covered[row : row + patch_size, column : column + patch_size] += 1
    assert covered.max() == 1
    assert len(grid_origins(area, patch_size)) == (
        (height - top % 2) // patch_size * ((width - left % 2) // patch_size)
    )


@given(area=areas, seed=st.integers(0, 1000))
def test_random_crops_are_even_and_visible(area: tuple[int, int, int, int], seed: int) -> None:
    origins = random_origins(np.random.default_rng(seed), area, 16, 50)
    assert not (origins % 2).any()
    assert (origins >= area[:2]).all()
    assert (origins + 16 <= np.add(area[:2], area[2:])).all()


def test_a_limited_tiling_is_spread_over_the_whole() -> None:
    whole, few = grid_origins((0, 0, 512, 512), 64), grid_origins((0, 0, 512, 512), 64, 5)
    assert len(whole) == 64
    assert len(few) == 5
    np.testing.assert_array_equal(few[[0, -1]], whole[[0, -1]])


def test_patch_sizes_that_lose_the_colour_pattern_or_do_not_fit_are_refused() -> None:
    with pytest.raises(PatchError, match="even"):
        grid_origins((0, 0, 64, 64), 15)
    with pytest.raises(PatchError, match="does not fit"):
        random_origins(np.random.default_rng(0), (0, 0, 64, 30), 32, 1)


def _frames(count: int) -> list[CachedFrame]:
    generator = np.random.default_rng(3)
    return [
        CachedFrame(
            str(number),
            generator.integers(500, 4096, (40, 60)).astype(np.uint16),
            (510.0, 512.0, 514.0, 516.0),
            white_level=4095 * (number + 1),
            visible=(0, 0, 40, 60),
        )
        for number in range(count)
    ]


def test_a_gathered_batch_equals_naive_indexing() -> None:
    frames = _frames(3)
    generator = np.random.default_rng(0)
    indices = generator.integers(0, 3, 20)
    origins = random_origins(generator, (0, 0, 40, 60), 16, 20)
    batch = gather(frames, indices, origins, 16)
    assert batch.dtype == np.uint16
    for crop, index, (row, column) in zip(batch, indices, origins, strict=True):
        np.testing.assert_array_equal(crop, frames[index].mosaic[row:, column:][:16, :16])


@pytest.mark.parametrize("transform", ["linear", "square-root"])
def test_network_input_photosite_by_photosite(transform: patches.Transform) -> None:
    frames = _frames(2)
    crops = gather(frames, np.array([0, 1]), np.array([[2, 4], [6, 8]]), 8)
    values = to_network_input(crops, frames, transform)
    assert values.shape == (2, 1, 8, 8)
    assert values.dtype == np.float32
    for number, full in ((0, 4096), (1, 8192)):
        for row in range(8):
            for column in range(8):
                black = (510, 512, 514, 516)[row % 2 * 2 + column % 2]
                signal = (int(crops[number, row, column]) - black) / full
                expected = signal if transform == "linear" else np.sqrt(max(signal, 0))
                assert values[number, 0, row, column] == np.float32(expected)


def test_prefetching_keeps_order_and_runs_ahead_by_one() -> None:
    loaded: list[int] = []
    lock = threading.Lock()

    def load(item: int) -> int:
        with lock:
            loaded.append(item)
        return item * item

    results = prefetched(range(10), load)
    assert next(results) == 0
    assert len(loaded) <= 2
    assert [0, *results] == [item * item for item in range(10)]


def test_prefetching_reports_the_error_of_its_thread() -> None:
    def fail(item: int) -> int:
        raise PatchError(f"item {item}")

    with pytest.raises(PatchError, match="item 0"):
        list(prefetched([0], fail))
