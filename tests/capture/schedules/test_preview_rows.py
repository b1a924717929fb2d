"""What a preview reads: paces, other schedules, cancelled due times, sessions taken, disks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import select

from capture.errors import RequestError
from capture.recipes import parse_recipe
from capture.schedules.occurrences import cancel
from capture.schedules.preview_rows import (
    disks_of,
    load_schedule,
    plan_active_schedules,
    plan_schedule,
    taken_sessions,
)
from capture.schedules.schedule_rows import pause, retire
from datastore.catalogue import Catalogue
from datastore.equipment import FixtureDescription, current_revision, revise_fixture
from datastore.tables import Camera, Session, Timeslot, TimeslotScheme
from tests.support.catalogue_rows import add_shot
from tests.support.occurrence_diary import HOUR, RECIPE, SERIALS, START, Diary, describe

BOTH_KINDS = parse_recipe(
    "name: both\nshots:\n"
    "  - {kind: dark-field, exposure: '4', iso: 100, count: 3}\n"
    "  - {kind: fixed-background, scene: wall, exposure: '1/4', iso: 100}\n",
    "both.yaml",
)


def test_a_session_takes_what_its_recipe_and_cameras_say(diary: Diary) -> None:
    found = plan_schedule(diary.catalogue, describe(fixture="north"), BOTH_KINDS)
    assert found.cameras == SERIALS
    assert found.kinds == {"dark-field", "fixed-background"}
    # exposures, and two changes of scene by hand
    assert found.duration_s > 3 * 4 + 0.25 + 2 * 60
    one = plan_schedule(diary.catalogue, describe(fixture="north", cameras=SERIALS[:1]), BOTH_KINDS)
    assert one.cameras == SERIALS[:1]
    assert one.session_bytes * 2 == found.session_bytes
    assert not one.is_measured


def test_a_fixture_without_the_camera_or_the_scene_is_refused(diary: Diary) -> None:
    with pytest.raises(RequestError, match="mounts no camera 9"):
        plan_schedule(diary.catalogue, describe(fixture="north", cameras=("9",)), RECIPE)


def test_due_times_to_come_that_an_operator_cancelled_are_known(diary: Diary) -> None:
    diary.add()
    diary.expand(START + 5 * HOUR)
    for hours in (1, 3):
        uuid = diary.row(START + hours * HOUR).id
        cancel(diary.catalogue, uuid, operator="ada", reason=None, at=START)
    stored = load_schedule(diary.catalogue, "hourly", START + 2 * HOUR)
    assert stored.cancelled == {START + 3 * HOUR}
    assert (stored.state, stored.recipe) == ("active", RECIPE)


def test_active_schedules_run_beside_it(diary: Diary) -> None:
    for name in ("active", "mine", "paused", "retired"):
        diary.add(name)
    pause(diary.catalogue, "paused", operator=None, reason=None, at=START)
    retire(diary.catalogue, "retired", operator=None, reason=None, at=START)
    found, warnings = plan_active_schedules(diary.catalogue, but="mine", now=START)
    assert [schedule.name for schedule in found] == ["active"]
    assert not warnings


def test_one_that_its_fixture_no_longer_serves_is_left_out_with_a_word(diary: Diary) -> None:
    diary.add("broken", cameras=SERIALS[1:])
    with diary.catalogue.reading() as transaction:
        description = current_revision(transaction, "north").description
    cameras = description["cameras"][:1]
    revise_fixture(
        diary.catalogue,
        FixtureDescription.model_validate({**description, "cameras": cameras}),
        START,
    )
    found, (warning,) = plan_active_schedules(diary.catalogue, but="mine", now=START)
    assert found == []
    assert warning.word == "left-out"
    assert "broken" in warning.sentence and "mounts no camera 7100002" in warning.sentence


def year(first: datetime) -> TimeslotScheme:
    slot = Timeslot(ordinal=1, starts_at=first, ends_at=first + timedelta(days=365))
    return TimeslotScheme(name="years", timeslots=[slot])


def test_sessions_taken_count_by_camera_and_kind_once_they_have_a_frame(
    catalogue: Catalogue, diary: Diary
) -> None:
    with catalogue.writing() as transaction:
        first, second = transaction.scalars(
            select(Camera).where(Camera.serial.in_(SERIALS)).order_by(Camera.serial)
        )
        begun = [START - timedelta(days=1), START + HOUR, START + 2 * HOUR, START + 90 * HOUR]
        sessions = [
            Session(kind="capture", clock_source="simulated", started_at=at) for at in begun
        ]
        transaction.add_all(sessions)
        transaction.flush()
        for session, at in zip(sessions, begun, strict=True):
            for sequence in (1, 2):
                add_shot(transaction, session, first, sequence, at)
        add_shot(transaction, sessions[1], first, 3, begun[1], kind="flat-field")
        add_shot(transaction, sessions[1], second, 4, begun[1], state="failed")
    found = taken_sessions(catalogue, SERIALS, year(START), START + 9 * HOUR)
    assert sorted((one.camera, one.at, *one.kinds) for one in found) == [
        (SERIALS[0], begun[1], "dark-field"),
        (SERIALS[0], begun[1], "flat-field"),
        (SERIALS[0], begun[2], "dark-field"),
    ]
    before_the_scheme = year(datetime(2030, 1, 1, tzinfo=UTC))
    assert taken_sessions(catalogue, SERIALS, before_the_scheme, START) == []


def test_a_spool_on_the_stores_disk_is_no_disk_of_its_own(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    disks = disks_of(catalogue, catalogue.store.root.parent / "spool")
    assert [(disk.name, disk.keeps) for disk in disks] == [("the asset store", True)]
    assert disks[0].free_bytes > 0
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system to write to")
    with TemporaryDirectory(dir=elsewhere) as folder:
        disks = disks_of(catalogue, Path(folder) / "spool")
    assert [disk.keeps for disk in disks] == [True, False]
