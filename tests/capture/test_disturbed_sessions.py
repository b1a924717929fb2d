"""What goes wrong around a camera is quarantined with its numbers: light, scene, place, processing.

One home with references of its scenes; each test runs a further session in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from capture.actuators import VirtualActuator
from capture.clock_source import VirtualFixtureClock
from capture.reference_making import add_references, last_accepted_shots, reference_recipe
from datastore.equipment import add_fixture, read_description
from tests.capture.accounting import (
    failures,
    require_every_exposure,
    require_files_of_their_shots,
    require_no_orphan,
    require_records_closed,
)
from tests.capture.conftest import NIKON, Laboratory, recipe
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.virtual import running_fixture, small_description

SCENE, OTHER = "brick-ball-daylight", "foliage-dice-daylight"
LIT = {"exposure": "1/4", "iso": 400, "f_number": 8.0}
BACKGROUND = (
    f'  - {{kind: fixed-background, scene: {SCENE}, exposure: "1/4", iso: 400, f_number: 8}}\n'
)
DARK = '  - {kind: dark-field, exposure: "30", iso: 100}\n'


@pytest.fixture(scope="module")
def referenced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """Return a laboratory with references of two scenes."""
    folder = tmp_path_factory.mktemp("disturbed")
    description = small_description(
        # enough hot photosites to tell what a camera does to them
        {"width": 768, "height": 512, "ageing": {"initial_defects": 400}},
        scenes=[SCENE, OTHER],
        lamp_level=0.05,
        exposure_time_scale=0.001,
    )
    with running_fixture(folder, description) as virtual, new_sqlite_catalogue(folder) as catalogue:
        clock = VirtualFixtureClock(virtual.control_url)
        add_fixture(catalogue, read_description(virtual.fixture_file), clock.now())
        made = Laboratory(virtual, catalogue, clock, folder / "spool")
        outcome = made.run(reference_recipe(None, **LIT), NIKON)  # type: ignore[arg-type]
        assert outcome.state == "completed", failures(made)
        with catalogue.reading() as transaction:
            shots = last_accepted_shots(transaction, outcome.session_uuid)
        added = add_references(catalogue, shots, None, clock.now())
        assert len(added.added) == 2
        yield made


@pytest.fixture
def laboratory(referenced: Laboratory) -> Iterator[Laboratory]:
    """Return the laboratory, undisturbed again afterwards."""
    yield referenced
    referenced.virtual.put("/disturbances", {NIKON: {}})
    referenced.virtual.put("/lamp", {"lamp_level": 0.05})


class HeedlessActuator(VirtualActuator):
    """Shows another scene than it was asked for."""

    def set_scene(self, name: str) -> None:
        super().set_scene(OTHER)


def shoot_once(laboratory: Laboratory, shots: str, **options: Any) -> dict[str, Any]:
    """Run a session of one attempt at one shot; return the shot, after accounting for all."""
    before = laboratory.exposures(NIKON)
    others = len(laboratory.shots())
    outcome = laboratory.run(recipe(shots, attempts=1), NIKON, **options)
    assert outcome.frames_registered == 1, outcome.reason
    assert laboratory.exposures(NIKON) == before + 1
    require_records_closed(laboratory)
    require_files_of_their_shots(laboratory)
    require_no_orphan(laboratory)
    (shot,) = laboratory.shots()[others:]
    accepted = shot["verdict"] == "accepted"
    assert outcome.frames_accepted == accepted
    assert outcome.exit_reason == ("completed" if accepted else "frames-quarantined")
    return shot


@pytest.mark.parametrize("shots", [BACKGROUND, DARK], ids=["background", "dark field"])
def test_an_undisturbed_frame_is_accepted(laboratory: Laboratory, shots: str) -> None:
    shot = shoot_once(laboratory, shots)
    assert shot["verdict"] == "accepted", shot["verdict_reason"]


@pytest.mark.parametrize(
    ("shots", "disturbance", "check"),
    [
        (BACKGROUND, {"shift_columns": 6.0}, "registration"),
        (BACKGROUND, {"defocus_sigma": 3.0}, "focus"),
        (DARK, {"light_leak_e_per_s": 400.0}, "leak"),
        (DARK, {"long_exposure_noise_reduction": "always"}, "settings"),
        (DARK, {"long_exposure_noise_reduction": "always-unsaid"}, "dark-subtraction"),
        (DARK, {"hot_pixel_suppression": "largest-neighbour"}, "suppression"),
    ],
    ids=[
        "bumped",
        "out of focus",
        "light leak",
        "declared",
        "noise reduction",
        "hot-pixel suppression",
    ],
)
def test_a_disturbed_frame_is_quarantined(
    laboratory: Laboratory, shots: str, disturbance: dict[str, Any], check: str
) -> None:
    laboratory.virtual.put("/disturbances", {NIKON: disturbance})
    shot = shoot_once(laboratory, shots)
    assert shot["verdict"] == "quarantined"
    assert any(check in name for name in shot["numbers"]), (shot["numbers"], shot["verdict_reason"])


def test_a_dimmed_lamp_is_quarantined(laboratory: Laboratory) -> None:
    laboratory.virtual.put("/lamp", {"lamp_level": 0.035})
    shot = shoot_once(laboratory, BACKGROUND)
    assert shot["verdict"] == "quarantined"
    assert any("illumination" in name for name in shot["numbers"]), shot["numbers"]


def test_the_wrong_scene_is_quarantined(laboratory: Laboratory) -> None:
    actuator = HeedlessActuator(laboratory.virtual.control_url)
    shot = shoot_once(laboratory, BACKGROUND, actuator=actuator)
    assert shot["verdict"] == "quarantined"
    assert OTHER in shot["verdict_reason"]


def test_every_frame_of_all_sessions_is_accounted_for(laboratory: Laboratory) -> None:
    require_every_exposure(laboratory, {NIKON: laboratory.exposures(NIKON)})
