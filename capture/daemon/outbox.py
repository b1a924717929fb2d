"""The outbox: messages to people as rows, sent over channels until they are gone or given up.

Owns attempts, waiting and what a failure may say. Knows no reason to notify anybody. The addresses
of channels are secrets: they reach no row, no log and no error.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session as Transaction

from capture.errors import ChannelError
from datastore.catalogue import Catalogue
from datastore.clocks import Deadline
from datastore.tables import Notification, new_uuid

if TYPE_CHECKING:
    from apprise import NotifyBase

ATTEMPTS: Final = 12
"""With the waits below, a channel may be away for a day."""

_FIRST_WAIT_S: Final = 60.0
_LONGEST_WAIT_S: Final = 6 * 3600.0
_DEADLINE_S: Final = 30.0
_STATUS: Final = re.compile(r"error=(\d{3})\b")


def enqueue(
    transaction: Transaction,
    channels: Iterable[str],
    subject: str,
    title: str,
    body: str,
    at: datetime,
) -> None:
    """Put a message into the outbox, once for each channel and subject.

    Parameters
    ----------
    transaction
        A writing transaction: the message exists if, and only if, it is committed.
    channels
        Names of channels of the home's settings.
    subject
        What the message is about; a subject that a channel had before makes no second message.
    title, body
        Plain text for people.
    at
        Civil time; the message is due at once.
    """
    rows = [
        {
            "uuid": new_uuid(),
            "channel": channel,
            "subject": subject,
            "title": title,
            "body": body,
            "state": "pending",
            "attempts": 0,
            "created_at": at,
            "next_attempt_at": at,
        }
        for channel in channels
    ]
    if not rows:
        return
    dialect = transaction.get_bind().dialect.name
    inserting = (postgresql if dialect == "postgresql" else sqlite).insert(Notification)
    transaction.execute(
        inserting.on_conflict_do_nothing(index_elements=["channel", "subject"]), rows
    )


def addresses(channels: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the address of every channel from the environment variable that keeps it.

    Parameters
    ----------
    channels
        Name of the environment variable by the channel's name.
    environment
        The environment.

    Raises
    ------
    ChannelError
        If a variable is missing or empty.
    """
    missing = [name for name, variable in channels.items() if not environment.get(variable)]
    if missing:
        wanted = "; ".join(f"{channels[name]} for the channel {name}" for name in missing)
        raise ChannelError(
            f"settings: notifications.channels: the environment lacks {wanted}: set it to the"
            " channel's address, or take the channel out of the settings"
        )
    return {name: environment[variable] for name, variable in channels.items()}


@dataclass
class _Delivery:
    """A message on its way, in a thread of its own."""

    notification_id: int
    attempt: int
    title: str
    body: str
    deadline: Deadline
    ended: threading.Event = field(default_factory=threading.Event)
    error: str | None = None
    is_overdue: bool = False


