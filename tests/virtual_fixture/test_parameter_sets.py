"""What models in the manner of real bodies offer, met with libgphoto2 in a process of its own."""

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from fixtures.description import description_from_mapping
from fixtures.errors import DescriptionError
from fixtures.ptp.camera import Camera, Exposure, Identity
from fixtures.ptp.card import Card
from fixtures.ptp.codes import EosPropertyCode, PropertyCode
from fixtures.ptp.profiles import (
    PROFILES,
    Profile,
    ShotSettings,
    parameter_sets,
    profile_named,
)
from fixtures.ptp.properties import Code, PropertyTable
from fixtures.ptp.responder import Responder
from tests.support.virtual import RunningFixture, small_description

RunSteps = Callable[..., list[dict[str, Any]]]

CODES: dict[str, tuple[Code, Code, Code]] = {
    "nikon": (
        PropertyCode.NIKON_EXPOSURE_TIME,
        PropertyCode.EXPOSURE_INDEX,
        PropertyCode.F_NUMBER,
    ),
    "generic": (PropertyCode.EXPOSURE_TIME, PropertyCode.EXPOSURE_INDEX, PropertyCode.F_NUMBER),
    "eos": (
        EosPropertyCode.SHUTTER_SPEED,
        EosPropertyCode.ISO_SPEED,
        EosPropertyCode.APERTURE,
    ),
}
EOS_7D, D850, D90 = "7100002", "7100003", "7100004"


def results(run_steps: RunSteps, port: str, *steps: list[Any]) -> list[Any]:
    return [answer["result"] for answer in run_steps(port, *steps)]


def test_each_dialect_has_parameter_sets_and_a_usual_one() -> None:
    assert parameter_sets("nikon") == ("d7000", "d850", "d90")
    assert parameter_sets("eos") == ("5d-mark-iii", "6d", "7d")
    assert parameter_sets("generic") == ("plain",)
    for name, usual in PROFILES.items():
        assert profile_named(name, None) is usual
        assert usual.parameter_set == parameter_sets(name)[0]
        for parameter_set in parameter_sets(name):
            assert profile_named(name, parameter_set).parameter_set == parameter_set


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"profile": "eos", "parameter_set": "d850"}, "'d850' is not one of 5d-mark-iii, 6d, 7d"),
        ({"profile": "eos", "model": "Canon EOS M50"}, "takes 'Canon EOS M50' for an EOS M"),
    ],
)
def test_a_description_names_what_there_is(fields: dict[str, str], words: str) -> None:
    with pytest.raises(DescriptionError, match=words):
        description_from_mapping(small_description(fields))


def test_a_description_selects_a_set() -> None:
    chosen = small_description({"profile": "nikon", "parameter_set": "d90"}, {})
    first, second = description_from_mapping(chosen).cameras
    assert (first.plug.parameter_set, second.plug.parameter_set) == ("d90", None)


def understood(profile: Profile, code: Code, read: Callable[[ShotSettings], float]) -> list[float]:
    """Set each choice of a setting and return what the profile takes it for."""
    table = PropertyTable(profile.properties(384, 256))
    found = []
    for choice in table.property(code).choices:
        table.set(code, choice)
        found.append(read(profile.settings(table)))
    return found


@pytest.mark.parametrize(
    ("name", "parameter_set", "iso", "shortest_s", "f_numbers"),
    [
        ("nikon", "d7000", (100, 25600), Fraction(1, 8000), (1.8, 22.0)),
        ("nikon", "d850", (32, 51200), Fraction(1, 8000), (1.8, 16.0)),
        ("nikon", "d90", (100, 6400), Fraction(1, 4000), (5.6, 36.0)),
        ("eos", "5d-mark-iii", (100, 25600), Fraction(1, 8000), (1.8, 22.0)),
        ("eos", "6d", (100, 25600), Fraction(1, 4000), (1.8, 22.0)),
        ("eos", "7d", (100, 12800), Fraction(1, 8000), (1.8, 22.0)),
        ("generic", "plain", (100, 25600), Fraction(1, 10_000), (1.8, 22.0)),
    ],
)
def test_every_choice_is_understood(
    name: str,
    parameter_set: str,
    iso: tuple[int, int],
    shortest_s: Fraction,
    f_numbers: tuple[float, float],
) -> None:
    profile = profile_named(name, parameter_set)
    exposure_code, iso_code, f_number_code = CODES[name]
    exposures_s = understood(profile, exposure_code, lambda settings: float(settings.exposure_s))
    isos = understood(profile, iso_code, lambda settings: settings.iso)
    apertures = understood(profile, f_number_code, lambda settings: settings.f_number)
    assert (min(exposures_s), max(exposures_s)) == (float(shortest_s), 30)
    assert len(set(exposures_s)) == len(exposures_s)
    assert [min(isos), max(isos)] == list(iso)
    assert [min(apertures), max(apertures)] == list(f_numbers)


