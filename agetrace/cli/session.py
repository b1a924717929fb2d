"""`agetrace session`: execute recipes on a fixture, and settle what an interruption left."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    print_json,
    print_records,
    progress_bar,
    say,
)

app = typer.Typer(no_args_is_help=True, help="Run and list sessions.")


@app.command()
def run(
    context: typer.Context,
    recipe: Annotated[Path, typer.Argument(help="YAML recipe.")],
    fixture: Annotated[
        str | None, typer.Option(help="Name of the fixture; the only one otherwise.")
    ] = None,
    operator: Annotated[str | None, typer.Option(help="Who runs it; this login otherwise.")] = None,
    camera: Annotated[
        list[str] | None, typer.Option(help="Serial; all of the fixture's otherwise.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run one session of a recipe; Ctrl-C finishes the shot in hand and ends cleanly.

    Example: agetrace session run combined-session.yaml --fixture virtual
    """
    import getpass

    from agetrace.capturing import run_recipe
    from capture.recipes import read_recipe

    parsed = read_recipe(recipe)
    stop = threading.Event()
    with catalogue_of(context) as (home, catalogue):
        previous = signal.signal(signal.SIGINT, lambda *_: stop.set())
        try:
            with progress_bar(parsed.name, quiet=as_json) as advance:
                outcome = run_recipe(
                    home,
                    catalogue,
                    parsed,
                    fixture_name=fixture,
                    serials=camera,
                    operator=operator or getpass.getuser(),
                    progress=advance,
                    stop=stop,
                )
        finally:
            signal.signal(signal.SIGINT, previous)
    if as_json:
        print_json(outcome.to_json())
    else:
        say(outcome.summary())
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


@app.command()
def reconcile(
    context: typer.Context,
    fixture: Annotated[str | None, typer.Option(help="Name of the fixture.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Settle shots that an interruption left open, from the spool and the cameras' cards.

    Example: agetrace session reconcile
    """
    from agetrace.capturing import reconcile_fixture

    with catalogue_of(context) as (home, catalogue):
        settled = reconcile_fixture(home, catalogue, fixture_name=fixture)
    if as_json:
        print_json(settled.to_json())
    else:
        say(settled.summary())


@app.command("list")
def list_(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the sessions, oldest first.

    Example: agetrace session list --json
    """
    from sqlalchemy import func, select

    from datastore.tables import Session, SessionEvent, Shot

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as database:
        counts = (
            select(Shot.session_id, func.count().label("shots")).group_by(Shot.session_id)
        ).subquery()
        newest = (
            select(func.max(SessionEvent.id).label("id")).group_by(SessionEvent.session_id)
        ).subquery()
        rows = database.execute(
            select(Session, SessionEvent.name, counts.c.shots)
            .select_from(Session)
            .outerjoin(
                SessionEvent,
                (SessionEvent.session_id == Session.id) & SessionEvent.id.in_(select(newest.c.id)),
            )
            .outerjoin(counts, counts.c.session_id == Session.id)
            .order_by(Session.started_at, Session.id)
        )
        records = [
            {
                "id": session.uuid,
                "kind": session.kind,
                "started_at": session.started_at.isoformat(),
                "state": state,
                "shots": shots or 0,
                "operator": session.operator,
            }
            for session, state, shots in rows
        ]
    print_records(
        records, ["id", "kind", "started_at", "state", "shots", "operator"], as_json=as_json
    )
