"""Frames: what is read is what the sensor gave, by whichever way it is read."""

from __future__ import annotations

import ast
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rawpy
import scipy.ndimage
import simplejpeg
import tifffile
from numpy.typing import NDArray

from datastore.frames import (
    FrameError,
    UnsupportedFrameError,
    cfa_planes,
    clipped_share,
    neighbour_maximum,
    read_frame,
    read_jpeg_luma,
    read_jpeg_rgb,
    robust_black,
)
from tests.support.frame_files import (
    dark_mosaic,
    dng,
    facts,
    manifest,
    needs_shared_data,
    real_file,
)


@pytest.mark.parametrize("cfa", ["RGGB", "BGGR", "GRBG", "GBRG"])
@pytest.mark.parametrize("make", ["Agetrace", "Example"])
@pytest.mark.parametrize("shape", [(256, 384), (31, 47)])
def test_a_dng_gives_back_the_photosites_and_says_what_libraw_says(
    tmp_path: Path, cfa: str, make: str, shape: tuple[int, int]
) -> None:
    mosaic = np.random.default_rng(1).integers(0, 4096, shape, dtype=np.uint16)
    path = tmp_path / "frame.dng"
    path.write_bytes(dng(mosaic, cfa=cfa, about=facts(make=make)))

    frame = read_frame(path)

    assert frame.mosaic.dtype == np.uint16
    np.testing.assert_array_equal(frame.mosaic, mosaic)
    with rawpy.imread(str(path)) as raw:
        np.testing.assert_array_equal(frame.mosaic, raw.raw_image)
        letters = [raw.color_desc.decode()[raw.raw_color(y, x)] for y in (0, 1) for x in (0, 1)]
        assert frame.cfa == "".join(letters) == cfa
        assert frame.white_level == raw.white_level == 4095
        assert frame.black_level == tuple(raw.black_level_per_channel) == (512.0,) * 4
        sizes = raw.sizes
        visible = (sizes.top_margin, sizes.left_margin, sizes.height, sizes.width)
        assert frame.visible == visible


def test_a_mosaic_is_a_copy_that_outlives_its_file(tmp_path: Path) -> None:
    mosaic = dark_mosaic()
    path = tmp_path / "frame.dng"
    path.write_bytes(dng(mosaic))
    frame = read_frame(path)
    path.write_bytes(b"\0" * path.stat().st_size)

    frame.mosaic[0, 0] += 1

    np.testing.assert_array_equal(frame.mosaic[1:], mosaic[1:])


def test_reading_our_own_uncompressed_frame_is_faster_than_through_libraw(tmp_path: Path) -> None:
    mosaic = dark_mosaic(shape=(2000, 3000))
    ours, theirs = tmp_path / "ours.dng", tmp_path / "theirs.dng"
    ours.write_bytes(dng(mosaic))
    theirs.write_bytes(dng(mosaic, about=facts(make="Example")))

    def fastest(path: Path) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            read_frame(path)
            times.append(time.perf_counter() - start)
        return min(times)

    assert fastest(ours) < fastest(theirs)


@needs_shared_data
@pytest.mark.parametrize("row", manifest("raw"), ids=lambda row: row["path"])
def test_real_raw_files_give_the_figures_of_the_manifest(row: dict[str, str]) -> None:
    frame = read_frame(real_file(row))

    assert frame.mosaic.shape == (int(row["raw_h"]), int(row["raw_w"]))
    assert frame.visible == tuple(
        int(row[name]) for name in ("margin_top", "margin_left", "visible_h", "visible_w")
    )
    assert frame.cfa == row["cfa"]
    assert frame.white_level == int(row["white"])
    assert frame.mosaic.min() == int(row["raw_min"])
    assert frame.mosaic.max() == int(row["raw_max"])
    red, green, blue, second_green = ast.literal_eval(row["black"])
    assert frame.black_level is not None
    for colour, level in zip(frame.cfa, frame.black_level, strict=True):
        assert level in {"R": [red], "G": [green, second_green], "B": [blue]}[colour]


