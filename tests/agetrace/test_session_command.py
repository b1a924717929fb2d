"""`agetrace session`: an operator runs, pauses, ends, attends and reads sessions at a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import CommandLine, write_yaml
from tests.support.virtual import RunningFixture, running_fixture, small_description

CAMERA = {"width": 192, "height": 128}
PATIENCE_S = 30


@dataclass(frozen=True)
class Bench:
    """A home on a virtual fixture whose scenes an operator changes."""

    command_line: CommandLine
    virtual: RunningFixture

    def prompts(self) -> list[dict[str, Any]]:
        return self.command_line.run("session", "prompts", "--json").lines

    def recipe(self, shots: list[dict[str, Any]]) -> Path:
        return write_yaml(
            self.command_line.home / "recipe.yaml", {"name": "attended", "shots": shots}
        )


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    description = small_description(CAMERA, exposure_time_scale=0.002, scenes=["flat-panel"])
    with running_fixture(tmp_path_factory.mktemp("virtual"), description) as running:
        yield running


@pytest.fixture
def bench(virtual: RunningFixture, tmp_path: Path) -> Bench:
    command_line = CommandLine(tmp_path / "lab")
    command_line.run("init", command_line.home)
    (command_line.home / "agetrace.toml").write_text(
        f'[clock]\nsource = "simulated"\nurl = "{virtual.control_url}"\n'
        '[operator]\npatience_s = 60\n[actuators.virtual]\nkind = "prompt"\n'
    )
    command_line.run("fixture", "add", virtual.fixture_file)
    return Bench(command_line, virtual)


DARK = {"kind": "dark-field", "exposure": "1/30", "iso": 100}
FLAT = {"kind": "flat-field", "exposure": "1/4", "iso": 100, "f_number": 8}


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
    return found


def run_at_terminal(bench: Bench, recipe: Path, answers: list[tuple[str, str]]) -> tuple[int, str]:
    """Run a session at a real terminal; type an answer whenever a text appears."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        bench.command_line.command("session", "run", recipe),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**bench.command_line.environment, "TERM": "dumb", "COLUMNS": "200"},
        start_new_session=True,
    ) as process:
        os.close(theirs)
        said = ""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    said += os.read(ours, 4096).decode(errors="replace")
                except OSError:
                    break
            if answers and answers[0][0] in said:
                _, typed = answers.pop(0)
                if typed != "n\n":
                    bench.virtual.put("/cap", {"cap_on": "caps on" in said.splitlines()[-1]})
                os.write(ours, typed.encode())
            if process.poll() is not None and not select.select([ours], [], [], 0)[0]:
                break
        os.close(ours)
        return process.wait(timeout=PATIENCE_S), said


def test_an_operator_at_the_terminal_is_asked_and_answers(bench: Bench) -> None:
    recipe = bench.recipe([DARK])
    code, said = run_at_terminal(bench, recipe, [("Put the body caps on", "\n")])
    assert code == 0, said
    assert "1 of 1 frames registered" in said
    (shot,) = bench.command_line.shots()
    assert shot["verdict"] == "accepted"


def test_an_operator_at_the_terminal_may_refuse(bench: Bench) -> None:
    code, said = run_at_terminal(bench, bench.recipe([DARK]), [("Put the body caps on", "n\n")])
    assert code == 1
    assert "refused" in said
    assert bench.command_line.shots() == []


def test_a_session_without_a_terminal_is_answered_from_another(bench: Bench) -> None:
    recipe = bench.recipe([DARK, FLAT])
    with bench.command_line.start("session", "run", recipe, "--json") as process:
        for expected, cap_on in (("caps on", True), ("caps off", False), ("flat-panel", False)):
            (prompt,) = wait_for(bench.prompts)
            assert expected in prompt["text"]
            bench.virtual.put("/cap", {"cap_on": cap_on})
            answered = bench.command_line.run("session", "answer", prompt["id"][:8], "--json")
            assert answered.document["answer"] == "done"
        out, err = process.communicate(timeout=PATIENCE_S)
    outcome = json.loads(out)
    assert (process.returncode, outcome["state"]) == (0, "completed"), err
    log = bench.command_line.run("session", "log", outcome["session_id"][:8], "--json").lines
    names = [entry["name"] for entry in log]
    assert names.count("prompt") == names.count("answer") == 3
    assert names.count("accepted") == 2
    assert (names[0], names[-1]) == ("started", "completed")
    table = bench.command_line.run("session", "log", outcome["session_id"]).out.splitlines()
    assert len(table) >= len(log)
    assert max(map(len, table)) <= 120
    again = bench.command_line.run("session", "answer", prompt["id"], code=2)
    assert "has the answer done" in again.message


def test_a_session_is_paused_woken_ended_and_gone_on_with(bench: Bench) -> None:
    settings = bench.command_line.home / "agetrace.toml"
    settings.write_text(
        settings.read_text().replace(
            'kind = "prompt"', f'kind = "virtual"\nurl = "{bench.virtual.control_url}"'
        )
    )
    recipe = bench.recipe([{**DARK, "exposure": 15, "count": 150}])

    def sessions() -> list[dict[str, Any]]:
        return bench.command_line.run("session", "list", "--json").lines

    def state() -> str:
        return str(sessions()[0]["state"])

    with bench.command_line.start("session", "run", recipe, "--json") as process:
        uuid = wait_for(sessions)[0]["id"]
        bench.command_line.run("session", "pause", uuid[:8])
        wait_for(lambda: state() == "paused")
        woken = bench.command_line.run("session", "resume", uuid[:8], "--json")
        assert woken.document == {"session_id": uuid, "request": "resume"}
        bench.command_line.run("session", "finish", uuid, "--operator", "ada")
        outcome = json.loads(process.communicate(timeout=PATIENCE_S)[0])
    assert (process.returncode, outcome["exit_reason"]) == (1, "finished-by-operator")
    assert 0 < outcome["frames_registered"] < 150
    refused = bench.command_line.run("session", "abort", uuid, code=2)
    assert "only a running session can abort" in refused.message
    rest = bench.command_line.run("session", "resume", uuid, "--json").document
    assert (rest["session_id"], rest["state"]) == (uuid, "completed")
    assert rest["frames_registered"] == 150 - outcome["frames_registered"]
    unknown = bench.command_line.run("session", "log", "no-such", code=2)
    assert "session list" in unknown.message
