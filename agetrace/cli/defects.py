"""`agetrace defects`: from dark fields to the ledger of a camera's defects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    print_json,
    print_records,
    progress_bar,
    say,
)
from agetrace.errors import RequestError

if TYPE_CHECKING:
    from datastore.catalogue import Catalogue

app = typer.Typer(no_args_is_help=True, help="Extract defects from dark fields; the ledger.")

CameraOption = Annotated[str | None, typer.Option(help="Serial of the camera; all otherwise.")]
CameraArgument = Annotated[str, typer.Argument(help="Serial of the camera.")]
FolderOption = Annotated[Path, typer.Option(help="Folder for the pictures.")]


@app.command()
def extract(
    context: typer.Context, camera: CameraOption = None, as_json: JsonOption = False
) -> None:
    """Measure every session not measured yet, dark and flat fields, then renew the ledgers.

    Lists all measured sessions, each with the linearity of its strongest photosites in the
    exposure: R² of straight lines, and how many of them level off. A session that cannot be
    measured is told, stops no other, and makes the exit code 1.

    Example: agetrace defects extract --camera 7100001
    """
    from training.defects import flat_records, ledger_records, records
    from training.defects.measurements import read_measurements

    with catalogue_of(context) as (_, catalogue):
        camera_ids = [camera_id for camera_id, _ in _cameras(catalogue, camera)]
        with progress_bar("extracting defects", quiet=as_json) as advance:
            dark = records.extract_pending(catalogue, camera_ids, progress=advance)
        with progress_bar("measuring flat fields", quiet=as_json) as advance:
            flat = flat_records.extract_pending_flats(catalogue, camera_ids, progress=advance)
        ledgers = ledger_records.build_ledgers(catalogue, camera_ids)
        measurements = read_measurements(catalogue, camera_ids)
    if as_json:
        print_json(
            {
                "extractions": len(dark.added),
                "flat_extractions": len(flat.added),
                "ledgers": len(ledgers),
                "failed": {**flat.failed, **dark.failed},
                "measurements": measurements,
            }
        )
    else:
        say(
            f"{len(dark.added)} dark and {len(flat.added)} flat sessions measured,"
            f" {len(ledgers)} ledgers are up to date"
        )
        _print_measurements(measurements)
        for session, why in (*dark.failed.items(), *flat.failed.items()):
            say(f"session {session} could not be measured: {why}")
    if dark.failed or flat.failed:
        raise typer.Exit(1)


def _print_measurements(measurements: list[dict[str, Any]]) -> None:
    columns = [
        "session_id", "camera_serial", "started_at", "frames", "defects", "r_squared_median",
        "r_squared_lowest", "plateaus", "temperature",
    ]  # fmt: skip
    print_records((_measurement(one) for one in measurements), columns)
    for one in measurements:
        for judged in one["judgements"] or ():
            if judged["verdict"] == "suspected":
                say(f"{one['camera_serial']} {one['started_at']}: {judged['sentence']}")
        if one["body"] is not None and one["body"]["verdict"] == "another-body":
            say(
                f"{one['camera_serial']} {one['started_at']}: neither hot pixels nor fixed pattern"
                f" are those of session {one['body']['compared_with']}: another body took these"
                " frames, and the ledger leaves them out"
            )


def _measurement(one: dict[str, Any]) -> dict[str, Any]:
    """Return a session's measurement as a row of the table."""
    stability = one["stability"] or {}
    return {**one, **(one["linearity"] or {}), "temperature": stability.get("verdict")}


@app.command()
def flats(context: typer.Context, camera: CameraArgument, as_json: JsonOption = False) -> None:
    """List what the flat fields of a camera show: dead and weak photosites, dust, whose they are.

    Example: agetrace defects flats 7100001 --json
    """
    from training.defects import flat_records

    with catalogue_of(context) as (_, catalogue):
        camera_id, _ = _cameras(catalogue, camera)[0]
        found = flat_records.read_flats(catalogue, camera_id)
    columns = ["session_id", "started_at", "frames", "dead", "low_response", "dust", "bodies"]
    if as_json:
        print_records(found, columns, as_json=True)
        return
    print_records(
        (
            {**one, "bodies": " ".join(sorted({body["verdict"] for body in one["bodies"]}))}
            for one in found
        ),
        columns,
    )
    if found:
        say(f"photosites of the newest session, {found[-1]['session_id']}:")
        print_records(
            found[-1]["photosites"],
            ["row", "column", "kind", "response", "response_error", "significance", "under_dust"],
        )


