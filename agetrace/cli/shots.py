"""`agetrace shots`: query the shots, by options or by expressions."""

from __future__ import annotations

from typing import Annotated

import typer

from agetrace.cli import _measure, _shot_counts, _shot_selections
from agetrace.cli._shared import JsonOption, catalogue_of, parse_time, print_records
from agetrace.cli._shot_selections import SHOT_COLUMNS, CsvOption, SchemeOption

app = typer.Typer(invoke_without_command=True)
app.command("where")(_shot_selections.where)
app.command("save")(_shot_selections.save)
app.command("saved")(_shot_selections.saved)
app.command("counts")(_shot_counts.counts)
app.command("measure")(_measure.measure)


@app.callback()
def shots(
    context: typer.Context,
    camera: Annotated[list[str] | None, typer.Option(help="Serial of the camera.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Kind of frame.")] = None,
    scene: Annotated[list[str] | None, typer.Option(help="Name of the scene.")] = None,
    timeslot: Annotated[list[int] | None, typer.Option(help="Ordinal of the timeslot.")] = None,
    scheme: SchemeOption = None,
    session: Annotated[str | None, typer.Option(help="Identifier of the session.")] = None,
    since: Annotated[str | None, typer.Option(help="Not before this ISO 8601 time.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this ISO 8601 time.")] = None,
    iso: Annotated[list[int] | None, typer.Option(help="ISO setting.")] = None,
    exposure: Annotated[list[str] | None, typer.Option(help="Exposure, 1/30 or 4.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="State: the newest event.")] = None,
    verdict: Annotated[list[str] | None, typer.Option(help="Newest verdict.")] = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Query the shots; several values of one option mean any of them.

    Example: agetrace shots --kind dark-field --camera 7100001 --since 2026-01-01 --json
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context, context.invoked_subcommand)
        return
    from datastore.queries import ShotFilter, iterate_shots

    chosen = ShotFilter(
        cameras=tuple(camera or ()),
        kinds=tuple(kind or ()),
        scenes=tuple(scene or ()),
        timeslots=tuple(timeslot or ()),
        session=session,
        since=parse_time("--since", since),
        until=parse_time("--until", until),
        isos=tuple(iso or ()),
        exposures_s=tuple(_exposure_s(text) for text in exposure or ()),
        states=tuple(state or ()),
        verdicts=tuple(verdict or ()),
    )
    with catalogue_of(context) as (home, catalogue):
        records = iterate_shots(
            catalogue, chosen, scheme=scheme or home.settings.timeslots.default_scheme
        )
        print_records(
            (record.to_json() for record in records), SHOT_COLUMNS, as_json=as_json, as_csv=as_csv
        )


def _refuse_options(context: typer.Context, command: str) -> None:
    """Refuse options that stand before a command, which would not heed them."""
    if any(value not in (None, False, [], ()) for value in context.params.values()):
        raise typer.BadParameter(f"options of `{command}` stand behind it, not before")


def _exposure_s(text: str) -> float:
    from fractions import Fraction

    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(
            f"{text!r} is no exposure in seconds such as 1/30 or 4", param_hint="--exposure"
        ) from None
