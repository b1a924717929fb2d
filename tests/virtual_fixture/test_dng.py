"""DNG files as LibRaw, tifffile and exiftool read them."""

from pathlib import Path

import numpy as np
import pytest
import rawpy
import tifffile
from numpy.typing import NDArray

from fixtures.dng import RawLevels, dng_bytes
from tests.support.camera_files import LEVELS, exiftool_complaints, needs_exiftool, shot_facts

SHAPES = [(128, 192), (64, 64), (1000, 66)]
PATTERNS = ["RGGB", "BGGR", "GRBG", "GBRG"]


def noise(shape: tuple[int, int]) -> NDArray[np.uint16]:
    """Every 16-bit number may occur, the ends for certain."""
    frame = np.random.default_rng(1).integers(0, 65_536, shape, dtype=np.uint16)
    frame[0, 0], frame[-1, -1] = 0, 65_535
    return frame


def written(
    folder: Path, frame: NDArray[np.uint16], cfa: str = "RGGB", levels: RawLevels = LEVELS
) -> Path:
    path = folder / "frame.dng"
    facts = shot_facts(height=frame.shape[0], width=frame.shape[1])
    path.write_bytes(dng_bytes(frame, cfa, levels, facts))
    return path


@pytest.mark.parametrize("shape", SHAPES)
def test_libraw_reads_every_photosite_as_written(tmp_path: Path, shape: tuple[int, int]) -> None:
    frame = noise(shape)
    with rawpy.imread(str(written(tmp_path, frame))) as raw:
        np.testing.assert_array_equal(raw.raw_image, frame)
        assert (raw.sizes.top_margin, raw.sizes.left_margin) == (0, 0)
        assert (raw.sizes.height, raw.sizes.width) == shape
        assert raw.sizes.flip == 0


def test_tifffile_reads_every_photosite_as_written(tmp_path: Path) -> None:
    frame = noise((128, 192))
    np.testing.assert_array_equal(tifffile.imread(written(tmp_path, frame)), frame)


@pytest.mark.parametrize(("black", "white"), [(512, 16_383), (0, 65_535), (1023, 4095)])
def test_libraw_reads_the_levels(tmp_path: Path, black: int, white: int) -> None:
    levels = RawLevels(black, white, (0.5, 1.0, 0.8))
    with rawpy.imread(str(written(tmp_path, noise((128, 192)), levels=levels))) as raw:
        assert raw.black_level_per_channel == [black] * 4
        assert raw.white_level == white


@pytest.mark.parametrize("cfa", PATTERNS)
def test_libraw_sees_the_colours_where_they_are(tmp_path: Path, cfa: str) -> None:
    with rawpy.imread(str(written(tmp_path, noise((128, 192)), cfa))) as raw:
        names = raw.color_desc.decode()
        seen = np.array(list(names))[raw.raw_colors]
    np.testing.assert_array_equal(seen, np.tile(np.array(list(cfa)).reshape(2, 2), (64, 96)))


def test_libraw_balances_white_by_the_neutral(tmp_path: Path) -> None:
    levels = RawLevels(512, 16_383, (0.5, 1.0, 0.8))
    with rawpy.imread(str(written(tmp_path, noise((128, 192)), levels=levels))) as raw:
        red, green, blue = raw.camera_whitebalance[:3]
    assert red / green == pytest.approx(2.0, rel=1e-3)
    assert blue / green == pytest.approx(1.25, rel=1e-3)


def test_libraw_develops_a_neutral_surface_grey(tmp_path: Path) -> None:
    frame = np.empty((128, 192), dtype=np.uint16)
    for position, colour in enumerate("GBRG"):
        down, right = divmod(position, 2)
        share = LEVELS.neutral["RGB".index(colour)]
        frame[down::2, right::2] = 512 + round(6000 * share)
    with rawpy.imread(str(written(tmp_path, frame, "GBRG"))) as raw:
        picture = raw.postprocess(use_camera_wb=True, no_auto_bright=True)
    middle = picture[40:-40, 40:-40].reshape(-1, 3).astype(int)
    assert np.ptp(middle, axis=1).max() <= 3
    assert 100 < middle.mean() < 220


@needs_exiftool
def test_exiftool_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    assert exiftool_complaints(written(tmp_path, noise((128, 192)))) == ""


def test_the_file_is_as_long_as_its_strip_says(tmp_path: Path) -> None:
    path = written(tmp_path, noise((128, 192)))
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        assert page.dataoffsets[0] + page.databytecounts[0] == path.stat().st_size
        assert page.databytecounts[0] == 128 * 192 * 2
        assert page.dataoffsets[0] % 2 == 0
