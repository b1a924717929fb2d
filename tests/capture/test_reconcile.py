"""Reconciling: open shots are settled from the spool or the card, and never guessed."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

import pytest
from sqlalchemy import select

from capture.cameras.protocol import CameraSettings
from capture.recipes import ShotSpec
from capture.reconcile import Reconciled, reconcile
from capture.registration import PlannedShot, plan_shot
from capture.session_rows import begin_session, load_fixture
from capture.spool import Spool
from datastore.tables import SessionEvent
from tests.capture.conftest import NIKON, Laboratory, quick_camera, recipe

SETTINGS = CameraSettings(Fraction(1, 30), 100, None, "raw+jpeg")
ONE_DARK = '  - {kind: dark-field, exposure: "1/30", iso: 100, image_quality: raw+jpeg}\n'


def plan(laboratory: Laboratory, at: datetime | None = None) -> PlannedShot:
    """Write the rows of a session that died after it planned its only shot."""
    spec = ShotSpec(1, "dark-field", None, SETTINGS.exposure, SETTINGS.iso, None, "raw+jpeg")
    now = at or laboratory.clock.now()
    with laboratory.catalogue.writing() as transaction:
        fixture = load_fixture(transaction, "virtual", [NIKON])
        session = begin_session(
            transaction,
            fixture,
            recipe(ONE_DARK),
            operator=None,
            note=None,
            clock_source="simulated",
            at=now,
        )
        camera_id = fixture.cameras[0].camera_id
        return plan_shot(transaction, session.session_id, camera_id, None, spec, 1, now)


def shoot(laboratory: Laboratory, shot_uuid: str, settings: CameraSettings = SETTINGS) -> None:
    """Take a shot whose files stay on the card and in the spool."""
    laboratory.virtual.put("/cap", {"cap_on": True})
    camera = laboratory.camera(NIKON)
    camera.open()
    camera.settings.apply(settings)
    camera.trigger.release(shot_uuid, settings)
    camera.files.delivered(shot_uuid)
    camera.close()


def settle(laboratory: Laboratory) -> Reconciled:
    """Reconcile the fixture."""
    return reconcile(
        laboratory.catalogue,
        "virtual",
        clock=laboratory.clock,
        spool_folder=laboratory.spool_folder,
        camera_factory=quick_camera,
        camera_patience_s=1.0,
    )


def test_nothing_open_is_nothing_to_do(laboratory: Laboratory) -> None:
    assert settle(laboratory).summary() == "nothing was left open"


def test_a_sealed_shot_is_registered_from_the_spool(laboratory: Laboratory) -> None:
    laboratory.empty_card(NIKON)
    shot = plan(laboratory)
    shoot(laboratory, shot.uuid)
    result = settle(laboratory)
    assert {uuid: r.outcome for uuid, r in result.settled.items()} == {shot.uuid: "accepted"}
    (row,) = laboratory.shots()
    assert set(row["assets"]) == {"raw", "jpeg"}
    assert row["settings"]["read-back"].iso == 100
    assert len(result.sessions_closed) == 1
    with laboratory.catalogue.reading() as transaction:
        newest = transaction.scalars(
            select(SessionEvent).order_by(SessionEvent.id.desc()).limit(1)
        ).one()
        assert newest.name == "aborted"
    assert Spool(laboratory.spool_folder).read(shot.uuid) is None
    assert laboratory.empty_card(NIKON) == []
    assert settle(laboratory).settled == {}


def test_a_shot_is_registered_from_the_card(laboratory: Laboratory) -> None:
    shot = plan(laboratory)
    shoot(laboratory, shot.uuid)
    Spool(laboratory.spool_folder).clear(shot.uuid)
    result = settle(laboratory)
    assert {uuid: r.outcome for uuid, r in result.settled.items()} == {shot.uuid: "accepted"}
    (row,) = laboratory.shots()
    assert set(row["assets"]) == {"raw", "jpeg"}
    assert laboratory.empty_card(NIKON) == []


def test_a_damaged_spool_falls_back_on_the_card(laboratory: Laboratory) -> None:
    shot = plan(laboratory)
    shoot(laboratory, shot.uuid)
    spooled = Spool(laboratory.spool_folder).read(shot.uuid)
    assert spooled is not None
    path = spooled.files[0].path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert settle(laboratory).settled[shot.uuid].outcome == "accepted"
    assert (laboratory.spool_folder / "unclaimed" / path.name).exists()
    assert laboratory.empty_card(NIKON) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(SETTINGS, iso=200),
        replace(SETTINGS, exposure=Fraction(1, 15)),
        replace(SETTINGS, image_quality="raw"),
    ],
    ids=["other ISO", "other exposure", "one file missing"],
)
def test_files_of_another_shot_stay_on_the_card(
    laboratory: Laboratory, other: CameraSettings
) -> None:
    shot = plan(laboratory)
    stranger = str(uuid.uuid4())
    shoot(laboratory, stranger, other)
    Spool(laboratory.spool_folder).clear(stranger)
    result = settle(laboratory)
    assert result.settled[shot.uuid].outcome == "failed"
    assert "whether the shutter opened is not known" in result.settled[shot.uuid].reason
    assert len(laboratory.empty_card(NIKON)) == len(other.image_quality.split("+"))
    (row,) = laboratory.shots()
    assert row["assets"] == {}


def test_files_older_than_the_shot_stay_on_the_card(laboratory: Laboratory) -> None:
    stranger = str(uuid.uuid4())
    shoot(laboratory, stranger)
    Spool(laboratory.spool_folder).clear(stranger)
    later = laboratory.clock.now() + timedelta(hours=6)
    laboratory.virtual.put("/civil-time", {"civil_time": later.isoformat()})
    shot = plan(laboratory)
    assert settle(laboratory).settled[shot.uuid].outcome == "failed"
    assert len(laboratory.empty_card(NIKON)) == 2


def test_two_shots_that_a_file_fits_get_none(laboratory: Laboratory) -> None:
    now = laboratory.clock.now()
    first, second = plan(laboratory, now), plan(laboratory, now)
    stranger = str(uuid.uuid4())
    shoot(laboratory, stranger)
    Spool(laboratory.spool_folder).clear(stranger)
    result = settle(laboratory)
    assert {result.settled[shot.uuid].outcome for shot in (first, second)} == {"failed"}
    assert len(laboratory.empty_card(NIKON)) == 2


def test_an_unreachable_camera_leaves_its_shots_open(laboratory: Laboratory) -> None:
    shot = plan(laboratory)
    laboratory.virtual.set_faults(NIKON, {"kind": "dropped-connection", "count": None})
    result = settle(laboratory)
    assert result.settled == {}
    assert "127.0.0.2" in result.left_open[shot.uuid]
    laboratory.virtual.set_faults(NIKON)
    shoot(laboratory, shot.uuid)
    assert settle(laboratory).settled[shot.uuid].outcome == "accepted"
    laboratory.empty_card(NIKON)
