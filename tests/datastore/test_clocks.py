"""The three clocks: civil, monotonic, database."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
import time_machine

from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock, Deadline, FixedClock, HostClock, database_now
from tests.support.catalogue_rows import NOW


def test_the_host_clock_is_aware_and_says_what_it_is() -> None:
    clock: CivilClock = HostClock()
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)
    assert clock.now().tzinfo is UTC
    assert clock.source == "host"


def test_a_fixed_clock_stands_until_it_is_moved() -> None:
    clock = FixedClock(NOW.astimezone(timezone(timedelta(hours=-8))))
    assert clock.source == "simulated"
    assert clock.now() == NOW and clock.now().tzinfo is UTC
    clock.advance(timedelta(days=365))
    assert clock.now() == NOW + timedelta(days=365)
    clock.set(NOW)
    assert clock.now() == NOW


def test_a_fixed_clock_refuses_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="needs a zone"):
        FixedClock(NOW.replace(tzinfo=None))


def test_a_deadline_counts_down_to_nothing() -> None:
    deadline = Deadline.after(0.05)
    assert 0 < deadline.remaining() <= 0.05
    assert not deadline.expired
    time.sleep(0.06)
    assert deadline.remaining() == 0
    assert deadline.expired


def test_the_database_keeps_its_own_time(catalogue: Catalogue) -> None:
    before = datetime.now(UTC)
    with time_machine.travel(datetime(1999, 1, 1, tzinfo=UTC)), catalogue.reading() as session:
        first = database_now(session)
        second = database_now(session)
    after = datetime.now(UTC)
    millisecond = timedelta(milliseconds=1)
    assert before - millisecond <= first <= second <= after + millisecond
    assert first.tzinfo is UTC


def test_the_database_clock_goes_on_within_a_transaction(catalogue: Catalogue) -> None:
    with catalogue.writing() as session:
        first = database_now(session)
        time.sleep(0.02)
        assert database_now(session) - first >= timedelta(milliseconds=15)
