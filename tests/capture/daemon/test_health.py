"""The health command says what is wrong, and nothing where nothing is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from agetrace.cli.app import app
from agetrace.settings import create_home
from capture.daemon.facts import Thresholds
from capture.daemon.health import Concern, ConcernName, concerns
from capture.daemon.outbox import enqueue
from capture.leasing import this_process
from datastore.catalogue import Catalogue
from datastore.clocks import database_now
from datastore.errors import NoCatalogueError
from datastore.tables import Notification
from tests.support.watched_rows import (
    DAY,
    HOUR,
    NOW,
    add_daemon,
    add_fixture,
    add_job,
    add_occurrence,
    add_schedule,
    add_session,
)

LIMITS = Thresholds(free_bytes=0)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def sound(catalogue: Catalogue) -> Catalogue:
    """Return a catalogue with a working daemon and nothing wrong."""
    with catalogue.writing() as transaction:
        add_daemon(transaction, database_now(transaction))
        schedule = add_schedule(transaction, "nightly", add_fixture(transaction, "north", "A1"))
        for day in range(1, 9):
            add_occurrence(transaction, schedule, NOW - day * DAY, "completed")
        add_occurrence(transaction, schedule, NOW - MINUTE)
        add_session(transaction, NOW - DAY, "A1")
        add_job(transaction, "verify", "completed", NOW - DAY)
    return catalogue


def named(found: list[Concern]) -> list[tuple[str, str | None]]:
    """Return what concerns are of."""
    return [(concern.name, concern.subject) for concern in found]


@pytest.fixture
def look(sound: Catalogue, tmp_path: Path) -> Callable[..., list[Concern]]:
    """Return what looks for concerns of the sound catalogue."""

    def concerns_at(now: datetime = NOW, limits: Thresholds = LIMITS) -> list[Concern]:
        return concerns(sound, tmp_path / "spool", limits, now)

    return concerns_at


def test_a_sound_catalogue_is_of_no_concern(look: Callable[..., list[Concern]]) -> None:
    assert look() == []


def test_a_daemon_is_missed_by_the_clock_of_the_database(
    sound: Catalogue, look: Callable[..., list[Concern]]
) -> None:
    with sound.writing() as transaction:
        # one that was killed long ago beside one that works
        add_daemon(transaction, database_now(transaction) - DAY)
    assert look() == []
    with sound.writing() as transaction:
        add_daemon(transaction, database_now(transaction), "stopped")
    assert look() == []


def test_a_daemon_that_was_killed_on_this_host_is_missed_at_once(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    with catalogue.writing() as transaction:
        now = database_now(transaction)
        dead = this_process().replace("(start ", "(start 1")
        add_daemon(transaction, now, holder=dead)
    (found,) = concerns(catalogue, tmp_path, LIMITS, NOW)
    assert found.name == "daemon-absent"
    assert "died" in found.text and "agetrace daemon run" in found.text
    with catalogue.writing() as transaction:
        add_daemon(transaction, now - MINUTE, holder=this_process())
    assert concerns(catalogue, tmp_path, LIMITS, NOW) == []


@pytest.mark.parametrize(
    ("state", "silent_for", "expected"),
    [
        ("running", 4 * MINUTE, None),
        ("running", 6 * MINUTE, "daemon-silent"),
        ("draining", 6 * MINUTE, "daemon-silent"),
        ("stopped", MINUTE, "daemon-absent"),
    ],
)
def test_a_daemon_that_does_not_work_is_told(
    catalogue: Catalogue, tmp_path: Path, state: str, silent_for: timedelta, expected: str | None
) -> None:
    assert named(concerns(catalogue, tmp_path, LIMITS, NOW)) == [("daemon-absent", None)]
    with catalogue.writing() as transaction:
        add_daemon(transaction, database_now(transaction) - silent_for, state)
    # the civil clock says nothing about it
    found = concerns(catalogue, tmp_path, LIMITS, NOW - 99 * DAY)
    assert named(found) == ([] if expected is None else [(expected, None)])
    assert all(f"process 7 on {state}" in concern.text for concern in found)


def test_occurrences_that_nobody_settled_are_told_by_schedule(
    sound: Catalogue, look: Callable[..., list[Concern]]
) -> None:
    assert look(NOW + 69 * MINUTE - MINUTE) == []
    found = look(NOW + 69 * MINUTE)
    assert named(found) == [("occurrences-overdue", "nightly")]
    assert ": 1; the oldest was due" in found[0].text
    assert "due 2026-03-15 11:59:00 UTC" in found[0].text


def test_a_camera_without_a_good_session_is_told(look: Callable[..., list[Concern]]) -> None:
    limits = Thresholds(free_bytes=0, good_session=20 * HOUR, overdue=99 * DAY)
    # its last good session is long ago, and none was due since
    assert look(NOW + MINUTE, limits) == []
    found = look(NOW + HOUR, limits)
    assert named(found) == [("camera-without-good-session", "A1")]
    assert "since 2026-03-14 12:10:00 UTC" in found[0].text


def test_little_room_is_told_for_store_and_spool(look: Callable[..., list[Concern]]) -> None:
    found = look(limits=Thresholds(free_bytes=1 << 62))
    assert named(found) == [("disk-low", "store"), ("disk-low", "spool")]


def test_messages_that_are_not_sent_are_told(
    sound: Catalogue, look: Callable[..., list[Concern]]
) -> None:
    with sound.writing() as transaction:
        for subject in ("first", "second", "sent", "given-up"):
            enqueue(transaction, ["lab"], subject, "title", "body", NOW)
        messages = {row.subject: row for row in transaction.scalars(select(Notification))}
        messages["sent"].state = "sent"
        messages["given-up"].state = "failed"
    found = look(NOW + 59 * MINUTE)
    assert named(found) == [("messages-stuck", None)]
    assert found[0].text.endswith(": 1.")
    assert look(NOW + 60 * MINUTE)[0].text.endswith(": 3.")
    # a channel that was taken out of the settings is no concern for ever
    assert "messages-stuck" not in dict(named(look(NOW + 8 * DAY)))


def test_a_job_is_told_until_it_works_again(
    sound: Catalogue, look: Callable[..., list[Concern]]
) -> None:
    with sound.writing() as transaction:
        add_job(transaction, "verify", "failed", NOW - 9 * DAY)
        add_job(transaction, "backup", "failed", NOW - 3 * HOUR)
        add_job(transaction, "backup", "failed", NOW - 2 * HOUR)
        add_job(transaction, "verify", "failed", NOW - 2 * DAY)
    assert named(look()) == [("job-failed", "backup")]
    with sound.writing() as transaction:
        add_job(transaction, "backup", "completed", NOW)
    assert look() == []


def health(home: Path, code: int) -> dict[str, Any]:
    """Return what the command says about a home."""
    result = CliRunner().invoke(app, ["--home", str(home), "daemon", "health", "--json"])
    assert result.exit_code == code, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_the_command_says_what_is_wrong_and_exits_with_1(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home")
    settings = home.folder / "agetrace.toml"
    settings.write_text(settings.read_text().replace("free_gb = 10", "free_gb = 1e9"))
    document = health(home.folder, 1)
    assert document["healthy"] is False
    names = [concern["name"] for concern in document["concerns"]]
    assert names == ["daemon-absent", "disk-low", "disk-low"]
    result = CliRunner().invoke(app, ["--home", str(home.folder), "daemon", "health"])
    assert [line.partition(":")[0] for line in result.stdout.splitlines()] == names
    settings.write_text(settings.read_text().replace("free_gb = 1e9", "free_gb = 0"))
    with home.open_catalogue() as catalogue, catalogue.writing() as transaction:
        add_daemon(transaction, datetime.now(UTC))
    assert health(home.folder, 0) == {"healthy": True, "concerns": []}


def test_a_catalogue_that_cannot_be_used_is_a_concern(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home")
    file = home.folder / "catalogue.sqlite"
    file.write_bytes(os.urandom(8192))
    document = health(home.folder, 1)
    assert [concern["name"] for concern in document["concerns"]] == ["catalogue-away"]


def test_a_clock_that_cannot_be_read_is_a_concern(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home")
    settings = home.folder / "agetrace.toml"
    simulated = 'source = "simulated"\nurl = "http://127.0.0.1:9"'
    settings.write_text(settings.read_text().replace('source = "host"', simulated))
    document = health(home.folder, 1)
    assert [concern["name"] for concern in document["concerns"]] == ["clock-away"]


def test_a_home_without_a_catalogue_is_refused(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home")
    for file in home.folder.glob("catalogue.sqlite*"):
        file.unlink()
    result = CliRunner().invoke(app, ["--home", str(home.folder), "daemon", "health"])
    assert isinstance(result.exception, NoCatalogueError)
    assert result.exception.exit_code == 2


def test_the_guide_names_every_concern() -> None:
    guide = Path(__file__).parents[3] / "docs" / "how-to" / "watching.md"
    table = guide.read_text().partition("| concern |")[2].partition("\n\n")[0]
    told = {
        name.strip("` ")
        for line in table.splitlines()[2:]
        for name in line.split("|")[1].split(",")
    }
    assert told == set(get_args(ConcernName))
