"""What a service manager hears, on a real socket: a daemon that hangs falls silent."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from capture.daemon.service import DaemonService
from capture.daemon.service_manager import NotifySocket as Manager
from capture.leasing import this_process
from datastore.catalogue import Catalogue
from tests.support.notify_socket import NotifySocket
from tests.support.scripted_runner import ScriptedRunner
from tests.support.simulated_time import SimulatedTime


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> NotifySocket:
    notify = NotifySocket()
    monkeypatch.setenv("NOTIFY_SOCKET", notify.address)
    return notify


def test_a_tick_that_hangs_stops_the_pings(
    sqlite_catalogue: Catalogue, address: NotifySocket
) -> None:
    hanging, stop = threading.Event(), threading.Event()
    ticks: list[datetime] = []

    def hang(now: datetime) -> None:
        ticks.append(now)
        if len(ticks) == 3:
            hanging.set()
            stop.wait(30)

    manager = Manager()
    service = DaemonService(
        sqlite_catalogue,
        ScriptedRunner(),
        clock=SimulatedTime(datetime(2026, 1, 1, tzinfo=UTC)),
        holder=this_process(),
        version="1",
        horizon=timedelta(days=1),
        hooks=[hang],
        manager=manager,
    )
    with address, manager:
        thread = threading.Thread(target=lambda: service.run(stop, tick_s=0.05))
        thread.start()
        address.wait_for(lambda _: hanging.is_set())
        before = address.receive().count("WATCHDOG=1")
        assert before >= 4
        time.sleep(1.5)
        assert address.receive().count("WATCHDOG=1") == before
        stop.set()
        thread.join(20)
        said = address.receive()
    assert said.count("READY=1") == said.count("STOPPING=1") == 1
    assert "STATUS=nothing is due" in said


def test_a_manager_that_does_not_listen_holds_nothing_up_for_long(address: NotifySocket) -> None:
    with address, Manager() as manager:
        began_s = time.monotonic()
        for _ in range(13):
            manager.alive()
        assert time.monotonic() - began_s < 10
        # the socket holds some, nobody takes them, and the rest is dropped
        assert 0 < address.receive().count("WATCHDOG=1") <= 13


def test_no_service_manager_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with Manager() as manager:
        manager.ready()
        manager.alive()
        manager.status("über alles\nnotified")
        manager.stopping()


def test_a_status_is_one_line_and_said_once(address: NotifySocket) -> None:
    with address, Manager() as manager:
        for _ in range(3):
            manager.status("waiting:\nthe camera “Ä” " + 300 * "x")
        (said,) = address.receive()
    assert said.startswith("STATUS=waiting: the camera ?Ä? xxx")
    assert len(said) < 220
