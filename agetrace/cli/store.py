"""`agetrace store`: the stores that keep the files of which the catalogue speaks."""

from __future__ import annotations

import typer

from agetrace.cli import store_upkeep

app = typer.Typer(no_args_is_help=True, help="Look after the files of the asset stores.")


@app.callback()
def store() -> None:
    """Look after the files of the asset stores."""


app.command()(store_upkeep.verify)
