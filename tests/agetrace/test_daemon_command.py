"""`agetrace daemon`: real processes carry out what is due, and are stopped in every way."""

from __future__ import annotations

import itertools
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from agetrace.settings import create_home, load_home
from capture.attendance import state_of
from datastore.catalogue import Catalogue
from datastore.equipment import FixtureDescription, add_fixture, read_description
from datastore.tables import Daemon, Session, Shot
from tests.support.command_line import CommandLine
from tests.support.notify_socket import NotifySocket
from tests.support.schedules import Became, dark_recipe, occurrences, schedule
from tests.support.virtual import RunningFixture, running_fixture, small_description

PATIENCE_S = 40
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
SHOTS = 8


def wait_for(condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    end = time.monotonic() + patience_s
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class Desk:
    """A home on a virtual fixture, and a noon when something is due."""

    command_line: CommandLine
    virtual: RunningFixture
    catalogue: Catalogue
    noon: datetime

    @contextmanager
    def running(self, notify: NotifySocket | None = None) -> Iterator[subprocess.Popen[str]]:
        """Start a daemon as a service manager does; whatever is left of it is killed at the end."""
        environment = dict(self.command_line.environment)
        environment.pop("NOTIFY_SOCKET", None)
        if notify is not None:
            environment["NOTIFY_SOCKET"] = notify.address
        with subprocess.Popen(
            self.command_line.command("daemon", "run", "--json"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def schedule(self, count: int, exposure: str = "1/30", **fields: Any) -> None:
        """Have dark fields be due at noon, in a minute."""
        now = self.noon - timedelta(minutes=1)
        self.virtual.put("/civil-time", {"civil_time": now.isoformat()})
        schedule(self.catalogue, now, dark_recipe(count, exposure), **fields)

    def first(self) -> Became:
        """Return what became of what was due first."""
        return wait_for(lambda: occurrences(self.catalogue))[0]

    def shots(self) -> list[tuple[str, str | None]]:
        """Return state and verdict of every shot."""
        with self.catalogue.reading() as transaction:
            return [
                (shot.events[-1].name, shot.verdicts[-1].verdict if shot.verdicts else None)
                for shot in transaction.scalars(select(Shot).order_by(Shot.id))
            ]

    def registered(self) -> int:
        """Return how many shots are registered."""
        return sum(state == "registered" for state, _ in self.shots())

    def daemons(self) -> list[str]:
        """Return the states of all daemons."""
        with self.catalogue.reading() as transaction:
            return list(transaction.scalars(select(Daemon.state).order_by(Daemon.id)))

    def sessions(self) -> list[tuple[str, str]]:
        """Return UUID and state of every session."""
        with self.catalogue.reading() as transaction:
            return [
                (session.uuid, state_of(transaction, session.id))
                for session in transaction.scalars(select(Session).order_by(Session.id))
            ]


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    """Run one camera; a minute takes a bit more than a second."""
    description = small_description({"width": 192, "height": 128}, exposure_time_scale=0.02)
    with running_fixture(tmp_path_factory.mktemp("virtual"), description) as running:
        yield running


@pytest.fixture(scope="module")
def noons() -> Iterator[datetime]:
    return (NOON + timedelta(days=3 * number) for number in itertools.count())


@pytest.fixture
def desk(virtual: RunningFixture, noons: Iterator[datetime], tmp_path: Path) -> Iterator[Desk]:
    folder = create_home(tmp_path / "lab").folder
    (folder / "agetrace.toml").write_text(
        f"""\
[clock]
source = "simulated"
url = "{virtual.control_url}"
[cameras]
patience_s = 1
[daemon]
tick_s = 0.3
[actuators.virtual]
kind = "virtual"
url = "{virtual.control_url}"
"""
    )
    noon = next(noons)
    with load_home(folder).open_catalogue() as catalogue:
        add_fixture(catalogue, read_description(virtual.fixture_file), noon - timedelta(days=1))
        yield Desk(CommandLine(folder), virtual, catalogue, noon)


def test_a_service_carries_out_what_is_due_and_ends_when_it_is_told_to(desk: Desk) -> None:
    desk.schedule(2)
    with NotifySocket() as notify, desk.running(notify) as process:
        notify.wait_for(lambda said: "READY=1" in said)
        wait_for(lambda: desk.first().state == "completed")
        alive = notify.receive().count("WATCHDOG=1")
        notify.wait_for(lambda said: said.count("WATCHDOG=1") > alive + 3)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
        said = notify.receive()
    assert process.returncode == 0, err
    assert '"sessions": 1' in out
    assert said.index("READY=1") < said.index("STOPPING=1")
    assert any("running daily" in text for text in said)
    assert desk.daemons() == ["stopped"]
    became = desk.first()
    assert (became.reason, became.attempts) == ("completed", 1)
    assert became.events == ["pending", "claimed", "completed"]
    assert became.sessions == [uuid for uuid, _ in desk.sessions()]
    assert desk.shots() == [("registered", "accepted")] * 2
    assert became.settled_at is not None and became.settled_at > desk.noon
    # the days to come wait already
    assert {later.state for later in occurrences(desk.catalogue)[1:]} == {"pending"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_another_daemon_goes_on_with_the_session_of_one_that_ended(
    desk: Desk, how: signal.Signals
) -> None:
    desk.schedule(SHOTS, "15")
    with desk.running() as process:
        wait_for(lambda: desk.registered() >= 2)
        process.send_signal(how)
        if how == signal.SIGTERM:
            time.sleep(0.02)
            process.send_signal(how)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == (0 if how == signal.SIGTERM else -how)
    became, shots = desk.first(), desk.shots()
    assert 2 <= len(shots) < SHOTS
    if how == signal.SIGTERM:
        assert (became.state, became.reason, became.attempts) == ("pending", "interrupted", 0)
        assert {state for state, _ in shots} == {"registered"}
        assert desk.daemons() == ["stopped"]
    else:
        assert became.state == "claimed"
        assert desk.daemons() == ["running"]
    with desk.running() as process:
        wait_for(lambda: desk.first().state not in ("pending", "claimed"))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    became = desk.first()
    assert (became.state, became.reason, became.attempts) == ("completed", "completed", 1)
    taken_up = ["waiting", "claimed"] if how == signal.SIGTERM else ["taken-over"]
    assert became.events == ["pending", "claimed", *taken_up, "completed"]
    assert desk.sessions() == [(became.sessions[0], "completed")]
    accepted = [verdict for _, verdict in desk.shots() if verdict == "accepted"]
    assert len(accepted) == SHOTS
    assert desk.daemons() == ["stopped", "stopped"]


def test_ctrl_c_ends_a_daemon_as_interrupted(desk: Desk) -> None:
    with NotifySocket() as notify, desk.running(notify) as process:
        notify.wait_for(lambda said: "READY=1" in said)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, err
    assert desk.daemons() == ["stopped"]


@pytest.mark.parametrize("options", [(), ("--user",)])
def test_the_unit_is_one_that_systemd_understands(tmp_path: Path, options: tuple[str, ...]) -> None:
    home = create_home(tmp_path / 'a "lab" of 100 % $HOME').folder
    command_line = CommandLine(home)
    document = command_line.run("daemon", "unit", *options, "--json").document
    text = command_line.run("daemon", "unit", *options).out
    assert document == {"name": "agetrace", "path": document["path"], "text": text}
    assert document["path"].endswith("/systemd/user/agetrace.service") == bool(options)
    lines = text.splitlines()
    for line in ("Type=notify", "Restart=always", "KillMode=mixed", "WatchdogSec=300"):
        assert line in lines
    assert ("User=" in text) == (not options)
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "agetrace.service"
    unit.write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", *options, "verify", unit],
        capture_output=True,
        text=True,
        check=False,
        env={**command_line.environment, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_a_unit_of_a_name_that_cannot_be_is_refused(desk: Desk) -> None:
    answer = desk.command_line.run("daemon", "unit", "--name", "../etc/passwd", code=2)
    assert "cannot be the name of a unit" in answer.message


def test_days_are_replayed_and_real_ones_refused(desk: Desk) -> None:
    desk.schedule(1, window_s=12 * 3600)
    until = (desk.noon + timedelta(days=1, hours=14)).isoformat()
    replayed = desk.command_line.run("daemon", "replay", "--until", until, "--json").document
    assert replayed["occurrences"] == {"completed": 2}
    assert replayed["sessions"] == 2
    for wrong in ("2024-13-01", "tomorrow", "2024-04-01T06:00"):
        answer = desk.command_line.run("daemon", "replay", "--until", wrong, code=2)
        assert "--until" in answer.message
    past = desk.command_line.run("daemon", "replay", "--until", "2020-01-01", code=2)
    assert "is past" in past.message
    camera = {"serial": "3011234", "make": "Nikon", "model": "D7000", "address": "usb:001,004"}
    real = {"name": "north", "simulated": False, "cameras": [camera]}
    add_fixture(desk.catalogue, FixtureDescription.model_validate(real), desk.noon)
    schedule(desk.catalogue, desk.noon, name="real", fixture="north")
    refused = desk.command_line.run("daemon", "replay", "--until", "2030-01-01", code=2)
    assert "camera 3011234" in refused.message


@pytest.mark.prove
@pytest.mark.timeout(400)
def test_a_catalogue_that_is_locked_for_longer_than_anybody_waits(desk: Desk) -> None:
    """A daemon outlasts a catalogue that another process locks for minutes."""
    desk.schedule(2, window_s=20 * 3600)
    other = sqlite3.connect(desk.command_line.home / "catalogue.sqlite", isolation_level=None)
    with NotifySocket() as notify, desk.running(notify) as process:
        notify.wait_for(lambda said: "READY=1" in said)
        other.execute("begin immediate")
        notify.wait_for(lambda said: any("waiting: the catalogue" in text for text in said), 200)
        other.rollback()
        other.close()
        wait_for(lambda: desk.first().state == "completed", 120)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert desk.first().attempts == 1
    assert desk.shots() == [("registered", "accepted")] * 2
