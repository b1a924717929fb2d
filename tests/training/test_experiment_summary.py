"""Summaries say what the recorded runs said, whether every crop's answer was kept or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics
from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.datasets.freeze import freeze
from datastore.datasets.items import BLOCKS
from datastore.datasets.loading import load
from datastore.datasets.manifest import Manifest
from datastore.tables import Dataset, Experiment, Prediction, Run, RunPredictions
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.dataset_frames import dataset_spec, make_frames
from tests.support.dataset_rows import fill
from tests.support.recorded_experiments import (
    AT,
    CROPS,
    SERIALS,
    answers_about,
    freeze_controlled,
    record_experiment,
)
from training.experiments.errors import ExperimentError
from training.experiments.predictions import predictions_bytes
from training.experiments.stored_predictions import decode_predictions, read_answers
from training.experiments.summary import CAMERA_COLUMNS, ROW_COLUMNS, summarise


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """One dataset, to which every test adds experiments of other names."""
    with new_sqlite_catalogue(tmp_path_factory.mktemp("summary")) as opened:
        yield opened


@pytest.fixture(scope="module")
def manifest(catalogue: Catalogue) -> Manifest:
    (frozen,) = freeze_controlled(catalogue)
    return frozen


def test_a_summary_measures_what_the_rows_say(catalogue: Catalogue, manifest: Manifest) -> None:
    record_experiment(catalogue, [manifest], "nano", trace=lambda item: 0.5, runs=3)
    summary = summarise(catalogue, "nano")
    assert [one.evaluation for one in summary.evaluations] == ["new-session", "clean"]
    assert summary.runs == 3
    clean = summary.evaluation("clean")
    assert clean.images == len(manifest.block("clean")) == 16
    assert clean.sessions == 4
    with catalogue.reading() as session:
        rows = session.execute(
            select(Run.ordinal, Prediction.class_name, Prediction.predicted_class_name)
            .join(Run, Run.id == Prediction.run_id)
            .join(Experiment, Experiment.id == Run.experiment_id)
            .where(Experiment.name == "nano", Prediction.evaluation == "clean")
        ).all()
    kappas, balanced = [], []
    for number, accuracy in enumerate(clean.run_accuracies):
        truth = [row[1] for row in rows if row[0] == number]
        named = [row[2] for row in rows if row[0] == number]
        assert accuracy == pytest.approx(metrics.accuracy_score(truth, named))
        kappas.append(metrics.cohen_kappa_score(truth, named))
        balanced.append(metrics.balanced_accuracy_score(truth, named))
    assert clean.kappa == pytest.approx(np.mean(kappas))
    assert clean.balanced_accuracy == pytest.approx(np.mean(balanced))
    np.testing.assert_array_equal(
        clean.confusion,
        metrics.confusion_matrix(
            [row[1] for row in rows], [row[2] for row in rows], labels=clean.class_names
        ),
    )
    # 4 sessions of 2 classes can be labelled in 6 ways
    assert clean.smallest_p == pytest.approx(1 / 6) and clean.verdict == "inconclusive"
    assert clean.interval.runs == 3 and clean.interval.splits == 1
    assert f"{6 * 2 - 3 * 2} training and 4 judged sessions" in clean.interval.meaning


def test_crops_are_measured_where_they_were_kept(catalogue: Catalogue, manifest: Manifest) -> None:
    record_experiment(catalogue, [manifest], "kept", trace=lambda item: 1.0)
    record_experiment(catalogue, [manifest], "rows", trace=lambda item: 1.0, keeps_crops=False)
    kept, rows = (summarise(catalogue, name).evaluation("clean") for name in ("kept", "rows"))
    # the same answers, of which less was kept
    assert (kept.accuracy, kept.kappa, kept.p_value) == (rows.accuracy, rows.kappa, rows.p_value)
    assert kept.interval == rows.interval
    assert rows.crops is None and kept.crops is not None
    items = manifest.block("clean")
    names = manifest.header.class_names
    losses, votes = [], []
    for number in range(4):
        said = answers_about(items, names, lambda item: 1.0, 10 * number + len("clean"))
        pooled = said.crop_log_probabilities.reshape(len(items), CROPS, 2).mean(axis=1)
        losses.append(
            metrics.log_loss(
                said.labels, np.exp(pooled) / np.exp(pooled).sum(axis=1, keepdims=True)
            )
        )
        counts = said.crop_classes().reshape(len(items), CROPS).sum(axis=1)
        likelier = pooled.argmax(axis=1)
        named = np.where(counts == CROPS / 2, likelier, counts > CROPS / 2)
        votes.append((named == said.labels).mean())
    assert kept.crops.log_loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert kept.crops.voted_accuracy == pytest.approx(np.mean(votes))
    assert sum(kept.crops.calibration.counts) == 4 * len(items)
    assert kept.crops.calibration_error == kept.crops.calibration.expected_error
    # two classes: the one's probability is the other's complement
    first, second = kept.crops.class_calibration_errors
    assert first == pytest.approx(second, abs=1e-6)
    assert kept.crops.summed_calibration_error != kept.crops.calibration_error


def test_cameras_are_measured_apart(catalogue: Catalogue, manifest: Manifest) -> None:
    record_experiment(
        catalogue, [manifest], "one-ages", trace=lambda item: 9.0 * (item.camera.serial == "6001")
    )
    clean = summarise(catalogue, "one-ages").evaluation("clean")
    ageing, control = clean.cameras
    assert (ageing.serial, control.serial) == SERIALS
    assert ageing.accuracy == ageing.balanced_accuracy == ageing.kappa == 1
    assert control.accuracy < 0.8
    assert clean.accuracy == pytest.approx((ageing.accuracy + control.accuracy) / 2)
    assert ageing.images == control.images == clean.images / 2
    assert ageing.p_value == ageing.smallest_p == pytest.approx(1 / 6)


def test_runs_on_folds_are_summarised_together(tmp_path: Path) -> None:
    with new_sqlite_catalogue(tmp_path) as catalogue:
        folds = freeze_controlled(catalogue, sessions=4, folds=2)
        record_experiment(
            catalogue, folds, "folds", runs=4, trace=lambda item: 9.0, blocks=["clean"]
        )
        clean = summarise(catalogue, "folds").evaluation("clean")
        with catalogue.reading() as session:
            experiment = session.scalars(select(Experiment)).one()
            answers = read_answers(catalogue, session, experiment).evaluations["clean"]
    assert clean.accuracy == 1
    assert (clean.interval.runs, clean.interval.splits) == (4, 2)
    judged = {item.session for fold in folds for item in fold.block("clean")}
    assert clean.sessions == len(judged) == 8
    # the sessions of both folds are relabelled together: 8 of 2 classes in 70 ways
    assert clean.smallest_p == pytest.approx(1 / 70) and clean.verdict == "above-chance"
    assert [one.learned_from for one in answers[:2]] == [fold.version for fold in folds]
    for one, fold in zip(answers, folds * 2, strict=True):
        assert one.train_sessions == len({item.session for item in fold.block("train")})
        assert len(one.images.asset_ids) == len(fold.block("clean"))


def test_what_some_cameras_taught_is_not_what_all_taught(
    catalogue: Catalogue, manifest: Manifest
) -> None:
    record_experiment(catalogue, [manifest], "one", cameras=["6002"], runs=1)
    with catalogue.reading() as session:
        experiment = session.scalars(select(Experiment).where(Experiment.name == "one")).one()
        (run,) = read_answers(catalogue, session, experiment).evaluations["clean"]
    assert run.learned_from == f"{manifest.version} 6002"
    assert run.train_sessions == 6


def test_a_summary_is_text_and_json(catalogue: Catalogue, manifest: Manifest) -> None:
    record_experiment(catalogue, [manifest], "text", runs=2)
    record_experiment(catalogue, [manifest], "text of rows", runs=2, keeps_crops=False)
    for name in ("text", "text of rows"):
        summary = summarise(catalogue, name)
        document = json.loads(json.dumps(summary.to_json(), allow_nan=False))
        assert document["evaluations"][1]["interval"]["low"] <= 1
        assert [set(row) for row in summary.rows()] == [set(ROW_COLUMNS)] * 2
        assert [set(row) for row in summary.camera_rows()] == [set(CAMERA_COLUMNS)] * 4
        assert (summary.rows()[0]["votes"] == "-") == (name == "text of rows")


def test_what_holds_no_predictions_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ExperimentError, match="predictions abc: no predictions"):
        decode_predictions(b"not arrays at all", "predictions abc")
    said = answers_about(manifest.block("clean"), ("early", "late"), lambda item: 1.0, 0)
    decoded = decode_predictions(predictions_bytes(said), "predictions")
    np.testing.assert_array_equal(decoded.crop_log_probabilities, said.crop_log_probabilities)


def test_predictions_of_other_images_are_refused(catalogue: Catalogue, manifest: Manifest) -> None:
    """As they would be, were a file of another block named by a run's rows."""
    record_experiment(catalogue, [manifest], "sound", runs=1, blocks=["clean", "validation"])
    with catalogue.writing() as session:
        runs = [row[0] for row in session.execute(select(Run.id).order_by(Run.id.desc()).limit(1))]
        other = session.scalars(
            select(RunPredictions.predictions_asset_id).where(
                RunPredictions.run_id == runs[0], RunPredictions.evaluation == "validation"
            )
        ).one()
        experiment = Experiment(
            name="mixed up",
            dataset_id=session.scalars(
                select(Dataset.id).where(Dataset.version == manifest.version)
            ).one(),
            specification={},
            content_sha256="mixed up",
            code_version="tested",
            created_at=AT,
        )
        copied = session.get_one(Run, runs[0])
        experiment.runs.append(
            Run(
                ordinal=0,
                seed=0,
                machine={},
                training_history=[],
                model_asset_id=copied.model_asset_id,
                started_at=AT,
                finished_at=AT,
            )
        )
        session.add(experiment)
        session.flush()
        run_id = experiment.runs[0].id
        for row in session.scalars(
            select(Prediction).where(Prediction.run_id == runs[0], Prediction.evaluation == "clean")
        ):
            session.add(
                Prediction(
                    run_id=run_id,
                    evaluation="clean",
                    asset_id=row.asset_id,
                    class_name=row.class_name,
                    predicted_class_name=row.predicted_class_name,
                    score=row.score,
                    crops=row.crops,
                    crops_correct=row.crops_correct,
                )
            )
        session.add(RunPredictions(run_id=run_id, evaluation="clean", predictions_asset_id=other))
    with pytest.raises(ExperimentError, match="not of the images that its rows speak of"):
        summarise(catalogue, "mixed up")