class Outbox:
    """Sends what is due; a channel that hangs holds up neither its caller nor another channel.

    A message is claimed by its row before it is sent, so that several daemons on one catalogue send
    it once. After a crash between sending and recording it is sent again: a message may come twice,
    but is never lost without a row that says so.

    Parameters
    ----------
    catalogue
        Keeps the messages.
    channels
        Address of each channel, as apprise understands it, by name.
    attempts
        How often a message is tried before it counts as failed.
    first_wait_s, longest_wait_s
        Wait after the first failed attempt, which doubles with each, up to the longest.
    deadline_s
        After which an attempt without an answer has failed. Its channel is not used again before
        the attempt comes back.

    Raises
    ------
    ChannelError
        If apprise does not understand an address.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        channels: Mapping[str, str],
        *,
        attempts: int = ATTEMPTS,
        first_wait_s: float = _FIRST_WAIT_S,
        longest_wait_s: float = _LONGEST_WAIT_S,
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        self._catalogue = catalogue
        self._services = {name: _service(name, address) for name, address in channels.items()}
        self._attempts = attempts
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._deadline_s = deadline_s
        self._in_flight: dict[str, _Delivery] = {}

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(self._services)

    def tick(self, now: datetime) -> None:
        """Record what became of messages on their way, and begin to send what is due.

        Raises
        ------
        datastore.errors.DatastoreError
            If the catalogue cannot be used; the next tick goes on.
        """
        self._record(now)
        for channel in self._services:
            if channel not in self._in_flight:
                self._begin(channel, now)

    def finish(self, now: datetime, patience_s: float) -> None:
        """Wait for messages on their way, so long at most, and record what became of them."""
        deadline = Deadline.after(patience_s)
        for delivery in self._in_flight.values():
            delivery.ended.wait(deadline.remaining())
        self._record(now)

    def _record(self, now: datetime) -> None:
        for channel, delivery in list(self._in_flight.items()):
            if delivery.ended.is_set():
                if not delivery.is_overdue or delivery.error is None:
                    self._settle(delivery, delivery.error, now)
                del self._in_flight[channel]
            elif delivery.deadline.expired and not delivery.is_overdue:
                self._settle(delivery, f"no answer within {self._deadline_s:g} s", now)
                delivery.is_overdue = True

    def _begin(self, channel: str, now: datetime) -> None:
        delivery = self._claim(channel, now)
        if delivery is None:
            return
        self._in_flight[channel] = delivery
        # a hanging server must not keep the process from ending
        threading.Thread(
            target=_send, args=(self._services[channel], delivery), name="outbox", daemon=True
        ).start()

    def _claim(self, channel: str, now: datetime) -> _Delivery | None:
        """Take the channel's next message that is due; others leave it alone for a while."""
        with self._catalogue.reading() as transaction:
            row = transaction.scalar(self._due(channel, now))
        if row is None:
            return None
        if row.attempts >= self._attempts:
            ended = _Delivery(row.id, row.attempts, "", "", Deadline.after(0))
            self._settle(ended, row.error or "the daemon ended while the message was sent", now)
            return None
        attempt = row.attempts + 1
        with self._catalogue.writing() as transaction:
            claimed = transaction.execute(
                update(Notification)
                .where(
                    Notification.id == row.id,
                    Notification.state == "pending",
                    Notification.attempts == row.attempts,
                )
                .values(
                    attempts=attempt,
                    next_attempt_at=now + timedelta(seconds=2 * self._deadline_s),
                )
                .returning(Notification.id)
            ).one_or_none()
        if claimed is None:
            return None
        return _Delivery(row.id, attempt, row.title, row.body, Deadline.after(self._deadline_s))

    def _due(self, channel: str, now: datetime) -> Select[Notification]:
        # what waits longer than anything can was put off before the clock was set back
        longest = timedelta(seconds=self._longest_wait_s + 2 * self._deadline_s)
        return (
            select(Notification)
            .where(
                Notification.state == "pending",
                Notification.channel == channel,
                or_(
                    Notification.next_attempt_at <= now,
                    Notification.next_attempt_at > now + longest,
                ),
            )
            .order_by(Notification.next_attempt_at, Notification.id)
            .limit(1)
        )

    def _settle(self, delivery: _Delivery, error: str | None, now: datetime) -> None:
        """Write what became of an attempt."""
        is_row = Notification.id == delivery.notification_id
        change = update(Notification)
        if error is None:
            change = change.where(is_row).values(state="sent", sent_at=now, error=None)
        else:
            is_last = delivery.attempt >= self._attempts
            is_ours = and_(
                Notification.state == "pending", Notification.attempts == delivery.attempt
            )
            change = change.where(is_row, is_ours).values(
                state="failed" if is_last else "pending",
                next_attempt_at=now + self._wait(delivery.attempt),
                error=error,
            )
        with self._catalogue.writing() as transaction:
            transaction.execute(change)

    def _wait(self, attempt: int) -> timedelta:
        doubled = self._first_wait_s * 2 ** min(attempt - 1, 32)
        return timedelta(seconds=min(doubled, self._longest_wait_s))


def _service(channel: str, address: str) -> NotifyBase:
    from apprise import Apprise, AppriseAsset

    # what apprise says of its work names hosts and may hold parts of addresses
    logging.getLogger("apprise").propagate = False
    with _Complaints(), warnings.catch_warnings():
        # it loads every channel that it knows, with whatever they need
        warnings.simplefilter("ignore")
        asset = AppriseAsset(app_id="agetrace", app_desc="agetrace")
        service = Apprise.instantiate(address, asset=asset)
    if service is None:
        raise ChannelError(
            f"settings: notifications.channels: the address of the channel {channel} is none that"
            " apprise understands; see its documentation for the form of addresses"
        )
    return service


def _send(service: NotifyBase, delivery: _Delivery) -> None:
    """Send a message and leave in the delivery what became of it.

    The channel is called without apprise's pool of threads, in which one that hangs would keep the
    process from ending.
    """
    from apprise import NotifyFormat

    with _Complaints() as complaints:
        try:
            is_sent = service.notify(
                body=delivery.body, title=delivery.title, body_format=NotifyFormat.TEXT
            )
            delivery.error = None if is_sent else complaints.in_words()
        except Exception as error:
            # its text may hold the address
            delivery.error = f"sending it ended with {type(error).__name__}"
    delivery.ended.set()


class _Complaints(logging.Handler):
    """What apprise complains of in this thread, reduced to words that hold no address."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._said: list[str] = []

    def __enter__(self) -> _Complaints:
        """Listen from now on."""
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        logging.getLogger("apprise").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a complaint of this thread."""
        if record.thread == self._thread:
            self._said.append(record.getMessage())

    def in_words(self) -> str:
        """Return why a message was not sent, as far as may be told."""
        text = " ".join(self._said)
        status = _STATUS.search(text)
        if status is not None:
            return f"the channel's server refused it with status {status[1]}"
        if "onnection" in text or "ocket" in text:
            return "the channel's server could not be reached"
        return "the channel did not take it"
