"""`agetrace import`: bring in files that other means recorded."""

from __future__ import annotations

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

_SETTLED = ("accepted", "already")

app = typer.Typer(no_args_is_help=True, help="Import files.")


@app.callback()
def imports() -> None:
    """Import files."""


@app.command()
def folder(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Folder with RAW, JPEG, TIFF or FITS files.")],
    options: Annotated[
        Path | None,
        typer.Option(help="YAML of what the files do not say; see docs/how-to/import.md."),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of frame; natural otherwise.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="IANA zone of times that name none; NULL otherwise.")
    ] = None,
    alias: Annotated[
        str | None, typer.Option(help="Identity of the camera where files carry no serial.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Import a folder; damaged files are quarantined with the reason, importing again adds nothing.

    Example: agetrace import folder pictures --timezone Europe/Vienna
    """
    from datastore.clocks import HostClock
    from datastore.importing import import_folder, read_options

    chosen = read_options(options, kind=kind, timezone=timezone, alias=alias)
    with catalogue_of(context) as (home, catalogue), progress_bar("importing", quiet=as_json) as at:
        report = import_folder(
            catalogue, path, chosen, clock=HostClock(), progress=at, scratch=home.spool_root
        )
    if as_json:
        print_json(report.to_json())
        return
    say(report.summary())
    print_records(
        (entry.to_json() for entry in report.entries if entry.outcome not in _SETTLED),
        ["path", "outcome", "reason"],
    )
