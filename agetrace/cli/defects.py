"""`agetrace defects`: from dark fields to the ledger of a camera's defects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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


@app.command()
def extract(
    context: typer.Context, camera: CameraOption = None, as_json: JsonOption = False
) -> None:
    """Measure the defects of every dark-field session not measured yet, then renew the ledgers.

    Lists all measured sessions, each with the linearity of its strongest photosites in the
    exposure: R² of straight lines, and how many of them level off.

    Example: agetrace defects extract --camera 7100001
    """
    from training.defects import records
    from training.defects.measurements import read_measurements

    with catalogue_of(context) as (_, catalogue):
        camera_ids = [camera_id for camera_id, _ in _cameras(catalogue, camera)]
        with progress_bar("extracting defects", quiet=as_json) as advance:
            extracted = records.extract_pending(catalogue, camera_ids, progress=advance)
        ledgers = records.build_ledgers(catalogue, camera_ids)
        measurements = read_measurements(catalogue, camera_ids)
    if as_json:
        print_json(
            {
                "extractions": len(extracted),
                "ledgers": len(ledgers),
                "measurements": measurements,
            }
        )
        return
    say(f"{len(extracted)} sessions measured, {len(ledgers)} ledgers are up to date")
    columns = [
        "session_id", "camera_serial", "started_at", "frames", "defects", "r_squared_median",
        "r_squared_lowest", "plateaus",
    ]  # fmt: skip
    print_records(({**one, **(one["linearity"] or {})} for one in measurements), columns)


@app.command()
def ledger(
    context: typer.Context,
    camera: Annotated[str, typer.Argument(help="Serial of the camera.")],
    as_json: JsonOption = False,
) -> None:
    """List the defects of a camera with the intervals of their onsets.

    Example: agetrace defects ledger 7100001 --json
    """
    from training.defects import records

    with catalogue_of(context) as (_, catalogue):
        camera_id, _ = _cameras(catalogue, camera)[0]
        defects = records.read_ledger(catalogue, camera_id)
    columns = [
        "row", "column", "kind", "pre_existing", "onset_after", "onset_before",
        "dark_rate_dn_per_s", "offset_dn", "amplitude_dn", "significance",
    ]  # fmt: skip
    print_records((defect.to_json() for defect in defects), columns, as_json=as_json)


@app.command()
def plot(
    context: typer.Context,
    camera: Annotated[str, typer.Argument(help="Serial of the camera.")],
    output: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Draw the defect map, the growth curve and the linearity of a camera.

    Example: agetrace defects plot 7100001 --output pictures
    """
    from training.defects import records

    with catalogue_of(context) as (_, catalogue):
        camera_id, serial = _cameras(catalogue, camera)[0]
        paths = records.plot_ledger(catalogue, camera_id, output)
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
