"""Extractions and ledgers in a catalogue: from stored files to rows and back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from datastore.catalogue import Catalogue
from datastore.tables import DefectExtraction, DefectLedger, Shot
from datastore.verdicts import add_verdict
from tests.support.catalogue_rows import NOW, add_camera
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.simulated_darks import make_sensor
from tests.support.stored_darks import store_session
from training.defects import ledger_records, pictures, plots, records
from training.defects.errors import DarkFrameError, LedgerError
from training.defects.measurements import read_measurements


@pytest.fixture(autouse=True)
def one_code_version(monkeypatch: pytest.MonkeyPatch) -> None:
    # a commit in the middle of a test would rightly call for new extractions
    monkeypatch.setattr(records, "code_version", lambda: "tested")


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return new_sqlite_catalogue(tmp_path)


def test_sessions_become_a_ledger_and_pictures(catalogue: Catalogue, tmp_path: Path) -> None:
    generator = np.random.default_rng(11)
    sensor = make_sensor(generator, (64, 96), defects=4, partially_stuck=0)
    sensor.dark_rate_e[:] = 100.0
    with catalogue.writing() as transaction:
        camera_id = add_camera(transaction).id
    for day in (0, 100, 200, 300):
        active = np.array([True, True, day >= 100, day >= 300])
        store_session(catalogue, generator, sensor, camera_id, day, active)
    seen: list[tuple[int, int]] = []
    added = records.extract_pending(
        catalogue, [camera_id], progress=lambda done, total: seen.append((done, total))
    )
    assert len(added.added) == 4 and added.failed == {} and seen[-1] == (4, 4)
    assert records.extract_pending(catalogue).added == []
    (ledger_id,) = ledger_records.build_ledgers(catalogue, [camera_id])
    assert ledger_records.build_ledger(catalogue, camera_id) == ledger_id

    entries = {
        (one.row, one.column): one for one in ledger_records.read_ledger(catalogue, camera_id)
    }
    places = list(zip(sensor.rows.tolist(), sensor.columns.tolist(), strict=True))
    assert set(entries) == set(places)
    assert [entries[place].pre_existing for place in places] == [True, True, False, False]
    assert entries[places[2]].onset_after == NOW
    assert entries[places[2]].onset_before == NOW + timedelta(days=100)
    assert entries[places[3]].onset_before == NOW + timedelta(days=300)
    assert entries[places[0]].to_json()["onset_after"] is None

    sessions = ledger_records.dark_session_times(catalogue, camera_id)
    assert sessions == [NOW + timedelta(days=day) for day in (0, 100, 200, 300)]
    assert "2 in 0.82 years" in ledger_records.growth_sentence(list(entries.values()), sessions)
    for path in pictures.plot_ledger(catalogue, camera_id, tmp_path / "pictures"):
        assert path.read_bytes().startswith(b"\x89PNG")
    figure = plots.growth_curve(list(entries.values()), sessions)
    assert np.asarray(figure.axes[0].lines[0].get_ydata()).tolist()[-1] == 4
    with catalogue.reading() as transaction:
        extraction = transaction.scalars(select(DefectExtraction)).first()
        assert extraction is not None and len(extraction.inputs) == 9
        assert extraction.parameters["false_discovery_rate"] == 0.005
        assert transaction.scalar(select(func.count(DefectLedger.id))) == 1


def test_quarantined_frames_do_not_count(catalogue: Catalogue) -> None:
    generator = np.random.default_rng(12)
    sensor = make_sensor(generator, (64, 64), defects=1)
    with catalogue.writing() as transaction:
        camera_id = add_camera(transaction).id
    uuid = store_session(catalogue, generator, sensor, camera_id, 0, np.array([True]))
    with catalogue.reading() as transaction:
        shots = transaction.scalars(select(Shot.uuid)).all()
    add_verdict(catalogue, shots[0], "quarantined", "light leak", None, "test", NOW)
    number = records.extract_session(catalogue, uuid, camera_id)
    with catalogue.reading() as transaction:
        assert len(transaction.get_one(DefectExtraction, number).inputs) == len(shots) - 1
    for shot in shots[1:]:
        add_verdict(catalogue, shot, "rejected", "light leak", None, "test", NOW)
    with pytest.raises(DarkFrameError, match="no usable dark field"):
        records.extract_session(catalogue, uuid, camera_id)


def test_what_is_not_there_is_named(catalogue: Catalogue, tmp_path: Path) -> None:
    with catalogue.writing() as transaction:
        camera_id = add_camera(transaction).id
    with pytest.raises(DarkFrameError, match="no session is called"):
        records.extract_session(catalogue, "nothing", camera_id)
    with pytest.raises(LedgerError, match="no extraction yet"):
        ledger_records.build_ledger(catalogue, camera_id)
    with pytest.raises(LedgerError, match="no ledger yet"):
        pictures.plot_ledger(catalogue, camera_id, tmp_path)
    assert ledger_records.read_ledger(catalogue, camera_id) == []
    assert ledger_records.growth_sentence([], []) == "unknown: fewer than two dark sessions"


def test_frames_of_another_body_are_told_and_left_out_of_the_ledger(catalogue: Catalogue) -> None:
    generator = np.random.default_rng(21)
    mine, other = (make_sensor(generator, (96, 128), defects=40) for _ in range(2))
    for sensor in (mine, other):
        sensor.dark_rate_e[:] = 80.0
    with catalogue.writing() as transaction:
        camera_id = add_camera(transaction).id
    everyone = np.ones(40, bool)
    for day, sensor in ((0, mine), (100, mine), (200, other), (300, mine)):
        store_session(catalogue, generator, sensor, camera_id, day, everyone)
    records.extract_pending(catalogue, [camera_id])
    told = [one["body"] for one in read_measurements(catalogue, [camera_id])]
    assert told[0] is None
    assert [one["verdict"] for one in told[1:]] == ["same-body", "another-body", "same-body"]
    # the last is compared with the last one of this body
    assert told[3]["compared_with"] == told[2]["compared_with"]
    ledger_records.build_ledger(catalogue, camera_id)
    assert len(ledger_records.dark_session_times(catalogue, camera_id)) == 3
    entries = ledger_records.read_ledger(catalogue, camera_id)
    found = {(one.row, one.column) for one in entries}
    assert found == set(zip(mine.rows.tolist(), mine.columns.tolist(), strict=True))
    assert all(one.pre_existing for one in entries)
