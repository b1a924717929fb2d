"""`agetrace catalogue`: the revision and integrity of the catalogue."""

from __future__ import annotations

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, home_of, print_json, say

app = typer.Typer(no_args_is_help=True, help="Upgrade and check the catalogue.")


@app.command()
def upgrade(context: typer.Context, as_json: JsonOption = False) -> None:
    """Bring the catalogue to this version's revision; a SQLite catalogue is backed up first.

    Example: agetrace catalogue upgrade
    """
    from migrations import runner

    url = home_of(context).database_url
    before = runner.current(url)
    runner.upgrade(url)
    after = runner.current(url)
    if as_json:
        print_json({"before": before, "after": after})
    else:
        done = "is already at" if before == after else f"went from revision {before} to"
        say(f"the catalogue {done} revision {after}")


@app.command()
def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Verify the audit's hash chain.

    Example: agetrace catalogue check
    """
    from datastore import audit

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as session:
        breaks = audit.verify(session)
    if as_json:
        print_json({"audit_breaks": [str(found) for found in breaks]})
    elif not breaks:
        say("the audit chain is whole")
    for found in [] if as_json else breaks:
        say(str(found))
    if breaks:
        raise typer.Exit(1)
