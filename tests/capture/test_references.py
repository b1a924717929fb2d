"""References of scenes: what becomes one, which one counts, and what it says of its frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import yaml
from sqlalchemy import select

from capture.checks import describe_scene
from capture.errors import RequestError
from capture.reference_making import add_references, last_accepted_shots, reference_recipe
from capture.references import (
    StoredReference,
    load_references,
    newest_references,
)
from datastore import audit
from datastore.equipment import FixtureDescription, current_revision, revise_fixture
from datastore.errors import AssetCorruptError, UnknownShotError
from datastore.frames import read_frame
from datastore.tables import AuditEntry, Camera, SceneReference
from datastore.verdicts import add_verdict
from tests.capture.conftest import NIKON, Laboratory, recipe

LIT = '{exposure: "1/30", iso: 100, f_number: 8}'


@pytest.fixture
def scenes(laboratory: Laboratory) -> list[str]:
    with laboratory.catalogue.reading() as transaction:
        staged = current_revision(transaction, "virtual").description["scenes"]
    return [scene["name"] for scene in staged if scene["name"] != "flat-panel"][:2]


def shoot_scenes(laboratory: Laboratory, scenes: Sequence[str]) -> list[str]:
    """Take a frame of each scene and return the accepted shots."""
    plan = reference_recipe(scenes, exposure="1/30", iso=100, f_number=8)
    outcome = laboratory.run(plan, NIKON, use_references=False)
    with laboratory.catalogue.reading() as transaction:
        return last_accepted_shots(transaction, outcome.session_uuid)


def loaded(laboratory: Laboratory) -> dict[str, StoredReference]:
    """Return the references that count for a camera, by scene."""
    with laboratory.catalogue.reading() as transaction:
        camera_id = transaction.scalars(select(Camera.id).where(Camera.serial == NIKON)).one()
        names = {
            revision.id: revision.scene.name
            for revision in current_revision(transaction, "virtual").scenes
        }
        found = load_references(transaction, [camera_id], list(names))
        assert load_references(transaction, [], list(names)) == {}
    assert all(place[0] == camera_id for place in found)
    assert all(names[place[1]] == reference.scene for place, reference in found.items())
    return {reference.scene: reference for reference in found.values()}


def test_the_newest_reference_counts_while_its_shot_is_accepted(
    laboratory: Laboratory, scenes: list[str]
) -> None:
    catalogue, clock = laboratory.catalogue, laboratory.clock
    assert loaded(laboratory) == {}
    first = shoot_scenes(laboratory, scenes)
    added = add_references(catalogue, first, "mara", clock.now())
    assert (added.replaced, added.refused) == ((), ())
    before = loaded(laboratory)
    assert {name: reference.shot_uuid for name, reference in before.items()} == dict(
        zip(scenes, first, strict=True)
    )
    for reference in before.values():
        assert reference.exposure_product == pytest.approx(1 / 30 * 100 / 64)
        frame = read_frame(catalogue.store.path(reference.sha256))
        np.testing.assert_array_equal(reference.descriptor.channels, describe_scene(frame).channels)

    (again,) = shoot_scenes(laboratory, scenes[:1])
    replaced = add_references(catalogue, [again], None, clock.now()).replaced
    assert [old.shot_uuid for old in replaced] == first[:1]
    after = loaded(laboratory)
    assert after[scenes[0]].shot_uuid == again
    assert after[scenes[1]].to_json() == before[scenes[1]].to_json()

    add_verdict(catalogue, again, "rejected", "a fly", None, "mara", clock.now())
    assert set(loaded(laboratory)) == {scenes[1]}
    with catalogue.reading() as transaction:
        everything = newest_references(transaction)
        withdrawn = [reference for reference in everything if not reference.is_usable]
        assert len(list(transaction.scalars(select(SceneReference)))) == 3
        entries = list(
            transaction.scalars(select(AuditEntry).where(AuditEntry.action == "scene.reference"))
        )
        assert audit.verify(transaction) == []
    assert [(left.shot_uuid, left.verdict) for left in withdrawn] == [(again, "rejected")]
    assert [entry.entry["operator"] for entry in entries] == ["mara", None]
    named = [kept["shot"] for entry in entries for kept in entry.entry["references"]]
    assert named == [*first, again]


def test_what_is_no_sound_frame_of_a_scene_as_it_stands_is_refused(
    laboratory: Laboratory, scenes: list[str]
) -> None:
    catalogue, now = laboratory.catalogue, laboratory.clock.now()
    plan = recipe(
        f"""
  - {{kind: dark-field, exposure: "1/30", iso: 100}}
  - {{kind: fixed-background, scene: {scenes[0]}, <<: &lit {LIT}, count: 2}}
  - {{kind: fixed-background, scene: {scenes[1]}, <<: *lit}}
  - {{kind: fixed-background, scene: {scenes[1]}, <<: *lit, image_quality: jpeg}}
"""
    )
    laboratory.run(plan, NIKON)
    dark, first, second, judged, without_raw = (shot["uuid"] for shot in laboratory.shots())
    add_verdict(catalogue, judged, "quarantined", "blurred", None, "mara", now)
    for shots, said in (
        ([dark], "it is a dark-field frame"),
        ([judged], "its newest verdict is quarantined"),
        ([without_raw], "it has no RAW file"),
        ([first, second], "both show"),
    ):
        with pytest.raises(RequestError, match=said):
            add_references(catalogue, shots, None, now)
    with pytest.raises(UnknownShotError, match="no shot is called"):
        add_references(catalogue, [first, "0"], None, now)

    described = yaml.safe_load(laboratory.virtual.fixture_file.read_text())
    changed = next(scene for scene in described["scenes"] if scene["name"] == scenes[0])
    changed["illumination"] = "another lamp"
    revise_fixture(catalogue, FixtureDescription.model_validate(described), now)
    with pytest.raises(RequestError, match=f"the scene {scenes[0]} was changed"):
        add_references(catalogue, [first], None, now)

    add_verdict(catalogue, judged, "accepted", "sharp after all", None, "mara", now)
    (sha256,) = (s["assets"]["raw"] for s in laboratory.shots() if s["uuid"] == judged)
    raw = catalogue.store.path(sha256)
    raw.chmod(0o644)
    raw.write_bytes(raw.read_bytes()[:-1] + b"?")
    with pytest.raises(AssetCorruptError):
        add_references(catalogue, [judged], None, now)
    with catalogue.reading() as transaction:
        assert newest_references(transaction) == []
