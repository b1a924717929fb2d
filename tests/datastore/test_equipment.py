"""Fixtures: what a description registers, and what each revision of it adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import func, select

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.equipment import (
    FixtureDescription,
    add_fixture,
    current_revision,
    list_scenes,
    read_description,
    revise_fixture,
)
from datastore.errors import (
    FixtureDescriptionError,
    FixtureExistsError,
    UnknownFixtureError,
)
from datastore.tables import Camera, FixtureRevision, SceneRevision
from tests.support.catalogue_rows import NOW

DESCRIPTION = """
name: north
simulated: true
cameras:
  - serial: "0071"
    make: Nikon
    model: Z 30
    address: "ptpip:127.0.0.2:15740"
    profile: nikon
    sensor: {type: CMOS, width: 1504, height: 1000, pixel_pitch_um: 4.2, cfa: RGGB,
      white_level: 15520}
  - serial: "0072"
    make: Nikon
    model: Z 30
    address: "ptpip:127.0.0.3:15740"
    profile: null
    sensor: null
scenes:
  - {name: brick-bottle, background: brick, foreground: bottle, illumination: daylight}
  - {name: cork-gears, background: cork, foreground: gears, illumination: tungsten}
"""


def described(**changes: Any) -> FixtureDescription:
    return FixtureDescription.model_validate(yaml.safe_load(DESCRIPTION) | changes)


def scenes_of(catalogue: Catalogue) -> dict[str, int]:
    with catalogue.reading() as session:
        return {found.scene.name: found.revision for found in list_scenes(session, "north")}


def test_a_fixture_is_registered_with_its_cameras_and_scenes(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    file = tmp_path / "north.yaml"
    file.write_text(DESCRIPTION)

    assert add_fixture(catalogue, read_description(file), NOW) == 1

    with catalogue.reading() as session:
        revision = current_revision(session, "north")
        (first, second) = revision.mounts
        assert (first.camera.serial, first.address) == ("0071", "ptpip:127.0.0.2:15740")
        assert (first.camera.width, first.camera.pixel_pitch_um) == (1504, 4.2)
        assert (second.camera.width, second.camera.sensor_type) == (None, None)
        assert first.camera.simulated and second.camera.simulated
        assert revision.description["cameras"][0]["profile"] == "nikon"
        assert [scene.scene.name for scene in revision.scenes] == ["brick-bottle", "cork-gears"]
        assert [scene.illumination for scene in revision.scenes] == ["daylight", "tungsten"]
        assert audit.verify(session) == []
        assert audit.head(session) != audit.GENESIS_SHA256


def test_what_was_found_stays_usable_after_the_transaction(catalogue: Catalogue) -> None:
    add_fixture(catalogue, described(), NOW)
    with catalogue.reading() as session:
        revision = current_revision(session, "north")
    assert revision.fixture.name == "north"
    assert [mount.camera.serial for mount in revision.mounts] == ["0071", "0072"]
    assert revision.scenes[0].scene.name == "brick-bottle"


def test_adding_again_is_refused_and_names_the_command(catalogue: Catalogue) -> None:
    add_fixture(catalogue, described(), NOW)
    with pytest.raises(FixtureExistsError, match="agetrace fixture revise"):
        add_fixture(catalogue, described(), NOW)


def test_revising_an_unknown_fixture_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownFixtureError, match="agetrace fixture add"):
        revise_fixture(catalogue, described(), NOW)


def test_a_revision_that_says_nothing_new_is_none(catalogue: Catalogue) -> None:
    add_fixture(catalogue, described(), NOW)
    assert revise_fixture(catalogue, described(), NOW) == 1
    with catalogue.reading() as session:
        assert session.scalar(select(func.count()).select_from(FixtureRevision)) == 1


def test_a_scene_gets_a_revision_only_when_its_content_changed(catalogue: Catalogue) -> None:
    add_fixture(catalogue, described(), NOW)
    first, second = (dict(scene) for scene in yaml.safe_load(DESCRIPTION)["scenes"])
    second["illumination"] = "LED"
    third = first | {"name": "brick-bottle-again"}

    assert revise_fixture(catalogue, described(scenes=[first, second, third]), NOW) == 2

    assert scenes_of(catalogue) == {
        "brick-bottle": 1,
        "brick-bottle-again": 1,
        "cork-gears": 2,
    }
    with catalogue.reading() as session:
        assert session.scalar(select(func.count()).select_from(SceneRevision)) == 4


def test_a_scene_that_is_gone_is_not_offered_and_may_come_back(catalogue: Catalogue) -> None:
    add_fixture(catalogue, described(), NOW)
    scenes = yaml.safe_load(DESCRIPTION)["scenes"]
    revise_fixture(catalogue, described(scenes=scenes[:1]), NOW)
    assert scenes_of(catalogue) == {"brick-bottle": 1}
    assert revise_fixture(catalogue, described(), NOW) == 3
    assert scenes_of(catalogue) == {"brick-bottle": 1, "cork-gears": 1}


def test_a_camera_keeps_its_identity_over_revisions_and_addresses(catalogue: Catalogue) -> None:
    add_fixture(catalogue, described(), NOW)
    cameras = yaml.safe_load(DESCRIPTION)["cameras"]
    cameras[0]["address"] = "ptpip:127.0.0.9:15740"
    revise_fixture(catalogue, described(cameras=cameras[:1]), NOW)
    with catalogue.reading() as session:
        (mount,) = current_revision(session, "north").mounts
        assert (mount.camera.serial, mount.address) == ("0071", "ptpip:127.0.0.9:15740")
        assert session.scalar(select(func.count()).select_from(Camera)) == 2


def test_a_body_does_not_change(catalogue: Catalogue) -> None:
    add_fixture(catalogue, described(), NOW)
    cameras = yaml.safe_load(DESCRIPTION)["cameras"]
    cameras[0]["sensor"]["width"] = 6000
    with pytest.raises(FixtureDescriptionError, match="width 1504, the description says 6000"):
        revise_fixture(catalogue, described(cameras=cameras), NOW)
    with pytest.raises(FixtureDescriptionError, match="registered as simulated"):
        revise_fixture(catalogue, described(simulated=False), NOW)
    with catalogue.reading() as session:
        assert current_revision(session, "north").revision == 1


def test_scenes_are_listed_by_fixture_and_name(catalogue: Catalogue) -> None:
    add_fixture(catalogue, described(), NOW)
    add_fixture(catalogue, described(name="east"), NOW)
    with catalogue.reading() as session:
        found = [(row.scene.fixture.name, row.scene.name) for row in list_scenes(session)]
        assert found == [
            ("east", "brick-bottle"),
            ("east", "cork-gears"),
            ("north", "brick-bottle"),
            ("north", "cork-gears"),
        ]
        with pytest.raises(UnknownFixtureError, match="there are east, north"):
            list_scenes(session, "south")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("simulated: true", "", "simulated: it is missing"),
        ('"0071"', "0071", "cameras.0.serial: write it in quotes"),
        ('"0072"', '"0071"', "the camera Nikon Z 30 0071 is given twice"),
        ("127.0.0.3", "127.0.0.2", "the address ptpip:127.0.0.2:15740 is given twice"),
        ("cork-gears", "brick-bottle", "the scene brick-bottle is given twice"),
        ("cork-gears", "cork@2", "scenes.1.name: must not contain @"),
        ("profile: nikon", "profile: canon", "cameras.0.profile"),
        ("width: 1504", "width: -1", "cameras.0.sensor.width"),
        ("simulated: true", "simulated: true\ncolour: red", "colour: no such field"),
        ("name: north", "name: [north", "is no YAML"),
    ],
)
def test_a_malformed_description_names_the_file_and_the_field(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "north.yaml"
    assert old in DESCRIPTION
    file.write_text(DESCRIPTION.replace(old, new, 1))
    with pytest.raises(FixtureDescriptionError) as refused:
        read_description(file)
    assert str(file) in str(refused.value)
    assert message in str(refused.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FixtureDescriptionError, match=r"north\.yaml cannot be read"):
        read_description(tmp_path / "north.yaml")
