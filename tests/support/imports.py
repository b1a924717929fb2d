"""Imports to test with: running one, and looking at what it left in the catalogue."""

from __future__ import annotations

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


def describe(path: Path, **content: object) -> None:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
