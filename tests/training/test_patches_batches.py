"""Batches hold, photosite by photosite, what naive indexing of the frames gives."""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.patches.batches import BatchMemory, cut_batch
from training.patches.errors import PatchError
from training.patches.inputs import INPUTS, CachedFrame, InputName, Transform, batch_shape
from training.patches.places import random_origins
from training.patches.prefetch import prefetched

BLACK = (510.25, 512.0, 514.5, 516.0)
TRANSFORMS: tuple[Transform, ...] = ("linear", "square-root")


def frame_of(input_name: InputName, number: int) -> CachedFrame:
    generator = np.random.default_rng(number)
    if input_name.startswith("raw-"):
        pixels: NDArray[Any] = generator.integers(480, 4096, (40, 61)).astype(np.uint16)
        return CachedFrame(str(number), pixels, BLACK, 4095 * (number + 1), (0, 0, 40, 61))
    shape = (40, 61, 3) if input_name == "jpeg-rgb" else (40, 61)
    pixels = generator.integers(0, 256, shape).astype(np.uint8)
    return CachedFrame(str(number), pixels, (0.0,) * 4, 255, (0, 0, 40, 61))


def naive(
    frame: CachedFrame, row: int, column: int, size: int, input_name: InputName
) -> NDArray[np.float32]:
    """Return a linear patch, one photosite after the other."""
    pixels = frame.pixels if frame.pixels.ndim == 3 else frame.pixels[..., None]
    full = np.float32(2.0 ** np.ceil(np.log2(frame.white_level - min(frame.black_levels))))
    out = np.empty((pixels.shape[2], size, size), np.float32)
    for channel, y, x in np.ndindex(out.shape):
        black = np.float32(frame.black_levels[y % 2 * 2 + x % 2])
        out[channel, y, x] = (np.float32(pixels[row + y, column + x, channel]) - black) / full
    if input_name == "raw-planes":
        return np.stack([out[0, y::2, x::2] for y in (0, 1) for x in (0, 1)])
    return out


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("input_name", INPUTS)
def test_every_value_is_that_of_its_photosite(input_name: InputName, transform: Transform) -> None:
    frames = [frame_of(input_name, number) for number in (0, 1, 0, 2)]
    origins = random_origins(np.random.default_rng(0), (0, 0, 40, 61), 16, 4)
    batch = cut_batch(frames, origins, 16, input_name=input_name, transform=transform)
    assert batch.dtype == np.float32
    assert batch.shape == batch_shape(input_name, 4, 16)
    for patch, frame, (row, column) in zip(batch, frames, origins.tolist(), strict=True):
        expected = naive(frame, row, column, 16, input_name)
        if transform == "square-root":
            expected = np.sqrt(np.maximum(expected, 0))
        np.testing.assert_array_equal(patch, expected)


@given(seed=st.integers(0, 100), size=st.sampled_from([2, 4, 10, 30, 40]))
def test_patches_of_any_size_are_bit_identical_to_plain_numpy(seed: int, size: int) -> None:
    frames = [frame_of("raw-mosaic", number) for number in range(3)]
    origins = random_origins(np.random.default_rng(seed), (0, 0, 40, 61), size, 3)
    batch = cut_batch(frames, origins, size)
    for patch, frame, (row, column) in zip(batch[:, 0], frames, origins.tolist(), strict=True):
        black = np.tile(np.array(BLACK, np.float32).reshape(2, 2), (size // 2, size // 2))
        crop = frame.pixels[row : row + size, column : column + size].astype(np.float32)
        span = frame.white_level - min(BLACK)
        expected = (crop - black) * np.exp2(-np.ceil(np.log2(span))).astype(np.float32)
        assert patch.tobytes() == expected.tobytes()


def test_saturation_ends_between_a_half_and_one() -> None:
    for number in range(4):
        frame = frame_of("raw-mosaic", number)
        full = np.full((8, 8), min(frame.white_level, 65535), np.uint16)
        whole = CachedFrame("f", full, BLACK, frame.white_level, (0, 0, 8, 8))
        assert 0.5 <= cut_batch([whole], np.zeros((1, 2), np.int64), 8).max() <= 1


@pytest.mark.parametrize("origin", [(-2, 0), (0, -2), (26, 0), (0, 46)])
def test_a_patch_beyond_its_frame_is_refused_before_anything_is_read(
    origin: tuple[int, int],
) -> None:
    with pytest.raises(IndexError, match="a patch of 16"):
        cut_batch([frame_of("raw-mosaic", 0)], np.array([origin]), 16)


class TestBatchMemory:
    def test_it_is_used_again_when_nothing_refers_to_the_batch(self) -> None:
        memory = BatchMemory()
        first = memory.take((4, 1, 8, 8))
        address = first.ctypes.data
        del first
        gc.collect()
        assert memory.take((3, 1, 8, 8)).ctypes.data == address

    def test_a_part_of_a_batch_keeps_it(self) -> None:
        import torch

        memory = BatchMemory()
        batch = memory.take((4, 1, 8, 8))
        batch[:] = 1
        numpy_part, torch_part = batch[1, 0, 2:4], torch.from_numpy(batch)[2]
        del batch
        for _ in range(5):
            memory.take((4, 1, 8, 8))[:] = 7
        assert (numpy_part == 1).all()
        del numpy_part
        memory.take((4, 1, 8, 8))[:] = 7
        assert bool((torch_part == 1).all())

    def test_two_batches_never_share(self) -> None:
        memory = BatchMemory(kept=2)
        batches = [memory.take((2, 1, 4, 4)) for _ in range(6)]
        for number, batch in enumerate(batches):
            batch[:] = number
        assert [float(batch[0, 0, 0, 0]) for batch in batches] == [0, 1, 2, 3, 4, 5]


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
