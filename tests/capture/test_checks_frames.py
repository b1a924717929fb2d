"""Checks of frames: results for good and disturbed ones, scenes told apart, one process for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from capture.checks import (
    CheckResult,
    CheckThresholds,
    ExaminingWorker,
    FrameAnswer,
    FrameQuestion,
    ReferencePlace,
    SceneDescriptor,
    check_right_scene,
    describe_scene,
    structure_result,
)
from datastore.frames import ExpectedFile, Frame, FrameError
from fixtures.dng import RawLevels, dng_bytes
from fixtures.exif import ShotFacts
from tests.capture.check_rates import measure
from tests.support.disturbed_frames import BORN, DisturbedCamera, Shot

SCENE = Shot("brick-mug-tungsten", exposure_s=1 / 30, iso=400)
DARK = Shot(exposure_s=1.0, iso=800, years=5.0)
THRESHOLDS = CheckThresholds()
LIT_CHECKS = [
    *("registration", "focus", "illumination", "illumination-pattern", "colour", "clipped"),
    "crushed",
]
DARK_CHECKS = ["dark-level", "light-leak", "hot-pixel-suppression", "dark-subtraction"]


@pytest.fixture(scope="module")
def camera() -> DisturbedCamera:
    return DisturbedCamera(5, defects_per_year=100)


@pytest.fixture(scope="module")
def worker() -> Iterator[ExaminingWorker]:
    with ExaminingWorker() as examining:
        yield examining


@pytest.fixture(scope="module")
def reference(camera: DisturbedCamera, tmp_path_factory: pytest.TempPathFactory) -> ReferencePlace:
    path = tmp_path_factory.mktemp("reference") / "reference.dng"
    return ReferencePlace(write(path, camera.take(SCENE)), SCENE.exposure_product)


def write(path: Path, frame: Frame) -> Path:
    height, width = frame.mosaic.shape
    facts = ShotFacts(
        make="Agetrace",
        model="Fixture 1",
        firmware="1.00",
        serial="5",
        camera_time=BORN + timedelta(days=1),
        exposure=Fraction(1, 30),
        iso=400,
        f_number=8.0,
        temperature_c=20.0,
        width=width,
        height=height,
    )
    path.write_bytes(
        dng_bytes(frame.mosaic, frame.cfa, RawLevels(512, 16_383, (0.7, 1.0, 0.8)), facts)
    )
    return path


def ask(
    worker: ExaminingWorker, path: Path, shot: Shot, kind: str, place: ReferencePlace | None
) -> FrameAnswer:
    question = FrameQuestion(kind, shot.exposure_product, THRESHOLDS, place)
    return worker.examine(path, ExpectedFile(make="Agetrace"), question)


def failed(results: tuple[CheckResult, ...]) -> set[str]:
    return {result.name for result in results if not result.passed}


@pytest.mark.parametrize(
    ("shot", "wrong"),
    [
        (SCENE, set()),
        (replace(SCENE, exposure_s=1 / 250, iso=1600, years=12.0), set()),
        (replace(SCENE, shift=(3.0, 0.0)), {"registration"}),
        (replace(SCENE, defocus=1.5), {"focus"}),
        (replace(SCENE, lamp=0.7), {"illumination"}),
        (replace(SCENE, colour=(1.2, 1.0, 1.0)), {"colour"}),
        (replace(SCENE, side_stops=0.25), {"illumination-pattern"}),
    ],
)
def test_each_disturbance_fails_its_own_check(
    worker: ExaminingWorker,
    camera: DisturbedCamera,
    reference: ReferencePlace,
    tmp_path: Path,
    shot: Shot,
    wrong: set[str],
) -> None:
    path = write(tmp_path / "frame.dng", camera.take(shot))
    answer = ask(worker, path, shot, "fixed-background", reference)
    assert [result.name for result in answer.checks] == LIT_CHECKS
    assert failed(answer.checks) == wrong
    assert answer.examination.findings == []
    assert all(result.sentence and result.value is not None for result in answer.checks)


def test_an_overexposed_frame_is_clipped(
    worker: ExaminingWorker, camera: DisturbedCamera, reference: ReferencePlace, tmp_path: Path
) -> None:
    path = write(tmp_path / "frame.dng", camera.take(replace(SCENE, lamp=16.0)))
    assert "clipped" in failed(ask(worker, path, SCENE, "fixed-background", reference).checks)
    asked = replace(SCENE, iso=6400)
    path = write(tmp_path / "frame.dng", camera.take(asked))
    answer = ask(worker, path, asked, "fixed-background", reference)
    assert "clipped" not in failed(answer.checks)  # the recipe asked for as much


def test_a_dark_field_gives_every_number(
    worker: ExaminingWorker, camera: DisturbedCamera, tmp_path: Path
) -> None:
    path = write(tmp_path / "dark.dng", camera.take(DARK))
    answer = ask(worker, path, DARK, "dark-field", None)
    assert [result.name for result in answer.checks] == DARK_CHECKS
    assert failed(answer.checks) == set()
    assert answer.descriptor is None
    path = write(tmp_path / "dark.dng", camera.take(replace(DARK, leak_dn=15.0)))
    assert failed(ask(worker, path, DARK, "dark-field", None).checks) == {"light-leak"}


def test_too_few_hot_photosites_tell_nothing(
    worker: ExaminingWorker, camera: DisturbedCamera, tmp_path: Path
) -> None:
    sound = DisturbedCamera(6, defects_per_year=0, initial_defects=3)
    path = write(tmp_path / "dark.dng", sound.take(DARK))
    results = {r.name: r for r in ask(worker, path, DARK, "dark-field", None).checks}
    assert results["hot-pixel-suppression"].value is None
    assert results["hot-pixel-suppression"].passed


def test_a_flat_field_has_a_level_and_is_held_against_its_reference(
    worker: ExaminingWorker, camera: DisturbedCamera, tmp_path: Path
) -> None:
    shot = Shot("flat-panel", exposure_s=1 / 8, iso=100)
    place = ReferencePlace(write(tmp_path / "a.dng", camera.take(shot)), shot.exposure_product)
    path = write(tmp_path / "b.dng", camera.take(shot))
    good = ask(worker, path, shot, "flat-field", place).checks
    assert [result.name for result in good][:2] == ["flat-level", "illumination"]
    assert failed(good) == set()
    uneven = write(tmp_path / "c.dng", camera.take(replace(shot, side_stops=0.3)))
    assert failed(ask(worker, uneven, shot, "flat-field", place).checks) >= {"illumination-pattern"}
    dim = write(tmp_path / "d.dng", camera.take(replace(shot, lamp=0.1)))
    assert "flat-level" in failed(ask(worker, dim, shot, "flat-field", None).checks)


def test_a_reference_that_cannot_be_read_fails_by_name(
    worker: ExaminingWorker, camera: DisturbedCamera, tmp_path: Path
) -> None:
    path = write(tmp_path / "frame.dng", camera.take(SCENE))
    missing = ReferencePlace(tmp_path / "none.dng", 1.0)
    answer = ask(worker, path, SCENE, "fixed-background", missing)
    assert failed(answer.checks) == {"reference"}
    assert answer.descriptor is not None


def test_damaged_files_and_files_without_a_question_are_only_examined(
    worker: ExaminingWorker, camera: DisturbedCamera, tmp_path: Path
) -> None:
    path = write(tmp_path / "frame.dng", camera.take(SCENE))
    assert worker.examine(path, ExpectedFile(), None).checks == ()
    path.write_bytes(path.read_bytes()[:-100_000])
    answer = ask(worker, path, SCENE, "fixed-background", None)
    assert answer.checks == ()
    result = structure_result(answer.examination)
    assert not result.passed
    assert result.value == 1
    with pytest.raises(FrameError):
        worker.examine(tmp_path / "none.dng", ExpectedFile(), None)


@pytest.mark.parametrize(
    "other", ["brick-pear-tungsten", "brick-mug-daylight", "cork-mug-tungsten", "flat-panel"]
)
def test_scenes_that_differ_in_one_thing_are_told_apart(
    camera: DisturbedCamera, other: str
) -> None:
    own = describe_scene(camera.take(SCENE))
    others = {other: describe_scene(camera.take(replace(SCENE, scene=other)))}
    later = replace(SCENE, exposure_s=1 / 125, iso=800, years=10.0, lamp=0.8)
    right = check_right_scene(describe_scene(camera.take(later)), own, others, THRESHOLDS)
    assert right.passed
    assert right.value == pytest.approx(1.0, abs=0.05)
    wrong = camera.take(replace(later, scene=other))
    result = check_right_scene(describe_scene(wrong), own, others, THRESHOLDS)
    assert not result.passed
    assert result.numbers["most_similar_other"] == other
    assert result.numbers["margin"] < 0


def test_a_frame_without_light_shows_no_scene(camera: DisturbedCamera) -> None:
    own = describe_scene(camera.take(SCENE))
    result = check_right_scene(describe_scene(camera.take(DARK)), own, {}, THRESHOLDS)
    assert result.value is None or not result.passed


def test_a_description_survives_its_bytes(camera: DisturbedCamera) -> None:
    descriptor = describe_scene(camera.take(SCENE))
    data = descriptor.to_bytes()
    assert len(data) < 4096
    again = SceneDescriptor.from_bytes(data)
    assert np.array_equal(again.channels, descriptor.channels)
    assert again == descriptor
    assert {again, descriptor} == {descriptor}
    darkness = SceneDescriptor(np.zeros_like(descriptor.channels))
    assert darkness != descriptor
    assert descriptor != data
    for broken in (b"", data[:-1], b"X" + data[1:], data[:8] + b"\xff" * (len(data) - 8)):
        with pytest.raises(FrameError):
            SceneDescriptor.from_bytes(broken)


def test_a_result_refuses_numbers_that_json_cannot_hold() -> None:
    with pytest.raises(ValueError, match="focus"):
        CheckResult("focus", float("nan"), 0.9, "", True, "")


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_checks_alarm_at_disturbances_and_at_nothing_else(
    record_property: Callable[[str, object], None],
) -> None:
    """Checks find large disturbances and leave undisturbed frames alone, also years later."""
    rates = measure(seeds=(3,), backgrounds=("tiles", "sand", "foliage", "print"), repeats=1)
    for rate in rates.rows.values():
        name = f"{rate.check}: {rate.disturbance} {rate.size}".strip()
        record_property(name, f"{rate.alarms} of {rate.frames}")
    undisturbed = rates.of("none")
    assert sum(rate.alarms for rate in undisturbed) <= 0.005 * sum(r.frames for r in undisturbed)
    large = {
        "shift, photosites": "5",
        "blur, sigma in photosites": "2",
        "lamp, factor": "0.5",
        "one side against the other, stops": "1",
        "red light, factor": "1.2",
        "wrong scene": "other object",
        "suppression": "all colours",
        "light in a corner, DN": "100",
        "cap off": "a tenth of the range",
    }
    for disturbance, size in large.items():
        (rate,) = [r for r in rates.of(disturbance) if r.size == size]
        assert rate.alarms == rate.frames > 0, disturbance
