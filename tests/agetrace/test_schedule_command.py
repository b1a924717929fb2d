"""`agetrace schedule` and `agetrace occurrence`: people add, stop, attend, cancel and read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from capture.leasing import this_process
from capture.schedules.occurrences import claim_next, materialise, sweep
from datastore.catalogue import Catalogue, open_catalogue
from tests.support.catalogues import sqlite_url
from tests.support.command_line import CommandLine, write_yaml
from tests.support.occurrence_diary import Diary

FIXTURE = {
    "name": "north",
    "simulated": True,
    "cameras": [
        {"serial": "7100001", "make": "Virtual", "model": "V1", "address": "ptpip:127.0.0.2:1"}
    ],
    "scenes": [
        {"name": "wall", "background": "wall", "foreground": "none", "illumination": "day"},
    ],
}
RECIPE = {"name": "darks", "shots": [{"kind": "dark-field", "exposure": "1/30", "iso": 100}]}
SCHEDULE = {
    "name": "hourly",
    "fixture": "north",
    "recipe": "darks.yaml",
    "rule": {"kind": "cron", "expression": "0 * * * *"},
    "zone": "Europe/Berlin",
    "window_s": 3600,
}


# no due time comes while a test runs
SOON = (datetime.now(UTC) + timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return home_with_a_fixture(tmp_path)


@pytest.fixture(scope="module")
def line_with_first(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    line = home_with_a_fixture(tmp_path_factory.mktemp("homes"))
    line.run("schedule", "add", described(line, name="first"))
    return line


def home_with_a_fixture(folder: Path) -> CommandLine:
    line = CommandLine(folder / "lab")
    line.run("init", line.home)
    line.run("fixture", "add", write_yaml(folder / "fixture.yaml", FIXTURE))
    write_yaml(folder / "darks.yaml", RECIPE)
    return line


def described(line: CommandLine, **fields: Any) -> Path:
    document = {name: value for name, value in {**SCHEDULE, **fields}.items() if value is not None}
    return write_yaml(line.home.parent / f"{document.get('name', 'nameless')}.yaml", document)


@contextmanager
def catalogue_of(line: CommandLine) -> Iterator[Catalogue]:
    with open_catalogue(sqlite_url(line.home), line.home / "store") as catalogue:
        yield catalogue


def test_a_schedule_is_added_listed_and_shown(line: CommandLine) -> None:
    added = line.run("schedule", "add", described(line), "--operator", "ada", "--json").document
    due_at = datetime.fromisoformat(added["first_due_at"])
    assert timedelta() < due_at - datetime.now(UTC) < timedelta(hours=1, minutes=1)
    assert (due_at.minute, due_at.utcoffset()) == (0, timedelta())
    (listed,) = line.run("schedule", "list", "--json").lines
    assert (listed["id"], listed["state"], listed["recipe"]) == (added["id"], "active", "darks")
    assert listed["recipe_sha256"] == added["recipe_sha256"]
    assert listed["next_due_at"] == added["first_due_at"]
    assert datetime.fromisoformat(listed["next_due"]) == due_at
    shown = line.run("schedule", "show", "hourly", "--json").document
    assert shown["description"]["rule"] == SCHEDULE["rule"]
    assert shown["next_due_at"][:2] == [
        added["first_due_at"],
        (due_at + timedelta(hours=1)).isoformat(),
    ]
    assert [(event["name"], event["operator"]) for event in shown["events"]] == [("added", "ada")]
    people = line.run("schedule", "show", "hourly")
    assert "expression=0 * * * *" in people.out
    assert "due" in people.message and "Europe/Berlin" in people.message
    assert "hourly" in line.run("schedule", "list").out


def test_adding_says_when_it_is_due_in_the_schedules_zone(line: CommandLine) -> None:
    path = described(line, name="yearly", recipe="dark-field-grid", zone="Asia/Kathmandu")
    message = line.run("schedule", "add", path).message
    assert "takes dark-field-grid on the fixture north, first due 20" in message
    assert "+05:45 in Asia/Kathmandu (20" in message


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"fixture": "moon"}, ["'moon'", "north"]),
        ({"cameras": ["7"]}, ["no camera 7", "7100001"]),
        ({"recipe": "lights.yaml"}, ["lights.yaml", "dark-field-grid"]),
        ({"recipe": "../darks.yaml"}, ["recipe", "folder"]),
        ({"zone": "Europe/Atlantis"}, ["zone", "Europe/Atlantis"]),
        ({"rule": {"kind": "cron", "expression": "0 25 * * *"}}, ["rule", "expression"]),
        ({"rule": {"kind": "cron", "expression": "0 0 30 2 *"}}, ["rule", "expression"]),
        ({"window_s": 0}, ["window_s"]),
        ({"ends_at": "2020-01-01T00:00:00+00:00"}, ["not due within ten years"]),
        ({"starts_at": "2020-01-01T00:00:00"}, ["starts_at"]),
        ({"colour": "red"}, ["colour"]),
        ({"name": None}, ["name"]),
        ({"name": "first"}, ["first exists already"]),
    ],
)
def test_a_schedule_that_cannot_be_carried_out_is_refused(
    line_with_first: CommandLine, fields: dict[str, Any], said: list[str]
) -> None:
    line = line_with_first
    answer = line.run("schedule", "add", described(line, **fields), code=2)
    for words in said:
        assert words in answer.message
    assert [each["name"] for each in line.run("schedule", "list", "--json").lines] == ["first"]


def test_a_recipe_of_scenes_that_the_fixture_lacks_is_refused(
    line_with_first: CommandLine,
) -> None:
    line = line_with_first
    shot = {"kind": "fixed-background", "scene": "moon", "exposure": 1, "iso": 100, "f_number": 8}
    write_yaml(line.home.parent / "moons.yaml", {"name": "moons", "shots": [shot]})
    answer = line.run("schedule", "add", described(line, recipe="moons.yaml"), code=2)
    assert "moon" in answer.message and "wall" in answer.message
    missing = line.run("schedule", "add", line.home / "nowhere.yaml", code=2)
    assert "nowhere.yaml" in missing.message


def test_a_schedule_is_paused_resumed_and_retired(line: CommandLine) -> None:
    line.run("schedule", "add", described(line))
    paused = line.run("schedule", "pause", "hourly", "--reason", "painting", "--json").document
    assert paused == {"name": "hourly", "state": "paused"}
    (listed,) = line.run("schedule", "list", "--json").lines
    assert (listed["state"], listed["next_due_at"]) == ("paused", None)
    assert "hourly is paused" in line.run("schedule", "pause", "hourly", code=2).message
    assert line.run("schedule", "resume", "hourly").message == "hourly is active"
    assert line.run("schedule", "retire", "hourly").message == "hourly is retired"
    assert "hourly is retired" in line.run("schedule", "resume", "hourly", code=2).message
    shown = line.run("schedule", "show", "hourly", "--json").document
    assert [event["name"] for event in shown["events"]] == [
        *("added", "paused", "resumed", "retired"),
    ]
    assert shown["events"][1]["reason"] == "painting"
    for command in ("show", "pause", "resume", "retire"):
        unknown = line.run("schedule", command, "daily", code=2)
        assert "there are hourly" in unknown.message


def test_occurrences_are_listed_by_what_became_of_them(line: CommandLine) -> None:
    from_then = {"starts_at": SOON.isoformat()}
    line.run("schedule", "add", described(line, **from_then))
    line.run("schedule", "add", described(line, name="often", window_s=60, **from_then))
    with catalogue_of(line) as catalogue:
        materialise(catalogue, now=SOON, horizon=timedelta(hours=6))
        sweep(catalogue, now=SOON + timedelta(hours=3), by="a daemon")
    everything = line.run("occurrence", "list", "--json").lines
    assert len(everything) == 12
    assert [one["due_at"] for one in everything] == sorted(one["due_at"] for one in everything)
    missed = line.run("occurrence", "list", "--state", "missed", "--json").lines
    assert missed == [one for one in everything if one["state"] == "missed"]
    assert {one["reason"] for one in missed} == {"daemon-down"}
    assert len(missed) == 3 + 3
    often = line.run("occurrence", "list", "--schedule", "often", "--json").lines
    assert [one["schedule"] for one in often] == ["often"] * 6
    since, until = often[1]["due_at"], often[3]["due_at"]
    between = line.run("occurrence", "list", "--since", since, "--until", until, "--json").lines
    assert [one["due_at"] for one in between] == [one["due_at"] for one in everything[2:6]]
    assert line.run("occurrence", "list", "--fixture", "south", "--json").out == ""
    assert "daemon-down" in line.run("occurrence", "list").out
    few = line.run("occurrence", "list", "--limit", "2", "--json")
    assert few.lines == everything[:2]
    assert "there are more" in few.message
    for arguments, message in [
        (["--state", "lost"], "cancelled"),
        (["--since", "yesterday"], "ISO 8601"),
        (["--schedule", "daily"], "there are hourly, often"),
    ]:
        assert message in line.run("occurrence", "list", *arguments, code=2).message


def test_an_operator_attends_and_cancels(line: CommandLine) -> None:
    line.run("schedule", "add", described(line, attended=True, starts_at=SOON.isoformat()))
    with catalogue_of(line) as catalogue:
        materialise(catalogue, now=SOON, horizon=timedelta(hours=3))
        first, second, third = Diary(catalogue).rows()
        attended = line.run(
            *("occurrence", "attend", first.id[:18], "--operator", "bo", "--json")
        ).document
        assert (attended["id"], attended["attended_by"]) == (first.id, "bo")
        claim = claim_next(catalogue, now=first.starts_at, holder=this_process())
        assert claim is not None and claim.attended_by == "bo"
        session = Diary(catalogue).begin_session(claim.id, first.starts_at, frames=1)
        running = line.run("occurrence", "cancel", first.id, code=2)
        assert "agetrace session finish" in running.message
        claim.settle("partial", "frames-missing", "Two are missing.", at=first.starts_at)
    said = line.run("occurrence", "cancel", second.id, "--reason", "holiday", "--operator", "bo")
    assert said.message.endswith("It was cancelled by bo: holiday.")
    assert "begins between" in line.run("occurrence", "attend", third.id).message
    assert "is cancelled" in line.run("occurrence", "attend", second.id, code=2).message
    assert "no occurrence begins" in line.run("occurrence", "show", "nothing", code=2).message
    shown = line.run("occurrence", "show", first.id, "--json").document
    assert (shown["state"], shown["session_ids"]) == ("partial", [session.uuid])
    assert [(event["name"], event["by"]) for event in shown["events"]] == [
        ("pending", None),
        ("attended", "bo"),
        ("claimed", this_process()),
        ("partial", this_process()),
    ]
    assert shown["sessions"] == [
        {
            "id": session.uuid,
            "started_at": first.starts_at.isoformat(),
            "state": "started",
            "exit_reason": None,
        }
    ]
    people = line.run("occurrence", "show", first.id).out
    for words in ("Two are missing.", "attended", session.uuid):
        assert words in people
    cancelled = line.run("occurrence", "cancel", third.id, "--json").document
    assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "cancelled-by-operator")
