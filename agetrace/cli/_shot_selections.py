"""`agetrace shots where | save | saved`: expressions that select shots, and those under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    login,
    print_json,
    print_records,
    say,
)

if TYPE_CHECKING:
    from agetrace.settings import Home
    from datastore.catalogue import Catalogue
    from datastore.selections import Selection

SHOT_COLUMNS: Final = (
    "id", "camera_serial", "kind", "scene", "timeslot", "triggered_at", "exposure_s", "iso",
    "f_number", "state", "verdict",
)  # fmt: skip
_SAVED_COLUMNS: Final = ("name", "expression", "timeslot_scheme", "operator", "created_at")

CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
SchemeOption = Annotated[
    str | None, typer.Option(help="Timeslot scheme; the home's default otherwise.")
]


def where(
    context: typer.Context,
    expression: Annotated[
        str | None, typer.Argument(help="What holds of the shots; quote it for the shell.")
    ] = None,
    saved: Annotated[
        str | None, typer.Option(metavar="NAME", help="Among those of a saved selection.")
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help="Timeslot scheme; the saved selection's or the home's otherwise."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many shots.")] = None,
    count: Annotated[bool, typer.Option("--count", help="Say only how many there are.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the statement and the database's plan.")
    ] = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Query the shots by an expression, in the order of time.

    Fields are compared with =, !=, <, <=, >, >=, in (...), between A and B, is known, is unknown;
    `and`, `or`, `not` and parentheses compose.

    Example: agetrace shots where "kind = dark-field and iso in (100, 200) and not camera = 7100001"
    """
    from itertools import islice

    if expression is None and saved is None:
        raise typer.BadParameter("give an expression, a --saved selection, or both")
    if explain and count:
        raise typer.BadParameter("--explain and --count exclude each other")
    with catalogue_of(context) as (home, catalogue):
        selection = _selection(home, catalogue, saved, scheme)
        if expression is not None:
            selection = selection.where(expression)
        if explain:
            text = selection.explain()
            if as_json:
                print_json({"explanation": text})
            else:
                typer.echo(text)
        elif count:
            shots = selection.count()
            if as_json:
                print_json({"shots": shots})
            else:
                typer.echo(shots)
        else:
            print_records(
                (record.to_json() for record in islice(selection, limit)),
                SHOT_COLUMNS,
                as_json=as_json,
                as_csv=as_csv,
            )


def save(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Letters, digits, `_`, `.` and `-`.")],
    expression: Annotated[str, typer.Argument(help="What holds of the shots.")],
    scheme: SchemeOption = None,
    operator: Annotated[
        str | None, typer.Option(help="Who saves it; this login otherwise.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Save a selection under a name; the newest of a name counts, the earlier ones are kept.

    Example: agetrace shots save darks "kind = dark-field and verdict = accepted"
    """
    from datastore.clocks import HostClock
    from datastore.selections import save as save_selection

    with catalogue_of(context) as (home, catalogue):
        selection = _selection(home, catalogue, None, scheme).where(expression)
        kept = save_selection(selection, name, operator=operator or login(), at=HostClock().now())
    if as_json:
        print_json(kept.to_json())
    else:
        say(f"{kept.name} is saved: {kept.expression}")


def saved(context: typer.Context, as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """List the saved selections.

    Example: agetrace shots saved
    """
    from datastore.selections import list_saved

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as transaction:
        found = list_saved(transaction)
    print_records(
        (each.to_json() for each in found), _SAVED_COLUMNS, as_json=as_json, as_csv=as_csv
    )


def _selection(
    home: Home, catalogue: Catalogue, saved: str | None, scheme: str | None
) -> Selection:
    """Return a saved selection, all shots otherwise, with the timeslots that were asked for."""
    from datastore.selections import find_saved

    default = home.settings.timeslots.default_scheme
    if saved is None:
        return catalogue.shots.labelled(scheme or default)
    with catalogue.reading() as transaction:
        found = find_saved(transaction, saved)
    labels = scheme or found.timeslot_scheme or default
    return catalogue.shots.labelled(labels).where(found.expression)
