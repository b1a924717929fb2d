"""Experiments on a catalogue: what is recorded, folds, resuming, checks, what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file
from sqlalchemy import select
from typer.testing import CliRunner

from agetrace.cli.app import app
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import FixedClock
from datastore.datasets.freeze import Frozen, freeze, freeze_family
from datastore.datasets.loading import load
from datastore.datasets.spec import DatasetSpec, make_spec
from datastore.tables import Experiment, Run, RunExecution, RunPredictions
from tests.support.catalogues import new_sqlite_catalogue, sqlite_url
from tests.support.experiment_worlds import (
    AGEING,
    CONTROL,
    FROZEN_AT,
    SCHEME,
    World,
    WorldSizes,
    build_world,
)
from training.experiments.checking import check_experiment
from training.experiments.errors import ExperimentError
from training.experiments.judging import judge_experiment
from training.experiments.predictions import Predictions
from training.experiments.runner import resume_experiment, run_experiment
from training.experiments.spec import ExperimentSpec, read_spec
from training.experiments.summary import ExperimentSummary
from training.networks.errors import NetworkError
from training.networks.registry import build_network
from training.patches.errors import DamagedAssetError, PatchError

SIZES = WorldSizes(rows=96, columns=128, sessions=4, test_sessions=2, scenes=6, test_scenes=2)
PAGES = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a folder with a catalogue, and the version of its controlled dataset."""
    folder = tmp_path_factory.mktemp("world")
    catalogue = new_sqlite_catalogue(folder)
    world = build_world(catalogue, folder / "fixture", SIZES, seed=5)
    version = world.freeze_sessions("controlled", AGEING).version
    catalogue.close()
    return folder, version


@pytest.fixture
def catalogue(filled: tuple[Path, str], tmp_path: Path) -> Iterator[Catalogue]:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    shutil.copy(filled[0] / "catalogue.sqlite", folder)
    shutil.copytree(filled[0] / "store", folder / "store")
    opened = open_catalogue(sqlite_url(folder), folder / "store")
    yield opened
    opened.close()


@pytest.fixture
def controlled(filled: tuple[Path, str]) -> str:
    return filled[1]


def _spec(dataset: str, **changes: Any) -> ExperimentSpec:
    values = {
        "name": "short", "dataset": dataset, "patch_size": 32, "steps": 10, "batch_size": 4,
        "runs": 1, "threads": 1, "precision": "float32", "channels_last": True, "device": "cpu",
    }  # fmt: skip
    return ExperimentSpec.model_validate({**values, **changes})


def _run(
    catalogue: Catalogue, spec: ExperimentSpec, work: Path, **options: Any
) -> ExperimentSummary:
    return run_experiment(catalogue, spec, work_folder=work, clock=FixedClock(FROZEN_AT), **options)


def _check(catalogue: Catalogue, spec: ExperimentSpec, work: Path) -> None:
    check_experiment(catalogue, spec, work_folder=work, measure=False)


def test_what_was_computed_by_what_is_recorded_with_every_answer(
    catalogue: Catalogue, controlled: str, tmp_path: Path
) -> None:
    spec = _spec("controlled", validation_every=None, front="constrained", input="raw-planes")
    summary = _run(catalogue, spec, tmp_path / "work")
    # a name means another dataset tomorrow
    assert summary.specification["dataset"] == controlled
    with catalogue.reading() as session:
        (execution,) = session.scalars(select(RunExecution)).all()
        assert execution.dataset.version == controlled
        assert execution.execution["precision"] == "float32"
        assert (execution.selected_step, execution.validation_history) == (10, [])
        stored = {
            one.evaluation: one.predictions_asset.sha256
            for one in session.scalars(select(RunPredictions))
        }
        experiment_id = session.scalars(select(Experiment.id)).one()
    assert list(stored) == ["new-session", "new-scene", "clean"]
    path = tmp_path / "clean.npz"
    path.write_bytes(catalogue.store.read_bytes(stored["clean"]))
    clean = Predictions.load(path)
    manifest = load(catalogue, controlled)
    assert len(clean.labels) == len(manifest.block("clean"))
    # the stored weights say again what was recorded
    again = judge_experiment(
        catalogue, experiment_id, manifest, manifest.block("clean"), work_folder=tmp_path / "work"
    )
    np.testing.assert_array_equal(again[0].crop_log_probabilities, clean.crop_log_probabilities)


