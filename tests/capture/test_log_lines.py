"""A session's log lines say what its rows say, and nothing is written unless somebody asks."""

from __future__ import annotations

import io
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import select

from agetrace.logs import configure_logs
from capture.attendance import answer_prompt, open_prompts
from capture.recipes import ShotSpec
from capture.reconcile import reconcile
from capture.registration import plan_shot
from capture.session_rows import add_session_event, begin_session, load_fixture
from datastore.tables import Occurrence, Recipe, Schedule, SessionEvent
from datastore.tables import Session as SessionRow
from tests.capture.conftest import GENERIC, NIKON, Laboratory, patient_camera, recipe

DARK = '  - {kind: dark-field, exposures: ["1/30"], isos: [100]}\n'


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Return where JSON lines go until the test ends."""
    stream = io.StringIO()
    end = configure_logs("json", stream=stream)
    yield stream
    end()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines that were written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def occurrence(laboratory: Laboratory) -> Occurrence:
    """Return a claimed occurrence of a schedule `nightly`."""
    now = laboratory.clock.now()
    with laboratory.catalogue.writing() as transaction:
        row = Recipe(name="darks", content_sha256="1" * 64, body={}, created_at=now)
        transaction.add(row)
        transaction.flush()
        schedule = Schedule(
            name="nightly", fixture_id=1, recipe_id=row.id, description={}, created_at=now
        )
        transaction.add(schedule)
        transaction.flush()
        occurrence = Occurrence(
            schedule_id=schedule.id,
            due_at=now,
            starts_at=now,
            window_ends_at=now + timedelta(hours=1),
            state="claimed",
        )
        transaction.add(occurrence)
    return occurrence


def test_every_shot_and_event_of_a_session_is_told(
    laboratory: Laboratory, stream: io.StringIO, occurrence: Occurrence
) -> None:
    laboratory.empty_card(GENERIC)
    laboratory.unsettle(NIKON)
    laboratory.virtual.set_faults(NIKON, "settings-ignored")
    laboratory.virtual.set_faults(GENERIC, "zero-filled-raw")
    outcome = laboratory.run(recipe(DARK), occurrence_id=occurrence.id)
    assert outcome.state == "completed"
    found = [line for line in lines(stream) if line["logger"] == "capture.log_lines"]
    assert {line["session"] for line in found} == {outcome.session_uuid}
    first = found[0]
    assert (first["event"], first["schedule"]) == ("session-started", "nightly")
    assert first["occurrence"] == occurrence.uuid
    told = [
        (line["camera"], line["shot"], line["event"])
        for line in found
        if line["event"].startswith("shot-")
    ]
    ends = {"accepted": "shot-registered", "quarantined": "shot-quarantined", None: "shot-failed"}
    expected = []
    for shot in laboratory.shots():
        # a camera that does not take its settings is not released
        released = ["shot-triggered"] if shot["verdict"] else []
        for event in ("shot-planned", *released, ends[shot["verdict"]]):
            expected.append((shot["serial"], shot["uuid"], event))
    assert sorted(told) == sorted(expected)
    assert len(laboratory.shots()) == 4
    [failed] = [line for line in found if line["event"] == "shot-failed"]
    assert (failed["camera"], failed["level"]) == (NIKON, "warning")
    assert "was set to" in failed["reason"]
    [doubted] = [line for line in found if line["event"] == "shot-quarantined"]
    assert doubted["camera"] == GENERIC
    assert "zero-tail" in doubted["damage"]
    registered = [line for line in found if line["event"] == "shot-registered"]
    assert all(isinstance(line["measured"]["dark-level"], float) for line in registered)
    with laboratory.catalogue.reading() as transaction:
        rows = Counter(transaction.scalars(select(SessionEvent.name)))
    names = Counter(
        line["event"].removeprefix("session-")
        for line in found
        if not line["event"].startswith("shot-")
    )
    assert names == rows


def test_a_prompt_and_its_answer_are_told(laboratory: Laboratory, stream: io.StringIO) -> None:
    def answer() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with laboratory.catalogue.reading() as transaction:
                waiting = open_prompts(transaction)
            if waiting:
                answer_prompt(
                    laboratory.catalogue, waiting[0].uuid, "refused", operator=None, at=now
                )
                return
            time.sleep(0.05)

    now = laboratory.clock.now()
    answering = threading.Thread(target=answer)
    answering.start()
    outcome = laboratory.run(recipe(DARK), NIKON, actuator=None)
    answering.join()
    assert outcome.exit_reason == "prompt-unanswered"
    asked, refused = [line for line in lines(stream) if line["event"].startswith("prompt-")]
    assert (asked["event"], refused["event"]) == ("prompt-asked", "prompt-refused")
    assert asked["prompt"] == refused["prompt"]
    assert asked["session"] == outcome.session_uuid
    assert "cap" in asked["text"]


def test_what_was_rolled_back_is_not_told(laboratory: Laboratory, stream: io.StringIO) -> None:
    now = laboratory.clock.now()
    with laboratory.catalogue.writing() as transaction:
        session = SessionRow(kind="capture", clock_source="simulated", started_at=now)
        transaction.add(session)
    with laboratory.catalogue.writing() as transaction:
        add_session_event(transaction, session.id, "camera-lost", now, {"camera": NIKON})
        transaction.rollback()
    assert lines(stream) == []
    with laboratory.catalogue.writing() as transaction:
        add_session_event(transaction, session.id, "camera-lost", now, {"camera": NIKON})
    [line] = lines(stream)
    assert (line["event"], line["level"], line["camera"]) == ("camera-lost", "warning", NIKON)


def test_a_session_writes_nothing_unless_somebody_asks(
    laboratory: Laboratory, capfd: pytest.CaptureFixture[str]
) -> None:
    laboratory.unsettle(NIKON)
    laboratory.virtual.set_faults(NIKON, "settings-ignored")
    assert laboratory.run(recipe(DARK), NIKON).state == "completed"
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_shot_that_was_left_open_is_told_when_it_is_settled(
    laboratory: Laboratory, stream: io.StringIO
) -> None:
    now = laboratory.clock.now()
    with laboratory.catalogue.writing() as transaction:
        fixture = load_fixture(transaction, "virtual", [NIKON])
        session = begin_session(
            transaction,
            fixture,
            recipe(DARK),
            operator=None,
            note=None,
            clock_source="simulated",
            at=now,
        )
        spec = ShotSpec(1, "dark-field", None, Fraction(1, 30), 100, None, "raw")
        camera_id = fixture.cameras[0].camera_id
        shot = plan_shot(transaction, session.session_id, camera_id, None, spec, 1, now)
    reconcile(
        laboratory.catalogue,
        "virtual",
        clock=laboratory.clock,
        spool_folder=laboratory.spool_folder,
        camera_factory=patient_camera,
        camera_patience_s=1.0,
    )
    [line] = [line for line in lines(stream) if line["event"] == "shot-failed"]
    assert (line["session"], line["camera"], line["shot"]) == (session.uuid, NIKON, shot.uuid)
    assert "was interrupted" in line["reason"]
    assert line["is_reconciled"] is True
