"""Half a year of weekly sessions with a virtual camera, replayed as a user does it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine, write_yaml
from tests.support.independent_schedules import due_times
from tests.support.virtual import running_fixture, small_description

BEGIN = datetime(2024, 3, 1, 12, tzinfo=UTC)
END = BEGIN + timedelta(weeks=26)
RULE = {"kind": "cron", "expression": "30 2 * * SUN"}
ZONE = "Europe/Berlin"


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_half_a_year_of_weekly_sessions(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Every weekly session of a replayed half year is completed, its frames in their timeslot."""
    description = small_description({"width": 96, "height": 64}, exposure_time_scale=0.001)
    with running_fixture(tmp_path, description) as virtual:
        virtual.put("/civil-time", {"civil_time": BEGIN.isoformat()})
        line = CommandLine(tmp_path / "home")
        line.run("init", line.home)
        with (line.home / "agetrace.toml").open("a") as settings:
            settings.write(
                f'\n[actuators.virtual]\nkind = "virtual"\nurl = "{virtual.control_url}"\n'
            )
        _let_clock_be(line.home / "agetrace.toml", virtual.control_url)
        line.run("fixture", "add", virtual.fixture_file)
        dates = {"start": BEGIN.date(), "end": END.date() + timedelta(weeks=1)}
        scheme = {"name": "weeks", "division": "weekly", **dates}
        line.run("timeslot", "scheme", "add", write_yaml(tmp_path / "weeks.yaml", scheme))
        shot = {"kind": "dark-field", "exposure": "1/30", "iso": 100}
        write_yaml(tmp_path / "dark.yaml", {"name": "dark", "attempts": 2, "shots": [shot]})
        weekly = {
            "name": "weekly",
            "fixture": "virtual",
            "recipe": "dark.yaml",
            "rule": RULE,
            "zone": ZONE,
            "window_s": 6 * 3600,
        }
        line.run("schedule", "add", write_yaml(tmp_path / "weekly.yaml", weekly))
        began_s = time.monotonic()
        answer = line.run("daemon", "replay", "--until", END.isoformat(), "--json").document
        took_s = time.monotonic() - began_s

        due = due_times(RULE, ZONE, BEGIN, END)
        assert answer["occurrences"] == {"completed": len(due)}
        found = line.run("occurrence", "list", "--until", END.isoformat(), "--json").lines
        assert [datetime.fromisoformat(one["due_at"]) for one in found] == due
        shots = line.shots("--scheme", "weeks")
        assert len(shots) == len(due)
        for moment, one in zip(due, shots, strict=True):
            triggered_at = datetime.fromisoformat(one["triggered_at"])
            assert timedelta() <= triggered_at - moment < timedelta(hours=6)
            assert one["timeslot"] == 1 + (moment - BEGIN.replace(hour=0)).days // 7
            assert (one["state"], one["verdict"]) == ("registered", "accepted")
        record_property("sessions", len(due))
        record_property("minutes per simulated year", took_s / 60 * 2)


def _let_clock_be(settings: Path, url: str) -> None:
    text = settings.read_text()
    assert 'source = "host"' in text
    settings.write_text(text.replace('source = "host"', f'source = "simulated"\nurl = "{url}"'))
