"""`agetrace catalogue`: the revision, integrity and backups of the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, home_of, print_json, say

app = typer.Typer(no_args_is_help=True, help="Upgrade, check and back up the catalogue.")


@app.command()
def upgrade(context: typer.Context, as_json: JsonOption = False) -> None:
    """Bring the catalogue to this version's revision; a SQLite catalogue is backed up first.

    Example: agetrace catalogue upgrade
    """
    from migrations import runner

    url = home_of(context).database_url
    before = runner.current(url)
    backup = runner.upgrade(url)
    after = runner.current(url)
    if as_json:
        path = None if backup is None else str(backup)
        print_json({"before": before, "after": after, "backup": path})
    else:
        done = "is already at" if before == after else f"went from revision {before} to"
        say(f"the catalogue {done} revision {after}")
        if backup is not None:
            say(f"as it was before, it is kept as {backup}")


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


@app.command()
def backup(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="Where it goes; `backups` in the home otherwise.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Remove older backups there until so many are left.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy an SQLite catalogue, checked, while it is in use; the audit's head lies beside it.

    Example: agetrace catalogue backup /mnt/backups/lab --keep 14
    """
    from datastore.backup import back_up
    from datastore.clocks import HostClock

    home = home_of(context)
    made = back_up(home.database_url, folder or home.backup_root, at=HostClock().now(), keep=keep)
    if as_json:
        print_json(made.to_json())
        return
    say(f"backed up to {made.path} ({made.bytes / 1e6:.1f} MB)")
    say(f"audit head {made.audit_head} after {made.audit_entries} entries")
    for path in made.removed:
        say(f"removed {path}")