@needs_shared_data
def test_the_black_of_a_real_raw_agrees_with_its_masked_photosites() -> None:
    (row,) = (row for row in manifest("raw") if row["path"].endswith("IMG_0848.CR2"))
    frame = read_frame(real_file(row))
    masked = frame.mosaic[:, 4:68]
    assert np.allclose(robust_black(masked, frame.cfa), float(row["ob_median"]), atol=1.0)


@needs_shared_data
def test_the_real_dark_tiffs_are_read_as_they_are_under_any_name(tmp_path: Path) -> None:
    rows = [row for row in manifest("dark") if row["path"].endswith(".tif")]
    for row in rows:
        nameless = tmp_path / "asset"
        nameless.write_bytes(real_file(row).read_bytes())
        frame = read_frame(nameless)
        np.testing.assert_array_equal(frame.mosaic, tifffile.imread(real_file(row)))
        assert (frame.cfa, frame.white_level, frame.black_level) == ("MONO", 255, None)
        assert frame.visible == (0, 0, 344, 408)
        assert read_frame(nameless, cfa="RGGB").cfa == "RGGB"


@needs_shared_data
def test_the_real_dark_fits_files_are_read_as_they_are() -> None:
    pytest.importorskip("astropy", reason="the extra `fits` is not installed")
    rows = [row for row in manifest("dark") if row["path"].endswith(".fit")]
    assert rows
    for row in rows:
        frame = read_frame(real_file(row))
        # the standard: big-endian int16 after 2880-byte header blocks, plus BZERO 32768
        stored = np.frombuffer(real_file(row).read_bytes(), ">i2", count=1020 * 1530, offset=2880)
        expected = (stored.astype(np.int32) + 32768).reshape(1020, 1530)
        np.testing.assert_array_equal(frame.mosaic, expected)
        assert frame.cfa == "MONO"


def test_a_bayer_tiff_of_16_bits_keeps_its_pattern(tmp_path: Path) -> None:
    mosaic = dark_mosaic()
    path = tmp_path / "frame.tif"
    pattern = (33422, "B", 4, bytes((1, 2, 0, 1)), True)
    tifffile.imwrite(path, mosaic, photometric="minisblack", extratags=[pattern])
    frame = read_frame(path)
    np.testing.assert_array_equal(frame.mosaic, mosaic)
    assert (frame.cfa, frame.white_level) == ("GBRG", 65535)
    assert read_frame(path, cfa="RGGB").cfa == "GBRG"


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((8, 8, 3), np.uint8), "one 8- or 16-bit sample"),
        (np.zeros((8, 8), np.float32), "one 8- or 16-bit sample"),
    ],
    ids=["colour", "float"],
)
def test_other_tiffs_are_refused(tmp_path: Path, pixels: NDArray[np.generic], reason: str) -> None:
    path = tmp_path / "picture.tif"
    tifffile.imwrite(path, pixels)
    with pytest.raises(UnsupportedFrameError, match=reason):
        read_frame(path)


def jpeg_bytes(*, orientation: int | None = None) -> bytes:
    picture = np.zeros((24, 40, 3), np.uint8)
    picture[:, :20] = (255, 0, 0)
    data: bytes = simplejpeg.encode_jpeg(picture, quality=95, colorsubsampling="444")
    if orientation is None:
        return data
    tiff = (
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes((orientation, 0, 0, 0)) + b"\0" * 4
    )
    body = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:]


def test_a_jpeg_is_never_rotated(tmp_path: Path) -> None:
    upright, turned = tmp_path / "upright.jpg", tmp_path / "turned.jpg"
    upright.write_bytes(jpeg_bytes())
    turned.write_bytes(jpeg_bytes(orientation=6))
    assert read_jpeg_luma(turned).shape == (24, 40)
    np.testing.assert_array_equal(read_jpeg_luma(turned), read_jpeg_luma(upright))
    rgb = read_jpeg_rgb(turned)
    assert rgb.shape == (24, 40, 3)
    assert rgb[12, 5, 0] > 240 and rgb[12, 35, 0] < 15


