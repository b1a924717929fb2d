"""`agetrace scene`: what stands in front of the cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
from agetrace.errors import RequestError

if TYPE_CHECKING:
    from capture.outcome import SessionOutcome
    from capture.recipes import Recipe
    from capture.reference_making import AddedReferences
    from datastore.catalogue import Catalogue

app = typer.Typer(no_args_is_help=True, help="List and show scenes, and take their references.")

_COLUMNS = ["fixture", "name", "revision", "background", "foreground", "illumination"]
_REFERENCE_COLUMNS = ["fixture", "scene", "camera_serial", "shot", "taken_at", "age_days", "state"]
_IN_USE = (
    "each of these scenes has a reference in use: see `agetrace scene references`, and give"
    " --replace to renew them"
)
_NO_REFERENCES_AFTER = ("aborted", "failed")


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


@app.command()
def reference(
    context: typer.Context,
    scenes: Annotated[
        list[str] | None,
        typer.Argument(help="Scenes; all but the flat panel otherwise.", metavar="[SCENE]..."),
    ] = None,
    fixture: Annotated[
        str | None, typer.Option(help="Name of the fixture; the only one otherwise.")
    ] = None,
    camera: Annotated[
        list[str] | None, typer.Option(help="Serial; all of the fixture's otherwise.")
    ] = None,
    exposure: Annotated[
        str | None, typer.Option(help="Exposure time in seconds.", show_default="1/30")
    ] = None,
    iso: Annotated[int | None, typer.Option(help="Sensitivity.", show_default="100")] = None,
    f_number: Annotated[
        float | None, typer.Option(help="Aperture; left as it is otherwise.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(help="Frames of each; the last accepted counts.", show_default="1"),
    ] = None,
    from_session: Annotated[
        str | None,
        typer.Option(help="Take no shot; use the accepted frames of this session.", metavar="UUID"),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Renew references that are in use, too.")
    ] = False,
    operator: Annotated[str | None, typer.Option(help="Who does it; this login otherwise.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Take the frames that later frames of the scenes are held against.

    A reference in use hides a drift if it is renewed without a reason: that needs --replace.

    Example: agetrace scene reference --exposure 1/30 --iso 100 --f-number 8
    """
    from agetrace.capturing import clock_of
    from capture.reference_making import (
        add_references,
        last_accepted_shots,
        reference_recipe,
        without_reference,
    )

    who = operator or login()
    outcome = None
    with catalogue_of(context) as (home, catalogue):
        session = from_session
        if session is None:
            if not replace:
                scenes = _lacking(catalogue, fixture, camera, scenes)
            recipe = reference_recipe(
                scenes,
                exposure=exposure or "1/30",
                iso=100 if iso is None else iso,
                f_number=f_number,
                count=1 if count is None else count,
            )
            outcome = _shoot(context, recipe, fixture, camera, who, quiet=as_json)
            session = outcome.session_uuid
        elif fixture is not None or (exposure, iso, f_number, count) != (None,) * 4:
            raise RequestError(
                "a session has its fixture and settings: with --from-session give neither --fixture"
                " nor --exposure, --iso, --f-number or --count"
            )
        added = None
        if outcome is None or outcome.state not in _NO_REFERENCES_AFTER:
            with catalogue.reading() as transaction:
                shots = last_accepted_shots(transaction, session, scenes=scenes, serials=camera)
            if not shots and outcome is None:
                raise RequestError(
                    f"session {session} has no accepted frame of such a scene with a RAW file: see"
                    f" `agetrace session log {session}`"
                )
            if not replace:
                shots = without_reference(catalogue, shots)
                if not shots:
                    raise RequestError(_IN_USE)
            added = add_references(catalogue, shots, who, clock_of(home).now())
    _report(outcome, added, as_json=as_json)