@pytest.mark.parametrize(
    ("serial", "name", "first", "last"),
    [
        (D850, "iso", "32", "51200"),
        (D850, "shutterspeed2", "1/8000", "30"),
        (D850, "f-number", "f/1.8", "f/16"),
        (D90, "iso", "100", "6400"),
        (D90, "shutterspeed2", "1/4000", "30"),
        (D90, "f-number", "f/5.6", "f/36"),
        (EOS_7D, "iso", "Auto", "12800"),
        (EOS_7D, "drivemode", "Single", "Continuous low speed"),
    ],
)
def test_a_client_is_offered_what_the_set_holds(
    bodies: RunningFixture, run_steps: RunSteps, serial: str, name: str, first: str, last: str
) -> None:
    (choices,) = results(run_steps, bodies.gphoto_port(serial), ["choices", name])
    assert (choices[0], choices[-1]) == (first, last)


@pytest.mark.parametrize("serial", [D850, D90], ids=["d850", "d90"])
def test_noise_reduction_of_long_exposures_can_be_switched(
    bodies: RunningFixture, run_steps: RunSteps, serial: str
) -> None:
    choices, off, _, on, _, off_again = results(
        run_steps,
        bodies.gphoto_port(serial),
        ["choices", "longexpnr"],
        ["get", "longexpnr"],
        ["set", "longexpnr", "On"],
        ["get", "longexpnr"],
        ["set", "longexpnr", "Off"],
        ["get", "longexpnr"],
    )
    assert choices == ["On", "Off"]
    assert (off, on, off_again) == ("Off", "On", "Off")


@pytest.mark.parametrize("parameter_set", parameter_sets("nikon"))
@pytest.mark.parametrize("value", [0, 1])
def test_the_profile_understands_noise_reduction(parameter_set: str, value: int) -> None:
    profile = profile_named("nikon", parameter_set)
    table = PropertyTable(profile.properties(384, 256))
    table.set(PropertyCode.NIKON_LONG_EXPOSURE_NOISE_REDUCTION, value)
    assert profile.settings(table).long_exposure_noise_reduction is bool(value)


@pytest.mark.parametrize(("serial", "waits"), [(D850, True), (D90, False)], ids=["d850", "d90"])
def test_only_newer_bodies_make_the_client_wait_for_the_exposure(
    bodies: RunningFixture, run_steps: RunSteps, serial: str, waits: bool
) -> None:
    _, _, _, taken, shot = run_steps(
        bodies.gphoto_port(serial),
        ["set", "capturetarget", "Memory card"],
        ["set", "imagequality", "NEF+Fine"],
        ["set", "shutterspeed2", "30"],
        ["shoot", 0],
        ["shoot", 2, 3],
    )
    assert "error" not in taken
    assert (taken["seconds"] > 0.3) is waits
    if not waits:
        # The second trigger came in the middle of the exposure; the camera is busy until its end.
        assert shot["error"] == -110


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("settable", [True, False], ids=["settable", "fixed"])
def test_the_clock_is_read_and_set(
    run_steps: RunSteps, tmp_path: Path, profile: Profile, settable: bool
) -> None:
    times = [datetime(2024, 3, 1, 12, tzinfo=UTC)]
    later = datetime(2031, 7, 8, 9, 10, 11, tzinfo=UTC)

    def expose(_: ShotSettings) -> Exposure:
        return Exposure(times[-1], 1, ())

    camera = Camera(
        profile,
        Identity("Agetrace", "Fixture 1", "1", "1.00", 384, 256),
        Card(tmp_path / "card", "100VIRTU", times[0]),
        expose,
        lambda: times[-1],
        lambda _: None,
        set_clock=times.append if settable else None,
    )
    responder = Responder(camera, "127.0.0.6", 0)
    responder.start()
    host, port = responder.address
    before, setting, after = run_steps(
        f"ptpip:{host}:{port}:{port}",
        ["get", "datetime"],
        ["set", "datetime", int(later.timestamp())],
        ["get", "datetime"],
    )
    responder.close()
    assert before["result"] == times[0].timestamp()
    assert ("error" in setting) is not settable
    assert after["result"] == (later if settable else times[0]).timestamp()
    assert times[1:] == ([later] if settable else [])
