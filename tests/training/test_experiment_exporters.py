"""Exported runs say in TensorBoard and MLflow what the catalogue says, once."""

from __future__ import annotations

import json
import struct
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datastore.catalogue import Catalogue
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.recorded_experiments import freeze_controlled, record_experiment
from training.experiments import exporting_mlflow, exporting_tensorboard
from training.experiments.errors import ExperimentError
from training.experiments.run_records import ExperimentRecord, read_record
from training.experiments.summary import summarise


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    with new_sqlite_catalogue(tmp_path_factory.mktemp("exporters")) as opened:
        (manifest,) = freeze_controlled(opened, sessions=5)
        record_experiment(opened, [manifest], "nano", runs=2)
        record_experiment(opened, [manifest], "rows", runs=2, keeps_crops=False)
        yield opened


@pytest.fixture
def record(catalogue: Catalogue) -> ExperimentRecord:
    return read_record(catalogue, "nano")


def test_a_record_says_what_the_summary_says(
    catalogue: Catalogue, record: ExperimentRecord
) -> None:
    summary = summarise(catalogue, "nano")
    assert (record.name, record.uuid) == ("nano", summary.uuid)
    assert record.parameters["learning_rate"] == "0.01"
    assert record.parameters["cameras"] == "null"
    for evaluation in summary.evaluations:
        name = evaluation.evaluation
        assert [run.measures[f"{name}/accuracy"] for run in record.runs] == list(
            evaluation.run_accuracies
        )
        assert evaluation.crops is not None
        assert sum(run.measures[f"{name}/log_loss"] for run in record.runs) / 2 == pytest.approx(
            evaluation.crops.log_loss
        )
    first = record.runs[0]
    assert first.lineage["dataset_version"] == summary.dataset_version
    assert first.lineage["precision"] == "float32"
    assert catalogue.store.contains(first.lineage["weights_sha256"])
    assert first.looks[1] == (20, 0.4, 0.8)
    older = read_record(catalogue, "rows").runs[0]
    assert older.looks == ()
    assert set(older.measures) == {
        f"{block}/{name}" for block in ("new-session", "clean")
        for name in ("accuracy", "crop_accuracy")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("exporter", "module", "extra"),
    [
        (exporting_tensorboard, "tensorboardX", r"agetrace\[tensorboard\]"),
        (exporting_mlflow, "mlflow.tracking", r"agetrace\[mlflow\]"),
    ],
)
def test_without_the_extra_its_name_is_told(
    record: ExperimentRecord,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    exporter: Any,
    module: str,
    extra: str,
) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)
    with pytest.raises(ExperimentError, match=extra) as caught:
        exporter.export(record, tmp_path / "logs")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "logs").exists()


def _events(folder: Path) -> Iterator[Any]:
    """Read event files: records of length, checksum, message, checksum."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    (file,) = folder.iterdir()
    content = file.read_bytes()
    place = 0
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        event = event_pb2.Event()
        event.ParseFromString(content[place + 12 : place + 12 + length])
        place += 16 + length
        yield event


def test_event_files_hold_the_losses_and_measures(record: ExperimentRecord, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="the extra `tensorboard` is not installed")
    written = exporting_tensorboard.export(record, tmp_path)
    assert [folder.name for folder in written] == ["run-0", "run-1"]
    for folder, run in zip(written, record.runs, strict=True):
        scalars: dict[str, list[tuple[int, float]]] = {}
        texts = {}
        for event in _events(folder):
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
                    assert event.wall_time == pytest.approx(run.finished_at.timestamp())
                else:
                    (text,) = value.tensor.string_val
                    texts[value.tag.split("/")[0]] = json.loads(text.decode()[8:-4])
        assert [value for _, value in scalars["train/loss"]] == pytest.approx(run.losses)
        assert [step for step, _ in scalars["train/loss"]] == list(range(1, 31))
        looks = {step: accuracy for step, _, accuracy in run.looks}
        assert dict(scalars["validation/accuracy"]) == pytest.approx(looks)
        for name, measured in run.measures.items():
            assert dict(scalars[name]) == pytest.approx({30: measured})
        assert texts == {"parameters": dict(record.parameters), "lineage": dict(run.lineage)}
    assert exporting_tensorboard.export(record, tmp_path) == []
    assert not list(tmp_path.glob(".partial-*"))
    (tmp_path / "file").write_text("")
    with pytest.raises(ExperimentError, match="file: "):
        exporting_tensorboard.export(record, tmp_path / "file")


@pytest.mark.filterwarnings("ignore")  # of MLflow and what it drags in
def test_mlflow_holds_the_runs_once(
    record: ExperimentRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tracking = pytest.importorskip(
            "mlflow.tracking", reason="the extra `mlflow` is not installed"
        )
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    written = exporting_mlflow.export(record, uri)
    client = tracking.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(record.title)
    for run_id, run in zip(written, record.runs, strict=True):
        found = client.get_run(run_id)
        losses = client.get_metric_history(run_id, "train/loss")
        assert [one.value for one in sorted(losses, key=lambda one: one.step)] == list(run.losses)
        assert found.data.metrics.items() >= dict(run.measures).items()
        assert found.data.params == dict(record.parameters)
        assert found.data.tags["agetrace.dataset_version"] == run.lineage["dataset_version"]
        assert found.data.tags["agetrace.run"] == run.uuid
        assert found.info.status == "FINISHED"
    assert exporting_mlflow.export(record, uri) == []
    # an export that was interrupted in its second run
    client.delete_run(written[1])
    half = client.create_run(
        experiment.experiment_id, tags={"agetrace.run": record.runs[1].uuid}
    ).info.run_id
    (again,) = exporting_mlflow.export(record, uri)
    alive = {one.info.run_id for one in client.search_runs([experiment.experiment_id])}
    assert alive == {written[0], again} and half not in alive
    with pytest.raises(exporting_mlflow.MlflowError, match="MLflow at ") as caught:
        exporting_mlflow.export(record, str(tmp_path / "mlruns"))
    assert caught.value.exit_code == 1
