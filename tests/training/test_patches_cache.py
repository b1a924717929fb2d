"""Frames are decoded once and never handed out wrong, whoever is killed, whatever is damaged."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.patch_files import BLACK, SHAPE, Decoder, made_up_mosaic, write_file
from training.interventions import mask_defects, mask_variation
from training.patches import cache as cache_module
from training.patches.cache import FrameCache
from training.patches.entries import entry_bytes, write_entry
from training.patches.errors import CacheError, DamagedAssetError, PatchError
from training.patches.inputs import Content, Decoded, Variation

ENTRY_BYTES = entry_bytes(Decoded(np.zeros(SHAPE, np.uint16), BLACK, 16383, (0, 0, *SHAPE)))
ROOT = Path(__file__).parents[2]


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.frame"))


def base(array: Any) -> Any:
    while array.base is not None and not isinstance(array, np.memmap):
        array = array.base
    return array


def test_a_frame_is_decoded_once_for_ever(tmp_path: Path) -> None:
    decoder = Decoder()
    sha256, path = write_file(tmp_path, "x")
    first = FrameCache(tmp_path / "cache", decoder.content).frame(sha256, path)
    moved = path.rename(tmp_path / "moved")
    again = FrameCache(tmp_path / "cache", decoder.content).frame(sha256, moved)
    assert decoder.asked == [path]
    np.testing.assert_array_equal(first.pixels, made_up_mosaic(b"x"))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert again.black_levels == BLACK
    assert (again.white_level, again.visible, again.size) == (16383, (0, 0, *SHAPE), SHAPE)
    assert isinstance(base(again.pixels), np.memmap)
    assert not again.pixels.flags.writeable


def test_the_address_names_everything_that_decides_the_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FrameCache(tmp_path, Decoder().content)
    keys = {
        cache.key("a" * 64),
        cache.key("b" * 64),
        cache.key("a" * 64, mask_variation(np.array([[4, 4]]))),
        cache.key("a" * 64, mask_variation(np.array([[4, 6]]))),
        FrameCache(tmp_path, Content("luma", Decoder())).key("a" * 64),
    }
    monkeypatch.setattr(cache_module, "CACHE_RECIPE", cache_module.CACHE_RECIPE + 1)
    keys.add(cache.key("a" * 64))
    assert len(keys) == 6


def test_a_variation_is_cached_beside_the_original(tmp_path: Path) -> None:
    decoder = Decoder()
    sha256, path = write_file(tmp_path, "x")
    cache = FrameCache(tmp_path / "cache", decoder.content)
    places = np.array([[4, 4], [10, 7]])
    masked = cache.frame(sha256, path, mask_variation(places))
    original = cache.frame(sha256, path)
    np.testing.assert_array_equal(masked.pixels, mask_defects(original.pixels, places))
    assert masked.key != original.key
    assert len(decoder.asked) == 1


def test_variations_that_share_a_lock_with_their_original_do_not_wait_for_ever(
    tmp_path: Path,
) -> None:
    sha256, path = write_file(tmp_path, "x")
    cache = FrameCache(tmp_path / "cache", Decoder().content)
    stripe = cache.key(sha256)[:2]
    number = next(n for n in range(9999) if cache.key(sha256, _named(n)).startswith(stripe))
    frame = cache.frame(sha256, path, _named(number))
    np.testing.assert_array_equal(frame.pixels, made_up_mosaic(b"x") // 2)


def _named(number: int) -> Variation:
    return Variation(f"half {number}", lambda mosaic: mosaic // 2)


def test_an_interrupted_write_leaves_nothing_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(file: Any, frame: Decoded) -> None:
        write_entry(file, replace(frame, pixels=frame.pixels[:3]))
        raise KeyboardInterrupt

    sha256, path = write_file(tmp_path, "x")
    cache = FrameCache(tmp_path / "cache", Decoder().content)
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "write_entry", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cache.frame(sha256, path)
    assert cache.used_bytes == 0
    assert cache.frame(sha256, path).pixels.shape == SHAPE


def test_a_full_disk_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Any, frame: Decoded) -> None:
        file.write(b"x" * 100)
        raise OSError(28, "No space left on device")

    sha256, path = write_file(tmp_path, "x")
    cache = FrameCache(tmp_path / "cache", Decoder().content)
    monkeypatch.setattr(cache_module, "write_entry", full)
    with pytest.raises(CacheError, match="no room"):
        cache.frame(sha256, path)
    assert cache.used_bytes == 0


def test_a_file_with_other_bytes_than_its_hash_is_never_decoded(tmp_path: Path) -> None:
    decoder = Decoder()
    sha256, path = write_file(tmp_path, "x")
    path.write_text("y", encoding="utf-8")
    with pytest.raises(DamagedAssetError, match=f"expected {sha256}: verify"):
        FrameCache(tmp_path / "cache", decoder.content).frame(sha256, path)
    path.unlink()
    with pytest.raises(DamagedAssetError, match="cannot be read"):
        FrameCache(tmp_path / "cache", decoder.content).frame(sha256, path)
    assert decoder.asked == []


def test_frames_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    sha256, path = write_file(tmp_path, "x")
    floats = Content("mosaic", lambda _: Decoded(np.zeros(SHAPE), BLACK, 16383, (0, 0, *SHAPE)))
    with pytest.raises(PatchError, match=r"x\.made-up.*float64"):
        FrameCache(tmp_path / "cache", floats).frame(sha256, path)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut in the first page": lambda data: data[:100],
    "cut by a byte": lambda data: data[:-1],
    "grown by a byte": lambda data: data + b"\0",
    "a flipped bit of a pixel": lambda data: data[:-7] + bytes([data[-7] ^ 1]) + data[-6:],
    "a flipped bit of the facts": lambda data: data[:30] + bytes([data[30] ^ 1]) + data[31:],
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_anew(tmp_path: Path, damage: str) -> None:
    sha256, path = write_file(tmp_path, "x")
    FrameCache(tmp_path / "cache", Decoder().content).frame(sha256, path)
    (entry,) = entries(tmp_path)
    sound = entry.read_bytes()
    damaged = DAMAGES[damage](sound)
    assert damaged != sound
    entry.write_bytes(damaged)
    decoder = Decoder()
    frame = FrameCache(tmp_path / "cache", decoder.content).frame(sha256, path)
    np.testing.assert_array_equal(frame.pixels, made_up_mosaic(b"x"))
    assert (frame.black_levels, len(decoder.asked)) == (BLACK, 1)
    assert entry.read_bytes() == sound


def test_an_entry_that_is_damaged_while_a_process_knows_it_is_noticed(tmp_path: Path) -> None:
    sha256, path = write_file(tmp_path, "x")
    cache = FrameCache(tmp_path / "cache", Decoder().content)
    cache.frame(sha256, path)
    (entry,) = entries(tmp_path)
    data = bytearray(entry.read_bytes())
    data[-1] ^= 255
    entry.write_bytes(data)
    np.testing.assert_array_equal(cache.frame(sha256, path).pixels, made_up_mosaic(b"x"))


class TestQuota:
    def test_frames_used_longest_ago_go_first(self, tmp_path: Path) -> None:
        decoder = Decoder()
        files = [write_file(tmp_path, f"{n}") for n in range(10)]
        cache = FrameCache(tmp_path / "cache", decoder.content, 10 * ENTRY_BYTES)
        for sha256, path in files:
            cache.frame(sha256, path)
        cache.frame(*files[0])
        assert len(entries(tmp_path)) == 10
        cache.frame(*write_file(tmp_path, "another"))
        assert cache.used_bytes <= 10 * ENTRY_BYTES
        decoder.asked.clear()
        cache.frame(*files[0])
        assert decoder.asked == []
        cache.frame(*files[1])
        assert decoder.asked == [files[1][1]]

    def test_it_is_never_exceeded(self, tmp_path: Path) -> None:
        cache = FrameCache(tmp_path / "cache", Decoder().content, 4 * ENTRY_BYTES + 5)
        generator = np.random.default_rng(0)
        for number in generator.integers(0, 12, 60):
            sha256, path = write_file(tmp_path, f"{number}")
            frame = cache.frame(sha256, path)
            np.testing.assert_array_equal(frame.pixels, made_up_mosaic(str(number).encode()))
            assert cache.used_bytes <= 4 * ENTRY_BYTES + 5

    def test_frames_in_use_stay_and_further_ones_come_from_memory(self, tmp_path: Path) -> None:
        files = [write_file(tmp_path, f"{n}") for n in range(6)]
        cache = FrameCache(tmp_path / "cache", Decoder().content, 3 * ENTRY_BYTES)
        held = [cache.frame(*file) for file in files]
        for number, frame in enumerate(held):
            np.testing.assert_array_equal(frame.pixels, made_up_mosaic(str(number).encode()))
            assert isinstance(base(frame.pixels), np.memmap) == (number < 3)
            assert not frame.pixels.flags.writeable
        assert cache.used_bytes == 3 * ENTRY_BYTES
        del held, frame
        assert isinstance(base(cache.frame(*files[5]).pixels), np.memmap)

    def test_an_entry_that_others_remove_stays_readable(self, tmp_path: Path) -> None:
        sha256, path = write_file(tmp_path, "x")
        frame = FrameCache(tmp_path / "cache", Decoder().content).frame(sha256, path)
        for entry in entries(tmp_path):
            entry.unlink()
        np.testing.assert_array_equal(frame.pixels, made_up_mosaic(b"x"))

    def test_one_that_holds_no_frame_is_refused(self, tmp_path: Path) -> None:
        cache = FrameCache(tmp_path / "cache", Decoder().content, ENTRY_BYTES - 1)
        with pytest.raises(PatchError, match="does not hold one frame"):
            cache.frame(*write_file(tmp_path, "x"))

    @pytest.mark.parametrize("text", ["", "nonsense", "9" * 20])
    def test_a_lost_or_wrong_account_is_counted_anew(self, tmp_path: Path, text: str) -> None:
        files = [write_file(tmp_path, f"{n}") for n in range(5)]
        cache = FrameCache(tmp_path / "cache", Decoder().content, 3 * ENTRY_BYTES)
        for file in files[:3]:
            cache.frame(*file)
        (tmp_path / "cache" / "account").write_text(text, encoding="ascii")
        cache.frame(*files[3])
        assert 0 < cache.used_bytes <= 3 * ENTRY_BYTES


FRAMES = 24
LARGE_BYTES = 512 * 512 * 2 + 4096


def start(folder: Path, seed: int, quota: int = 0) -> subprocess.Popen[str]:
    arguments = [str(folder / "cache"), str(folder / "files"), str(seed), str(quota)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.patch_filler", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def write_files(folder: Path) -> None:
    (folder / "files").mkdir()
    for number in range(FRAMES):
        write_file(folder / "files", f"{number}")


def finish(process: subprocess.Popen[str]) -> int:
    """Wait for the end, and return how many frames it decoded."""
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    lines = output.splitlines()
    assert len(lines) == FRAMES + 1
    return int(lines[-1].split()[1])


class TestProcesses:
    def test_two_that_share_a_folder_decode_each_frame_once(self, tmp_path: Path) -> None:
        write_files(tmp_path)
        decoded = [finish(process) for process in [start(tmp_path, 1), start(tmp_path, 2)]]
        assert sum(decoded) == FRAMES
        assert len(entries(tmp_path)) == FRAMES

    def test_two_under_one_quota_keep_to_it_together(self, tmp_path: Path) -> None:
        write_files(tmp_path)
        quota = 6 * LARGE_BYTES
        counting = FrameCache(tmp_path / "cache", Decoder().content, quota)
        processes = [start(tmp_path, 1, quota), start(tmp_path, 2, quota)]
        most = 0
        while any(process.poll() is None for process in processes):
            most = max(most, counting.used_bytes)
            time.sleep(0.005)
        for process in processes:
            finish(process)
        assert 0 < most <= quota

    @pytest.mark.parametrize("frames_before", [0, 1, 5, 12])
    def test_one_killed_while_filling_harms_nobody(
        self, tmp_path: Path, frames_before: int
    ) -> None:
        write_files(tmp_path)
        quota = 20 * LARGE_BYTES
        process = start(tmp_path, 1, quota)
        assert process.stdout is not None
        for _ in range(frames_before):
            assert process.stdout.readline()
        partial = tmp_path / "cache" / "partial"
        while process.poll() is None and not (partial.is_dir() and list(partial.iterdir())):
            time.sleep(0.0005)
        process.kill()
        process.communicate()
        finish(start(tmp_path, 2, quota))
        cache = FrameCache(tmp_path / "cache", Decoder((512, 512)).content, quota)
        assert list(partial.iterdir()) == []
        assert cache.used_bytes <= quota

    @pytest.mark.prove
    def test_processes_killed_at_any_point_harm_nobody(
        self, tmp_path: Path, record_property: Callable[[str, object], None]
    ) -> None:
        """A cache of decoded frames survives SIGKILL at random moments, two processes at a time."""
        write_files(tmp_path)
        quota = 10 * LARGE_BYTES
        generator = np.random.default_rng(0)
        kills, partial = 40, tmp_path / "cache" / "partial"
        unfinished = 0
        for seed in range(kills):
            living, dying = start(tmp_path, seed, quota), start(tmp_path, 1000 + seed, quota)
            assert dying.stdout is not None
            dying.stdout.readline()
            time.sleep(generator.uniform(0, 0.15))
            dying.kill()
            dying.communicate()
            finish(living)
            unfinished += len(list(partial.iterdir()))
            counting = FrameCache(tmp_path / "cache", Decoder().content, quota)
            assert counting.used_bytes <= quota
        finish(start(tmp_path, 5000, quota))
        record_property("kills", kills)
        record_property("unfinished files found", unfinished)
