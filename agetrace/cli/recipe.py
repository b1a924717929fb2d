"""`agetrace recipe`: check, estimate and show plans of shots before anything is captured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, print_records, say

if TYPE_CHECKING:
    from agetrace.settings import Home
    from capture.recipes import Recipe, ShotSpec
    from capture.session_rows import FixtureFacts
    from datastore.catalogue import Catalogue

app = typer.Typer(no_args_is_help=True, help="Check, estimate and show recipes.")

RecipeArgument = Annotated[Path, typer.Argument(help="YAML recipe, or the name of a ready one.")]
FixtureOption = Annotated[
    str | None, typer.Option(help="Name of the fixture; the only one otherwise.")
]
CameraOption = Annotated[
    list[str] | None, typer.Option(help="Serial; all of the fixture's otherwise.")
]


@app.command()
def check(
    context: typer.Context,
    recipe: RecipeArgument,
    fixture: Annotated[
        str | None, typer.Option(help="Check against the scenes of this fixture.")
    ] = None,
    camera: CameraOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Rehearse with the cameras; no shutter is released."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate a recipe: its file, with a fixture its scenes, with --dry-run the cameras too.

    Example: agetrace recipe check combined-session --fixture virtual --dry-run
    """
    from capture.recipes import expand, read_recipe

    parsed = read_recipe(recipe)
    if dry_run:
        _rehearse(context, parsed, fixture, camera, as_json=as_json)
        return
    shots = None
    if fixture is not None or camera:
        with _equipment(context, fixture, camera) as (_, _, facts):
            shots = len(expand(parsed, list(facts.scenes)))
    if as_json:
        print_json({**_identity(parsed), "shots": shots, "issues": []})
    else:
        said = "" if shots is None else f", {shots} shots with each camera"
        say(f"{parsed.name}: sound{said}")


@app.command()
def estimate(
    context: typer.Context,
    recipe: RecipeArgument,
    fixture: FixtureOption = None,
    camera: CameraOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate the time, bytes and shutter releases that a recipe takes.

    Example: agetrace recipe estimate combined-session --fixture virtual
    """
    from capture.recipes import expand, read_recipe
    from capture.recipes.estimate import estimate as estimate_plan
    from capture.recipes.history import pace_of

    parsed = read_recipe(recipe)
    with _equipment(context, fixture, camera) as (_, catalogue, facts):
        plan = expand(parsed, list(facts.scenes))
        pace = pace_of(catalogue, facts.cameras)
    found = estimate_plan(plan, pace.cameras, change_s=pace.change_s)
    if as_json:
        print_json({**_identity(parsed), "fixture": facts.name, **found.to_json()})
        return
    records = [
        {
            "camera": serial,
            "shots": found.shutter_count_by_camera[serial],
            "gigabytes": round(count / 1e9, 3),
        }
        for serial, count in found.bytes_by_camera.items()
    ]
    print_records(records, ["camera", "shots", "gigabytes"])
    basis = "measured" if found.is_measured else "partly by defaults: too little history"
    say(
        f"{found.duration_s / 60:.1f} min ({basis}), of which {found.exposure_s / 60:.1f} min"
        f" exposing and {found.scene_change_s / 60:.1f} min for {found.scene_changes} changes of"
        f" scene or cap; {found.bytes_total / 1e9:.2f} GB"
    )


@app.command()
def show(
    context: typer.Context,
    recipe: RecipeArgument,
    fixture: FixtureOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every shot of a recipe in its order, how balanced that is, and the content hash.

    With --json each shot is a line; the last line has the hash and the balance. A recipe without
    scenes needs no home.

    Example: agetrace recipe show dark-field-grid
    """
    from capture.recipes import expand, read_recipe
    from capture.recipes.balance import balance_of

    parsed = read_recipe(recipe)
    plan = expand(parsed, _scenes(context, parsed, fixture))
    balances = [balance.to_json() for balance in balance_of(plan)]
    print_records([_shot(spec) for spec in plan], _SHOT_COLUMNS, as_json=as_json)
    if as_json:
        print_json({**_identity(parsed), "shots": len(plan), "balance": balances})
        return
    typer.echo("")
    print_records(balances, _BALANCE_COLUMNS)
    say(f"{parsed.name}: {len(plan)} shots, content hash {parsed.content_sha256}")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the recipes that come with agetrace.

    Example: agetrace recipe list
    """
    from capture.recipes import read_recipe, ready_recipes

    records = [
        {**_identity(recipe), "description": recipe.description, "path": str(path)}
        for path in ready_recipes().values()
        for recipe in [read_recipe(path)]
    ]
    print_records(records, ["name", "description"], as_json=as_json)


_SHOT_COLUMNS = [
    "sequence",
    "kind",
    "scene",
    "exposure",
    "iso",
    "f_number",
    "image_quality",
    "warm_up",
]
_BALANCE_COLUMNS = [
    "kind",
    "scene",
    "shots",
    "place_exposure",
    "place_iso",
    "previous_exposure",
    "previous_iso",
    "mean_place_span",
]


def _rehearse(
    context: typer.Context,
    recipe: Recipe,
    fixture: str | None,
    serials: list[str] | None,
    *,
    as_json: bool,
) -> None:
    from agetrace.capturing import clock_of, only_fixture
    from capture.recipes.dry_run import dry_run

    with catalogue_of(context) as (home, catalogue):
        found = dry_run(
            catalogue,
            recipe,
            fixture or only_fixture(catalogue),
            clock=clock_of(home),
            spool_folder=home.spool_root,
            serials=serials,
            camera_patience_s=home.settings.cameras.patience_s,
        )
    if as_json:
        print_json({**_identity(recipe), **found.to_json()})
    else:
        for issue in found.issues:
            say(f"{'error' if issue.is_blocking else 'warning'}: {issue.sentence}")
        result = "a session can begin" if found.exit_code == 0 else "no session can begin"
        say(
            f"{recipe.name}: {found.combinations} combinations of settings tried with"
            f" {len(found.cameras)} cameras; {result}"
        )
    if found.exit_code:
        raise typer.Exit(found.exit_code)


@contextmanager
def _equipment(
    context: typer.Context, fixture: str | None, serials: list[str] | None = None
) -> Iterator[tuple[Home, Catalogue, FixtureFacts]]:
    """Open the home's catalogue and load a fixture for the length of a command."""
    from agetrace.capturing import only_fixture
    from capture.session_rows import load_fixture

    with catalogue_of(context) as (home, catalogue):
        name = fixture or only_fixture(catalogue)
        with catalogue.reading() as transaction:
            facts = load_fixture(transaction, name, serials)
        yield home, catalogue, facts


def _scenes(context: typer.Context, recipe: Recipe, fixture: str | None) -> list[str]:
    """Return the scenes of the fixture, none for a recipe that needs none."""
    if fixture is None and all(entry.kind == "dark-field" for entry in recipe.shots):
        return []
    with _equipment(context, fixture) as (_, _, facts):
        return list(facts.scenes)


def _identity(recipe: Recipe) -> dict[str, Any]:
    return {"name": recipe.name, "content_sha256": recipe.content_sha256}


def _shot(spec: ShotSpec) -> dict[str, Any]:
    return {
        "sequence": spec.sequence,
        "kind": spec.kind,
        "scene": spec.scene,
        "exposure": str(spec.exposure),
        "iso": spec.iso,
        "f_number": spec.f_number,
        "image_quality": spec.image_quality,
        "warm_up": spec.warm_up,
        "attempts": spec.attempts,
        "on_failure": spec.on_failure,
    }
