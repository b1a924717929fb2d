"""`agetrace verdict`: judge shots; a correction is a new verdict, never a change."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, login, print_json, say

app = typer.Typer(no_args_is_help=True, help="Judge shots.")


class VerdictName(StrEnum):
    """What can be said of a shot."""

    accepted = "accepted"
    quarantined = "quarantined"
    rejected = "rejected"


@app.callback()
def verdicts() -> None:
    """Judge shots."""


@app.command()
def add(
    context: typer.Context,
    shot: Annotated[str, typer.Argument(help="Identifier of the shot.")],
    verdict: Annotated[VerdictName, typer.Argument(help="The judgement.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")],
    author: Annotated[str | None, typer.Option(help="Who judges; this login otherwise.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a verdict to a shot; the newest counts, all are kept.

    Example: agetrace verdict add 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed rejected --reason "lamp off"
    """
    from datastore import verdicts as datastore_verdicts
    from datastore.clocks import HostClock

    with catalogue_of(context) as (_, catalogue):
        datastore_verdicts.add_verdict(
            catalogue,
            shot,
            verdict.value,
            reason,
            numbers=None,
            author=author or login() or "unknown",
            at=HostClock().now(),
        )
    if as_json:
        print_json({"shot": shot, "verdict": verdict.value, "reason": reason})
    else:
        say(f"{shot} is {verdict.value}: {reason}")
