"""What networks say of changed frames of a recorded experiment: kept, resumed, and right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agetrace.settings import create_home, load_home
from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock
from tests.support.command_line import CommandLine
from tests.support.experiment_worlds import (
    AGEING,
    CONTROL,
    FROZEN_AT,
    MANUFACTURED_AT,
    WorldSizes,
    build_world,
)
from tests.support.true_ledgers import record_true_ledger
from training.evidence.findings import Findings
from training.evidence.gathering import gather
from training.evidence.kept_maps import KeptMaps
from training.evidence.records import newest_report
from training.experiments.errors import ExperimentError
from training.experiments.runner import run_experiment
from training.experiments.spec import ExperimentSpec
from training.experiments.summary import summarise
from training.saliency.methods import MAP_METHODS

SIZES = WorldSizes(rows=96, columns=128, sessions=6, test_sessions=4, scenes=6, test_scenes=3)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose experiments `nano` and `still` were recorded before any evidence."""
    folder = tmp_path_factory.mktemp("world") / "home"
    made = create_home(folder)
    catalogue = made.open_catalogue()
    world = build_world(catalogue, folder.parent / "fixture", SIZES, seed=5)
    dark = [MANUFACTURED_AT + timedelta(days=days) for days in range(0, 9 * 365, 60)]
    for name, serial in (("nano", AGEING), ("still", CONTROL)):
        version = world.freeze_sessions(name, serial).version
        (truth,) = folder.parent.glob(f"fixture/**/*{serial}*.json")
        record_true_ledger(catalogue, truth, dark)
        spec = ExperimentSpec.model_validate(
            {
                "name": name,
                "dataset": version,
                "patch_size": 32,
                "steps": 120,
                "batch_size": 16,
                "learning_rate": 0.02,
                "runs": 2,
                "threads": 1,
                "precision": "float32",
                "channels_last": True,
                "device": "cpu",
            }
        )
        run_experiment(catalogue, spec, work_folder=made.work_root, clock=FixedClock(FROZEN_AT))
    catalogue.close()
    return folder


@pytest.fixture
def catalogue(home: Path) -> Iterator[Catalogue]:
    opened = load_home(home).open_catalogue()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def found(home: Path) -> Findings:
    made = load_home(home)
    catalogue = made.open_catalogue()
    findings = gather(catalogue, "nano", work_folder=made.work_root)
    catalogue.close()
    return findings


def test_interventions_say_what_was_simulated(found: Findings) -> None:
    assert found.masked is not None and found.mask_control is not None
    assert found.mask_control.accuracy >= 0.9
    assert found.masked.accuracy <= 0.6
    assert found.mask_effect is not None and found.mask_effect.accuracy.interval.high < 0
    assert found.transplant is not None and found.transplant.rate is not None
    assert found.transplant.rate >= 0.8
    assert found.content_swap is not None
    assert found.content_swap.agreement.difference >= 0.7
    (camera,) = found.cameras
    assert camera.serial == AGEING and 0 < camera.arisen <= camera.new < camera.known


def test_averages_and_cues_were_tried(found: Findings) -> None:
    readings = {one.kind: one for one in found.averages}
    assert readings["same-class-different-scenes"].outcome == "trace"
    assert readings["same-class-different-scenes"].points[0].count == 1
    assert len(found.averages_with_noise) == len(found.averages)
    assert found.distraction is not None and len(found.distraction_of_runs) == 2
    assert found.distraction.points[0].right >= 0.9
    assert json.dumps(found.to_json(), allow_nan=False)


