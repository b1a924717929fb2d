"""The cameras' JPEG as independent decoders see it."""

import io
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from fixtures.jpeg import jpeg_bytes, tone_curves
from tests.support.camera_files import LEVELS, exiftool_complaints, needs_exiftool, shot_facts

PATTERNS = ["RGGB", "BGGR", "GRBG", "GBRG"]
SPAN = LEVELS.white_level_dn - LEVELS.black_level_dn


def mosaic(
    cfa: str,
    shares: tuple[float, float, float],
    shape: tuple[int, int] = (128, 192),
    noise_dn: float = 0.0,
) -> NDArray[np.uint16]:
    """A surface of even colour behind the filters, shares of full scale."""
    frame = np.empty(shape)
    for position, colour in enumerate(cfa):
        down, right = divmod(position, 2)
        frame[down::2, right::2] = LEVELS.black_level_dn + SPAN * shares["RGB".index(colour)]
    frame += np.random.default_rng(2).normal(0, noise_dn, shape) if noise_dn else 0
    return np.clip(np.round(frame), 0, LEVELS.white_level_dn).astype(np.uint16)


def neutral(level: float) -> tuple[float, float, float]:
    red, green, blue = (level * share for share in LEVELS.neutral)
    return red, green, blue


def jpeg(frame: NDArray[np.uint16], cfa: str = "RGGB", quality: int = 92) -> bytes:
    facts = shot_facts(height=frame.shape[0], width=frame.shape[1])
    return jpeg_bytes(frame, cfa, LEVELS, facts, quality)


def decoded(data: bytes) -> NDArray[np.int64]:
    """Red, green and blue by libjpeg-turbo, through a binding of its own."""
    picture: NDArray[np.int64] = simplejpeg.decode_jpeg(data, colorspace="RGB").astype(np.int64)
    return picture


@pytest.mark.parametrize("shape", [(128, 192), (64, 64), (66, 130)])
def test_decoders_see_the_sensors_size(shape: tuple[int, int]) -> None:
    data = jpeg(mosaic("RGGB", neutral(0.2), shape))
    assert decoded(data).shape == (*shape, 3)
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.size == (shape[1], shape[0])


@pytest.mark.parametrize("cfa", PATTERNS)
@pytest.mark.parametrize("level", [0.02, 0.18, 0.6])
def test_a_neutral_surface_is_grey(cfa: str, level: float) -> None:
    picture = decoded(jpeg(mosaic(cfa, neutral(level)), cfa))
    assert np.ptp(picture.reshape(-1, 3), axis=1).max() <= 2
    assert np.ptp(picture[..., 1]) <= 2


@pytest.mark.parametrize("cfa", PATTERNS)
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_coloured_surface_keeps_its_colour(cfa: str, channel: int) -> None:
    red, green, blue = (0.4 if channel == number else 0.02 for number in range(3))
    picture = decoded(jpeg(mosaic(cfa, (red, green, blue)), cfa))
    means = picture.reshape(-1, 3).mean(axis=0)
    others = np.delete(means, channel)
    assert means[channel] > others.max() + 80


def test_the_tone_curve_brightens_mid_tones_and_keeps_the_ends() -> None:
    levels = [0.0, 0.05, 0.18, 0.5, 1.0]
    greens = [decoded(jpeg(mosaic("RGGB", neutral(level))))[..., 1].mean() for level in levels]
    assert greens[0] == 0
    assert greens[-1] == pytest.approx(255, abs=1)
    assert all(low < high for low, high in pairwise(greens))
    assert 100 < greens[2] < 135


def test_tone_curves_never_fall() -> None:
    curves = tone_curves(LEVELS)
    assert curves.shape == (3, 65_536)
    assert np.all(np.diff(curves.astype(int), axis=1) >= 0)
    assert np.all(curves[:, : LEVELS.black_level_dn + 1] == 0)
    assert np.all(curves[:, LEVELS.white_level_dn :] == 255)


def test_clipped_light_is_white() -> None:
    blown = np.full((128, 192), LEVELS.white_level_dn, dtype=np.uint16)
    assert decoded(jpeg(blown)).min() == 255


def test_better_quality_is_larger_and_truer() -> None:
    frame = mosaic("RGGB", neutral(0.2), noise_dn=400.0)
    sizes, errors = [], []
    best = decoded(jpeg(frame, quality=100))
    for quality in (10, 50, 80, 95):
        data = jpeg(frame, quality=quality)
        sizes.append(len(data))
        errors.append(np.mean((decoded(data) - best) ** 2))
    assert sizes == sorted(set(sizes))
    assert errors == sorted(set(errors), reverse=True)


def test_a_hot_photosite_stays_where_it_is() -> None:
    frame = mosaic("RGGB", neutral(0.02))
    frame[40, 70] = LEVELS.white_level_dn
    brightness = decoded(jpeg(frame, quality=98)).sum(axis=2)
    row, column = np.unravel_index(int(brightness.argmax()), brightness.shape)
    assert abs(int(row) - 40) <= 1
    assert abs(int(column) - 70) <= 1


def test_threads_do_not_change_the_file() -> None:
    frame = mosaic("RGGB", neutral(0.2), noise_dn=200.0)
    with ThreadPoolExecutor(3) as executor:
        shared = jpeg_bytes(frame, "RGGB", LEVELS, shot_facts(), 92, executor, 3)
    assert shared == jpeg_bytes(frame, "RGGB", LEVELS, shot_facts(), 92)


def test_one_exif_segment_stands_first() -> None:
    data = jpeg(mosaic("RGGB", neutral(0.2)))
    assert data[:4] == b"\xff\xd8\xff\xe1"
    assert data[6:12] == b"Exif\0\0"
    assert data.count(b"JFIF") == 0
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None


@needs_exiftool
def test_exiftool_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    path = tmp_path / "shot.jpg"
    path.write_bytes(jpeg(mosaic("RGGB", neutral(0.2))))
    assert exiftool_complaints(path) == ""
