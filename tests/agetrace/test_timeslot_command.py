"""`agetrace timeslot`: bounds in UTC and as the scheme's zone shows them, and the look-up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import CommandLine, write_yaml

MONTHS = {
    "name": "months",
    "division": "monthly",
    "zone": "Europe/Berlin",
    "start": "2026-01-01T00:00Z",
    "end": "2026-06-01T00:00Z",
}
YEARS = {
    "name": "years",
    "division": "explicit",
    "timeslots": [{"start": "2026-01-01T00:00Z", "end": "2027-01-01T00:00Z"}],
}


@pytest.fixture(scope="module")
def command_line(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    folder = tmp_path_factory.mktemp("timeslots")
    command_line = CommandLine(folder / "lab")
    command_line.run("init", folder / "lab")
    for scheme in (MONTHS, YEARS):
        file = write_yaml(folder / f"{scheme['name']}.yaml", scheme)
        command_line.run("timeslot", "scheme", "add", file)
    return command_line


def test_a_schemes_bounds_are_shown_in_its_zone_and_in_utc(command_line: CommandLine) -> None:
    third = command_line.run("timeslot", "scheme", "show", "months", "--json").lines[2]
    assert third == {
        "ordinal": 3,
        "starts_at": "2026-03-01T00:00:00+00:00",
        "ends_at": "2026-04-01T00:00:00+00:00",
        "local_starts_at": "2026-03-01 01:00:00+01:00",
        "local_ends_at": "2026-04-01 02:00:00+02:00",
    }
    table = command_line.run("timeslot", "scheme", "show", "months").out
    assert "2026-04-01 02:00:00+02:00" in table and "2026-04-01T00:00:00+00:00" in table


def test_a_scheme_without_a_zone_is_shown_in_utc_alone(command_line: CommandLine) -> None:
    (year,) = command_line.run("timeslot", "scheme", "show", "years", "--json").lines
    assert (year["local_starts_at"], year["local_ends_at"]) == (None, None)
    assert "local" not in command_line.run("timeslot", "scheme", "show", "years").out


def test_the_zones_of_the_schemes_are_listed(command_line: CommandLine) -> None:
    listed = command_line.run("timeslot", "scheme", "list", "--json").lines
    assert {scheme["name"]: scheme["zone"] for scheme in listed} == {
        "months": "Europe/Berlin",
        "years": None,
    }


@pytest.mark.parametrize(
    ("time", "ordinal"),
    [
        ("2026-03-01T00:59:59+01:00", 2),
        ("2026-03-01T01:00:00+01:00", 3),
        ("2026-03-01T00:00Z", 3),
        ("2026-07-01T00:00Z", None),
    ],
)
def test_the_timeslot_of_a_time(command_line: CommandLine, time: str, ordinal: int | None) -> None:
    answer = command_line.run("timeslot", "of", time, "--scheme", "months", "--json")
    timeslot = answer.document["timeslot"]
    assert (None if timeslot is None else timeslot["ordinal"]) == ordinal


def test_people_read_the_timeslot_in_its_zone(command_line: CommandLine) -> None:
    answer = command_line.run("timeslot", "of", "2026-03-05T00:00Z", "--scheme", "months")
    assert answer.out == (
        "timeslot 3 of months: 2026-03-01 01:00:00+01:00 to 2026-04-01 02:00:00+02:00\n"
    )
    answer = command_line.run("timeslot", "of", "2027-03-05T00:00Z", "--scheme", "years")
    assert answer.message == "no timeslot of years holds 2027-03-05T00:00:00+00:00"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("2026-03-01T00:00:00", "--scheme", "months"), "is no time with a zone"),
        (("2026-03-01", "--scheme", "months"), "is no time with a zone"),
        (("noon", "--scheme", "months"), "is no time with a zone"),
        (("2026-03-01T00:00Z", "--scheme", "weeks"), "no timeslot scheme is called 'weeks'"),
        (("2026-03-01T00:00Z",), "Name one with --scheme"),
    ],
)
def test_a_wrong_question_is_refused(
    command_line: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    answer = command_line.run("timeslot", "of", *arguments, code=2)
    assert message in answer.message
    assert answer.out == ""


def test_a_zone_that_there_is_not_is_refused(command_line: CommandLine, tmp_path: Path) -> None:
    file = write_yaml(tmp_path / "wrong.yaml", {**MONTHS, "zone": "Europe/Atlantis"})
    answer = command_line.run("timeslot", "scheme", "add", file, code=2)
    assert "zone: 'Europe/Atlantis' is no IANA time zone" in answer.message
