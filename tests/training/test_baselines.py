"""Pixel baselines: they see content, light and colour, and no single photosite."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import rawpy
from numpy.typing import NDArray

from datastore.catalogue import Catalogue
from datastore.datasets.items import CameraIdentity, Item, TimeslotBounds
from datastore.frames import DecodingStoppedError, Frame, read_frame, read_jpeg_rgb
from tests.support.catalogues import new_sqlite_catalogue
from training.baselines import BASELINES, GridCache, features_of, pixel_features
from training.baselines.features import grids_of_frame, grids_of_jpeg
from training.baselines.looking import GridReader

DATA = Path(__file__).parents[2] / "../shared/data"


def make_frame(
    light: NDArray[np.float64], generator: np.random.Generator, black: float = 500.0
) -> Frame:
    """A mosaic of 512 x 384 photosites with photon noise, of light in electrons per cell."""
    signal = np.kron(light, np.ones((2, 2)))
    noisy = generator.poisson(signal) + black + generator.normal(0, 3, signal.shape)
    mosaic = np.clip(noisy, 0, 16383).astype(np.uint16)
    rows, columns = mosaic.shape
    return Frame(mosaic, "RGGB", 16383, (black,) * 4, (0, 0, rows, columns))


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def light(generator: np.random.Generator) -> NDArray[np.float64]:
    down, across = np.mgrid[0:192, 0:256]
    return np.asarray(2000 + 900 * np.sin(down / 31) * np.cos(across / 47) + 3.0 * across)


def features(frame: Frame) -> dict[str, NDArray[np.float64]]:
    grids = grids_of_frame(frame)
    assert grids is not None
    return features_of(grids)


def test_hundreds_of_hot_photosites_move_features_by_less_than_a_flicker_of_the_lamp(
    light: NDArray[np.float64], generator: np.random.Generator
) -> None:
    """400 saturated photosites of 200,000 raise the mean by over 1 %, and no feature by 0.3 %."""
    sound = [make_frame(light, generator) for _ in range(8)]
    places = generator.choice(384 * 512, 400, replace=False)
    defective = [make_frame(light, generator) for _ in range(8)]
    for frame in defective:
        frame.mosaic.ravel()[places] = 16383
    means = [np.mean([frame.mosaic.mean() - 500 for frame in some]) for some in (sound, defective)]
    assert np.log(means[1] / means[0]) > 0.01
    for name in BASELINES:
        before, after = (
            np.mean([features(frame)[name] for frame in some], axis=0)
            for some in (sound, defective)
        )
        assert np.abs(after - before).max() < 0.003, name


def test_light_and_content_move_them(
    light: NDArray[np.float64], generator: np.random.Generator
) -> None:
    plain, brighter = make_frame(light, generator), make_frame(1.1 * light, generator)
    other = make_frame(light[::-1], generator)
    for name in BASELINES:
        base = features(plain)[name]
        assert np.abs(features(brighter)[name] - base).max() > 0.05, name
    assert np.abs(features(other)["thumbnail"] - features(plain)["thumbnail"]).max() > 0.2


def test_an_exposure_adds_a_constant(
    light: NDArray[np.float64], generator: np.random.Generator
) -> None:
    shift = (
        features(make_frame(2 * light, generator))["thumbnail"]
        - features(make_frame(light, generator))["thumbnail"]
    )
    assert shift == pytest.approx(np.full(64, np.log(2)), abs=0.02)


def test_means_of_colours_are_those_of_a_plain_mean_of_a_real_file() -> None:
    file = next(iter(sorted(DATA.glob("**/*.CR2"))), None) if DATA.is_dir() else None
    if file is None:
        pytest.skip("no CR2 in ../shared/data")
    frame = read_frame(file)
    grids = grids_of_frame(frame)
    assert grids is not None
    with rawpy.imread(str(file)) as raw:
        visible = raw.raw_image_visible.astype(float)
        black, white = raw.black_level_per_channel[0], raw.white_level
    for plane in range(4):
        values = (visible[plane // 2 :: 2, plane % 2 :: 2] - black) / (white - black)
        rows, columns = (np.linspace(0, side, 33).astype(int) for side in values.shape)
        fields = np.array(
            [
                [values[top:bottom, left:right].mean() for left, right in pairwise(columns)]
                for top, bottom in pairwise(rows)
            ]
        )
        assert np.corrcoef(fields.ravel(), grids[plane].ravel())[0, 1] > 0.97
        # parts in the middle of a field's range are its mean, but where an edge crosses it
        assert grids[plane].mean() == pytest.approx(fields.mean(), rel=0.03)
        assert np.median(grids[plane] - fields) == pytest.approx(0, abs=0.002)


def test_a_jpeg_gives_its_three_colours() -> None:
    rgb = np.zeros((128, 192, 3), np.uint8)
    rgb[..., 0], rgb[..., 1], rgb[..., 2] = 200, 100, 50
    grids = grids_of_jpeg(rgb)
    assert grids is not None
    assert grids.mean(axis=(1, 2)) * 255 == pytest.approx([200, 100, 100, 50])


def picture(seed: int) -> bytes:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(30, 220, (8, 12, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.resize(coarse, (192, 128)))[1])


@dataclass
class Stored:
    catalogue: Catalogue
    items: list[Item]


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    catalogue = new_sqlite_catalogue(tmp_path)
    slot = TimeslotBounds(
        scheme="years",
        ordinal=1,
        starts_at=datetime(2020, 1, 1, tzinfo=UTC),
        ends_at=datetime(2021, 1, 1, tzinfo=UTC),
    )
    camera = CameraIdentity(make="Nikon", model="D750", serial="1", simulated=False)
    items = []
    for seed in range(3):
        found = catalogue.store.put_bytes(picture(seed))
        facts = {
            "sha256": found.sha256,
            "role": "jpeg",
            "kind": "natural",
            "camera": camera,
            "firmware": None,
            "fixture": None,
            "scene": None,
            "session": "a",
            "session_started_at": slot.starts_at,
            "triggered_at": slot.starts_at,
            "iso": None,
            "exposure": None,
            "f_number": None,
            "temperature_millidegrees": None,
            "verdict": None,
            "class_name": "early",
            "timeslot": slot,
            "block": "train",
        }
        items.append(Item.checked(facts))
    return Stored(catalogue, items)


def test_features_of_stored_files_come_in_the_order_of_the_items(stored: Stored) -> None:
    told: list[tuple[int, int]] = []
    found = pixel_features(
        stored.catalogue, stored.items, progress=lambda done, total: told.append((done, total))
    )
    assert [one.name for one in found] == list(BASELINES)
    assert told[-1] == (3, 3)
    for place, item in enumerate(stored.items):
        grids = grids_of_jpeg(read_jpeg_rgb(stored.catalogue.store.path(item.sha256)))
        assert grids is not None
        for one in found:
            assert one.known[place]
            assert one.values[place] == pytest.approx(features_of(grids)[one.name], abs=1e-5)


def test_a_lost_or_damaged_file_is_unknown(stored: Stored) -> None:
    lost, damaged = (stored.catalogue.store.path(item.sha256) for item in stored.items[:2])
    lost.unlink()
    damaged.chmod(0o644)
    damaged.write_bytes(b"no picture")
    for one in pixel_features(stored.catalogue, stored.items):
        assert one.known.tolist() == [False, False, True]


def test_what_was_decoded_is_not_decoded_again(stored: Stored, tmp_path: Path) -> None:
    first = pixel_features(stored.catalogue, stored.items, cache=GridCache(tmp_path / "cache"))
    for item in stored.items:
        stored.catalogue.store.path(item.sha256).unlink()
    again = pixel_features(stored.catalogue, stored.items, cache=GridCache(tmp_path / "cache"))
    for one, other in zip(first, again, strict=True):
        assert one.known.all() and (one.values == other.values).all()
    # a file that was cut off is as good as none
    cut = next((tmp_path / "cache").rglob("*.npy"))
    cut.write_bytes(cut.read_bytes()[:100])
    assert (
        sum(
            pixel_features(stored.catalogue, stored.items, cache=GridCache(tmp_path / "cache"))[
                0
            ].known
        )
        == 2
    )


def test_an_unreadable_file_is_remembered_with_its_reason(stored: Stored, tmp_path: Path) -> None:
    found = stored.catalogue.store.put_bytes(b"no picture")
    item = replace(stored.items[0], sha256=found.sha256)
    cache = GridCache(tmp_path / "cache")
    assert not pixel_features(stored.catalogue, [item], cache=cache)[0].known.any()
    reason = cache.get(found.sha256)
    assert isinstance(reason, str) and found.sha256 in reason

    # whoever looked at the file again would find a picture
    path = stored.catalogue.store.path(found.sha256)
    path.chmod(0o644)
    path.write_bytes(picture(9))
    assert not pixel_features(stored.catalogue, [item], cache=cache)[0].known.any()


def test_a_lost_or_damaged_copy_is_read_again_once_it_is_sound(
    stored: Stored, tmp_path: Path
) -> None:
    lost, damaged = (stored.catalogue.store.path(item.sha256) for item in stored.items[:2])
    content, sound = lost.read_bytes(), damaged.read_bytes()
    lost.unlink()
    damaged.chmod(0o644)
    damaged.write_bytes(b"no picture")
    cache = GridCache(tmp_path / "cache")
    assert pixel_features(stored.catalogue, stored.items, cache=cache)[0].known.sum() == 1
    lost.write_bytes(content)
    damaged.write_bytes(sound)
    assert pixel_features(stored.catalogue, stored.items, cache=cache)[0].known.all()


def test_a_cache_that_cannot_be_written_is_told_once_and_costs_no_result(
    stored: Stored, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where the folder would be", encoding="utf-8")
    told: list[str] = []
    cache = GridCache(tmp_path / "cache", report=told.append)
    assert pixel_features(stored.catalogue, stored.items, cache=cache)[0].known.all()
    assert len(told) == 1 and "decoded again" in told[0]


def test_a_cache_keeps_to_its_quota(stored: Stored, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    pixel_features(stored.catalogue, stored.items, cache=GridCache(folder))
    size = sum(path.stat().st_size for path in folder.rglob("*.npy"))
    pixel_features(stored.catalogue, stored.items, cache=GridCache(folder, quota_bytes=size - 1))
    assert len(list(folder.rglob("*.npy"))) == 2


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    names = [str(number) * 64 for number in range(3)]
    cache = GridCache(tmp_path, quota_bytes=0)
    for age, name in enumerate(names):
        cache.put(name, np.full((4, 32, 32), float(age)))
        os.utime(next(tmp_path.rglob(f"{name}.npy")), (1000.0 + age, 1000.0 + age))
    assert cache.get(names[0]) is not None
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.npy"))
    GridCache(tmp_path, quota_bytes=size - 1).trim()
    assert [cache.get(name) is None for name in names] == [False, True, False]


def test_a_decoder_that_takes_too_long_is_stopped_and_tried_again(stored: Stored) -> None:
    path = stored.catalogue.store.path(stored.items[0].sha256)
    with (
        GridReader(deadline_s=1e-4) as reader,
        pytest.raises(DecodingStoppedError, match="deadline"),
    ):
        reader.read(path, "jpeg")
    with GridReader(memory_bytes=4 << 30) as reader:
        assert reader.read(path, "jpeg").shape == (4, 32, 32)
