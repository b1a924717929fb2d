"""`agetrace session`: run, steer and attend sessions, and settle what an interruption left."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    login,
    print_json,
    print_records,
    progress_bar,
    say,
)

if TYPE_CHECKING:
    from capture.outcome import SessionOutcome

app = typer.Typer(no_args_is_help=True, help="Run, steer and list sessions.")

SessionArgument = Annotated[str, typer.Argument(help="Session, or the beginning of its UUID.")]
OperatorOption = Annotated[str | None, typer.Option(help="Who asks; this login otherwise.")]


@app.command()
def run(
    context: typer.Context,
    recipe: Annotated[Path, typer.Argument(help="YAML recipe, or the name of a ready one.")],
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
    from agetrace.capturing import clock_of, run_recipe
    from agetrace.cli._operator import TerminalOperator
    from capture.recipes import read_recipe

    parsed = read_recipe(recipe)
    who = operator or login()
    with (
        catalogue_of(context) as (home, catalogue),
        stoppable() as stop,
        TerminalOperator(catalogue, clock_of(home).now, who) as attendant,
        progress_bar(parsed.name, quiet=as_json) as advance,
    ):
        outcome = run_recipe(
            home,
            catalogue,
            parsed,
            fixture_name=fixture,
            serials=camera,
            operator=who,
            progress=advance,
            stop=stop,
            begun=attendant.attend,
        )
    _report(outcome, as_json=as_json)


@app.command()
def resume(
    context: typer.Context,
    session: SessionArgument,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a paused session, or take what an ended or killed one did not.

    Example: agetrace session resume 3f2a
    """
    from agetrace.capturing import clock_of, go_on
    from agetrace.cli._operator import TerminalOperator
    from capture.attendance import find_session

    who = operator or login()
    with catalogue_of(context) as (home, catalogue):
        with catalogue.reading() as transaction:
            uuid = find_session(transaction, session).uuid
        with (
            stoppable() as stop,
            TerminalOperator(catalogue, clock_of(home).now, who) as attendant,
            progress_bar(uuid, quiet=as_json) as advance,
        ):
            attendant.attend(uuid)
            outcome = go_on(home, catalogue, uuid, operator=who, progress=advance, stop=stop)
    if outcome is not None:
        _report(outcome, as_json=as_json)
    else:
        _said(uuid, "resume", as_json=as_json)


@app.command()
def pause(
    context: typer.Context,
    session: SessionArgument,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a running session rest after the shot in hand; its cameras are closed and cool.

    Example: agetrace session pause 3f2a
    """
    _ask(context, session, "pause", operator, as_json=as_json)


@app.command()
def finish(
    context: typer.Context,
    session: SessionArgument,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a running session end after the shot in hand, as partial.

    Example: agetrace session finish 3f2a
    """
    _ask(context, session, "finish", operator, as_json=as_json)


@app.command()
def abort(
    context: typer.Context,
    session: SessionArgument,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a running session end after the shot in hand, as aborted: something was wrong with it.

    Example: agetrace session abort 3f2a
    """
    _ask(context, session, "abort", operator, as_json=as_json)


@app.command()
def prompts(context: typer.Context, as_json: JsonOption = False) -> None:
    """List what running sessions wait for.

    Example: agetrace session prompts
    """
    from capture.attendance import open_prompts

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as transaction:
        records = [prompt.to_json() for prompt in open_prompts(transaction)]
    print_records(records, ["id", "session_id", "asked_at", "text"], as_json=as_json)


@app.command()
def answer(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="Prompt, or the beginning of its UUID.")],
    refuse: Annotated[bool, typer.Option("--refuse", help="It cannot be done.")] = False,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that what a session asks for is done.

    Example: agetrace session answer 91c0
    """
    from agetrace.capturing import clock_of
    from capture.attendance import answer_prompt

    with catalogue_of(context) as (home, catalogue):
        answered = answer_prompt(
            catalogue,
            prompt,
            "refused" if refuse else "done",
            operator=operator or login(),
            at=clock_of(home).now(),
        )
    if as_json:
        print_json(answered.to_json())
    else:
        say(f"{answered.text}: {answered.answer}")


@app.command()
def log(
    context: typer.Context,
    session: SessionArgument,
    problems: Annotated[
        bool, typer.Option("--problems", help="Leave out the shots that were accepted.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what happened in a session: its events, failed shots and verdicts, in order.

    Example: agetrace session log 3f2a --problems
    """
    from capture.attendance import find_session
    from capture.session_log import read_log

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as transaction:
        entries = read_log(transaction, find_session(transaction, session).id)
        records = [
            entry.to_json() for entry in entries if not (problems and entry.name == "accepted")
        ]
    if not as_json:
        for record in records:
            record["at"] = str(record["at"])[:19].replace("T", " ")
    columns = ["at", "camera", "shot", "name", "text"]
    print_records(records, columns, as_json=as_json, wrapped="text")


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

    from capture.attendance import session_state
    from datastore.tables import Session, Shot

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as database:
        counts = (
            select(Shot.session_id, func.count().label("shots")).group_by(Shot.session_id)
        ).subquery()
        rows = database.execute(
            select(Session, session_state().label("state"), counts.c.shots)
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


@app.command()
def refused(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the sessions that somebody asked for and that did not begin, with the reason.

    Example: agetrace session refused
    """
    from agetrace.capturing import refused_sessions

    with catalogue_of(context) as (_, catalogue):
        records = list(refused_sessions(catalogue))
    columns = ["at", "fixture", "recipe_name", "operator", "reason"]
    if not as_json:
        for record in records:
            record["at"] = str(record["at"])[:19].replace("T", " ")
    print_records(records, columns, as_json=as_json, wrapped="reason")


def _ask(
    context: typer.Context,
    session: str,
    request: Literal["pause", "finish", "abort"],
    operator: str | None,
    *,
    as_json: bool,
) -> None:
    from agetrace.capturing import clock_of
    from capture.attendance import ask_session, find_session

    with catalogue_of(context) as (home, catalogue):
        with catalogue.reading() as transaction:
            uuid = find_session(transaction, session).uuid
        at = clock_of(home).now()
        ask_session(catalogue, uuid, request, operator=operator or login(), at=at)
    _said(uuid, request, as_json=as_json)


def _said(uuid: str, request: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"session_id": uuid, "request": request})
    else:
        say(f"session {uuid} was asked to {request}")


def _report(outcome: SessionOutcome, *, as_json: bool) -> None:
    if as_json:
        print_json(outcome.to_json())
    else:
        say(outcome.summary())
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """Have Ctrl-C and a service manager's request set an event instead of ending the process."""
    stop = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
