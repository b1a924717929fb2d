"""Attended sessions: pause, resume, finish, abort, prompts in the catalogue, going on later."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from capture.actuators import VirtualActuator
from capture.attendance import Prompt, answer_prompt, ask_session, open_prompts
from capture.errors import (
    PromptAnsweredError,
    SessionNotResumableError,
    SessionNotRunningError,
    UnknownSessionError,
)
from capture.execution import MOST_LANDING
from capture.leasing import lease_equipment
from capture.outcome import SessionOutcome
from capture.sessions import resume_session
from datastore.equipment import read_description, revise_fixture
from datastore.errors import LeaseHeldError
from datastore.tables import Session, SessionEvent
from tests.capture.conftest import GENERIC, NIKON, Laboratory, patient_camera, recipe

EIGHT = '  - {kind: dark-field, exposures: ["1/30", "1/2"], isos: [100, 800], count: 2}\n'
ONE = '  - {kind: dark-field, exposure: "1/30", iso: 100}\n'
SCENE = "brick-ball-daylight"


def events(laboratory: Laboratory) -> list[tuple[str, dict[str, Any]]]:
    with laboratory.catalogue.reading() as transaction:
        rows = transaction.scalars(select(SessionEvent).order_by(SessionEvent.id))
        return [(row.name, row.detail or {}) for row in rows]


def names(laboratory: Laboratory) -> list[str]:
    return [name for name, _ in events(laboratory)]


class _Steered:
    """Asks the running session for something once a number of frames is done."""

    def __init__(self, laboratory: Laboratory, at: int, *requests: str) -> None:
        self._laboratory = laboratory
        self._at = at
        self._requests = requests
        self.uuid = ""

    def begun(self, uuid: str) -> None:
        self.uuid = uuid

    def __call__(self, done: int, _total: int) -> None:
        if done == self._at:
            for request in self._requests:
                ask_session(
                    self._laboratory.catalogue,
                    self.uuid,
                    request,  # type: ignore[arg-type]
                    operator="ada",
                    at=self._laboratory.clock.now(),
                )


def run_steered(laboratory: Laboratory, *requests: str, **options: Any) -> SessionOutcome:
    steered = _Steered(laboratory, 2, *requests)
    return laboratory.run(recipe(EIGHT, **options), NIKON, progress=steered, begun=steered.begun)


def go_on(laboratory: Laboratory, uuid: str, **options: Any) -> SessionOutcome:
    return resume_session(
        laboratory.catalogue,
        uuid,
        actuator=lambda _fixture: VirtualActuator(laboratory.virtual.control_url),
        clock=laboratory.clock,
        spool_folder=laboratory.spool_folder,
        camera_factory=patient_camera,
        **options,
    )


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found


def test_a_paused_session_lets_go_of_its_camera_and_goes_on(laboratory: Laboratory) -> None:
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run_steered, laboratory, "pause")
        wait_for(lambda: "paused" in names(laboratory))
        time.sleep(0.5)
        exposures = laboratory.exposures(NIKON)
        (session,) = session_uuids(laboratory)
        # nobody else may use a paused session's camera, but it is not kept warm
        camera = laboratory.camera(NIKON)
        camera.open()
        camera.close()
        assert not running.done()
        assert laboratory.exposures(NIKON) == exposures
        with pytest.raises(SessionNotRunningError, match="is paused already"):
            ask_session(
                laboratory.catalogue, session, "pause", operator="ada", at=laboratory.clock.now()
            )
        with pytest.raises(LeaseHeldError, match=rf"is leased to .*; session {session}, begun "):
            lease_equipment(laboratory.catalogue, [f"camera:{NIKON}"])
        ask_session(
            laboratory.catalogue, session[:8], "resume", operator="ada", at=laboratory.clock.now()
        )
        outcome = running.result(timeout=30)
    assert (outcome.state, outcome.frames_registered) == ("completed", 8)
    said = names(laboratory)
    assert said.index("paused") < said.index("resumed") < said.index("completed")
    assert said.count("camera-opened") == 2


def session_uuids(laboratory: Laboratory) -> list[str]:
    with laboratory.catalogue.reading() as transaction:
        return list(transaction.scalars(select(Session.uuid).order_by(Session.id)))


@pytest.mark.parametrize(
    ("request_name", "state", "exit_reason"),
    [
        ("finish", "partial", "finished-by-operator"),
        ("abort", "aborted", "aborted-by-operator"),
    ],
)
def test_an_operator_ends_a_session_after_the_shot_in_hand(
    laboratory: Laboratory, request_name: str, state: str, exit_reason: str
) -> None:
    before = laboratory.exposures(NIKON)
    outcome = run_steered(laboratory, request_name)
    assert (outcome.state, outcome.exit_reason) == (state, exit_reason)
    assert "ada" in (outcome.reason or "")
    # steps that are on their way to the catalogue when the word is given are brought home
    assert 2 <= outcome.frames_registered <= 2 + MOST_LANDING
    assert laboratory.exposures(NIKON) - before == outcome.frames_registered
    last, detail = events(laboratory)[-1]
    assert (last, detail["exit_reason"]) == (state, exit_reason)


@pytest.mark.parametrize("ending", ["finish", "abort"])
def test_a_session_that_was_ended_early_is_gone_on_with(
    laboratory: Laboratory, ending: str
) -> None:
    first = run_steered(laboratory, ending, warm_up=1)
    assert first.frames_registered < 9
    second = go_on(laboratory, first.session_uuid[:8], operator="grace")
    assert (second.state, second.session_uuid) == ("completed", first.session_uuid)
    shots = laboratory.shots()
    # every shot of the plan once, the warm-up once more
    assert sorted(shot["sequence"] for shot in shots) == [1, *range(1, 10)]
    assert [shot["warm_up"] for shot in shots].count(True) == 2
    assert {shot["verdict"] for shot in shots} == {"accepted"}
    assert names(laboratory)[-1] == "completed"
    with pytest.raises(SessionNotResumableError, match="completed: nothing is missing"):
        go_on(laboratory, first.session_uuid)


def test_a_shot_that_failed_is_tried_again_with_the_next_attempt(laboratory: Laboratory) -> None:
    laboratory.virtual.set_faults(NIKON, "missing-raw", "missing-raw")
    first = laboratory.run(recipe(ONE), NIKON)
    # nothing was brought home
    assert (first.state, first.exit_reason) == ("failed", "frames-missing")
    second = go_on(laboratory, first.session_uuid)
    assert (second.state, second.frames_planned) == ("completed", 1)
    assert [(shot["sequence"], shot["attempt"]) for shot in laboratory.shots()] == [
        (1, 1), (1, 2), (1, 3),
    ]  # fmt: skip


def test_what_cannot_be_gone_on_with_is_refused(laboratory: Laboratory) -> None:
    outcome = run_steered(laboratory, "abort")
    description = read_description(laboratory.virtual.fixture_file)
    with pytest.raises(UnknownSessionError, match="session list"):
        go_on(laboratory, "no-such-session")
    with pytest.raises(SessionNotRunningError, match="is aborted"):
        ask_session(
            laboratory.catalogue,
            outcome.session_uuid,
            "pause",
            operator=None,
            at=laboratory.clock.now(),
        )
    now = laboratory.clock.now()
    later = now + timedelta(hours=30)
    laboratory.virtual.put("/civil-time", {"civil_time": later.isoformat()})
    with pytest.raises(SessionNotResumableError, match="more than 24 hours ago"):
        go_on(laboratory, outcome.session_uuid)
    laboratory.virtual.put("/civil-time", {"civil_time": now.isoformat()})
    fewer = description.model_copy(update={"scenes": description.scenes[:3]})
    revise_fixture(laboratory.catalogue, fewer, now)
    with pytest.raises(SessionNotResumableError, match="was revised since"):
        go_on(laboratory, outcome.session_uuid)


class _Operator:
    """Somebody who answers prompts, from another thread, as a page or another terminal would."""

    def __init__(
        self, laboratory: Laboratory, answer: str = "done", *, forgets: bool = False
    ) -> None:
        self._laboratory = laboratory
        self._answer = answer
        self._forgets = forgets
        self.prompts: list[Prompt] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._attend)

    def __enter__(self) -> _Operator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _attend(self) -> None:
        virtual = self._laboratory.virtual
        while not self._end.wait(0.02):
            with self._laboratory.catalogue.reading() as transaction:
                waiting = open_prompts(transaction)
            for prompt in waiting:
                self.prompts.append(prompt)
                if self._forgets and len(self.prompts) == 1:
                    # says done, and did nothing
                    pass
                elif prompt.kind == "cap":
                    virtual.put("/cap", {"cap_on": "caps on" in prompt.text})
                else:
                    virtual.put("/scene", {"scene": SCENE})
                answer_prompt(
                    self._laboratory.catalogue,
                    prompt.uuid,
                    self._answer,  # type: ignore[arg-type]
                    operator="ada",
                    at=self._laboratory.clock.now(),
                )


WITH_SCENE = ONE + (
    f'  - {{kind: fixed-background, scene: {SCENE}, exposure: "1/30", iso: 100, f_number: 8}}\n'
)


def test_an_operator_anywhere_answers_the_prompts(laboratory: Laboratory) -> None:
    with _Operator(laboratory) as operator:
        outcome = laboratory.run(recipe(WITH_SCENE), NIKON, GENERIC, actuator=None)
    assert (outcome.state, outcome.frames_registered) == ("completed", 4)
    assert outcome.frames_quarantined == 0
    assert [prompt.kind for prompt in operator.prompts] == ["cap", "cap", "scene"]
    assert SCENE in operator.prompts[-1].text
    with pytest.raises(PromptAnsweredError, match="has the answer done"):
        answer_prompt(
            laboratory.catalogue,
            operator.prompts[0].uuid,
            "refused",
            operator=None,
            at=laboratory.clock.now(),
        )


def test_a_prompt_says_why_the_last_frame_was_of_no_use(laboratory: Laboratory) -> None:
    laboratory.virtual.put("/cap", {"cap_on": False})
    with _Operator(laboratory, forgets=True) as operator:
        outcome = laboratory.run(recipe(ONE), NIKON, actuator=None)
    assert (outcome.state, outcome.frames_accepted) == ("completed", 1)
    first, second = operator.prompts
    assert first.text == "Put the body caps on all cameras"
    quarantined, accepted = laboratory.shots()
    assert (quarantined["verdict"], accepted["verdict"]) == ("quarantined", "accepted")
    why = f"the last frame of camera {NIKON} was of no use: "
    assert second.text.startswith(f"{first.text} ({why}")


def test_a_prompt_that_is_refused_ends_the_session(laboratory: Laboratory) -> None:
    with _Operator(laboratory, "refused"):
        outcome = laboratory.run(recipe(ONE), NIKON, actuator=None)
    assert (outcome.state, outcome.exit_reason) == ("failed", "prompt-unanswered")
    assert "refused" in (outcome.reason or "")
    assert laboratory.shots() == []


def test_a_prompt_that_nobody_answers_ends_the_session(laboratory: Laboratory) -> None:
    outcome = laboratory.run(recipe(ONE), NIKON, actuator=None, operator_patience_s=0.3)
    assert (outcome.state, outcome.exit_reason) == ("failed", "prompt-unanswered")
    assert "agetrace session answer" in (outcome.reason or "")
    with laboratory.catalogue.reading() as transaction:
        # a session that has ended waits for nobody
        assert open_prompts(transaction) == []


def test_an_abort_does_not_wait_for_the_operator(laboratory: Laboratory) -> None:
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(laboratory.run, recipe(ONE), NIKON, actuator=None)
        wait_for(lambda: session_uuids(laboratory))
        ask_session(
            laboratory.catalogue,
            session_uuids(laboratory)[0],
            "abort",
            operator="ada",
            at=laboratory.clock.now(),
        )
        outcome = running.result(timeout=20)
    assert (outcome.state, outcome.exit_reason) == ("aborted", "aborted-by-operator")


def test_shots_say_how_long_the_camera_was_open_and_rested(laboratory: Laboratory) -> None:
    from datastore.tables import Shot

    laboratory.run(recipe(EIGHT), NIKON)
    with laboratory.catalogue.reading() as transaction:
        shots = transaction.scalars(select(Shot).order_by(Shot.id)).all()
    assert shots[0].since_last_shot_s is None
    opened = [shot.since_opened_s for shot in shots]
    assert opened == sorted(opened, key=lambda value: value or 0.0)
    for earlier, later in itertools.pairwise(shots):
        assert later.triggered_at and earlier.triggered_at
        passed = (later.triggered_at - earlier.triggered_at).total_seconds()
        assert later.since_last_shot_s == pytest.approx(passed, abs=0.01)
