"""`agetrace init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, print_json, say


def init(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(help="Folder of the new home.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a home: settings, an empty catalogue, the asset store.

    A catalogue that AGETRACE_DATABASE_URL names and that other hosts share is joined.

    Example: agetrace init lab
    """
    from agetrace.settings import SETTINGS_NAME, Home, Settings, create_home

    named = folder or context.find_root().obj
    folder = named if isinstance(named, Path) else Path.cwd()
    joined = Home(folder, Settings()).has_shared_catalogue()
    home = create_home(folder)
    if as_json:
        print_json({"home": str(home.folder), "joined": joined})
    else:
        say(f"made a home in {home.folder}; its settings are in {SETTINGS_NAME}")
        if joined:
            say("it joined the catalogue that AGETRACE_DATABASE_URL names; nothing there changed")
