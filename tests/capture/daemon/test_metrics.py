"""A scrape shows what the catalogue's rows say, counted independently, and asks no database."""

from __future__ import annotations

import os
import socket
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, Engine, event, func, select

from capture.daemon import totals
from capture.daemon.metrics import Metrics
from capture.daemon.service import Counts
from capture.errors import MetricsError
from datastore.catalogue import Catalogue
from datastore.tables import Camera, Notification, Occurrence
from datastore.verdicts import add_verdict
from tests.support.watched_rows import (
    DAY,
    HOUR,
    NOW,
    add_fixture,
    add_job,
    add_occurrence,
    add_schedule,
    add_session,
    add_shot,
)

COUNTS = Counts(passes=40, failed_passes=3, sessions=7, clock_jumps=2)
STATES = ("pending", "claimed", "completed", "partial", "failed", "missed", "cancelled")
Labels = tuple[tuple[str, str], ...]


@contextmanager
def served(catalogue: Catalogue, folder: Path) -> Iterator[tuple[Metrics, str]]:
    """Show the metrics of a catalogue at a URL."""
    metrics = Metrics(catalogue, folder, lambda: COUNTS, look_every_s=0)
    url = f"http://127.0.0.1:{metrics.serve(0)}/metrics"
    try:
        yield metrics, url
    finally:
        metrics.close()


