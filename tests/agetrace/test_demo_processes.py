"""Commands run side by side: all of them, a few at a time, and a failure says why."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agetrace.demo.processes import CommandFailedError, run_side_by_side


def test_every_command_runs_and_somebody_watches(tmp_path: Path) -> None:
    watched = []
    homes = [tmp_path / name for name in "abc"]
    run_side_by_side([["init", str(home)] for home in homes], lambda: watched.append(1), lanes=2)
    assert all((home / "agetrace.toml").exists() for home in homes)
    assert watched


def test_a_failure_ends_the_others_and_repeats_the_message(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "agetrace.toml").touch()
    with pytest.raises(CommandFailedError, match="already an agetrace home") as raised:
        run_side_by_side(
            [["init", str(tmp_path / "b")], ["init", str(tmp_path / "c")]], lambda: None, lanes=1
        )
    assert raised.value.exit_code == 1
    assert not (tmp_path / "c").exists()


def test_an_interruption_leaves_no_process_behind(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "recipe.yaml")

    def interrupt() -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([["dataset", "freeze", str(tmp_path / "recipe.yaml")]], interrupt, lanes=1)
    assert time.monotonic() - started < 30
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    commands = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
    assert not any(b"recipe.yaml" in command for command in commands)
