"""A dry run against virtual cameras: what it finds, and that it changes and captures nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from capture.cameras.protocol import CameraSettings
from capture.errors import RecipeError
from capture.leasing import is_leased, lease_equipment
from capture.recipes import Recipe, expand, read_recipe, ready_recipes
from capture.recipes.dry_run import DryRun, dry_run
from datastore.errors import LeaseHeldError
from datastore.tables import AuditEntry, Session
from tests.capture.conftest import GENERIC, NIKON, Laboratory, patient_camera, recipe

CAMERAS = (NIKON, GENERIC)
DARK = "  - {kind: dark-field, exposures: ['1/30', 1], isos: [100, 800], count: 2}\n"


def rehearse(laboratory: Laboratory, plan: Recipe, *serials: str) -> DryRun:
    return dry_run(
        laboratory.catalogue,
        plan,
        "virtual",
        clock=laboratory.clock,
        spool_folder=laboratory.spool_folder,
        serials=serials or None,
        camera_factory=patient_camera,
        camera_patience_s=0.5,
    )


def shown(laboratory: Laboratory, serial: str) -> dict[str, str | None]:
    camera = laboratory.camera(serial)
    camera.open()
    settings = camera.settings.capabilities().settings
    camera.close()
    return {field: None if one is None else one.shown for field, one in settings.items()}


@pytest.mark.parametrize("name", sorted(ready_recipes()))
def test_ready_recipes_can_be_taken_by_every_camera(laboratory: Laboratory, name: str) -> None:
    found = rehearse(laboratory, read_recipe(Path(name)))
    assert [issue.sentence for issue in found.issues if issue.is_blocking] == []
    assert found.exit_code == 0
    assert found.cameras == CAMERAS


def test_a_dry_run_leaves_everything_as_it_was(laboratory: Laboratory) -> None:
    camera = laboratory.camera(NIKON)
    camera.open()
    plan = expand(
        recipe("  - {kind: flat-field, exposure: 1/2, iso: 400, f_number: 11}\n"), ["flat-panel"]
    )
    camera.settings.apply(
        CameraSettings(plan[0].exposure, plan[0].iso, plan[0].f_number, "raw+jpeg")
    )
    camera.close()
    before = {serial: shown(laboratory, serial) for serial in CAMERAS}
    exposures = {serial: laboratory.exposures(serial) for serial in CAMERAS}
    state = laboratory.virtual.get()
    found = rehearse(laboratory, recipe(DARK))
    assert (found.shots, found.combinations) == (8, 4)
    assert {serial: shown(laboratory, serial) for serial in CAMERAS} == before
    assert {serial: laboratory.exposures(serial) for serial in CAMERAS} == exposures
    after = laboratory.virtual.get()
    assert (after["scene"], after["cap_on"]) == (state["scene"], state["cap_on"])
    assert laboratory.shots() == []
    with laboratory.catalogue.reading() as transaction:
        assert transaction.scalars(select(Session)).all() == []
        names = {entry.action for entry in transaction.scalars(select(AuditEntry))}
    assert not any(name.startswith("session") for name in names)
    assert not is_leased(laboratory.catalogue, [f"camera:{serial}" for serial in CAMERAS])


def test_every_issue_of_every_camera_is_found_at_once(laboratory: Laboratory) -> None:
    found = rehearse(
        laboratory,
        recipe(
            "  - {kind: dark-field, exposures: [1/30, 1/31], isos: [100, 123]}\n"
            "  - {kind: fixed-background, scenes: all, exposure: 1, iso: 100, f_number: 8}\n"
        ),
    )
    blocking = {(i.camera, i.field, i.wanted) for i in found.issues if i.is_blocking}
    assert blocking == {
        (serial, *wish) for serial in CAMERAS for wish in (("exposure", "1/31"), ("iso", "123"))
    }
    assert found.exit_code == 2
    warned = {(issue.camera, issue.field) for issue in found.issues if not issue.is_blocking}
    assert {(serial, "reference") for serial in CAMERAS} <= warned
    assert all(issue.camera is None or issue.camera in issue.sentence for issue in found.issues)


def test_a_camera_that_is_not_there_is_an_issue_beside_those_of_the_others(
    laboratory: Laboratory,
) -> None:
    laboratory.virtual.set_faults(NIKON, {"kind": "dropped-connection", "count": None})
    found = rehearse(laboratory, recipe("  - {kind: dark-field, exposure: 1, iso: 123}\n"))
    by_camera = {issue.camera: issue for issue in found.issues if issue.is_blocking}
    assert by_camera[NIKON].field == "camera"
    assert by_camera[GENERIC].field == "iso"
    assert found.exit_code == 1


def test_a_setting_that_is_silently_not_taken_is_found(laboratory: Laboratory) -> None:
    laboratory.virtual.set_faults(NIKON, {"kind": "settings-ignored", "count": None})
    plan = recipe("  - {kind: dark-field, exposure: 1, iso: 800}\n")
    found = rehearse(laboratory, plan, NIKON)
    assert any(issue.is_blocking and issue.camera == NIKON for issue in found.issues)
    assert found.exit_code == 1


def test_a_dry_run_disturbs_no_session(laboratory: Laboratory) -> None:
    lease = lease_equipment(laboratory.catalogue, [f"camera:{NIKON}"])
    try:
        with pytest.raises(LeaseHeldError):
            rehearse(laboratory, recipe(DARK))
    finally:
        lease.release()


def test_an_unknown_scene_is_refused_before_a_camera_is_opened(laboratory: Laboratory) -> None:
    with pytest.raises(RecipeError, match="no scene 'moon'"):
        rehearse(
            laboratory,
            recipe("  - {kind: fixed-background, scene: moon, exposure: 1, iso: 100}\n"),
        )