def test_maps_by_every_method_say_where_the_networks_look(found: Findings) -> None:
    saliency = found.saliency
    assert saliency is not None and saliency.of_class == "late"
    assert [one.method for one in saliency.methods] == list(MAP_METHODS)
    cam, finest = saliency.methods[0], saliency.methods[-1]
    assert (cam.runs, cam.camera, cam.cell_photosites) == (2, AGEING, 8)
    # defects are as dense as the cells of CAM; integrated gradients see photosites
    assert finest.hits is not None and finest.cell_photosites == 1
    assert finest.hits.auc > 0.6 and finest.hits.at_radii[0].hit_p_value <= 0.05
    assert cam.randomised_weights.passes
    assert cam.other_labels is None
    (over,) = saliency.superimposed
    assert over.maps.shape[:2] == (2, 2) and over.crops.min() > 0
    assert len(saliency.image_maps) == 2 and len(saliency.examples) == 2 * len(MAP_METHODS)


def test_a_camera_that_does_not_age_has_nothing_to_mask(catalogue: Catalogue, home: Path) -> None:
    findings = gather(catalogue, "still", work_folder=home / "work", map_crops=16)
    assert findings.masked is None and findings.transplant is None
    assert "no defect" in findings.not_tried["masked"]
    assert findings.content_swap is not None
    assert findings.shift is not None


def test_interrupted_work_goes_on_where_it_was_with_the_same_numbers(
    catalogue: Catalogue, found: Findings, tmp_path: Path
) -> None:
    seen: list[int] = []

    def interrupt(done: int, total: int) -> None:
        seen.append(done)
        if done == total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gather(catalogue, "nano", work_folder=tmp_path, progress=interrupt)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("answer-*.npz")}
    assert len(kept) >= len(seen) - 3
    again = gather(catalogue, "nano", work_folder=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert again.to_json() == found.to_json()


def test_an_experiment_that_is_not_there_is_named(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="there is no experiment nothing"):
        gather(catalogue, "nothing", work_folder=tmp_path)


@pytest.mark.usefixtures("found")
def test_the_verdict_is_written_and_recorded(
    catalogue: Catalogue, home: Path, tmp_path: Path
) -> None:
    page = tmp_path / "evidence.html"
    told = (
        CommandLine(home)
        .run("evidence", "nano", "--placebo", "still", "--output", page, "--json")
        .document
    )
    (judgement,) = told["judgements"]
    assert judgement["verdict"] == "defect-trace-supported"
    html = page.read_text(encoding="utf-8")
    for title in (
        "Verdict",
        "Interventions",
        "Average images",
        "Distraction",
        "Maps by every method",
    ):
        assert f"<h2>{title}</h2>" in html
    stored = newest_report(catalogue, summarise(catalogue, "nano").uuid)
    assert stored is not None
    assert (stored.verdict, stored.reason) == (judgement["verdict"], judgement["reason"])
    assert stored.document["findings"] == told["findings"][0]
    saliency = told["findings"][0]["saliency"]
    assert saliency["methods"][0]["other_labels"]["images"] > 0
    for sha256 in saliency["image_maps"].values():
        kept = KeptMaps.from_bytes(catalogue.store.read_bytes(sha256))
        assert set(kept.maps) == set(MAP_METHODS)
    assert stored.parameters["placebos"] == [summarise(catalogue, "still").uuid]


@pytest.mark.usefixtures("found")
def test_known_cases_calibrate_averages(home: Path, tmp_path: Path) -> None:
    page = tmp_path / "evidence.html"
    known = ["--known-trace", "nano", "--known-content", "still"]
    told = CommandLine(home).run("evidence", "nano", *known, "--output", page, "--json").document
    lines = {one["statement"]: one for one in told["judgements"][0]["checks"]}
    line = lines["averages of frames keep the answer (same-class-different-scenes)"]
    # what does not age learned nothing, hence is not the content that it is said to be
    assert line["holds"] is None
    assert "known content as nothing" in line["measured"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--known-trace", "nano"], "give both"),
        (["--recorded-only", "--known-trace", "nano", "--known-content", "still"], "leave"),
        (["--placebo", "nothing"], "there is no experiment nothing"),
        (["--map-method", "guess"], "choose from cam, grad-cam"),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    home: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    page = tmp_path / "evidence.html"
    answer = CommandLine(home).run("evidence", "nano", "--output", page, *options, code=2)
    assert message in answer.message
    assert not page.exists()
