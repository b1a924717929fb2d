"""Shots written in bulk are the same rows as those written one by one; nothing comes twice."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from datastore import audit
from datastore.bulk import (
    BulkAsset,
    BulkEvent,
    BulkMeasures,
    BulkPerceptualHash,
    BulkReport,
    BulkSettings,
    BulkShot,
    BulkVerdict,
    write_shots,
)
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import FixedClock
from datastore.errors import BulkRowsError
from datastore.tables import (
    Asset,
    AssetLocation,
    AuditEntry,
    Base,
    FrameMeasures,
    PerceptualHash,
    Shot,
    ShotEvent,
    ShotSettings,
    ShotStatus,
    Store,
    Verdict,
)
from tests.support.catalogue_rows import NOW, add_camera, add_session
from tests.support.catalogues import sqlite_url

CLOCK = FixedClock(NOW)
LATER = NOW + timedelta(seconds=7, microseconds=13)
TABLES = (
    *(Shot, ShotEvent, ShotSettings, Asset, AssetLocation),
    *(FrameMeasures, PerceptualHash, Verdict, ShotStatus),
)


@pytest.fixture
def places(catalogue: Catalogue) -> tuple[int, int]:
    """Row numbers of a session and a camera."""
    with catalogue.writing() as transaction:
        return add_session(transaction).id, add_camera(transaction).id


def shots(places: tuple[int, int], count: int, first: int = 0) -> Iterator[BulkShot]:
    """Return shots, every third of which has everything that a shot can have."""
    session_id, camera_id = places
    for number in range(first, first + count):
        plain = BulkShot(
            uuid=str(uuid.UUID(int=number)),
            session_id=session_id,
            camera_id=camera_id,
            sequence=number,
            kind="dark-field",
            events=(BulkEvent("planned", NOW), BulkEvent("failed", NOW, {"reason": "no card"})),
        )
        yield plain if number % 3 else replace(plain, **everything(number))


def everything(number: int) -> dict[str, Any]:
    return {
        "attempt": 2,
        "triggered_at": NOW + timedelta(seconds=number),
        "time_source": "civil",
        "time_uncertainty_s": 0.5,
        "exposure": "1/30",
        "exposure_s": 1 / 30,
        "iso": 400,
        "f_number": 5.6,
        "image_quality": "NEF (Raw)",
        "warm_up": True,
        "since_opened_s": 12.25,
        "since_last_shot_s": 0.125,
        "events": (BulkEvent("downloaded", NOW), BulkEvent("registered", LATER)),
        "settings": (
            BulkSettings(
                source="exif",
                exposure_s=1 / 30,
                iso=400,
                temperature_c=23.5,
                taken_at=LATER,
                taken_at_text="2026:01:01 12:00:07\u00e9",
                long_exposure_noise_reduction=False,
                raw_values={"Make": 'tab\tquote\'\\ "ü"', "list": [1, None]},
            ),
            BulkSettings(source="read-back", iso=400),
        ),
        "assets": (
            BulkAsset(
                sha256=f"{number:064x}",
                bytes=1 << 40,
                role="raw",
                created_at=LATER,
                original_name="a\nb\\.nef",
                width=6000,
                height=4000,
                exif={"ISO": 400},
                metadata_reader="exifread",
                verified_at=LATER,
                measures=BulkMeasures(
                    code_version="1", measured_at=LATER, mean_dn=600.25, clipped_share=0.0
                ),
                perceptual_hash=BulkPerceptualHash("1", LATER, f"{number:064x}"),
            ),
            BulkAsset(sha256=f"{number:063x}f", bytes=0, role="jpeg", created_at=NOW),
        ),
        "verdict": BulkVerdict("quarantined", "Too bright.", "test", LATER, {"mean": 1.5}),
    }


def add_one_by_one(catalogue: Catalogue, rows: Iterator[BulkShot]) -> None:
    """Write the same rows through the tables' own models."""
    with catalogue.writing() as transaction:
        store = Store(name="local", kind="local", created_at=NOW)
        transaction.add(store)
        transaction.flush()
        for row in rows:
            shot = Shot(**of(row, Shot))
            transaction.add(shot)
            transaction.flush()
            for event in row.events:
                transaction.add(ShotEvent(shot_id=shot.id, **of(event, ShotEvent)))
                transaction.flush()
            for settings in row.settings:
                transaction.add(ShotSettings(shot_id=shot.id, **of(settings, ShotSettings)))
                transaction.flush()
            for given in row.assets:
                asset = Asset(shot_id=shot.id, **of(given, Asset))
                transaction.add(asset)
                transaction.flush()
                if given.verified_at is not None:
                    transaction.add(
                        AssetLocation(
                            asset_id=asset.id, store_id=store.id, verified_at=given.verified_at
                        )
                    )
                if given.measures is not None:
                    transaction.add(
                        FrameMeasures(asset_id=asset.id, **of(given.measures, FrameMeasures))
                    )
                if given.perceptual_hash is not None:
                    transaction.add(
                        PerceptualHash(
                            asset_id=asset.id, **of(given.perceptual_hash, PerceptualHash)
                        )
                    )
            if row.verdict is not None:
                transaction.add(Verdict(shot_id=shot.id, **of(row.verdict, Verdict)))


def of(record: Any, model: type[Base]) -> dict[str, Any]:
    columns = model.__table__.columns.keys()
    return {name: getattr(record, name) for name in record.__slots__ if name in columns}


