"""`agetrace plan`: what an experiment could find, reckoned before it is captured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, read_text, say
from agetrace.errors import RequestError

if TYPE_CHECKING:
    from training.power.growth import GrowthRate

app = typer.Typer(no_args_is_help=True, help="Reckon before capturing what can be found.")


@app.callback()
def group() -> None:
    """Reckon before capturing what can be found."""


@app.command()
def power(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="Plan (YAML); options replace what it says.")
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(help="Serial: sensor and measured growth come from the catalogue."),
    ] = None,
    sensor_type: Annotated[Literal["CMOS", "CCD"] | None, typer.Option()] = None,
    pixel_pitch_um: Annotated[float | None, typer.Option(help="Micrometres.")] = None,
    width: Annotated[int | None, typer.Option(help="Photosites.")] = None,
    height: Annotated[int | None, typer.Option(help="Photosites.")] = None,
    dark_doubling_c: Annotated[
        float | None, typer.Option(help="Kelvins in which dark current doubles.")
    ] = None,
    iso: Annotated[float | None, typer.Option(help="Of scene frames.")] = None,
    exposure_s: Annotated[float | None, typer.Option(help="Of scene frames, seconds.")] = None,
    temperature_c: Annotated[float | None, typer.Option(help="Of the sensor.")] = None,
    frames_averaged: Annotated[
        int | None, typer.Option(help="Frames that are averaged into one.")
    ] = None,
    gap_days: Annotated[
        float | None, typer.Option(help="From the middle of one class to that of the other.")
    ] = None,
    cadence_days: Annotated[
        float | None, typer.Option(help="From one session to the next.")
    ] = None,
    test_sessions: Annotated[
        int | None, typer.Option(help="Sessions a class in the test block.")
    ] = None,
    frames: Annotated[int | None, typer.Option(help="Frames of a test session.")] = None,
    patch_kind: Annotated[
        Literal["five-crop", "grid", "random", "defect-centred", "tiles"] | None, typer.Option()
    ] = None,
    patch_size: Annotated[int | None, typer.Option(help="Side in photosites.")] = None,
    patch_count: Annotated[int | None, typer.Option(help="Patches of a frame.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Level of the test.")] = None,
    effect: Annotated[
        float | None, typer.Option(help="Share of frames recognised, to judge that as well.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Picture of the chance against gap and sessions.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether an experiment can succeed, and what would change it.

    Example: agetrace plan power plan.yaml --gap-days 730 --patch-kind defect-centred
    """
    from training.power.plan import plan_power
    from training.power.spec import make_power_spec, read_document

    if plot is not None and not plot.parent.is_dir():
        raise RequestError(f"--plot {plot}: there is no folder {plot.parent}")
    source = "options" if file is None else str(file)
    document = {} if file is None else read_document(read_text(file), source)
    growth = None
    if camera is not None:
        sensor, growth = _known_camera(context, camera)
        _lay_over(document, "sensor", sensor, source)
        if document.get("growth") is not None:
            # whoever names a rate wants it instead of the camera's
            growth = None
    parts: dict[str, dict[str, Any]] = {
        "sensor": {
            "type": sensor_type,
            "pixel_pitch_um": pixel_pitch_um,
            "width": width,
            "height": height,
            "dark_doubling_c": dark_doubling_c,
        },
        "scene": {
            "iso": iso,
            "exposure_s": exposure_s,
            "temperature_c": temperature_c,
            "frames_averaged": frames_averaged,
        },
        "sessions": {
            "gap_days": gap_days,
            "cadence_days": cadence_days,
            "test": test_sessions,
            "frames": frames,
        },
        "patches": {"kind": patch_kind, "size": patch_size, "count": patch_count},
    }
    for part, values in parts.items():
        _lay_over(document, part, values, source)
    document |= {
        name: value for name, value in (("alpha", alpha), ("effect", effect)) if value is not None
    }
    spec = make_power_spec(document, source)
    answer = plan_power(spec, growth)
    if plot is not None:
        from training.power.pictures import power_figure

        try:
            power_figure(spec, growth).savefig(plot, dpi=150)
        except (OSError, ValueError) as error:
            raise RequestError(f"--plot {plot}: {error}") from None
    if as_json:
        print_json(answer.to_json())
    else:
        typer.echo(answer.to_text())
    if plot is not None:
        say(f"wrote {plot}")


def _lay_over(document: dict[str, Any], part: str, values: dict[str, Any], source: str) -> None:
    """Replace fields of one part of a plan by the values that are given."""
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        return
    fields = document.get(part, {})
    if not isinstance(fields, dict):
        raise RequestError(f"{source}: {part}: a mapping of fields is needed")
    if part == "patches" and "kind" in given and given["kind"] != fields.get("kind"):
        # another kind has another meaning of count
        fields = {name: value for name, value in fields.items() if name != "count"}
    if part == "patches":
        fields = {"kind": "five-crop", **fields}
    document[part] = {**fields, **given}


def _known_camera(context: typer.Context, serial: str) -> tuple[dict[str, Any], GrowthRate | None]:
    """Return what the catalogue knows of a camera's sensor, and its growth if it was watched."""
    from sqlalchemy import select

    from datastore.tables import Camera
    from training.defects import ledger_records
    from training.defects.growth import growth_of
    from training.power.growth import measured_growth

    with catalogue_of(context) as (_, catalogue):
        with catalogue.reading() as session:
            found = session.scalars(select(Camera).where(Camera.serial == serial)).all()
        if not found:
            raise RequestError(f"no camera has the serial {serial!r}: see `agetrace fixture list`")
        if len(found) > 1:
            raise RequestError(f"{len(found)} cameras have the serial {serial!r}")
        camera = found[0]
        sensor = {
            "type": camera.sensor_type,
            "pixel_pitch_um": camera.pixel_pitch_um,
            "width": camera.width,
            "height": camera.height,
            "white_level_dn": camera.white_level,
        }
        times = ledger_records.dark_session_times(catalogue, camera.id)
        if len(set(times)) < 2:
            return sensor, None
        defects = ledger_records.read_ledger(catalogue, camera.id)
        return sensor, measured_growth(growth_of(defects, times), serial)
