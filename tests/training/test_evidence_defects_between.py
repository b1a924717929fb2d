"""Which defects of a ledger tell two classes apart, and the settings of frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.datasets.items import Item
from datastore.tables import Camera, DefectLedger, LedgerDefect
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.recorded_experiments import SERIALS, freeze_controlled
from training.evidence.defects_between import defects_between, exposures_of

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalogue, tuple[Item, ...]]]:
    catalogue = new_sqlite_catalogue(tmp_path_factory.mktemp("catalogue"))
    (manifest,) = freeze_controlled(catalogue)
    yield catalogue, manifest.items
    catalogue.close()


def _middles(items: tuple[Item, ...], serial: str) -> tuple[datetime, datetime]:
    """Return the middle times of the early and of the late frames of a camera."""
    middles = []
    for name in ("early", "late"):
        times = sorted(
            one.triggered_at
            for one in items
            if one.camera.serial == serial and one.class_name == name
        )
        middles.append(times[len(times) // 2])
    return middles[0], middles[1]


def _record(catalogue: Catalogue, serial: str, defects: dict[int, dict[str, object]]) -> None:
    """Record a ledger whose defects lie in row 7, each in a column of its own."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with catalogue.writing() as session:
        camera = session.scalars(select(Camera).where(Camera.serial == serial)).one()
        ledger = DefectLedger(
            camera_id=camera.id, code_version="t", parameters={}, inputs=[], summary={},
            created_at=at,
        )  # fmt: skip
        session.add(ledger)
        session.flush()
        for column, given in defects.items():
            fields: dict[str, object] = {
                "ledger_id": ledger.id, "row": 7, "column": column, "kind": "hot",
                "pre_existing": False, "onset_after": None, "onset_before": at, "last_seen": at,
                "dark_rate_dn_per_s": 10.0 * column, "dark_rate_error_dn_per_s": None,
                "offset_dn": 1.0, "offset_error_dn": None, "amplitude_dn": 5.0,
                "significance": 9.0, "blinking": False, "annealed": False, "mapped_out": None,
                "flags": [],
            }  # fmt: skip
            session.add(LedgerDefect(**{**fields, **given}))


def test_defects_arose_between_the_middles_of_the_classes(
    world: tuple[Catalogue, tuple[Item, ...]],
) -> None:
    catalogue, items = world
    early, late = _middles(items, SERIALS[0])
    _record(
        catalogue,
        SERIALS[0],
        {
            1: {"onset_before": early - DAY},
            2: {"onset_before": early},  # seen at the very time of the early middle: not new
            3: {"onset_before": early + DAY},
            4: {"onset_before": late},
            5: {"onset_before": late + DAY},
            6: {"onset_before": early + DAY, "pre_existing": True},
            7: {"onset_before": early + DAY, "annealed": True},
            8: {"onset_before": early + DAY, "mapped_out": True},
            9: {"onset_before": early + DAY, "dark_rate_dn_per_s": None, "offset_dn": None},
        },
    )
    camera = next(one.camera for one in items if one.camera.serial == SERIALS[0])
    found = defects_between(catalogue, camera, items, "early", "late")
    assert found is not None
    assert found.known[:, 1].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert found.new[:, 1].tolist() == [1, 2, 3, 4, 5, 7, 8, 9]
    assert found.arisen.coordinates.tolist() == [[7, 3], [7, 4]]
    assert found.arisen.dark_rates_dn_per_s.tolist() == [30.0, 40.0]
    # of unknown strength: known, and not to be added to frames
    assert found.arisen.left_out == 1
    # from the late class to the early one nothing arose
    backwards = defects_between(catalogue, camera, items, "late", "early")
    assert backwards is not None and not len(backwards.arisen.coordinates)


def test_the_newest_ledger_counts(world: tuple[Catalogue, tuple[Item, ...]]) -> None:
    catalogue, items = world
    early, _ = _middles(items, SERIALS[0])
    _record(catalogue, SERIALS[0], {3: {"onset_before": early + DAY}})
    camera = next(one.camera for one in items if one.camera.serial == SERIALS[0])
    found = defects_between(catalogue, camera, items, "early", "late")
    assert found is not None and found.known.tolist() == [[7, 3]]


def test_a_camera_without_a_ledger_has_nothing_to_say(
    world: tuple[Catalogue, tuple[Item, ...]],
) -> None:
    catalogue, items = world
    other = next(one.camera for one in items if one.camera.serial == SERIALS[1])
    assert defects_between(catalogue, other, items, "early", "late") is None


def test_classes_without_frames_of_the_camera_have_no_defects_between_them(
    world: tuple[Catalogue, tuple[Item, ...]],
) -> None:
    catalogue, items = world
    camera = next(one.camera for one in items if one.camera.serial == SERIALS[0])
    late = [one for one in items if one.class_name == "late"]
    found = defects_between(catalogue, camera, late, "early", "late")
    assert found is not None and not len(found.arisen.coordinates)


def test_exposures_are_those_of_the_frames(world: tuple[Catalogue, tuple[Item, ...]]) -> None:
    catalogue, items = world
    some = [replace(one, exposure="1/30", iso=800) for one in items[:2]]
    found = exposures_of(catalogue, some)
    assert found is not None
    assert [(one.exposure_s, one.iso) for one in found] == [(1 / 30, 800)] * 2
    # no dark rates were measured at a known temperature
    assert all(one.dark_factor == 1.0 for one in found)
    for unknown in ({"exposure": None}, {"iso": None}):
        assert exposures_of(catalogue, [items[0], replace(items[1], **unknown)]) is None
    assert exposures_of(catalogue, []) == ()
