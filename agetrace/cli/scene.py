"""`agetrace scene`: what stands in front of the cameras."""

from __future__ import annotations

from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, print_records
from agetrace.errors import RequestError

app = typer.Typer(no_args_is_help=True, help="List and show scenes.")

_COLUMNS = ["fixture", "name", "revision", "background", "foreground", "illumination"]


@app.command("list")
def list_(
    context: typer.Context,
    fixture: Annotated[str | None, typer.Option(help="Only this fixture's scenes.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the scenes at their newest revision.

    Example: agetrace scene list --fixture virtual
    """
    print_records(_scenes(context, fixture), _COLUMNS, as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the scene.")],
    as_json: JsonOption = False,
) -> None:
    """Show one scene.

    Example: agetrace scene show brick-bottle-daylight
    """
    found = [scene for scene in _scenes(context, None) if scene["name"] == name]
    if not found:
        raise RequestError(f"no scene is called {name!r}: see `agetrace scene list`")
    if as_json:
        print_json(found[0])
    else:
        print_records(found, _COLUMNS)


def _scenes(context: typer.Context, fixture: str | None) -> list[dict[str, object]]:
    from datastore import equipment

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as session:
        return [
            {
                "fixture": revision.scene.fixture.name,
                "name": revision.scene.name,
                "revision": revision.revision,
                "background": revision.background,
                "foreground": revision.foreground,
                "illumination": revision.illumination,
            }
            for revision in equipment.list_scenes(session, fixture)
        ]
