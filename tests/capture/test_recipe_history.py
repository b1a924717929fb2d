"""The paces of cameras as the catalogue's shots tell them, against a history of known times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from capture.recipes import ShotSpec, expand, parse_recipe
from capture.recipes.history import pace_of
from capture.registration import add_events, plan_shot
from capture.session_rows import FixtureFacts, begin_session, load_fixture
from datastore.catalogue import Catalogue
from datastore.clocks import ClockSource
from datastore.equipment import FixtureDescription, add_fixture
from datastore.tables import ShotSettings
from tests.support.catalogues import new_sqlite_catalogue

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECIPE = parse_recipe(
    "name: history\nshots:\n"
    "  - {kind: dark-field, exposures: [4, 1/2], iso: 100, count: 3}\n"
    "  - {kind: flat-field, exposure: 1/2, iso: 100, count: 3, image_quality: raw+jpeg}\n",
    "history",
)
HANDLING_S = {"raw": 2.0, "raw+jpeg": 3.0}
CHANGE_S = 25.0
DESCRIPTION: dict[str, Any] = {
    "name": "bench",
    "simulated": True,
    "cameras": [
        {"serial": "7", "make": "Nikon", "model": "D1", "address": "ptpip:127.0.0.1:15740"}
    ],
    "scenes": [
        {"name": "flat-panel", "background": "panel", "foreground": "none", "illumination": "led"}
    ],
}


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with new_sqlite_catalogue(tmp_path) as opened:
        add_fixture(opened, FixtureDescription.model_validate(DESCRIPTION), AT)
        yield opened


def fixture_of(catalogue: Catalogue) -> FixtureFacts:
    with catalogue.reading() as transaction:
        return load_fixture(transaction, "bench")


def take(catalogue: Catalogue, *, clock_source: ClockSource = "host", twice: bool = False) -> None:
    """Write a session whose every shot took the stated time."""
    fixture = fixture_of(catalogue)
    camera_id = fixture.cameras[0].camera_id
    with catalogue.writing() as transaction:
        session = begin_session(
            transaction,
            fixture,
            RECIPE,
            operator=None,
            note=None,
            clock_source=clock_source,
            at=AT,
        )
        before: ShotSpec | None = None
        for spec in expand(RECIPE, list(fixture.scenes)):
            cycle_s = None
            if before is not None:
                exposed_s = float(before.exposure) * (2 if twice else 1)
                cycle_s = exposed_s + HANDLING_S[before.image_quality]
                cycle_s += CHANGE_S if before.scene != spec.scene else 0.0
            shot = plan_shot(
                transaction,
                session.session_id,
                camera_id,
                None if spec.scene is None else fixture.scenes[spec.scene],
                spec,
                1,
                AT,
                since_opened_s=None,
                since_last_shot_s=cycle_s,
            )
            add_events(transaction, shot.shot_id, [("registered", AT, None)])
            transaction.add(
                ShotSettings(
                    shot_id=shot.shot_id, source="read-back", long_exposure_noise_reduction=twice
                )
            )
            before = spec


@pytest.mark.parametrize("twice", [False, True])
def test_paces_are_those_of_the_history(catalogue: Catalogue, twice: bool) -> None:
    take(catalogue, twice=twice)
    take(catalogue, twice=twice)
    pace = pace_of(catalogue, fixture_of(catalogue).cameras)
    (camera,) = pace.cameras
    assert camera.handling_s == pytest.approx(HANDLING_S)
    assert pace.change_s == pytest.approx(CHANGE_S)
    assert camera.noise_reduction == twice


def test_a_camera_without_history_has_no_pace(catalogue: Catalogue) -> None:
    pace = pace_of(catalogue, fixture_of(catalogue).cameras)
    assert (pace.cameras[0].handling_s, pace.change_s) == ({}, None)
    assert min(pace.cameras[0].bytes_by_role.values()) > 0


def test_what_a_simulated_clock_showed_is_no_pace(catalogue: Catalogue) -> None:
    take(catalogue, clock_source="simulated")
    pace = pace_of(catalogue, fixture_of(catalogue).cameras)
    assert (pace.cameras[0].handling_s, pace.change_s) == ({}, None)
