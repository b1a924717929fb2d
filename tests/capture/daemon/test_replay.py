"""Simulated time: weeks of schedules through the daemon's own passes on the virtual fixture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from agetrace.daemon import replay_home
from agetrace.settings import ClockSettings, Home, create_home, load_home
from capture.errors import ClockRefusedError, RequestError
from datastore.catalogue import Catalogue
from datastore.equipment import FixtureDescription, add_fixture, read_description
from datastore.tables import Daemon, Session
from tests.support.schedules import dark_recipe, occurrences, schedule
from tests.support.virtual import RunningFixture, running_fixture, small_description

BEGIN = datetime(2024, 3, 4, tzinfo=UTC)
WEEK = timedelta(weeks=1)
WEEKLY = {"kind": "cron", "expression": "0 12 * * 3"}


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    """Run a tiny camera."""
    description = small_description({"width": 96, "height": 64}, exposure_time_scale=0.001)
    with running_fixture(tmp_path_factory.mktemp("virtual"), description) as running:
        yield running


@pytest.fixture
def home(virtual: RunningFixture, tmp_path: Path) -> Home:
    """Return a home on the virtual fixture, on a Monday."""
    virtual.put("/civil-time", {"civil_time": BEGIN.isoformat()})
    folder = create_home(tmp_path / "lab").folder
    (folder / "agetrace.toml").write_text(
        f"""\
[clock]
source = "simulated"
url = "{virtual.control_url}"
[cameras]
patience_s = 1
[actuators.virtual]
kind = "virtual"
url = "{virtual.control_url}"
"""
    )
    home = load_home(folder)
    with home.open_catalogue() as catalogue:
        add_fixture(catalogue, read_description(virtual.fixture_file), BEGIN)
    return home


@pytest.fixture
def catalogue(home: Home) -> Iterator[Catalogue]:
    with home.open_catalogue() as opened:
        yield opened


def test_weeks_pass_in_seconds_and_every_due_time_has_its_session(
    home: Home, catalogue: Catalogue
) -> None:
    schedule(catalogue, BEGIN, rule=WEEKLY)
    days: list[tuple[int, int]] = []
    replayed = replay_home(
        home, catalogue, BEGIN + 2 * WEEK, lambda done, total: days.append((done, total))
    )
    assert replayed.states == {"completed": 2}
    assert replayed.sessions == 2
    due = [one for one in occurrences(catalogue) if one.due_at < BEGIN + 2 * WEEK]
    assert [one.due_at for one in due] == [
        BEGIN + timedelta(days=2, hours=12) + n * WEEK for n in range(2)
    ]
    assert all(len(one.sessions) == 1 for one in due)
    with catalogue.reading() as transaction:
        sessions = list(transaction.scalars(select(Session).order_by(Session.id)))
        assert {session.clock_source for session in sessions} == {"simulated"}
        for session, one in zip(sessions, due, strict=True):
            # the fixture's clock runs a thousand times as fast, also while a session begins
            assert timedelta() <= session.started_at - one.due_at < timedelta(hours=3)
        assert [row.state for row in transaction.scalars(select(Daemon))] == ["stopped"]
    assert days[0][0] == 0 and days[-1] == (14, 14)
    assert [done for done, _ in days] == sorted(done for done, _ in days)


@pytest.mark.prove
def test_what_nobody_attends_and_what_collides_is_told_as_it_was(
    home: Home, catalogue: Catalogue
) -> None:
    """A replay tells what no operator attended and what had to wait as a daemon would."""
    schedule(catalogue, BEGIN, name="attended", rule=WEEKLY, attended=True)
    schedule(catalogue, BEGIN, name="a", rule=WEEKLY, window_s=24 * 3600)
    schedule(catalogue, BEGIN, name="b", rule=WEEKLY, window_s=24 * 3600)
    replayed = replay_home(home, catalogue, BEGIN + WEEK)
    assert replayed.states == {"completed": 2, "missed": 1}
    missed = next(one for one in occurrences(catalogue) if one.state == "missed")
    assert missed.reason == "operator-absent"


def test_real_cameras_and_clocks_are_refused(home: Home, catalogue: Catalogue) -> None:
    schedule(catalogue, BEGIN, rule=WEEKLY)
    on_the_host = Home(home.folder, home.settings.model_copy(update={"clock": ClockSettings()}))
    with pytest.raises(ClockRefusedError, match=r"clock\.source"):
        replay_home(on_the_host, catalogue, BEGIN + WEEK)
    camera = {
        "serial": "3011234",
        "make": "Nikon",
        "model": "D7000",
        "address": "usb:001,004",
    }
    description = {"name": "north", "simulated": False, "cameras": [camera]}
    add_fixture(catalogue, FixtureDescription.model_validate(description), BEGIN)
    # a real fixture that nothing is planned on stands by
    assert replay_home(home, catalogue, BEGIN + timedelta(days=1)).states == {}
    schedule(catalogue, BEGIN, name="real", fixture="north", rule=WEEKLY)
    with pytest.raises(ClockRefusedError, match="the camera 3011234 of the fixture north is real"):
        replay_home(home, catalogue, BEGIN + WEEK)
    assert {one.state for one in occurrences(catalogue)} <= {"pending"}


def test_time_goes_forward(home: Home, catalogue: Catalogue) -> None:
    with pytest.raises(RequestError, match="is past"):
        replay_home(home, catalogue, BEGIN - WEEK)


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_a_year_of_weekly_sessions(
    home: Home, catalogue: Catalogue, record_property: Callable[[str, object], None]
) -> None:
    """A year of weekly schedules passes in minutes, each due time with its own session."""
    schedule(catalogue, BEGIN, dark_recipe(), rule=WEEKLY)
    began_s = time.monotonic()
    replayed = replay_home(home, catalogue, BEGIN + 52 * WEEK)
    took_s = time.monotonic() - began_s
    record_property("sessions", replayed.sessions)
    record_property("seconds", round(took_s, 1))
    assert replayed.states == {"completed": 52}
    assert len({one.sessions[0] for one in occurrences(catalogue) if one.sessions}) == 52


def test_a_replay_that_is_stopped_is_gone_on_with(home: Home, catalogue: Catalogue) -> None:
    schedule(catalogue, BEGIN, dark_recipe(12), rule=WEEKLY, window_s=20 * 3600)
    stop = threading.Event()

    def stop_in_its_session() -> None:
        while not any(one.sessions for one in occurrences(catalogue)):
            time.sleep(0.02)
        stop.set()

    watcher = threading.Thread(target=stop_in_its_session)
    watcher.start()
    stopped = replay_home(home, catalogue, BEGIN + WEEK, stop=stop)
    watcher.join()
    assert (stopped.states, stopped.sessions) == ({"pending": 1}, 1)
    assert stopped.until < BEGIN + WEEK
    assert replay_home(home, catalogue, BEGIN + WEEK).states == {"completed": 1}
    done = occurrences(catalogue)[0]
    assert (done.attempts, len(done.sessions)) == (1, 1)
