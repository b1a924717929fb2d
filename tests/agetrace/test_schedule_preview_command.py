"""`agetrace schedule preview`: a look ahead at a file or a schedule, which changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agetrace.conftest import make_home
from tests.support.command_line import CommandLine, write_yaml
from tests.support.virtual import running_fixture, small_description

MONTHS = {
    "name": "months",
    "division": "monthly",
    "start": "2026-03-01T00:00Z",
    "end": "2026-06-01T00:00Z",
}
# the clocks of Berlin are put forward on 29 March 2026
WEEKLY: dict[str, Any] = {
    "name": "weekly",
    "fixture": "virtual",
    "recipe": "darks.yaml",
    "rule": {"kind": "cron", "expression": "30 2 * * SUN"},
    "zone": "Europe/Berlin",
    "window_s": 3600,
}
DARKS = {**WEEKLY, "name": "darks", "priority": 3, "window_s": 7200}
RECIPE = {"name": "darks", "shots": [{"kind": "dark-field", "exposure": 1, "iso": 100}]}


@pytest.fixture(scope="module")
def command_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    folder = tmp_path_factory.mktemp("preview")
    with running_fixture(folder, small_description(civil_time="2026-03-05T00:00:00Z")) as virtual:
        command_line = make_home(folder / "lab", virtual)
        command_line.run("timeslot", "scheme", "add", write_yaml(folder / "months.yaml", MONTHS))
        write_yaml(folder / "darks.yaml", RECIPE)
        command_line.run("schedule", "add", write_yaml(folder / "dark-schedule.yaml", DARKS))
        write_yaml(folder / "weekly.yaml", WEEKLY)
        yield command_line


@pytest.fixture
def file(command_line: CommandLine) -> Path:
    return command_line.home.parent / "weekly.yaml"


def test_a_file_is_looked_at_before_it_is_added(command_line: CommandLine, file: Path) -> None:
    answer = command_line.run(
        "schedule", "preview", file, "--until", "2026-04-06", "--scheme", "months", "--json"
    )
    found = answer.document
    assert [one["local_due"] for one in found["occurrences"]] == [
        "2026-03-08 02:30:00+01:00",
        "2026-03-15 02:30:00+01:00",
        "2026-03-22 02:30:00+01:00",
        "2026-03-29 03:00:00+02:00",
        "2026-04-05 02:30:00+02:00",
    ]
    assert found["occurrences"][3]["due_at"] == "2026-03-29T01:00:00+00:00"
    assert [one["timeslot"] for one in found["occurrences"]] == [1, 1, 1, 1, 2]
    assert [slot["sessions_by_camera"] for slot in found["timeslots"]] == [
        {"7100001": 8},
        {"7100001": 8},
    ]
    assert {warning["word"] for warning in found["warnings"]} == {"overlap", "hour-skipped"}
    listed = command_line.run("schedule", "list", "--json").lines
    assert [schedule["name"] for schedule in listed] == ["darks"]


def test_people_read_tables_and_sentences(command_line: CommandLine, file: Path) -> None:
    answer = command_line.run("schedule", "preview", file, "--count", "4", "--scheme", "months")
    assert "2026-03-29 03:00:00+02:00  2026-03-29T01:00:00+00:00" in answer.out
    assert "7100001: 8 (0 taken)  class, placebo, p-below-0.05" in answer.out
    assert "weekly on virtual with camera 7100001: sessions of" in answer.message
    assert "notice: 2026-03-29 02:30 never occurs in Europe/Berlin" in answer.message
    assert "darks, which goes first (priority 3 over 0)" in answer.message


def test_a_schedule_is_looked_at_by_its_name(command_line: CommandLine) -> None:
    found = command_line.run("schedule", "preview", "darks", "--json").document
    assert len(found["occurrences"]) == 10
    assert (found["scheme"], found["timeslots"]) == (None, [])
    assert [warning["word"] for warning in found["warnings"]] == ["hour-skipped"]


def test_a_paused_schedule_is_looked_at_with_a_warning(command_line: CommandLine) -> None:
    command_line.run("schedule", "pause", "darks")
    try:
        answer = command_line.run("schedule", "preview", "darks", "--count", "1")
    finally:
        command_line.run("schedule", "resume", "darks")
    assert "warning: the schedule is paused: this is what it would do if it were not" in (
        answer.message
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nightly",), "no schedule is called 'nightly' (there are darks)"),
        (("gone.yaml",), "gone.yaml cannot be read"),
        (("darks", "--count", "3", "--until", "2026-04-01"), "give one of --count and --until"),
        (("darks", "--until", "soon"), "'soon' is no date such as 2027-01-01"),
        (("darks", "--until", "2026-04-01T00:00"), "is no date such as 2027-01-01"),
        (("darks", "--scheme", "weeks"), "no timeslot scheme is called 'weeks'"),
    ],
)
def test_a_wrong_request_is_refused(
    command_line: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    answer = command_line.run("schedule", "preview", *arguments, code=2)
    assert message in answer.message
    assert answer.out == ""


def test_a_recipe_with_a_scene_that_the_fixture_lacks_is_refused(
    command_line: CommandLine, tmp_path: Path
) -> None:
    shots = [{"kind": "fixed-background", "scene": "forest", "exposure": 1, "iso": 100}]
    write_yaml(tmp_path / "darks.yaml", {**RECIPE, "shots": shots})
    file = write_yaml(tmp_path / "weekly.yaml", WEEKLY)
    answer = command_line.run("schedule", "preview", file, code=2)
    assert "forest" in answer.message