@app.command()
def references(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the references that count: one for each scene and camera.

    Example: agetrace scene references
    """
    from agetrace.capturing import clock_of
    from capture.references import newest_references
    from datastore import equipment

    with catalogue_of(context) as (home, catalogue), catalogue.reading() as transaction:
        now = clock_of(home).now()
        staged = {revision.id for revision in equipment.list_scenes(transaction)}
        records = []
        for found in newest_references(transaction):
            state = "in use" if found.is_usable else f"not in use: its shot is {found.verdict}"
            if found.scene_revision_id not in staged:
                state = "not in use: the scene was changed"
            age = None if found.taken_at is None else (now - found.taken_at).total_seconds()
            age_days = None if age is None else round(age / 86_400, 2)
            records.append({**found.to_json(), "age_days": age_days, "state": state})
    print_records(records, _REFERENCE_COLUMNS, as_json=as_json)


def _lacking(
    catalogue: Catalogue, fixture: str | None, serials: list[str] | None, scenes: list[str] | None
) -> list[str]:
    """Return those of some scenes, else of all, that lack a reference for one of the cameras."""
    from agetrace.capturing import only_fixture
    from capture.checks import CheckThresholds
    from capture.knowledge import load_knowledge
    from capture.recipes import FLAT_PANEL
    from capture.session_rows import load_fixture

    with catalogue.reading() as transaction:
        facts = load_fixture(transaction, fixture or only_fixture(catalogue), serials)
    known = load_knowledge(catalogue, facts, CheckThresholds()).references
    wanted = scenes or [name for name in facts.scenes if name != FLAT_PANEL]
    lacking = [
        scene
        for scene in wanted
        if any(scene not in known.get(camera.camera_id, {}) for camera in facts.cameras)
    ]
    if not lacking:
        raise RequestError(_IN_USE)
    return lacking


def _shoot(
    context: typer.Context,
    recipe: Recipe,
    fixture: str | None,
    serials: list[str] | None,
    operator: str | None,
    *,
    quiet: bool,
) -> SessionOutcome:
    """Run the session that takes the frames."""
    from agetrace.capturing import clock_of, run_recipe
    from agetrace.cli._operator import TerminalOperator
    from agetrace.cli.session import stoppable

    with (
        catalogue_of(context) as (home, catalogue),
        stoppable() as stop,
        TerminalOperator(catalogue, clock_of(home).now, operator) as attendant,
        progress_bar(recipe.name, quiet=quiet) as advance,
    ):
        return run_recipe(
            home,
            catalogue,
            recipe,
            fixture_name=fixture,
            serials=serials,
            operator=operator,
            progress=advance,
            stop=stop,
            begun=attendant.attend,
            use_references=False,
        )


def _report(
    outcome: SessionOutcome | None, added: AddedReferences | None, *, as_json: bool
) -> None:
    """Say what was taken and kept; the exit code is 1 where a reference is missing."""
    kept = () if added is None else added.added
    refused = () if added is None else added.refused
    replaced = () if added is None else added.replaced
    if as_json:
        print_json(
            {
                "session": None if outcome is None else outcome.to_json(),
                "references": [reference.to_json() for reference in kept],
                "replaced": [reference.to_json() for reference in replaced],
                "refused": [reference.to_json() for reference in refused],
            }
        )
    else:
        if outcome is not None:
            say(outcome.summary())
        for old in replaced:
            taken = (
                "at an unknown time" if old.taken_at is None else f"{old.taken_at:%Y-%m-%d %H:%M}"
            )
            say(f"replaced: {old.scene}, camera {old.serial}, taken {taken}")
        for reference in refused:
            say(f"no reference: {reference.reason}")
        say(f"{len(kept)} references are in use from now on")
    quarantined = 0 if outcome is None else outcome.frames_quarantined
    if quarantined and not as_json:
        say(f"{quarantined} quarantined frames gave no reference: see `agetrace session log`")
    if outcome is not None and outcome.exit_code:
        raise typer.Exit(outcome.exit_code)
    if refused or quarantined:
        raise typer.Exit(1)


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
