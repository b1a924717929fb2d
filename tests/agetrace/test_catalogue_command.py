"""`agetrace catalogue`, as users keep their record sound with it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from datastore.revision import EXPECTED_REVISION
from tests.support.command_line import CommandLine, write_yaml

SCHEME = {
    "name": "years",
    "division": "every-days",
    "days": 365,
    "start": "2020-01-01T00:00:00+00:00",
    "end": "2024-01-01T00:00:00+00:00",
}


@pytest.fixture
def home(tmp_path: Path) -> CommandLine:
    home = CommandLine(tmp_path / "lab")
    home.run("init", home.home)
    return home


def test_a_catalogue_is_backed_up_restored_and_found_whole(
    home: CommandLine, tmp_path: Path
) -> None:
    made = home.run("catalogue", "backup", "--json").document
    home.run("timeslot", "scheme", "add", write_yaml(tmp_path / "scheme.yaml", SCHEME))
    home.run("catalogue", "backup")
    whole = home.run("catalogue", "check")
    assert "the catalogue is whole; its audit contains the 2 heads" in whole.message

    done = home.run("catalogue", "restore", made["path"])
    assert "restored" in done.message
    assert "0 sessions and 1 audit entries are only in that one" in done.message
    assert "agetrace store reconcile" in done.message
    assert home.run("timeslot", "scheme", "list", "--json").lines == []
    assert home.run("catalogue", "check", "--json").document == {"problems": [], "heads": 2}
    (aside,) = home.home.glob("catalogue.sqlite.before-restore-*")
    again = home.run("catalogue", "restore", aside, "--json").document
    assert again["hash_known"] is False
    assert len(home.run("timeslot", "scheme", "list", "--json").lines) == 1


def test_a_head_that_is_not_in_the_audit_is_a_problem(home: CommandLine) -> None:
    answer = home.run("catalogue", "check", "--head", "ab" * 32, code=1)
    assert f"no longer contains the head {'ab' * 32}" in answer.message
    with closing(sqlite3.connect(home.home / "catalogue.sqlite")) as connection:
        connection.execute("drop trigger append_only_shot_update")
    found = home.run("catalogue", "check", "--json", code=1).document["problems"]
    assert len(found) == 1 and "append_only_shot_update" in found[0]


def test_a_home_that_lost_its_catalogue_gets_one(home: CommandLine) -> None:
    refused = home.run("catalogue", "init", code=2)
    assert "nothing was changed" in refused.message
    for file in home.home.glob("catalogue.sqlite*"):
        file.unlink()
    answer = home.run("catalogue", "init", "--json")
    assert answer.document == {"revision": EXPECTED_REVISION}


def test_vacuum_and_snapshot_say_what_they_made(home: CommandLine, tmp_path: Path) -> None:
    sizes = home.run("catalogue", "vacuum", "--json").document
    assert set(sizes) == {"bytes_before", "bytes_after"} and min(sizes.values()) > 0
    file = tmp_path / "lab.sqlite"
    made = home.run("catalogue", "snapshot", file, "--json").document
    assert (made["path"], made["bytes"]) == (str(file), file.stat().st_size)
    assert Path(made["metadata"]).is_file()
    assert "already" in home.run("catalogue", "snapshot", file, code=2).message
    assert "datasette" in home.run("catalogue", "snapshot", file, "--replace").message
