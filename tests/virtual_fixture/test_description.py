"""Descriptions of virtual fixtures: what is accepted, what is refused, what users are handed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.description import (
    default_description_text,
    description_from_mapping,
    fixture_document,
    read_description,
)
from fixtures.errors import FixtureError
from fixtures.scenes import scene_names
from tests.support.virtual import small_description


def test_the_default_is_two_nikon_cameras_with_every_scene() -> None:
    description = read_description(None)
    assert [camera.plug.profile for camera in description.cameras] == ["nikon", "nikon"]
    assert len({camera.body.serial for camera in description.cameras}) == 2
    assert description.scenes == tuple(scene_names())


def test_the_default_can_be_copied(tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    copy.write_text(default_description_text(), encoding="utf-8")
    assert read_description(copy) == read_description(None)


def test_users_are_handed_cameras_and_scenes_as_an_operator_knows_them() -> None:
    description = description_from_mapping(
        small_description(scenes=["flat-panel", "brick-ball-daylight"])
    )
    document = fixture_document(description, {"7100001": "ptpip:127.0.0.2:15740"})
    assert document["name"] == "virtual"
    assert document["simulated"] is True
    assert document["cameras"] == [
        {
            "serial": "7100001",
            "make": "Agetrace",
            "model": "Fixture 1",
            "address": "ptpip:127.0.0.2:15740",
            "profile": "nikon",
            "sensor": {
                "type": "CMOS",
                "width": 384,
                "height": 256,
                "pixel_pitch_um": 5.0,
                "cfa": "RGGB",
                "white_level": 16383,
            },
        }
    ]
    assert document["scenes"][1] == {
        "name": "brick-ball-daylight",
        "background": "brick",
        "foreground": "ball",
        "illumination": "daylight",
    }
    assert yaml.safe_load(yaml.safe_dump(document)) == document


def camera(**fields: Any) -> dict[str, Any]:
    return small_description(fields)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ([], "cameras"),
        ({}, "cameras: a list"),
        ({"cameras": []}, "cameras: a list"),
        ({"cameras": ["7100001"]}, r"cameras\[0\]: a mapping"),
        (camera(colour="black"), r"cameras\[0\]: .*unknown field colour"),
        (camera(address="192.168.1.7"), r"cameras\[0\]: address: '192.168.1.7'"),
        (camera(address="localhost"), r"cameras\[0\]: address: 'localhost'"),
        (camera(port=70_000), r"cameras\[0\]: port: 70000"),
        (camera(profile="canon"), r"cameras\[0\]: profile: 'canon'"),
        (camera(model="VF-1"), r"cameras\[0\]: model: libgphoto2 takes 'VF-1' for a Nikon 1"),
        (camera(width=383), r"cameras\[0\]: width: 383"),
        (camera(serial=7100001), r"cameras\[0\]: serial: 7100001"),
        (camera(serial="actuators"), r"cameras\[0\]: serial: 'actuators' stands for carousel"),
        (camera(ageing={"speed": 2}), r"cameras\[0\]: ageing: unknown field speed"),
        (small_description({}, {"serial": "7100001"}), "serial 7100001 is given more than once"),
        (
            small_description({"port": 15740}, {"port": 15740, "address": "127.0.0.2"}),
            "127.0.0.2:15740 is given more than once",
        ),
        (small_description(scenes=["moon"]), "'moon'"),
        (small_description(scenes=[]), "scenes: a list"),
        (small_description(scenes=["flat-panel"] * 2), "scenes: flat-panel is given more than"),
        (small_description(weather="rain"), "unknown field weather"),
        (small_description(temperature_c="warm"), "temperature_c: 'warm'"),
    ],
)
def test_what_is_wrong_is_named(mapping: object, message: str) -> None:
    with pytest.raises(FixtureError, match=message) as caught:
        description_from_mapping(mapping)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "message"), [(b"cameras: [", "no YAML"), (b"\xff\xfe\xff", "cannot be read")]
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_bytes(content)
    with pytest.raises(FixtureError, match=rf"wrong\.yaml: {message}"):
        read_description(path)
    with pytest.raises(FixtureError, match=r"absent\.yaml: cannot be read"):
        read_description(tmp_path / "absent.yaml")
