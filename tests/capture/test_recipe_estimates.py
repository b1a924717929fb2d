"""Issues of a recipe with its cameras, and estimates of what it takes: against sums by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from capture.errors import SettingNotOfferedError
from capture.recipes import ShotSpec, expand, parse_recipe
from capture.recipes.estimate import (
    DEFAULT_CHANGE_S,
    DEFAULT_HANDLING_S,
    DEFAULT_TRANSFER_BYTES_PER_S,
    CameraPace,
    estimate,
)
from capture.recipes.issues import OfferedByCamera, issues_with, refuse_not_offered

OFFERED = {
    "exposure": ("1/30", "1/2", "1", "4"),
    "iso": ("100", "200", "800"),
    "f_number": ("f/5.6", "f/8"),
    "image_quality": ("NEF (Raw)", "NEF+Fine", "JPEG Fine"),
}
SCENES = ["flat-panel", "brick", "wood"]


def plan_of(shots: str, **fields: int) -> tuple[ShotSpec, ...]:
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return expand(parse_recipe(f"name: test\n{head}shots:\n{shots}", "test"), SCENES)


def test_every_setting_that_a_camera_lacks_is_named_once() -> None:
    plan = plan_of(
        '  - {kind: dark-field, exposures: ["1/30", "1/8", "3"], isos: [100, 6400], count: 2}\n'
        "  - {kind: flat-field, exposure: 1, iso: 100, f_number: 22, image_quality: raw+jpeg}\n"
    )
    poor = {**OFFERED, "image_quality": ("JPEG Fine",)}
    issues = issues_with(
        plan, {"1": OfferedByCamera("Nikon", OFFERED), "2": OfferedByCamera("Nikon", poor)}
    )
    found = {(issue.camera, issue.field, issue.wanted) for issue in issues}
    both = {("exposure", "1/8"), ("exposure", "3"), ("iso", "6400"), ("f_number", "22.0")}
    lacking = {("2", "image_quality", "raw"), ("2", "image_quality", "raw+jpeg")}
    assert found == {(camera, *issue) for camera in "12" for issue in both} | lacking
    assert len(issues) == len(found)
    nearest = {(issue.field, issue.wanted): issue.nearest for issue in issues}
    assert nearest["exposure", "1/8"] == ("1/30", "1/2", "1", "4")
    assert nearest["iso", "6400"] == ("100", "200", "800")
    assert nearest["image_quality", "raw"] == ("JPEG Fine",)
    with pytest.raises(SettingNotOfferedError) as caught:
        refuse_not_offered(issues)
    assert all(issue.sentence in str(caught.value) for issue in issues)
    assert caught.value.exit_code == 2


def test_a_field_that_a_camera_does_not_have_is_an_issue_only_where_it_is_asked_for() -> None:
    lensless = {"1": OfferedByCamera("Nikon", {**OFFERED, "f_number": ()})}
    dark = plan_of("  - {kind: dark-field, exposure: 1, iso: 100}\n")
    flat = plan_of("  - {kind: flat-field, exposure: 1, iso: 100, f_number: 8}\n")
    assert issues_with(dark, lensless) == []
    (issue,) = issues_with(flat, lensless)
    assert (issue.field, issue.nearest) == ("f_number", ())
    refuse_not_offered([])


SLOW = CameraPace("slow", {"raw": 40, "jpeg": 10}, {"raw": 3.0, "raw+jpeg": 5.0})
QUICK = CameraPace("quick", {"raw": 20, "jpeg": 5}, {"raw": 1.0, "raw+jpeg": 1.0})
MIXED = (
    "  - {kind: dark-field, exposure: 4, iso: 100, count: 2}\n"
    "  - {kind: flat-field, exposure: 1, iso: 100}\n"
    "  - {kind: fixed-background, scenes: all, exposure: 1/2, iso: 100, image_quality: raw+jpeg}\n"
)


def test_an_estimate_is_the_sum_of_its_shots() -> None:
    found = estimate(plan_of(MIXED, warm_up=1), [SLOW, QUICK], change_s=10)
    # three dark frames, a flat one and two scenes; caps on, caps off with the panel, two scenes
    assert found.scene_changes == 4
    assert found.scene_change_s == 40
    assert found.exposure_s == 3 * 4 + 1 + 2 * 0.5
    assert found.duration_s == 40 + 3 * (4 + 3) + (1 + 3) + 2 * (0.5 + 5)
    assert found.bytes_by_camera == {"slow": 4 * 40 + 2 * 50, "quick": 4 * 20 + 2 * 25}
    assert found.bytes_total == 260 + 130
    assert found.shutter_count_by_camera == {"slow": 6, "quick": 6}
    assert found.shots_by_kind == {
        "warm-up": 1,
        "dark-field": 2,
        "flat-field": 1,
        "fixed-background": 2,
    }
    assert found.is_measured


def test_noise_reduction_takes_each_exposure_twice() -> None:
    plan = plan_of(MIXED)
    reducing = CameraPace("slow", SLOW.bytes_by_role, SLOW.handling_s, noise_reduction=True)
    plain = estimate(plan, [SLOW], change_s=10)
    twice = estimate(plan, [reducing], change_s=10)
    assert twice.duration_s - plain.duration_s == plain.exposure_s


def test_a_camera_without_history_takes_the_stated_pace() -> None:
    new = CameraPace("new", {"raw": 40_000_000, "jpeg": 0})
    plan = plan_of("  - {kind: dark-field, exposure: 4, iso: 100, count: 2}\n")
    found = estimate(plan, [new])
    shot_s = 4 + DEFAULT_HANDLING_S + 40e6 / DEFAULT_TRANSFER_BYTES_PER_S
    assert found.duration_s == pytest.approx(2 * shot_s + DEFAULT_CHANGE_S)
    assert not found.is_measured
    assert not estimate(plan, [SLOW]).is_measured
    assert estimate(plan, [SLOW], change_s=1).is_measured


def test_a_session_without_cameras_has_no_estimate() -> None:
    with pytest.raises(ValueError, match="at least one camera"):
        estimate((ShotSpec(1, "dark-field", None, Fraction(1), 100, None, "raw"),), [])
