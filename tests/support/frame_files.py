"""Files of frames to test with: synthetic ones, broken ones, and where the real ones lie."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fixtures.dng import RawLevels, dng_bytes
from fixtures.exif import ShotFacts

SHARED_DATA = Path(__file__).parents[2] / "../shared/data"
needs_shared_data = pytest.mark.skipif(
    not (SHARED_DATA / "manifest.csv").is_file(), reason="../shared/data is not here"
)


def manifest(*kinds: str) -> list[dict[str, str]]:
    """Rows of the real files of some kinds; none where the files are not here."""
    if not (SHARED_DATA / "manifest.csv").is_file():
        return []
    with (SHARED_DATA / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["kind"] in kinds]


def real_file(row: dict[str, str]) -> Path:
    """Path of a row of the manifest."""
    return SHARED_DATA / row["path"]


def dark_mosaic(seed: int = 1, shape: tuple[int, int] = (256, 384)) -> NDArray[np.uint16]:
    """Return a dark frame: black level 512, read noise 6, uint16."""
    noise = np.random.default_rng(seed).normal(512, 6, shape)
    return np.clip(np.round(noise), 0, 4095).astype(np.uint16)


def facts(
    *,
    make: str = "Agetrace",
    model: str = "Fixture 1",
    serial: str = "7100001",
    exposure: Fraction = Fraction(1, 30),
    camera_time: datetime = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
) -> ShotFacts:
    """Return what a file of the virtual camera says of itself."""
    return ShotFacts(
        make=make,
        model=model,
        firmware="1.00",
        serial=serial,
        camera_time=camera_time,
        exposure=exposure,
        iso=400,
        f_number=5.6,
        temperature_c=21.5,
        width=384,
        height=256,
    )


def dng(
    mosaic: NDArray[np.uint16],
    *,
    cfa: str = "RGGB",
    black_level: int = 512,
    about: ShotFacts | None = None,
) -> bytes:
    """Return the bytes of a DNG of the virtual camera."""
    levels = RawLevels(black_level, 4095, (0.5, 1.0, 0.6))
    return dng_bytes(mosaic, cfa, levels, about or facts())
