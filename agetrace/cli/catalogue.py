"""`agetrace catalogue`: the revision, integrity, backups and snapshots of the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, home_of, login, print_json, say

app = typer.Typer(no_args_is_help=True, help="Upgrade, check, back up and copy the catalogue.")


@app.command()
def init(context: typer.Context, as_json: JsonOption = False) -> None:
    """Make the catalogue of a home that has none, on the database that it names by now.

    Example: agetrace catalogue init
    """
    from migrations import runner

    url = home_of(context).database_url
    runner.create(url)
    revision = runner.current(url)
    if as_json:
        print_json({"revision": revision})
    else:
        say(f"made an empty catalogue of revision {revision}")


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
def check(
    context: typer.Context,
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="SHA256", help="An audit head that was noted; several may be given."),
    ] = None,
    backups: Annotated[
        Path | None,
        typer.Option(help="Folder of backups whose heads are looked for; the home's otherwise."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for what is wrong: in the file, the guards, the derived rows, the audit's hash chain.

    Example: agetrace catalogue check --head 4f0c...9a
    """
    from datastore.checking import KnownHead, check_catalogue, heads_of_backups
    from migrations.comparison import schema_problems

    with catalogue_of(context) as (home, catalogue):
        heads, problems = heads_of_backups(backups or home.backup_root)
        heads += [KnownHead(sha256, "the option --head") for sha256 in head or []]
        problems += check_catalogue(catalogue, heads)
        problems += schema_problems(home.database_url)
    if as_json:
        print_json({"problems": problems, "heads": len(heads)})
    elif not problems:
        say(f"the catalogue is whole; its audit contains the {len(heads)} heads that were noted")
    for problem in [] if as_json else problems:
        say(problem)
    if problems:
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


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="BACKUP", help="The copy to restore.")],
    as_json: JsonOption = False,
) -> None:
    """Put a backup in the place of the SQLite catalogue, which is kept under another name.

    Example: agetrace catalogue restore backups/catalogue-20260301T040000000000Z.sqlite
    """
    from datastore.clocks import HostClock
    from datastore.restoring import restore as restore_backup
    from datastore.revision import EXPECTED_REVISION

    home = home_of(context)
    done = restore_backup(
        home.database_url,
        file,
        at=HostClock().now(),
        operator=login(),
        backups=home.backup_root,
    )
    if as_json:
        print_json(done.to_json())
        return
    say(f"restored {done.backup} as {done.path}")
    if not done.hash_known:
        say("no description lay beside the backup: its hash was compared with nothing")
    if done.set_aside is not None:
        say(f"as it was before, the catalogue is kept as {done.set_aside}")
        _say_what_is_missing(done.missing_sessions, done.missing_audit_entries)
    if done.revision != EXPECTED_REVISION:
        say("then run `agetrace catalogue upgrade`: the backup is of an older revision")
    say("then run `agetrace store reconcile`: it finds frames that are newer than the backup")


def _say_what_is_missing(sessions: tuple[str, ...] | None, audit_entries: int | None) -> None:
    if sessions is None:
        say("it could not be read: what it knew beyond the backup cannot be told")
        return
    say(f"{len(sessions)} sessions and {audit_entries} audit entries are only in that one")
    for session in sessions:
        say(f"  session {session}")


@app.command()
def vacuum(context: typer.Context, as_json: JsonOption = False) -> None:
    """Give unused space back and renew the statistics by which queries are planned.

    Example: agetrace catalogue vacuum
    """
    from datastore.vacuuming import vacuum as vacuum_catalogue

    home = home_of(context)
    home.open_catalogue().close()
    done = vacuum_catalogue(home.database_url)
    if as_json:
        print_json({"bytes_before": done.bytes_before, "bytes_after": done.bytes_after})
    else:
        say(f"{done.bytes_before / 1e6:.1f} MB before, {done.bytes_after / 1e6:.1f} MB now")


@app.command()
def snapshot(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where it goes; `lab.sqlite` for example.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of a file that is there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write everything into one SQLite file for readers, as Datasette likes it.

    Example: agetrace catalogue snapshot lab.sqlite && datasette lab.sqlite -m lab.metadata.json
    """
    from datastore.clocks import HostClock
    from datastore.snapshot import make_snapshot

    with catalogue_of(context) as (_, catalogue):
        made = make_snapshot(catalogue, file, at=HostClock().now(), replace=replace)
    if as_json:
        print_json(
            {
                "path": str(made.path),
                "metadata": str(made.metadata),
                "bytes": made.bytes,
                "rows": made.rows,
            }
        )
    else:
        say(f"wrote {made.rows} rows to {made.path} ({made.bytes / 1e6:.1f} MB)")
        say(f"see it with: datasette {made.path} -m {made.metadata}")
