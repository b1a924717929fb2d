"""What a schedule's file may say, and the due times, windows and starts that it plans."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from capture.errors import RecipeError, ScheduleError
from capture.schedules import ScheduleDescription, planned, read_schedule
from capture.schedules.description import read_recipe_of

WEEKLY: dict[str, Any] = {
    "name": "weekly",
    "fixture": "north",
    "recipe": "combined-session",
    "rule": {"kind": "cron", "expression": "0 6 * * MON"},
    "zone": "Europe/Berlin",
    "window_s": 7200,
}
INTERVAL = {"kind": "calendar-interval", "start": "2026-01-31", "at": "12:30"}
START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)


def described(**changed: Any) -> ScheduleDescription:
    return ScheduleDescription.model_validate({**WEEKLY, **changed})


def written(folder: Path, **changed: Any) -> Path:
    file = folder / "weekly.yaml"
    content = {key: value for key, value in {**WEEKLY, **changed}.items() if value is not ...}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def test_what_a_file_leaves_out_has_the_documented_default(tmp_path: Path) -> None:
    found = read_schedule(written(tmp_path))
    assert found == described(
        description=None,
        cameras=None,
        repeated_hour="first",
        skipped_hour="shift",
        jitter_s=0,
        starts_at=None,
        ends_at=None,
        priority=0,
        attended=False,
        late="run",
        grace_s=60,
        attempts=1,
        retry_after_s=300,
    )


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"cameras": ("1", "2"), "starts_at": "2026-03-01T00:00:00+01:00", "jitter_s": 12.5},
        {"rule": {**INTERVAL, "months": 2, "start": "2026-01-28"}},
        {"rule": {**INTERVAL, "weeks": 1, "at": "06:00:01"}},
    ],
)
def test_a_description_survives_the_catalogues_json(changed: dict[str, Any]) -> None:
    description = described(**changed)
    stored = description.model_dump(mode="json")
    assert ScheduleDescription.model_validate(stored) == description
    assert ScheduleDescription.model_validate_json(description.model_dump_json()) == description


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"zone": "Mars/Olympus"}, ":7: zone: 'Mars/Olympus' is no IANA time zone"),
        ({"zone": "localtime"}, ":7: zone: 'localtime' is no IANA time zone"),
        ({"zone": ...}, ":1: zone: it is missing"),
        ({"window_s": 0}, ":8: window_s: must be greater than 0"),
        ({"window_s": True}, ":8: window_s: must be a number"),
        ({"window_s": float("nan")}, ":8: window_s: must be at most 31622400"),
        ({"ends_at": 20270101}, ":9: ends_at: write a time with its zone"),
        ({"ends_at": "20270101"}, ":9: ends_at: write a time with its zone"),
        ({"rule": {**INTERVAL, "days": 1, "start": 20260105}},
         ":6: rule.calendar-interval.start: write a date such as 2026-01-05"),
        ({"rule": {**INTERVAL, "days": 1, "start": "20260105"}},
         ":6: rule.calendar-interval.start: write a date such as 2026-01-05"),
        ({"rule": {**INTERVAL, "days": 1, "at": "750"}},
         ':7: rule.calendar-interval.at: write the time in quotes, such as "12:30"'),
        ({"jitter_s": 7200}, ":1: schedule: jitter_s must be less than window_s"),
        ({"starts_at": "2026-01-01 00:00"}, ":9: starts_at: needs a time zone"),
        ({"starts_at": "2026-01-01T00:00Z", "ends_at": "2026-01-01T00:00Z"},
         ":1: schedule: ends_at must be later than starts_at"),
        ({"recipe": "../darks.yaml"}, ":3: recipe: must be the name of a ready recipe"),
        ({"cameras": []}, ":9: cameras: names no camera"),
        ({"cameras": [7100001]}, ":10: cameras[0]: must be a text: write it in quotes"),
        ({"cameras": ["1", "1"]}, ":9: cameras: names a camera twice"),
        ({"colour": "red"}, ":9: colour: no such field in a schedule"),
        ({"name": "a b"}, ":1: name: must begin with a letter or digit and go on with letters"),
        ({"attempts": 0}, ":9: attempts: must be at least 1"),
        ({"rule": {"kind": "cron", "expression": "0 6 * *"}},
         ":6: rule.cron.expression: a cron expression has five fields"),
        ({"rule": {"kind": "cron", "expression": "0 0 6 * * MON"}},
         ":6: rule.cron.expression: a cron expression has five fields"),
        ({"rule": {"kind": "cron", "expression": "0 24 * * *"}},
         ":6: rule.cron.expression: no cron expression: bad hour"),
        ({"rule": {"kind": "cron", "expression": "0 0 30 FEB *"}},
         ":6: rule.cron.expression: no cron expression: bad day-of-month"),
        ({"rule": {"kind": "cron", "expression": "0 6-6/2 * * *"}},
         ":6: rule.cron.expression: 6-6/2 is a range of one value"),
        ({"rule": {"kind": "cron", "expression": "0 6 * * MON-1/2"}},
         ":6: rule.cron.expression: MON-1/2 is a range of one value"),
        ({"rule": {"kind": "yearly"}}, ":4: rule: 'kind' must be one of 'cron'"),
        ({"rule": INTERVAL}, ":4: rule.calendar-interval: give one of months, weeks and days"),
        ({"rule": {**INTERVAL, "weeks": 1, "days": 2}},
         ":4: rule.calendar-interval: give one of months, weeks and days"),
        ({"rule": {**INTERVAL, "months": 1}},
         ":4: rule.calendar-interval: start must lie on a day that every month has"),
        ({"rule": {**INTERVAL, "days": 0}},
         ":8: rule.calendar-interval.days: must be greater than 0"),
        ({"rule": {**INTERVAL, "days": 1, "at": 750}},
         ':7: rule.calendar-interval.at: write the time in quotes, such as "12:30"'),
        ({"rule": {**INTERVAL, "days": 1, "at": "12:30+01:00"}},
         ":7: rule.calendar-interval.at: must be hours, minutes and whole seconds"),
    ],
)  # fmt: skip
def test_a_malformed_schedule_names_the_line_and_the_field(
    changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file = written(tmp_path, **changed)
    with pytest.raises(ScheduleError) as refused:
        read_schedule(file)
    assert f"{file}{message}" in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: [", "no YAML"),
        (b"\xff\xfe\xff", "not a text file in UTF-8"),
        (b"", "a mapping with at least name, fixture, recipe, rule, zone and window_s"),
        (b"name: a\nname: b\n", "weekly.yaml:2: name: given twice"),
        (b"rule: {start: 2026-02-30}", "no YAML: day is out of range"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_schedule_is_refused(
    content: bytes, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "weekly.yaml"
    file.write_bytes(content)
    with pytest.raises(ScheduleError, match=r"weekly\.yaml") as refused:
        read_schedule(file)
    assert message in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match=r"gone\.yaml cannot be read: No such file"):
        read_schedule(tmp_path / "gone.yaml")


def test_a_window_begins_at_the_due_time() -> None:
    first, second = planned(described(), START, START + timedelta(days=14))
    assert first.due_at == first.starts_at == datetime(2026, 1, 5, 5, tzinfo=UTC)
    assert first.window_ends_at == datetime(2026, 1, 5, 7, tzinfo=UTC)
    assert second.due_at - first.due_at == timedelta(days=7)


def test_due_times_lie_within_the_schedules_own_life() -> None:
    description = described(
        starts_at="2026-01-12T06:00:00+01:00", ends_at="2026-01-26T06:00:00+01:00"
    )
    found = [due.due_at.day for due in planned(description, START, START + YEAR)]
    assert found == [12, 19]
    assert [due.due_at.day for due in planned(description, START, START + timedelta(days=14))] == [
        12
    ]


@settings(max_examples=50, deadline=None)
@given(
    st.floats(0, 7199, exclude_max=True),
    st.text("abcdefgh", min_size=1, max_size=8),
    st.timedeltas(timedelta(0), YEAR),
)
def test_a_start_lies_in_its_window_and_is_the_same_for_ever(
    jitter_s: float, name: str, elapsed: timedelta
) -> None:
    description = described(jitter_s=jitter_s, name=name)
    whole = list(planned(description, START, START + YEAR))
    for due in whole:
        assert due.due_at <= due.starts_at < due.window_ends_at
        assert due.starts_at - due.due_at <= timedelta(seconds=jitter_s)
    middle = START + elapsed
    parts = [*planned(description, START, middle), *planned(description, middle, START + YEAR)]
    assert parts == whole


def test_starts_are_spread_over_the_jitter_and_differ_between_schedules() -> None:
    hourly = {"kind": "cron", "expression": "0 * * * *"}
    one, other = (
        [
            (due.starts_at - due.due_at).total_seconds()
            for due in planned(
                described(name=name, rule=hourly, jitter_s=600), START, START + 100 * YEAR / 365
            )
        ]
        for name in ("one", "other")
    )
    assert len(one) == 2400
    # of a uniform spread over 600 s: standard error of the mean 3.5 s, of a tenth's share 0.6 %
    assert mean(one) == pytest.approx(300, abs=14)
    for tenth in range(10):
        share = sum(60 * tenth <= start < 60 * (tenth + 1) for start in one) / len(one)
        assert share == pytest.approx(0.1, abs=0.025)
    assert sum(a == b for a, b in zip(one, other, strict=True)) < 3


def test_another_process_finds_the_same_starts() -> None:
    description = described(jitter_s=600)
    program = (
        "import sys; from datetime import datetime, timedelta, UTC;"
        "from capture.schedules import ScheduleDescription, planned;"
        "start = datetime(2026, 1, 1, tzinfo=UTC);"
        "found = planned(ScheduleDescription.model_validate_json(sys.argv[1]), start,"
        " start + timedelta(days=30));"
        "print(*[due.starts_at.isoformat() for due in found])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, description.model_dump_json()],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
    )
    here = planned(description, START, START + timedelta(days=30))
    assert done.stdout.split() == [due.starts_at.isoformat() for due in here]


RECIPE = "name: mine\nshots: [{kind: dark-field, exposure: 1, iso: 100}]\n"


def test_a_recipe_lies_beside_the_schedule_or_is_a_ready_one(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(RECIPE)
    assert read_recipe_of(described(recipe="mine.yaml"), tmp_path).name == "mine"
    assert read_recipe_of(described(), tmp_path).name == "combined-session"
    with pytest.raises(
        RecipeError, match=r"yours\.yaml cannot be read: No such file.*ready recipes are"
    ):
        read_recipe_of(described(recipe="yours.yaml"), tmp_path)


def test_the_described_example_is_sound() -> None:
    text = (Path(__file__).parents[3] / "docs/how-to/schedules.md").read_text(encoding="utf-8")
    example = text.partition("```yaml\n")[2].partition("```")[0]
    found = ScheduleDescription.model_validate(yaml.safe_load(example))
    # it shows every field that there is
    assert found.model_fields_set == set(ScheduleDescription.model_fields)


def test_a_description_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        described().name = "other"  # type: ignore[misc]