def test_folds_are_learned_from_and_judged_one_after_the_other(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    specification = make_spec(
        {
            "name": "folded",
            "scheme": SCHEME,
            "cameras": [AGEING],
            "role": "raw",
            "classes": [
                {"name": "early", "timeslots": "1-4"},
                {"name": "late", "timeslots": "5-8"},
            ],
            "blocks": {"scenes": {}, "sessions_per_class": {}},
            "folds": {"k": 2},
            "seed": 5,
        }
    )
    assert isinstance(specification, DatasetSpec)
    folds: tuple[Frozen, ...] = freeze_family(
        catalogue, specification, FROZEN_AT, force="few sessions"
    )
    spec = _spec(folds[1].version, folds=True, runs=3)
    summary = _run(catalogue, spec, tmp_path / "work")
    with catalogue.reading() as session:
        versions = [
            one.dataset.version
            for one in session.scalars(
                select(RunExecution).join(Run, Run.id == RunExecution.run_id).order_by(Run.ordinal)
            )
        ]
    assert versions == [folds[0].version, folds[1].version, folds[0].version]
    assert summary.runs == 3
    with pytest.raises(ExperimentError, match="controlled is not one of several folds"):
        _run(catalogue, _spec("controlled", folds=True), tmp_path / "work")


def test_an_interrupted_experiment_is_resumed_by_its_name(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = _spec("controlled", runs=2, steps=12)

    def stop(done: int, _total: int) -> None:
        if done == 17:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(catalogue, spec, tmp_path / "work", progress=stop)
    seen: list[int] = []
    resumed = resume_experiment(
        catalogue,
        "short",
        work_folder=tmp_path / "work",
        clock=FixedClock(FROZEN_AT),
        progress=lambda done, _total: seen.append(done),
    )
    # the first run is read, the second goes on after its fifth step
    assert seen[:2] == [12, 18]
    whole = _run(catalogue, spec, tmp_path / "elsewhere")
    assert resumed.to_json() == whole.to_json()
    weights = [
        sorted(path.read_bytes() for path in (tmp_path / one).rglob("weights.safetensors"))
        for one in ("work", "elsewhere")
    ]
    assert weights[0] == weights[1]
    monkeypatch.setattr("training.experiments.runner.code_version", lambda: "9.9")
    with pytest.raises(ExperimentError, match=r"was begun by .* and this is 9\.9"):
        resume_experiment(
            catalogue, "short", work_folder=tmp_path / "work", clock=FixedClock(FROZEN_AT)
        )


def test_a_check_says_what_would_be_done_and_writes_nothing(
    catalogue: Catalogue, controlled: str, tmp_path: Path
) -> None:
    spec = _spec(controlled, patches="grid", network="residual", front="high-pass-srm")
    found = check_experiment(catalogue, spec, work_folder=tmp_path, measure=False)
    train = load(catalogue, controlled).block("train")
    assert (found.frames, found.crops_per_epoch) == (len(train), 12 * len(train))
    assert found.frames_per_class == {
        name: sum(item.class_name == name for item in train) for name in ("early", "late")
    }
    parameters = build_network("residual", 1, 2, front="high-pass-srm").parameters()
    assert found.parameters == sum(one.numel() for one in parameters)
    clean = next(one for one in found.evaluations if one.evaluation == "clean")
    # two sessions of each class can be relabelled in six ways
    assert (clean.sessions, clean.smallest_p) == (4, pytest.approx(1 / 6))
    assert any("inconclusive" in one for one in found.remarks)
    assert any("simulated" in one for one in found.remarks)
    assert (found.execution, found.step_s) == (None, None)
    timed = check_experiment(catalogue, spec, work_folder=tmp_path)
    assert timed.training_s == pytest.approx((timed.step_s or 0) * 10)
    with catalogue.reading() as session:
        assert session.scalars(select(Experiment)).all() == []


def test_cameras_that_are_learned_from_are_chosen_and_all_are_judged(
    filled: tuple[Path, str], catalogue: Catalogue, tmp_path: Path
) -> None:
    world = World(catalogue, SIZES, 5)
    both = make_spec(
        {
            **load(catalogue, filled[1]).header.specification,
            "name": "both",
            "cameras": [AGEING, CONTROL],
        }
    )
    version = freeze(world.catalogue, both, FROZEN_AT).version
    spec = _spec(version, cameras=[CONTROL])
    found = check_experiment(catalogue, spec, work_folder=tmp_path, measure=False)
    manifest = load(catalogue, version)
    of_control = [one for one in manifest.block("train") if one.camera.serial == CONTROL]
    assert found.frames == len(of_control)
    clean = next(one for one in found.evaluations if one.evaluation == "clean")
    assert clean.images == len(manifest.block("clean"))
    with pytest.raises(ExperimentError, match="dataset both has no camera 99"):
        check_experiment(catalogue, _spec(version, cameras=["99"]), work_folder=tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"input": "jpeg-rgb"}, "is of raw files, which give no jpeg-rgb"),
        ({"patches": "defect-centred"}, "has no defect ledger: run `agetrace defects extract`"),
        ({"patch_size": 512}, "512"),
        ({"patch_size": 36}, "36"),
        ({"validation_every": 5}, "has no validation block"),
        ({"pretrained": {"file": "nowhere.pth"}}, "nowhere.pth cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_recorded(
    changes: dict[str, Any], told: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    for ask in (_run, _check):
        with pytest.raises((ExperimentError, PatchError, NetworkError), match=told) as caught:
            ask(catalogue, _spec("controlled", **changes), tmp_path / "work")
        assert caught.value.exit_code == 2
    with catalogue.reading() as session:
        assert session.scalars(select(Run)).all() == []


def test_missing_and_altered_files_are_named(
    catalogue: Catalogue, controlled: str, tmp_path: Path
) -> None:
    victim = load(catalogue, controlled).block("train")[0].sha256
    path = catalogue.store.path(victim)
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DamagedAssetError, match=victim):
        _run(catalogue, _spec(controlled), tmp_path / "work")
    path.unlink()
    with pytest.raises(DamagedAssetError, match="cannot be read"):
        _run(catalogue, _spec(controlled), tmp_path / "work")
    with pytest.raises(ExperimentError, match=rf"1 of \d+ files are not in the store.*{victim}"):
        check_experiment(catalogue, _spec(controlled), work_folder=tmp_path, measure=False)
    path.write_bytes(content)
    assert _run(catalogue, _spec(controlled), tmp_path / "work").runs == 1


def test_pretrained_weights_are_recorded_by_their_hash(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    file = tmp_path / "weights.safetensors"
    save_file(build_network("residual", 1, 5).state_dict(), file)
    pretrained = {"file": str(file), "mode": "feature-extraction"}
    spec = _spec("controlled", network="residual", pretrained=pretrained)
    summary = _run(catalogue, spec, tmp_path / "work")
    recorded = summary.specification["pretrained"]
    assert len(recorded["sha256"]) == 64
    wrong = {**pretrained, "sha256": "0" * 64}
    with pytest.raises(ExperimentError, match="expected 0000"):
        _run(catalogue, _spec("controlled", pretrained=wrong), tmp_path / "work")
    other = _spec("controlled", network="srnet-nano", pretrained=pretrained)
    with pytest.raises(NetworkError, match=r"weights\.safetensors"):
        _run(catalogue, other, tmp_path / "work")


def test_the_pages_specifications_are_specifications() -> None:
    for page in ("how-to/experiments.md", "explanations/experiments.md"):
        blocks = (PAGES / page).read_text(encoding="utf-8").split("```yaml\n")[1:]
        assert blocks
        for block in blocks:
            assert read_spec(block.split("```")[0]).runs == 10


def test_every_command_of_the_page_is_there() -> None:
    text = (PAGES / "how-to" / "experiments.md").read_text(encoding="utf-8")
    told = {
        line.split("agetrace experiment ")[1].split()[0].strip("`")
        for line in text.splitlines()
        if "agetrace experiment " in line
    }
    assert told == {"check", "run", "resume", "show", "compare", "matrix", "plot", "export"}
    for name in told:
        answer = CliRunner().invoke(app, ["experiment", name, "--help"])
        assert answer.exit_code == 0
        assert "Example: agetrace experiment" in " ".join(answer.output.split())
