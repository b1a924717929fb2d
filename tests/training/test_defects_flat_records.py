"""Flat fields in a catalogue: weak photosites, dust, and whether the body is the claimed one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from datastore.catalogue import Catalogue
from datastore.tables import CameraFingerprint, DustSpot, FlatExtraction
from tests.support.catalogue_rows import add_camera
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.simulated_darks import make_sensor
from tests.support.stored_darks import store_flats, store_session
from training.defects import flat_records, records

SHAPE = (192, 256)


@pytest.fixture(autouse=True)
def one_code_version(monkeypatch: pytest.MonkeyPatch) -> None:
    # a commit in the middle of a test would rightly call for new extractions
    for module in (records, flat_records):
        monkeypatch.setattr(module, "code_version", lambda: "tested")


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return new_sqlite_catalogue(tmp_path)


def response_of(generator: np.random.Generator) -> np.ndarray:
    """PRNU of a sensor with one dead and one weak photosite."""
    found = generator.normal(1.0, 0.02, SHAPE)
    found[20, 30], found[100, 41] = 0.0, 0.5
    return found


def dusty(response: np.ndarray, row: float, column: float) -> np.ndarray:
    down, across = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    distance2 = (down - row) ** 2 + (across - column) ** 2
    return np.asarray(response * (1 - 0.2 * np.exp(-distance2 / 2 / 5.0**2)))


def test_flat_fields_become_rows_and_later_ones_are_compared(catalogue: Catalogue) -> None:
    generator = np.random.default_rng(1)
    mine, other = response_of(generator), response_of(generator)
    with catalogue.writing() as transaction:
        camera_id = add_camera(transaction).id
    darks = make_sensor(generator, SHAPE, defects=5)
    # without a dark session nobody knows the black level, and flats wait
    store_flats(catalogue, generator, dusty(mine, 60, 200), camera_id, 1)
    assert flat_records.extract_pending_flats(catalogue) == flat_records.Pending([], {})
    store_session(catalogue, generator, darks, camera_id, 0, np.ones(5, bool))
    records.extract_pending(catalogue)
    store_flats(catalogue, generator, dusty(mine, 60, 80), camera_id, 50)
    store_flats(catalogue, generator, dusty(other, 60, 80), camera_id, 100)
    found = flat_records.extract_pending_flats(catalogue)
    assert len(found.added) == 3 and found.failed == {}
    assert flat_records.extract_pending_flats(catalogue).added == []

    first, second, third = flat_records.read_flats(catalogue, camera_id)
    for one in (first, second, third):
        assert [(p["row"], p["column"], p["kind"]) for p in one["photosites"]] == [
            (20, 30, "dead"),
            (100, 41, "low-response"),
        ]
        assert one["photosites"][1]["response"] == pytest.approx(0.5, abs=0.03)
        assert (one["dead"], one["low_response"], one["dust"]) == (1, 1, 1)
    # the speck moved, then stayed
    assert second["dust_change"] == {"stayed": 0, "went": 1, "came": 1}
    assert third["dust_change"] == {"stayed": 1, "went": 0, "came": 0}
    assert first["fingerprint"] == "taken" and first["bodies"] == []
    assert {body["verdict"] for body in second["bodies"]} == {"same-body"}
    assert {body["verdict"] for body in third["bodies"]} == {"another-body"}
    with catalogue.reading() as transaction:
        assert transaction.scalar(select(func.count(CameraFingerprint.id))) == 1
        spots = transaction.scalars(select(DustSpot).order_by(DustSpot.extraction_id)).all()
        assert [(round(s.row, -1), round(s.column, -1)) for s in spots] == [
            (60, 200), (60, 80), (60, 80),
        ]  # fmt: skip


def test_a_session_that_cannot_be_measured_is_told_and_stops_no_other(
    catalogue: Catalogue,
) -> None:
    generator = np.random.default_rng(2)
    response = response_of(generator)
    with catalogue.writing() as transaction:
        camera_id = add_camera(transaction).id
    darks = make_sensor(generator, SHAPE, defects=5)
    store_session(catalogue, generator, darks, camera_id, 0, np.ones(5, bool))
    records.extract_pending(catalogue)
    unlit = store_flats(catalogue, generator, response, camera_id, 1, light_e=0.0)
    store_flats(catalogue, generator, response, camera_id, 2)
    found = flat_records.extract_pending_flats(catalogue)
    assert list(found.failed) == [unlit] and "is the lamp on" in found.failed[unlit]
    assert len(found.added) == 1
    with catalogue.reading() as transaction:
        assert transaction.scalar(select(func.count(FlatExtraction.id))) == 1