def content(catalogue: Catalogue) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the tables of shots, without the numbers that rows get."""
    with catalogue.reading() as transaction:
        found = {}
        for model in TABLES:
            table = Base.metadata.tables[model.__tablename__]
            rows = transaction.execute(select(table).order_by(*table.primary_key)).all()
            found[table.name] = [tuple(row) for row in rows]
        return found


def test_the_rows_are_those_of_the_models(
    catalogue: Catalogue, places: tuple[int, int], sqlite_template: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "one by one"
    folder.mkdir()
    shutil.copy(sqlite_template, folder / "catalogue.sqlite")
    with open_catalogue(sqlite_url(folder), folder / "store") as other:
        with other.writing() as transaction:
            assert (add_session(transaction).id, add_camera(transaction).id) == places
        add_one_by_one(other, shots(places, 10))
        expected = content(other)
    report = write_shots(catalogue, shots(places, 10), clock=CLOCK, batch=4)
    assert report == BulkReport(written=10, present=0)
    assert content(catalogue) == expected
    assert len(expected["asset"]) == 8 and len(expected["shot_status"]) == 10


def test_rows_written_afterwards_get_numbers_of_their_own(
    catalogue: Catalogue, places: tuple[int, int]
) -> None:
    write_shots(catalogue, shots(places, 3), clock=CLOCK)
    with catalogue.writing() as transaction:
        shot = Shot(session_id=places[0], camera_id=places[1], sequence=99, kind="dark-field")
        asset = Asset(sha256="e" * 64, bytes=1, role="raw", created_at=NOW, shot=shot)
        transaction.add_all([shot, asset])
    assert write_shots(catalogue, shots(places, 3, first=3), clock=CLOCK).written == 3


def test_going_on_writes_what_is_missing_alone(
    catalogue: Catalogue, places: tuple[int, int]
) -> None:
    write_shots(catalogue, shots(places, 7), clock=CLOCK, batch=3)
    once = content(catalogue)
    again = write_shots(catalogue, shots(places, 7), clock=CLOCK, batch=3)
    assert again == BulkReport(written=0, present=7)
    assert content(catalogue) == once
    more = write_shots(catalogue, shots(places, 11), clock=CLOCK, batch=4)
    assert more == BulkReport(written=4, present=7)
    assert len(content(catalogue)["shot"]) == 11


def test_a_shot_that_is_named_twice_is_written_once(
    catalogue: Catalogue, places: tuple[int, int]
) -> None:
    twice = [*shots(places, 4), *shots(places, 4)]
    report = write_shots(catalogue, twice, clock=CLOCK, batch=6)
    assert report == BulkReport(written=4, present=4)


def test_every_batch_is_in_the_audit_and_told(
    catalogue: Catalogue, places: tuple[int, int]
) -> None:
    told: list[tuple[int, int]] = []
    write_shots(catalogue, shots(places, 2), clock=CLOCK)
    write_shots(
        catalogue,
        shots(places, 7),
        clock=CLOCK,
        batch=3,
        progress=lambda written, present: told.append((written, present)),
    )
    assert told == [(1, 2), (4, 2), (5, 2)]
    with catalogue.reading() as transaction:
        entries = transaction.execute(
            select(AuditEntry.action, AuditEntry.entry).order_by(AuditEntry.id)
        ).all()
        assert audit.verify(transaction) == []
    assert [(entry.action, entry.entry["shots"]) for entry in entries] == [
        ("shots.write", 2),
        ("shots.write", 1),
        ("shots.write", 3),
        ("shots.write", 1),
    ]
    assert len({entry.entry["shots_sha256"] for entry in entries}) == 4


def refused(shot: BulkShot, which: str) -> BulkShot:
    """Return a shot with one thing wrong."""
    if which == "unknown session":
        return replace(shot, session_id=777)
    if which == "unknown camera":
        return replace(shot, camera_id=777)
    if which == "unknown kind":
        return replace(shot, kind="holiday")
    if which == "unknown event":
        return replace(shot, events=(BulkEvent("dreamt", NOW),))
    if which == "unknown store":
        away = replace(shot.assets[0], store="elsewhere")
        return replace(shot, assets=(away,))
    if which == "file of another shot":
        return replace(shot, assets=(replace(shot.assets[0], sha256=f"{0:064x}"),))
    return replace(shot, sequence=0, attempt=2)


@pytest.mark.parametrize(
    "which",
    [
        *("unknown session", "unknown camera", "unknown kind", "unknown event", "unknown store"),
        *("file of another shot", "number of another shot"),
    ],
)
def test_a_batch_with_a_row_that_cannot_be_is_refused_whole(
    catalogue: Catalogue, places: tuple[int, int], which: str
) -> None:
    rows = list(shots(places, 9))
    rows[6] = refused(rows[6], which)
    with pytest.raises(BulkRowsError) as caught:
        write_shots(catalogue, rows, clock=CLOCK, batch=4)
    assert caught.value.exit_code == 2
    assert "elsewhere" in str(caught.value) or rows[4].uuid in str(caught.value)
    assert [row[1] for row in content(catalogue)["shot"]] == [row.uuid for row in rows[:4]]
    with catalogue.reading() as transaction:
        assert transaction.scalar(select(func.count()).select_from(AuditEntry)) == 1


def test_rows_are_read_a_batch_at_a_time(catalogue: Catalogue, places: tuple[int, int]) -> None:
    taken = 0

    def counted() -> Iterator[BulkShot]:
        nonlocal taken
        for shot in shots(places, 10):
            taken += 1
            yield shot

    ahead: list[int] = []
    write_shots(
        catalogue,
        counted(),
        clock=CLOCK,
        batch=3,
        progress=lambda written, _: ahead.append(taken - written),
    )
    assert ahead == [0, 0, 0, 0]


def test_a_time_without_a_zone_is_refused(catalogue: Catalogue, places: tuple[int, int]) -> None:
    shot = replace(next(shots(places, 1)), triggered_at=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="without a zone"):
        write_shots(catalogue, [shot], clock=CLOCK)
    assert content(catalogue)["shot"] == []
