"""`agetrace camera`: which cameras there are, what they can do, and registering a body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, print_records, say
from agetrace.errors import RequestError

if TYPE_CHECKING:
    from capture.cameras.protocol import CameraIdentity
    from capture.inspection import Inspection
    from datastore.equipment import CameraDescription

app = typer.Typer(no_args_is_help=True, help="List, register and check cameras.")

CameraArgument = Annotated[
    str,
    typer.Argument(
        help="Address (ptpip:IP:PORT, usb:BUS,DEVICE), or serial of a mounted camera.",
        metavar="ADDRESS|SERIAL",
    ),
]
TestShotOption = Annotated[
    bool, typer.Option("--test-shot", help="Release the shutter once and look at the files.")
]

_COLUMNS = ["serial", "make", "model", "simulated", "mounted", "shots", "last_shot_at"]
_CONNECTED_COLUMNS = ["address", "state", "make", "model", "serial", "fixture", "reason"]


@app.command("list")
def list_(
    context: typer.Context,
    connected: Annotated[
        bool, typer.Option("--connected", help="Look which cameras answer now.")
    ] = False,
    address: Annotated[
        list[str] | None,
        typer.Option(help="Look there, too, besides USB and the fixtures' addresses."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the registered cameras, or those that are connected.

    Example: agetrace camera list --connected --address ptpip:192.168.1.20
    """
    from agetrace.cameras import connected_cameras, list_cameras

    if address and not connected:
        raise RequestError("--address says where to look: give --connected, too")
    with catalogue_of(context) as (_, catalogue):
        if connected:
            records = connected_cameras(catalogue, address or ())
            print_records(records, _CONNECTED_COLUMNS, as_json=as_json)
            return
        with catalogue.reading() as transaction:
            records = list_cameras(transaction)
    if not as_json:
        for record in records:
            record["mounted"] = [f"{at['name']}:{at['address']}" for at in record["fixtures"]]
    print_records(records, _COLUMNS, as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    serial: Annotated[
        str, typer.Argument(help="Serial or alias of a registered camera.", metavar="SERIAL")
    ],
    make: Annotated[str | None, typer.Option(help="Where several share the serial.")] = None,
    model: Annotated[str | None, typer.Option(help="Where several share the serial.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is known of a camera: sensor, firmware over time, clock, frames by kind.

    Example: agetrace camera show 7100001
    """
    from agetrace.camera_record import camera_lines, camera_record, find_camera

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as transaction:
        camera = find_camera(transaction, serial, make=make, model=model)
        record = camera_record(transaction, camera)
    if as_json:
        print_json(record)
        return
    print_records(camera_lines(record), ["what", "found"])


@app.command()
def add(
    context: typer.Context,
    camera: Annotated[
        str, typer.Argument(help="ptpip:IP:PORT or usb:BUS,DEVICE.", metavar="ADDRESS")
    ],
    sensor_type: Annotated[str | None, typer.Option(help="Such as CMOS or CCD.")] = None,
    width: Annotated[int | None, typer.Option(help="Photosites of a row.", min=1)] = None,
    height: Annotated[int | None, typer.Option(help="Rows.", min=1)] = None,
    pixel_pitch_um: Annotated[float | None, typer.Option(help="In micrometres.")] = None,
    cfa: Annotated[str | None, typer.Option(help="Colour filters, such as RGGB.")] = None,
    white_level: Annotated[int | None, typer.Option(help="Full photosite, in DN.", min=1)] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="It is no real body, and will always say so.")
    ] = False,
    test_shot: TestShotOption = False,
    as_json: JsonOption = False,
) -> None:
    """Register a camera, and print its lines for the fixture's description.

    What is not given of the sensor comes from a test shot, or stays unknown.

    Example: agetrace camera add usb:001,004 --pixel-pitch-um 5.95 --test-shot
    """
    from agetrace.cameras import find_place, held_camera
    from agetrace.capturing import clock_of
    from capture.inspection import inspect_camera
    from datastore.equipment import register_camera

    given = {
        "type": sensor_type,
        "width": width,
        "height": height,
        "pixel_pitch_um": pixel_pitch_um,
        "cfa": cfa,
        "white_level": white_level,
    }
    with catalogue_of(context) as (home, catalogue):
        with catalogue.reading() as transaction:
            place = find_place(transaction, _address(camera))
        clock = clock_of(home)
        found = None
        with held_camera(home, catalogue, place, whichever=True) as (opened, identity):
            if test_shot:
                found = inspect_camera(opened, identity, clock, with_test_shot=True)
        sensor = {**_sensor_of(found), **{k: v for k, v in given.items() if v is not None}}
        description = _description(place.address, identity, sensor)
        is_new = register_camera(catalogue, description, simulated=simulated, at=clock.now())
    written = description.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    if as_json:
        print_json({"new": is_new, "simulated": simulated, "camera": written})
        return
    import yaml

    name = f"{identity.make} {identity.model} {identity.serial}"
    say(f"{name} is registered" if is_new else f"{name} is registered already; nothing changed")
    say("its lines for the fixture's description:")
    typer.echo(yaml.safe_dump({"cameras": [written]}, sort_keys=False), nl=False)


@app.command()
def check(
    context: typer.Context,
    camera: CameraArgument,
    test_shot: TestShotOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find out whether a camera can serve in a session; exit code 1 if something stands against it.

    Example: agetrace camera check ptpip:192.168.1.20 --test-shot
    """
    from agetrace.cameras import find_place, held_camera
    from agetrace.capturing import clock_of
    from capture.inspection import inspect_camera
    from datastore.frames import ExpectedFile

    with catalogue_of(context) as (home, catalogue):
        with catalogue.reading() as transaction:
            place = find_place(transaction, camera)
        body = place.camera
        expected = None
        if body is not None:
            expected = ExpectedFile(
                make=body.make, model=body.model, width=body.width, height=body.height
            )
        with held_camera(home, catalogue, place) as (opened, identity):
            inspection = inspect_camera(
                opened, identity, clock_of(home), expected=expected, with_test_shot=test_shot
            )
    if as_json:
        print_json(_report(place.address, identity, inspection))
    else:
        _print_report(identity, inspection)
    if inspection.problems:
        raise typer.Exit(1)


@app.command()
def settings(context: typer.Context, camera: CameraArgument, as_json: JsonOption = False) -> None:
    """Show every setting of a recipe: what the camera is set to, and what it offers.

    Example: agetrace camera settings 7100001
    """
    from agetrace.cameras import find_place, held_camera

    with catalogue_of(context) as (home, catalogue):
        with catalogue.reading() as transaction:
            place = find_place(transaction, camera)
        with held_camera(home, catalogue, place) as (opened, _):
            capabilities = opened.settings.capabilities()
    records = [
        {
            "field": field,
            "name": None if setting is None else setting.name,
            "value": None if setting is None else setting.shown,
            "choices": [] if setting is None else list(setting.choices),
        }
        for field, setting in capabilities.settings.items()
    ]
    columns = ["field", "name", "value", "choices"]
    print_records(records, columns, as_json=as_json, wrapped="choices")


def _address(text: str) -> str:
    if not text.startswith(("ptpip:", "usb:")):
        raise RequestError(f"{text!r} is no address: write ptpip:IP:PORT or usb:BUS,DEVICE")
    return text


def _sensor_of(inspection: Inspection | None) -> dict[str, Any]:
    """Return what a test shot told of the sensor."""
    shot = None if inspection is None else inspection.test_shot
    if inspection is not None and (shot is None or shot.problems or shot.raw is None):
        raise RequestError(
            "the test shot tells nothing of the sensor: "
            + (" ".join(inspection.problems) or "it brought no RAW file")
        )
    if shot is None or shot.raw is None:
        return {}
    raw = shot.raw
    facts = {
        "width": raw.width,
        "height": raw.height,
        "cfa": raw.cfa,
        "white_level": raw.white_level,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _description(
    address: str, identity: CameraIdentity, sensor: dict[str, Any]
) -> CameraDescription:
    from pydantic import ValidationError

    from datastore.descriptions import describe_problems
    from datastore.equipment import CameraDescription

    try:
        return CameraDescription.model_validate(
            {
                "serial": identity.serial,
                "make": identity.make,
                "model": identity.model,
                "address": address,
                "sensor": sensor,
            }
        )
    except ValidationError as error:
        raise RequestError(
            f"the camera at {address} cannot be registered: {describe_problems(error)}"
        ) from None


def _report(address: str, identity: CameraIdentity, inspection: Inspection) -> dict[str, Any]:
    shot = inspection.test_shot
    return {
        "address": address,
        "make": identity.make,
        "model": identity.model,
        "serial": identity.serial,
        "firmware": identity.firmware,
        "capabilities": inspection.capabilities.to_json(),
        "clock_skew_s": inspection.clock_skew_s,
        "test_shot": None if shot is None else shot.to_json(),
        "problems": list(inspection.problems),
        "notes": list(inspection.notes),
    }


def _print_report(identity: CameraIdentity, inspection: Inspection) -> None:
    found = inspection.capabilities
    say(f"{identity.make} {identity.model} {identity.serial}, firmware {identity.firmware}")
    read_back = {True: "works", False: "fails", None: "one choice only"}
    lines = [
        {
            "what": field,
            "found": "missing"
            if setting is None
            else f"{setting.name}: {len(setting.choices)} choices, set to {setting.shown},"
            f" read-back {read_back[setting.read_back_works]}",
        }
        for field, setting in found.settings.items()
    ]
    reduction = found.long_exposure_noise_reduction
    room = found.card_free_bytes
    facts = {
        "takes": ", ".join(found.image_qualities) or "nothing that is understood",
        "long-exposure noise reduction": "not shown"
        if reduction is None
        else ("on" if reduction.is_on else "off"),
        "clock skew": _said(inspection.clock_skew_s, "s"),
        "battery": _said(found.battery),
        "free on the card": _said(None if room is None else round(room / 1e6), "MB"),
        "shutter count": _said(found.shutter_count),
    }
    if inspection.test_shot is not None:
        shot = inspection.test_shot
        names = ", ".join(f"{file['name']} ({file['bytes']:,} bytes)" for file in shot.files)
        facts["test shot"] = f"{names} in {shot.seconds:.1f} s"
    lines.extend({"what": what, "found": value} for what, value in facts.items())
    print_records(lines, ["what", "found"])
    for note in inspection.notes:
        say(f"note: {note}")
    for problem in inspection.problems:
        say(f"problem: {problem}")
    if not inspection.problems:
        say("nothing stands against a session")


def _said(value: object, unit: str = "") -> str:
    return "not told" if value is None else f"{value} {unit}".rstrip()
