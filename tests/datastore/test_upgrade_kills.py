"""Upgrades that are killed: the catalogue is the old one or the new one, its backup is whole."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from datastore.revision import EXPECTED_REVISION
from migrations import runner
from tests.support.catalogues import sqlite_url
from tests.support.stored_catalogues import Rows, columns_of, load, read_columns

KILLED = """\
import os, sys
import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import Engine
import datastore.backup as backup
from migrations import runner

number, calls = int(sys.argv[2]), 0

def step(*_, **__):
    global calls
    calls += 1
    if calls == number:
        os.kill(os.getpid(), 9)

def dying(original):
    def call(*arguments, **keywords):
        step()
        found = original(*arguments, **keywords)
        step()
        return found
    return call

backup.sync_folder = dying(backup.sync_folder)
runner.copy_whole = dying(runner.copy_whole)
event.listen(Engine, "before_cursor_execute", step)
event.listen(Engine, "commit", step)
runner.upgrade(sys.argv[1])
print(calls)
"""


def upgrade(url: str, number: int) -> subprocess.CompletedProcess[str]:
    """Upgrade in a process that is killed at its `number`th step; 0 never is."""
    command = [sys.executable, "-c", KILLED, url, str(number)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def assert_whole(folder: Path, revision: str, columns: dict[str, list[str]], rows: Rows) -> str:
    """Require a catalogue and all its backups to be whole; returns the catalogue's revision."""
    files = [folder / "catalogue.sqlite", *folder.glob("*.revision-*")]
    for file in files:
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
            assert connection.execute("pragma foreign_key_check").fetchall() == []
        assert read_columns(f"sqlite:///{file}", columns) == rows
    assert {runner.current(f"sqlite:///{file}") for file in files[1:]} <= {revision}
    found = runner.current(sqlite_url(folder))
    assert found in (revision, EXPECTED_REVISION)
    assert found == revision or len(files) > 1, "upgraded without a backup"
    return found


def begin(folder: Path, revision: str) -> tuple[dict[str, list[str]], Rows]:
    folder.mkdir(exist_ok=True)
    url = sqlite_url(folder)
    load(url, revision)
    columns = columns_of(url)
    return columns, read_columns(url, columns)


@pytest.mark.parametrize("number", [1, 4, 9, 60, 120])
def test_a_killed_upgrade_can_be_made_again(tmp_path: Path, number: int) -> None:
    columns, rows = begin(tmp_path, "0001")
    killed = upgrade(sqlite_url(tmp_path), number)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert_whole(tmp_path, "0001", columns, rows)
    runner.upgrade(sqlite_url(tmp_path))
    assert assert_whole(tmp_path, "0001", columns, rows) == EXPECTED_REVISION


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("revision", ["0001", "0005"])
def test_upgrades_killed_at_every_step_leave_a_whole_catalogue(
    tmp_path: Path, revision: str, record_property: Callable[[str, object], None]
) -> None:
    """An upgrade killed at any of its steps leaves the old or the new catalogue, and its backup."""
    begin(tmp_path / "all", revision)
    steps = int(upgrade(sqlite_url(tmp_path / "all"), 0).stdout)
    ends = {revision: 0, EXPECTED_REVISION: 0}
    killed_at = sorted({*range(1, steps + 1, 9), *range(1, 15), *range(steps - 8, steps + 1)})
    for number in killed_at:
        folder = tmp_path / str(number)
        columns, rows = begin(folder, revision)
        assert upgrade(sqlite_url(folder), number).returncode == -signal.SIGKILL
        ends[assert_whole(folder, revision, columns, rows)] += 1
        runner.upgrade(sqlite_url(folder))
        assert assert_whole(folder, revision, columns, rows) == EXPECTED_REVISION
    record_property("steps", steps)
    record_property("kills", len(killed_at))
    record_property("old_revision_after", ends[revision])
    record_property("new_revision_after", ends[EXPECTED_REVISION])
