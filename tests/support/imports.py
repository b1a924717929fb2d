"""Imports to test with: running one, and looking at what it left in the catalogue."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import simplejpeg
import yaml
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock
from datastore.importing import (
    ImportEntry,
    ImportOptions,
    ImportReport,
    Mapping,
    Outcome,
    import_folder,
    read_options,
)
from datastore.tables import (
    Asset,
    AssetLocation,
    AssetReference,
    Camera,
    Session,
    SessionEvent,
    Shot,
    ShotEvent,
    Verdict,
)

NOW = datetime(2026, 7, 8, 9, 10, 11, tzinfo=UTC)


@dataclass(frozen=True)
class Imported:
    """The report of an import, with the entry of every file by path."""

    report: ImportReport
    entries: tuple[ImportEntry, ...]

    @property
    def session(self) -> str | None:
        return self.report.session

    def count(self, outcome: Outcome) -> int:
        return self.report.count(outcome)

    def entry(self, path: str) -> ImportEntry:
        (found,) = (entry for entry in self.entries if entry.path == path)
        return found


def run(
    catalogue: Catalogue,
    folder: Path,
    options: ImportOptions | None = None,
    *,
    mapping: Mapping | None = None,
    facts: Path | None = None,
    verify: bool = False,
) -> Imported:
    entries: list[ImportEntry] = []
    report = import_folder(
        catalogue,
        folder,
        options or read_options(),
        clock=FixedClock(NOW),
        mapping=mapping,
        facts=facts,
        verify=verify,
        each=entries.append,
    )
    assert sum(report.counts.values()) == len(entries)
    return Imported(report, tuple(sorted(entries, key=lambda entry: entry.path)))


def shots(catalogue: Catalogue) -> dict[str, Shot]:
    """Return the shots with all that belongs to them, by the name of their first file."""
    with catalogue.reading() as session:
        found = session.scalars(
            select(Shot).options(
                selectinload(Shot.assets).selectinload(Asset.locations),
                selectinload(Shot.camera),
                selectinload(Shot.settings),
                selectinload(Shot.events),
                selectinload(Shot.verdicts),
                selectinload(Shot.session).selectinload(Session.events),
            )
        ).all()
        return {str(shot.assets[0].original_name): shot for shot in found}


def row_counts(catalogue: Catalogue) -> list[int | None]:
    tables = (
        *(Session, SessionEvent, Shot, ShotEvent, Asset, AssetLocation, Camera, Verdict),
        AssetReference,
    )
    with catalogue.reading() as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in tables]


def jpeg(seed: int = 1, shape: tuple[int, int] = (256, 384)) -> bytes:
    picture = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    data: bytes = simplejpeg.encode_jpeg(picture)
    return data


def camera_jpeg(
    seed: int = 1,
    *,
    make: str = "Canon",
    model: str = "Canon IXUS 115 HS",
    taken_at: str | None = "2014:10:08 12:30:00",
    shape: tuple[int, int] = (256, 384),
) -> bytes:
    """Return a JPEG whose EXIF has what compact cameras of that time wrote: no serial, no zone."""
    texts = {0x010F: make, 0x0110: model}
    times = {} if taken_at is None else {0x9003: taken_at}
    header = b"II*\0" + struct.pack("<I", 8)
    second_at = 8 + len(_directory(8, texts, pointer=0))
    exif = b"Exif\0\0" + header
    exif += _directory(8, texts, pointer=second_at) + _directory(second_at, times)
    app1 = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    plain = jpeg(seed, shape)
    return plain[:2] + app1 + plain[2:]


def _directory(at: int, texts: dict[int, str], pointer: int | None = None) -> bytes:
    """Return a TIFF directory of texts at an offset, and of where the EXIF directory lies."""
    count = len(texts) + (pointer is not None)
    data_at = at + 2 + 12 * count + 4
    entries, data = b"", b""
    for tag, text in sorted(texts.items()):
        content = text.encode() + b"\0"
        entries += struct.pack("<HHII", tag, 2, len(content), data_at + len(data))
        data += content + b"\0" * (len(content) % 2)
    if pointer is not None:
        entries += struct.pack("<HHII", 0x8769, 4, 1, pointer)
    return struct.pack("<H", count) + entries + b"\0" * 4 + data


def describe(path: Path, **content: object) -> None:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
