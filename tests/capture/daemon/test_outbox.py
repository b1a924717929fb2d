"""Messages reach a real server, whatever it does on the way, and their addresses reach nobody."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select

from capture.daemon.outbox import Outbox, addresses, enqueue
from capture.errors import ChannelError
from datastore.catalogue import Catalogue
from datastore.tables import Notification

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "s3cr3t-t0ken"


@dataclass
class Receiver:
    """A server that answers with the given statuses in turn, and then with 200."""

    url: str
    statuses: list[int] = field(default_factory=list)
    received: list[dict[str, str]] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)

    def subjects(self) -> list[str]:
        """Return the titles of everything that came."""
        return [message["title"] for message in self.received]


@contextmanager
def receiver(*statuses: int, hangs: bool = False) -> Iterator[Receiver]:
    """Run a server that apprise's json:// channel can post to."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.received.append(body)
            state.answering.wait(20)
            self.send_response(state.statuses.pop(0) if state.statuses else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port = httpd.server_address[1]
    state = Receiver(f"json://operator:{SECRET}@127.0.0.1:{port}/{SECRET}", list(statuses))
    if not hangs:
        state.answering.set()
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        state.answering.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def tick_until(outbox: Outbox, now: datetime, done: Callable[[], bool]) -> None:
    """Tick at a standing civil time until something has come about."""
    deadline = time.monotonic() + 15
    while not done():
        assert time.monotonic() < deadline, "it never came about"
        outbox.tick(now)
        time.sleep(0.01)


def tell(catalogue: Catalogue, *subjects: str, channels: tuple[str, ...] = ("lab",)) -> None:
    """Put messages into the outbox."""
    with catalogue.writing() as transaction:
        for subject in subjects:
            enqueue(transaction, channels, subject, subject, f"about {subject}", NOW)


def rows(catalogue: Catalogue) -> list[Notification]:
    """Return every message of the outbox, oldest first."""
    with catalogue.reading() as transaction:
        return list(transaction.scalars(select(Notification).order_by(Notification.id)))


def states(catalogue: Catalogue) -> list[str]:
    """Return the state of every message."""
    return [row.state for row in rows(catalogue)]


def test_a_subject_is_told_once_on_each_channel(catalogue: Catalogue) -> None:
    tell(catalogue, "first", "second", channels=("lab", "phone"))
    tell(catalogue, "first", channels=("lab", "phone", "mail"))
    told = [(row.channel, row.subject) for row in rows(catalogue)]
    assert sorted(told) == [
        ("lab", "first"),
        ("lab", "second"),
        ("mail", "first"),
        ("phone", "first"),
        ("phone", "second"),
    ]
    assert len({row.uuid for row in rows(catalogue)}) == 5


def test_a_message_that_is_rolled_back_is_never_sent(catalogue: Catalogue) -> None:
    with catalogue.writing() as transaction:
        enqueue(transaction, ("lab",), "first", "title", "body", NOW)
        transaction.rollback()
    assert rows(catalogue) == []


def test_a_server_that_first_refuses_gets_the_message_later(catalogue: Catalogue) -> None:
    with receiver(500, 503) as server:
        outbox = Outbox(catalogue, {"lab": server.url})
        tell(catalogue, "first")
        tick_until(outbox, NOW, lambda: rows(catalogue)[0].error is not None)
        [row] = rows(catalogue)
        assert (row.state, row.attempts) == ("pending", 1)
        assert row.error == "the channel's server refused it with status 500"
        assert row.next_attempt_at == NOW + timedelta(minutes=1)
        # it is not tried again before its time
        outbox.tick(NOW + timedelta(seconds=59))
        assert rows(catalogue)[0].attempts == 1
        later = NOW + timedelta(minutes=1)
        tick_until(outbox, later, lambda: "503" in (rows(catalogue)[0].error or ""))
        assert rows(catalogue)[0].next_attempt_at == later + timedelta(minutes=2)
        at = later + timedelta(minutes=2)
        tick_until(outbox, at, lambda: states(catalogue) == ["sent"])
    [row] = rows(catalogue)
    assert (row.attempts, row.sent_at, row.error) == (3, at, None)
    assert server.subjects() == ["first"] * 3
    assert server.received[-1]["message"] == "about first"


def test_a_message_is_given_up_after_its_last_attempt(catalogue: Catalogue) -> None:
    with receiver(*[500] * 3) as server:
        outbox = Outbox(catalogue, {"lab": server.url}, attempts=3, longest_wait_s=90)
        tell(catalogue, "first")
        for attempt in range(3):
            now = NOW + timedelta(seconds=90 * attempt)
            tick_until(outbox, now, lambda n=attempt: rows(catalogue)[0].attempts > n)  # type: ignore[misc]
            outbox.finish(now, 5)
        tick_until(outbox, NOW, lambda: states(catalogue) == ["failed"])
        outbox.tick(NOW + timedelta(days=30))
        outbox.finish(NOW, 5)
    assert len(server.received) == 3
    assert "500" in (rows(catalogue)[0].error or "")


def test_a_hanging_server_holds_up_neither_the_tick_nor_another_channel(
    sqlite_catalogue: Catalogue,
) -> None:
    with receiver(hangs=True) as hanging, receiver() as sound:
        outbox = Outbox(sqlite_catalogue, {"slow": hanging.url, "lab": sound.url}, deadline_s=0.3)
        tell(sqlite_catalogue, "first", "second", channels=("slow", "lab"))
        began = time.monotonic()
        outbox.tick(NOW)
        assert time.monotonic() - began < 1.0
        tick_until(outbox, NOW, lambda: states(sqlite_catalogue).count("sent") == 2)
        assert sound.subjects() == ["first", "second"]
        tick_until(outbox, NOW, lambda: any(row.error for row in rows(sqlite_catalogue)))
        slow = [row for row in rows(sqlite_catalogue) if row.channel == "slow"]
        assert slow[0].error == "no answer within 0.3 s"
        # nothing more is begun over a channel whose last attempt still hangs
        assert hanging.subjects() == ["first"]
        hanging.answering.set()
        tick_until(outbox, NOW, lambda: states(sqlite_catalogue) == ["sent"] * 4)


def test_a_message_whose_sender_died_is_sent_again(catalogue: Catalogue) -> None:
    with receiver(hangs=True) as server:
        tell(catalogue, "first")
        dying = Outbox(catalogue, {"lab": server.url})
        tick_until(dying, NOW, lambda: server.received != [])
        # a second daemon leaves it alone for as long as it may still be on its way
        other = Outbox(catalogue, {"lab": server.url})
        other.tick(NOW + timedelta(seconds=59))
        assert rows(catalogue)[0].attempts == 1
        server.answering.set()
        tick_until(other, NOW + timedelta(seconds=60), lambda: states(catalogue) == ["sent"])
    assert server.subjects() == ["first", "first"]


def test_a_message_whose_sender_dies_every_time_is_given_up(catalogue: Catalogue) -> None:
    tell(catalogue, "first")
    with receiver() as server:
        outbox = Outbox(catalogue, {"lab": server.url}, attempts=2)
        with catalogue.writing() as transaction:
            row = transaction.scalars(select(Notification)).one()
            row.attempts = 2
        outbox.tick(NOW)
    assert server.received == []
    assert states(catalogue) == ["failed"]
    assert rows(catalogue)[0].error == "the daemon ended while the message was sent"


def test_two_daemons_send_a_message_once(catalogue: Catalogue) -> None:
    with receiver() as server:
        outboxes = [Outbox(catalogue, {"lab": server.url}) for _ in range(2)]
        tell(catalogue, *(f"message {number}" for number in range(10)))
        deadline = time.monotonic() + 20
        while set(states(catalogue)) != {"sent"}:
            assert time.monotonic() < deadline
            ticking = [threading.Thread(target=box.tick, args=(NOW,)) for box in outboxes]
            for thread in ticking:
                thread.start()
            for thread in ticking:
                thread.join()
    assert sorted(server.subjects()) == sorted(f"message {number}" for number in range(10))


def test_a_message_waits_no_longer_after_the_clock_was_set_back(
    sqlite_catalogue: Catalogue,
) -> None:
    tell(sqlite_catalogue, "first")
    with receiver() as server:
        outbox = Outbox(sqlite_catalogue, {"lab": server.url})
        before = NOW - timedelta(hours=10)
        tick_until(outbox, before, lambda: states(sqlite_catalogue) == ["sent"])


def test_channels_of_other_daemons_are_left_alone(sqlite_catalogue: Catalogue) -> None:
    tell(sqlite_catalogue, "first", channels=("elsewhere",))
    with receiver() as server:
        Outbox(sqlite_catalogue, {"lab": server.url}).tick(NOW + timedelta(days=9))
    assert [(row.state, row.attempts) for row in rows(sqlite_catalogue)] == [("pending", 0)]


def test_the_address_reaches_no_row_no_log_and_no_error(
    sqlite_catalogue: Catalogue,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    with receiver(403) as server:
        outbox = Outbox(sqlite_catalogue, {"lab": server.url}, attempts=1)
        tell(sqlite_catalogue, "refused")
        tick_until(outbox, NOW, lambda: states(sqlite_catalogue) == ["failed"])
        port = server.url.rpartition(":")[2].partition("/")[0]
    gone = Outbox(sqlite_catalogue, {"lab": server.url}, attempts=1)
    tell(sqlite_catalogue, "unreachable")
    tick_until(gone, NOW, lambda: states(sqlite_catalogue) == ["failed", "failed"])
    assert rows(sqlite_catalogue)[1].error == "the channel's server could not be reached"
    with pytest.raises(ChannelError) as refused:
        Outbox(sqlite_catalogue, {"lab": f"nonsense://{SECRET}"})
    captured = capfd.readouterr()
    said = [caplog.text, captured.out, captured.err, str(refused.value)]
    said += [f"{row.title} {row.body} {row.error}" for row in rows(sqlite_catalogue)]
    assert not [text for text in said if SECRET in text or port in text]
    assert "channel lab" in str(refused.value)


def test_a_missing_variable_is_named() -> None:
    channels = {"lab": "AGETRACE_NOTIFY_LAB", "phone": "AGETRACE_NOTIFY_PHONE"}
    with pytest.raises(ChannelError) as refused:
        addresses(channels, {"AGETRACE_NOTIFY_PHONE": "json://host"})
    assert "AGETRACE_NOTIFY_LAB for the channel lab" in str(refused.value)
    assert "json://host" not in str(refused.value)
    assert refused.value.exit_code == 2
    environment = {"AGETRACE_NOTIFY_LAB": "json://a", "AGETRACE_NOTIFY_PHONE": "json://b"}
    assert addresses(channels, environment) == {"lab": "json://a", "phone": "json://b"}
