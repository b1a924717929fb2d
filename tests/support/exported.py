"""A catalogue whose frames are real JPEGs in its store, for exporting."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import HostClock
from datastore.datasets.freeze import freeze
from datastore.datasets.items import Frame
from datastore.exporting import SelectionSource, export
from datastore.exporting._run import ExportReport, Format
from datastore.exporting._sources import Source
from tests.support.catalogues import sqlite_url
from tests.support.dataset_frames import dataset_spec, make_frames
from tests.support.dataset_rows import fill

FROZEN_AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def jpeg(seed: int) -> bytes:
    """Return a small grey picture, a different one for every seed."""
    pixels = np.random.default_rng(seed).integers(0, 255, (16, 16), np.uint8)
    return bytes(cv2.imencode(".jpg", pixels)[1])


def fill_with_jpegs(catalogue: Catalogue) -> list[Frame]:
    """Add 48 frames of two classes with their files, and freeze them as `controlled`."""
    frames = []
    sizes = {}
    for seed, frame in enumerate(make_frames(role="jpeg", exposures=("1/2",))):
        data = jpeg(seed)
        sha256 = hashlib.sha256(data).hexdigest()
        catalogue.store.put_bytes(data)
        sizes[sha256] = len(data)
        frames.append(replace(frame, sha256=sha256))
    fill(catalogue, frames, sizes)
    freeze(catalogue, dataset_spec(role="jpeg", input="jpeg-luma"), FROZEN_AT)
    return frames


@contextmanager
def copied_catalogue(folder: Path, copy: Path) -> Iterator[Catalogue]:
    """Open a copy of a folder with an SQLite catalogue and its store."""
    shutil.copytree(folder, copy)
    with open_catalogue(sqlite_url(copy), copy / "store") as opened:
        yield opened


def export_shots(
    catalogue: Catalogue, form: Format, folder: Path, source: Source | None = None
) -> ExportReport:
    """Export all shots, or what is given."""
    source = source or SelectionSource(catalogue.shots.labelled("years"))
    return export(catalogue, source, form, folder, clock=HostClock())