def scrape(url: str) -> dict[str, dict[Labels, float]]:
    """Return every sample by name and labels, as Prometheus would read them."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    samples: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            samples.setdefault(sample.name, {})[labels] = sample.value
    return samples


def labelled(**labels: str) -> Labels:
    """Return labels in the order of `scrape`."""
    return tuple(sorted(labels.items()))


def test_a_scrape_shows_what_the_rows_say(catalogue: Catalogue, tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    occurrences: Counter[tuple[str, str]] = Counter()
    retries: Counter[str] = Counter()
    quarantined: Counter[str] = Counter()
    mismatches: Counter[str] = Counter()
    with catalogue.writing() as transaction:
        fixture = add_fixture(transaction, "north", "A1", "A2", "A3")
        cameras = transaction.scalars(select(Camera).where(Camera.serial != "A3")).all()
        for name in ("nightly", "hourly"):
            schedule = add_schedule(transaction, name, fixture)
            for number in range(30):
                state = str(generator.choice(STATES[2:]))
                occurrences[name, state] += 1
                add_occurrence(transaction, schedule, NOW - (9 + number) * HOUR, state)
        # two are due and not begun; one is over, one not due yet, one begun
        for minutes in (-30, 0, -90, 30):
            occurrences["hourly", "pending"] += 1
            add_occurrence(transaction, schedule, NOW + timedelta(minutes=minutes))
        occurrences["hourly", "claimed"] += 1
        add_occurrence(transaction, schedule, NOW - timedelta(minutes=20), "claimed")
        session = add_session(transaction, NOW - 5 * HOUR, "A1", "A2")
        add_session(transaction, NOW - 2 * HOUR, "A1")
        add_session(transaction, NOW - HOUR, "A1", "A2", state="partial")
        for sequence in range(60):
            camera = cameras[sequence % 2]
            attempt = int(generator.integers(1, 4))
            verdict = str(generator.choice(["accepted", "quarantined"]))
            numbers = {"settings": {"value": 1.0}} if generator.random() < 0.5 else {"dark": {}}
            retries[camera.serial] += attempt > 1
            quarantined[camera.serial] += verdict == "quarantined"
            mismatches[camera.serial] += verdict == "quarantined" and "settings" in numbers
            add_shot(
                transaction,
                session,
                camera,
                sequence,
                attempt=attempt,
                verdict=verdict,
                numbers=numbers if verdict == "quarantined" else None,
            )
        doubtful = add_shot(transaction, session, cameras[0], 60)
        for state in ("running", "failed", "failed", "completed"):
            add_job(transaction, "verify", state, NOW)
        for number, state in enumerate(["pending", "failed", "failed", "sent"]):
            transaction.add(
                Notification(
                    channel="lab",
                    subject=str(number),
                    title="",
                    body="",
                    state=state,
                    created_at=NOW,
                    next_attempt_at=NOW,
                )
            )
    # a shot that is quarantined by hand, twice, and accepted again counts once
    quarantined[cameras[0].serial] += 1
    for verdict in ("quarantined", "quarantined", "accepted"):
        add_verdict(catalogue, doubtful.uuid, verdict, "by hand", None, "operator", NOW)
    with served(catalogue, tmp_path) as (metrics, url):
        metrics.tick(NOW)
        found = scrape(url)
    assert found["agetrace_occurrences"] == {
        labelled(schedule=name, state=state): occurrences[name, state]
        for name in ("nightly", "hourly")
        for state in STATES
    }
    for name, counts in (
        ("retries", retries),
        ("quarantined", quarantined),
        ("setting_mismatches", mismatches),
    ):
        assert found[f"agetrace_{name}_total"] == {
            labelled(camera=serial): counts[serial] for serial in ("A1", "A2", "A3")
        }
    assert found["agetrace_queue"] == {(): 2}
    assert found["agetrace_last_good_session_age_seconds"] == {
        labelled(camera="A1"): 2 * 3600 - 600,
        labelled(camera="A2"): 5 * 3600 - 600,
    }
    assert set(found["agetrace_camera_mounted"]) == {
        labelled(camera=serial, fixture="north") for serial in ("A1", "A2", "A3")
    }
    assert found["agetrace_messages"] == {labelled(state="pending"): 1, labelled(state="failed"): 2}
    assert found["agetrace_jobs"] == {
        labelled(state="pending"): 0,
        labelled(state="running"): 1,
        labelled(state="completed"): 1,
        labelled(state="failed"): 2,
        labelled(state="cancelled"): 0,
    }
    assert found["agetrace_daemon_passes_total"] == {(): 40}
    assert found["agetrace_daemon_failed_passes_total"] == {(): 3}
    assert found["agetrace_daemon_sessions_total"] == {(): 7}
    assert found["agetrace_clock_jumps_total"] == {(): 2}
    assert 0 <= found["agetrace_daemon_pass_age_seconds"][()] < 10
    status = os.statvfs(tmp_path)
    free = found["agetrace_free_bytes"]
    assert free.keys() == {labelled(place="store"), labelled(place="spool")}
    for value in free.values():
        assert value == pytest.approx(status.f_bavail * status.f_frsize, rel=0.05)


def test_a_scrape_asks_no_database(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    statements: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    with sqlite_catalogue.writing() as transaction:
        add_session(transaction, NOW - HOUR, "A1")
        add_fixture(transaction, "north", "A1")
    event.listen(Engine, "before_cursor_execute", note)
    try:
        with served(sqlite_catalogue, tmp_path) as (metrics, url):
            before = scrape(url)
            assert statements == []
            metrics.tick(NOW)
            assert statements != []
            statements.clear()
            # what was read last stays when the catalogue goes away
            sqlite_catalogue.close()
            after = scrape(url)
            assert statements == []
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert "agetrace_queue" not in before
    assert after["agetrace_last_good_session_age_seconds"] == {labelled(camera="A1"): 3000}


def test_a_camera_without_a_good_session_has_no_age(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    with sqlite_catalogue.writing() as transaction:
        add_fixture(transaction, "north", "A1")
        session = add_session(transaction, NOW - HOUR, "A1", state="aborted")
    with served(sqlite_catalogue, tmp_path) as (metrics, url):
        metrics.tick(NOW)
        assert "agetrace_last_good_session_age_seconds" not in scrape(url)
        with sqlite_catalogue.writing() as transaction:
            add_session(transaction, session.started_at - DAY, "A1")
        metrics.tick(NOW)
        ages = scrape(url)["agetrace_last_good_session_age_seconds"]
        assert ages == {labelled(camera="A1"): 25 * 3600 - 600}


def test_totals_grow_with_the_rows_and_old_rows_are_read_once(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "_PORTION", 7)
    monkeypatch.setattr(totals, "_UNSETTLED", 10)
    read: list[tuple[int, int]] = []
    retries, occurrences = totals.retries(), totals.occurrences()
    count = retries._count

    def counted(transaction: object, after: int, until: int) -> Counter[totals.Key]:
        read.append((after, until))
        return count(transaction, after, until)  # type: ignore[arg-type]

    retries._count = counted
    generator = np.random.default_rng(8)
    made: Counter[totals.Key] = Counter()
    open_ids: list[int] = []
    with catalogue.writing() as transaction:
        fixture = add_fixture(transaction, "north", "A1")
        schedule = add_schedule(transaction, "nightly", fixture)
        camera = transaction.scalars(select(Camera)).one()
        session = add_session(transaction, NOW, "A1")
    due_at = NOW
    for look in range(8):
        with catalogue.writing() as transaction:
            for number in range(int(generator.integers(0, 25))):
                attempt = int(generator.integers(1, 3))
                made["A1"] += attempt > 1
                add_shot(transaction, session, camera, 100 * look + number, attempt=attempt)
                due_at += HOUR
                open_ids.append(add_occurrence(transaction, schedule, due_at).id)
            # some that were open come to an end, in any order
            for _ in range(min(len(open_ids) - 3, 20) if look % 3 else 0):
                settled = open_ids.pop(int(generator.integers(0, min(len(open_ids), 5))))
                row = transaction.get_one(Occurrence, settled)
                row.state = str(generator.choice(STATES[2:]))
        with catalogue.reading() as transaction:
            assert retries.look(transaction) == +made
            rows = transaction.execute(
                select(Occurrence.state, func.count()).group_by(Occurrence.state)
            )
            expected = {("nightly", state): number for state, number in rows}
            assert occurrences.look(transaction) == expected
    kept = [(after, until) for after, until in read if until - after <= 7 and until % 7 == 0]
    assert len(kept) == len(set(kept))
    assert max(until - after for after, until in read) <= 17


def test_a_row_that_appears_late_is_counted(
    sqlite_catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "_UNSETTLED", 0)
    total = totals.occurrences()
    with sqlite_catalogue.writing() as transaction:
        schedule = add_schedule(transaction, "nightly", add_fixture(transaction, "north"))

    def add(number: int, state: str) -> None:
        at = NOW + number * HOUR
        with sqlite_catalogue.writing() as transaction:
            transaction.add(
                Occurrence(
                    id=number,
                    schedule_id=schedule.id,
                    due_at=at,
                    starts_at=at,
                    window_ends_at=at,
                    state=state,
                )
            )

    def found() -> dict[totals.Key, int] | None:
        with sqlite_catalogue.reading() as transaction:
            return total.look(transaction)

    add(101, "completed")
    add(102, "completed")
    assert found() == {("nightly", "completed"): 2}
    # another host took its number before these, and committed after them
    add(50, "pending")
    assert found() == {("nightly", "completed"): 2, ("nightly", "pending"): 1}
    add(103, "missed")
    assert found() == {
        ("nightly", "completed"): 2,
        ("nightly", "pending"): 1,
        ("nightly", "missed"): 1,
    }


def test_old_rows_are_counted_over_several_passes_and_shown_once_they_all_are(
    sqlite_catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "_PORTION", 10)
    monkeypatch.setattr(totals, "_UNSETTLED", 5)
    monkeypatch.setattr(totals, "_BUDGET_S", -1.0)
    with sqlite_catalogue.writing() as transaction:
        add_fixture(transaction, "north", "A1")
        camera = transaction.scalars(select(Camera)).one()
        session = add_session(transaction, NOW, "A1")
        for number in range(38):
            add_shot(transaction, session, camera, number, attempt=2)
    with served(sqlite_catalogue, tmp_path) as (metrics, url):
        for _ in range(3):
            metrics.tick(NOW)
            found = scrape(url)
            assert "agetrace_retries_total" not in found
            assert found["agetrace_queue"] == {(): 0}
        metrics.tick(NOW)
        assert scrape(url)["agetrace_retries_total"] == {labelled(camera="A1"): 38}


def test_a_port_that_is_taken_is_named(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    metrics = Metrics(sqlite_catalogue, tmp_path, lambda: COUNTS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MetricsError, match=rf"127\.0\.0\.1:{port}.*daemon\.metrics_port"):
            metrics.serve(port)
    metrics.close()
    assert MetricsError.exit_code == 2


def test_the_guide_names_every_metric(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    with sqlite_catalogue.writing() as transaction:
        add_schedule(transaction, "nightly", add_fixture(transaction, "north", "A1"))
        add_session(transaction, NOW, "A1")
    with served(sqlite_catalogue, tmp_path) as (metrics, url):
        metrics.tick(NOW)
        shown = {
            (name, tuple(label for label, _ in labels))
            for name, samples in scrape(url).items()
            for labels in samples
        }
    guide = Path(__file__).parents[3] / "docs" / "how-to" / "watching.md"
    rows = [
        [cell.strip() for cell in line.split("|")]
        for line in guide.read_text().splitlines()
        if line.startswith("| `agetrace_")
    ]
    told = {
        (
            row[1].strip("`"),
            tuple(sorted(label.strip("` ") for label in row[2].split(",") if label)),
        )
        for row in rows
    }
    assert told == shown