@app.command()
def ledger(context: typer.Context, camera: CameraArgument, as_json: JsonOption = False) -> None:
    """List the defects of a camera with the intervals of their onsets.

    Example: agetrace defects ledger 7100001 --json
    """
    from training.defects import ledger_records

    with catalogue_of(context) as (_, catalogue):
        camera_id, _ = _cameras(catalogue, camera)[0]
        defects = ledger_records.read_ledger(catalogue, camera_id)
    columns = [
        "row", "column", "kind", "pre_existing", "onset_after", "onset_before",
        "dark_rate_dn_per_s", "offset_dn", "amplitude_dn", "significance",
    ]  # fmt: skip
    print_records((defect.to_json() for defect in defects), columns, as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    camera: CameraArgument,
    row: Annotated[int, typer.Argument(help="Row of the photosite, in full raw_image space.")],
    column: Annotated[int, typer.Argument(help="Its column.")],
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for pictures: amplitudes, surroundings before and after."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show one defect: what it is, and its amplitude in every dark session.

    A session that is `absent` would have shown it, one that is `not-detectable` could not.

    Example: agetrace defects show 7100001 120 348
    """
    from training.defects import export as tables
    from training.defects import ledger_records, pictures

    with catalogue_of(context) as (_, catalogue):
        camera_id, serial = _cameras(catalogue, camera)[0]
        defects = ledger_records.read_ledger(catalogue, camera_id)
        history = ledger_records.read_history(catalogue, camera_id)
        is_there = any((one.row, one.column) == (row, column) for one in defects)
        paths = (
            pictures.plot_defect(catalogue, camera_id, row, column, output)
            if output is not None and is_there
            else []
        )
    found = next((one for one in defects if (one.row, one.column) == (row, column)), None)
    if found is None:
        raise RequestError(
            f"the ledger of {serial} has no defect at row {row}, column {column}:"
            f" see `agetrace defects ledger {serial}`"
        )
    amplitudes = [
        one
        for one in ([] if history is None else tables.history_rows(serial, history.series))
        if (one["row"], one["column"]) == (row, column)
    ]
    if as_json:
        print_json(
            {
                "camera": serial,
                **found.to_json(),
                "history": amplitudes,
                "pictures": [str(path) for path in paths],
            }
        )
        return
    for name, value in found.to_json().items():
        say(f"{name.replace('_', ' ')}: {' '.join(value) if isinstance(value, list) else value}")
    columns = ["at", "temperature_c", "state", "amplitude", "amplitude_error", "unit"]
    print_records(amplitudes, columns)
    for path in paths:
        say(f"{serial}: {path}")


@app.command()
def growth(
    context: typer.Context,
    camera: CameraArgument,
    output: Annotated[
        Path | None, typer.Option(help="Folder for pictures of the rate and of the places.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the Monte-Carlo tests.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Judge how the defects of a camera grow: rate, constancy, places, prior, age of the sensor.

    Example: agetrace defects growth 7100001 --output pictures
    """
    from training.defects import growth_records, pictures

    with catalogue_of(context) as (_, catalogue):
        camera_id, serial = _cameras(catalogue, camera)[0]
        report = growth_records.read_growth(catalogue, camera_id, seed=seed)
    paths = [] if output is None else pictures.plot_growth(report, output)
    if as_json:
        print_json({**report.to_json(), "pictures": [str(path) for path in paths]})
        return
    for line in report.to_text():
        say(line)
    for path in paths:
        say(f"{serial}: {path}")


@app.command(name="map")
def draw_map(
    context: typer.Context,
    camera: CameraArgument,
    output: FolderOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Draw where the defects of a camera are, by kind.

    Example: agetrace defects map 7100001 --output pictures
    """
    from training.defects import pictures

    _draw(context, camera, output, pictures.MAP, as_json)


@app.command()
def plot(
    context: typer.Context,
    camera: CameraArgument,
    output: FolderOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Draw the defect map, the growth curve, the linearity and the temperatures of a camera.

    Example: agetrace defects plot 7100001 --output pictures
    """
    from training.defects import pictures

    _draw(context, camera, output, pictures.ALL, as_json)


@app.command()
def export(
    context: typer.Context,
    camera: CameraArgument,
    output: Annotated[Path, typer.Argument(help="A new file: .csv, .jsonl or .parquet.")],
    history: Annotated[
        bool, typer.Option("--history", help="One row per defect and dark session.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the ledger of a camera into a file, a row per defect.

    Example: agetrace defects export 7100001 ledger.csv
    """
    from training.defects import export as tables
    from training.defects import ledger_records

    with catalogue_of(context) as (_, catalogue):
        camera_id, serial = _cameras(catalogue, camera)[0]
        if history:
            told = ledger_records.read_history(catalogue, camera_id)
            rows = [] if told is None else list(tables.history_rows(serial, told.series))
        else:
            defects = ledger_records.read_ledger(catalogue, camera_id)
            rows = list(tables.defect_rows(serial, defects))
    tables.write_table(rows, output)
    if as_json:
        print_json({"camera": serial, "file": str(output), "rows": len(rows)})
        return
    say(f"{serial}: {len(rows)} rows in {output}")


def _draw(
    context: typer.Context, camera: str, output: Path, names: tuple[str, ...], as_json: bool
) -> None:
    from training.defects import pictures

    with catalogue_of(context) as (_, catalogue):
        camera_id, serial = _cameras(catalogue, camera)[0]
        paths = pictures.plot_ledger(catalogue, camera_id, output, names)
    if as_json:
        print_json({"camera": serial, "pictures": [str(path) for path in paths]})
        return
    for path in paths:
        say(f"{serial}: {path}")


def _cameras(catalogue: Catalogue, serial: str | None) -> list[tuple[int, str]]:
    from sqlalchemy import select

    from datastore.tables import Camera

    with catalogue.reading() as session:
        query = select(Camera.id, Camera.serial).order_by(Camera.id)
        if serial is not None:
            query = query.where(Camera.serial == serial)
        found = [(camera_id, name) for camera_id, name in session.execute(query)]
    if serial is not None and not found:
        raise RequestError(f"no camera has the serial {serial!r}: see `agetrace fixture list`")
    if serial is not None and len(found) > 1:
        raise RequestError(f"{len(found)} cameras have the serial {serial!r}")
    return found