def test_a_jpeg_has_no_mosaic(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(jpeg_bytes())
    with pytest.raises(UnsupportedFrameError, match="no mosaic"):
        read_frame(path)


@pytest.mark.parametrize("content", [b"", b"just a text, no image\n" * 100, b"II*\0"])
def test_what_is_no_image_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "frame.cr2"
    path.write_bytes(content)
    with pytest.raises(FrameError, match=r"frame\.cr2"):
        read_frame(path)
    with pytest.raises(FrameError, match=r"frame\.cr2"):
        read_jpeg_luma(path)


def test_a_missing_file_is_not_taken_for_a_bad_one(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="No such file"):
        read_frame(tmp_path / "gone.dng")
    with pytest.raises(FrameError, match="No such file"):
        read_jpeg_rgb(tmp_path / "gone.jpg")


def test_planes_are_views_of_one_colour_each() -> None:
    mosaic = np.arange(35, dtype=np.uint16).reshape(5, 7)
    planes = cfa_planes(mosaic)
    for row in range(5):
        for column in range(7):
            plane = planes[row % 2 * 2 + column % 2]
            assert plane[row // 2, column // 2] == mosaic[row, column]
    planes[2][0, 0] = 999
    assert mosaic[1, 0] == 999


def test_black_is_found_to_a_fraction_in_each_plane_despite_hot_photosites() -> None:
    generator = np.random.default_rng(1)
    truth = (511.3, 512.0, 512.6, 530.0)
    mosaic = np.empty((600, 800), np.uint16)
    for plane, level in zip(cfa_planes(mosaic), truth, strict=True):
        plane[:] = np.round(generator.normal(level, 6, plane.shape))
    mosaic[:, 100] = 16000  # a hot column moved LibRaw's mean from 512 to 1219
    mosaic.flat[generator.choice(mosaic.size, 2000)] = 3000
    assert np.allclose(robust_black(mosaic, "RGGB"), truth, atol=0.1)


def test_black_of_a_monochrome_sensor_is_one_level() -> None:
    mosaic = dark_mosaic()
    levels = robust_black(mosaic, "MONO")
    assert len(set(levels)) == 1
    assert levels[0] == pytest.approx(512, abs=0.1)


def test_the_clipped_share_counts_photosites_at_the_white_level() -> None:
    mosaic = dark_mosaic()
    mosaic[:16, :96] = 4095
    assert clipped_share(mosaic, 4095) == 16 * 96 / mosaic.size


@pytest.mark.parametrize(("cfa", "step"), [("RGGB", 2), ("MONO", 1)])
def test_the_neighbour_maximum_agrees_with_scipy(cfa: str, step: int) -> None:
    mosaic = np.random.default_rng(1).integers(0, 65536, (41, 53), dtype=np.uint16)
    footprint = np.zeros((2 * step + 1, 2 * step + 1), bool)
    footprint[::step, ::step] = True
    footprint[step, step] = False
    largest = scipy.ndimage.maximum_filter(
        mosaic.astype(np.int32), footprint=footprint, mode="constant", cval=-1
    )
    np.testing.assert_array_equal(neighbour_maximum(mosaic, cfa), mosaic.astype(np.int32) - largest)


def test_the_neighbour_maximum_shows_a_camera_that_removes_hot_pixels() -> None:
    mosaic = dark_mosaic()
    mosaic[40:200:20, 40:300:20] = 3000
    spots = (slice(40, 200, 20), slice(40, 300, 20))
    assert np.all(neighbour_maximum(mosaic, "RGGB")[spots] > 2000)
    filtered = mosaic - np.maximum(neighbour_maximum(mosaic, "RGGB"), 0).astype(np.uint16)
    assert np.all(neighbour_maximum(filtered, "RGGB")[spots] == 0)


def test_importing_frames_loads_no_decoder() -> None:
    import subprocess

    code = "import sys, datastore.frames; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"rawpy", "tifffile", "astropy", "simplejpeg"} & set(loaded)