def test_natural_frames_are_tested_by_days(tmp_path: Path) -> None:
    """Pictures of one day share content, whatever sessions they were imported in."""
    frames = [
        # both imports hold pictures of all the days of a class
        replace(frame, session=f"import {number % 2}")
        for number, frame in enumerate(
            make_frames(
                scenes=("any",), sessions=6, repeats=2, kind="natural", scene=None, fixture=None
            )
        )
    ]
    with new_sqlite_catalogue(tmp_path) as catalogue:
        fill(catalogue, frames)
        spec = dataset_spec(
            kind="natural",
            blocks={"sessions_per_class": {"validation": 1, "test": 2}},
            scenes=None,
        )
        manifest = load(catalogue, freeze(catalogue, spec, AT, force="uncontrolled").version)
        days = {block: {one.session_unit for one in manifest.block(block)} for block in BLOCKS}
        for keeps_crops in (True, False):
            name = f"days {keeps_crops}"
            record_experiment(
                catalogue, [manifest], name, blocks=["new-session"], keeps_crops=keeps_crops
            )
            found = summarise(catalogue, name).evaluation("new-session")
            assert found.sessions == len(days["new-session"]) == 4
            assert found.smallest_p == pytest.approx(1 / 6)
            assert f"{len(days['train'])} training" in found.interval.meaning
