"""`agetrace schedule preview`: what a schedule will do, and what stands against it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, print_records, say

if TYPE_CHECKING:
    from agetrace.settings import Home
    from capture.schedules.preview import Preview
    from capture.schedules.preview_rows import StoredSchedule
    from capture.schedules.timeslot_plans import TimeslotPlan
    from datastore.catalogue import Catalogue
    from datastore.tables import TimeslotScheme

_COUNT = 10
_MOST = 1000
_OCCURRENCE_COLUMNS = ["local_due", "due_at", "local_start", "window_ends_at", "timeslot"]
_TIMESLOT_COLUMNS = ["timeslot", "starts_at", "ends_at", "sessions", "permits"]
_NEEDED = (
    "a class needs three sessions with every camera, a placebo within one timeslot four, a p-value"
    " below 0.05 six"
)


def preview(
    context: typer.Context,
    schedule: Annotated[
        str, typer.Argument(help="Name of a schedule, or a YAML file that describes one.")
    ],
    count: Annotated[
        int | None, typer.Option(help=f"How many due times; {_COUNT} otherwise.", min=1, max=_MOST)
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="All before this date, or this time with a zone.")
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Timeslot scheme; the home's default otherwise.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a schedule's next due times, the timeslots that they fill, and what stands against it.

    Nothing is changed. A file is looked at as if it were added now.

    Example: agetrace schedule preview weekly.yaml --until 2027-01-01 --scheme monthly
    """
    from agetrace.capturing import clock_of
    from agetrace.errors import RequestError

    if count is not None and until is not None:
        raise RequestError("give one of --count and --until")
    with catalogue_of(context) as (home, catalogue):
        found = _preview(
            home,
            catalogue,
            schedule,
            count=None if until is not None else count or _COUNT,
            until=until,
            scheme=scheme or home.settings.timeslots.default_scheme,
            now=clock_of(home).now(),
        )
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)


def _preview(
    home: Home,
    catalogue: Catalogue,
    schedule: str,
    *,
    count: int | None,
    until: str | None,
    scheme: str | None,
    now: datetime,
) -> Preview:
    from capture.schedules import preview as looking_ahead
    from capture.schedules import preview_rows
    from capture.schedules.preview_warnings import PreviewWarning

    stored = _schedule(catalogue, schedule, now)
    description = stored.description
    slots = None if scheme is None else _scheme(catalogue, scheme)
    own = preview_rows.plan_schedule(catalogue, description, stored.recipe, stored.cancelled)
    others, known = preview_rows.plan_active_schedules(catalogue, but=description.name, now=now)
    taken = [] if slots is None else preview_rows.taken_sessions(catalogue, own.cameras, slots, now)
    if stored.state != "active":
        sentence = f"the schedule is {stored.state}: this is what it would do if it were not"
        known.append(PreviewWarning("not-active", "warning", sentence, now))
    return looking_ahead.preview(
        own,
        others,
        now=now,
        count=count,
        until=None if until is None else _moment(until, description.zone),
        scheme=slots,
        taken=taken,
        disks=preview_rows.disks_of(catalogue, home.spool_root),
        known=known,
    )


def _schedule(catalogue: Catalogue, text: str, now: datetime) -> StoredSchedule:
    """Read a schedule from its file, or from the catalogue by its name."""
    from capture.schedules import read_schedule
    from capture.schedules.description import read_recipe_of
    from capture.schedules.preview_rows import StoredSchedule, load_schedule

    path = Path(text)
    if path.suffix.lower() not in (".yaml", ".yml"):
        return load_schedule(catalogue, text, now)
    description = read_schedule(path)
    recipe = read_recipe_of(description, path.parent)
    return StoredSchedule(description, recipe, "active", frozenset())


def _scheme(catalogue: Catalogue, name: str) -> TimeslotScheme:
    from datastore.timeslots import find_scheme

    with catalogue.reading() as session:
        return find_scheme(session, name)


def _moment(text: str, zone: str) -> datetime:
    """Read a time with a zone, or a date, which stands for its midnight in the schedule's zone."""
    from datetime import date
    from zoneinfo import ZoneInfo

    from agetrace.errors import RequestError
    from datastore.clocks import as_utc

    try:
        day = date.fromisoformat(text)
    except ValueError:
        pass
    else:
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    try:
        return as_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise RequestError(
            f"--until: {text!r} is no date such as 2027-01-01, and no time with a zone such as"
            " 2027-01-01T06:00+01:00"
        ) from None


def _show(found: Preview) -> None:
    description = found.schedule.description
    basis = "measured" if found.schedule.is_measured else "partly by defaults: too little history"
    say(
        f"{found.schedule.name} on {description.fixture} with camera"
        f" {', '.join(found.schedule.cameras)}: sessions of"
        f" {found.schedule.duration_s / 60:.1f} min and {found.schedule.session_bytes / 1e9:.2f} GB"
        f" ({basis})"
    )
    records = [occurrence.to_json() for occurrence in found.occurrences]
    print_records(records, _OCCURRENCE_COLUMNS)
    if found.timeslots:
        typer.echo("")
        print_records(
            [_timeslot_record(timeslot) for timeslot in found.timeslots], _TIMESLOT_COLUMNS
        )
        say(_NEEDED)
    for warning in found.warnings:
        say(f"{warning.severity}: {warning.sentence}")


def _timeslot_record(timeslot: TimeslotPlan) -> dict[str, Any]:
    sessions = [
        f"{camera}: {count} ({timeslot.taken_by_camera[camera]} taken)"
        for camera, count in timeslot.sessions_by_camera.items()
    ]
    return {
        "timeslot": timeslot.ordinal,
        "starts_at": timeslot.starts_at.isoformat(),
        "ends_at": timeslot.ends_at.isoformat(),
        "sessions": ", ".join(sessions),
        "permits": ", ".join(timeslot.permits),
    }
