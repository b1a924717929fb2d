"""Sessions on a shared PostgreSQL catalogue: the same promises as on SQLite."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from capture.actuators import VirtualActuator
from capture.attendance import Prompt, answer_prompt, open_prompts
from capture.clock_source import VirtualFixtureClock
from capture.sessions import resume_session
from datastore.catalogue import open_catalogue
from datastore.equipment import add_fixture, read_description
from datastore.errors import LeaseHeldError
from migrations import runner
from tests.capture.conftest import GENERIC, NIKON, Laboratory, patient_camera, recipe
from tests.support.catalogues import new_database, postgresql_server
from tests.support.virtual import RunningFixture

pytestmark = pytest.mark.postgresql

DARKS = '  - {kind: dark-field, exposures: ["1/30", "1/2"], isos: [100, 800]}\n'


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """URL of a catalogue on a server of its own."""
    with postgresql_server() as server:
        url = new_database(server)
        runner.create(url)
        yield url


@pytest.fixture(scope="module")
def laboratory(
    database: str, virtual_fixture: RunningFixture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Laboratory]:
    """Return a laboratory whose catalogue is the server's."""
    folder = tmp_path_factory.mktemp("laboratory")
    with open_catalogue(database, folder / "store") as catalogue:
        clock = VirtualFixtureClock(virtual_fixture.control_url)
        add_fixture(catalogue, read_description(virtual_fixture.fixture_file), clock.now())
        yield Laboratory(virtual_fixture, catalogue, clock, folder / "spool")


def test_two_cameras_bring_every_frame_and_an_interrupted_session_goes_on(
    laboratory: Laboratory,
) -> None:
    stop = threading.Event()
    ended = laboratory.run(recipe(DARKS), stop=stop, progress=lambda _d, _t: stop.set())
    assert ended.exit_reason == "interrupted"
    whole = resume_session(
        laboratory.catalogue,
        ended.session_uuid,
        actuator=lambda _name: _actuator(laboratory),
        clock=laboratory.clock,
        spool_folder=laboratory.spool_folder,
        camera_factory=patient_camera,
    )
    assert whole.state == "completed"
    assert ended.frames_registered + whole.frames_registered == 8
    shots = laboratory.shots()
    assert {(s["serial"], s["sequence"]) for s in shots} == {
        (serial, sequence) for serial in (NIKON, GENERIC) for sequence in range(1, 5)
    }
    assert {shot["verdict"] for shot in shots} == {"accepted"}


def _actuator(laboratory: Laboratory) -> VirtualActuator:
    return VirtualActuator(laboratory.virtual.control_url)


def test_only_one_session_has_the_fixture_while_it_waits_for_its_operator(
    laboratory: Laboratory, database: str, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(laboratory.run, recipe(DARKS), NIKON, actuator=None)
        prompts: list[Prompt] = []
        while not prompts and not running.done():
            with laboratory.catalogue.reading() as transaction:
                prompts = open_prompts(transaction)
        # another host: a connection of its own
        with open_catalogue(database, tmp_path / "store") as elsewhere:
            other = Laboratory(laboratory.virtual, elsewhere, laboratory.clock, tmp_path / "spool")
            with pytest.raises(LeaseHeldError, match="is leased to process"):
                other.run(recipe(DARKS), NIKON)
            laboratory.virtual.put("/cap", {"cap_on": True})
            at = laboratory.clock.now()
            answer_prompt(elsewhere, prompts[0].uuid, "done", operator="ada", at=at)
        outcome = running.result(timeout=60)
    assert (outcome.state, outcome.frames_registered) == ("completed", 4)
