"""Recorded runs in MLflow's tracking; needs the extra `mlflow` when called."""

from __future__ import annotations

import os
from datetime import datetime
from importlib import import_module
from typing import Any, ClassVar

from training.experiments.errors import ExperimentError
from training.experiments.run_records import ExperimentRecord, RunRecord

_RUN_TAG = "agetrace.run"
_METRICS_AT_ONCE = 1000
_PARAMETERS_AT_ONCE = 100
_LONGEST_PARAMETER = 6000


class MlflowError(ExperimentError):
    """MLflow refuses or cannot be reached."""

    exit_code: ClassVar[int] = 1


def export(record: ExperimentRecord, tracking_uri: str) -> list[str]:
    """Add an experiment's runs to MLflow; those that are there already are left as they are.

    A run that was interrupted on the way is removed and written again. The experiment is called by
    its name and the beginning of its identifier.

    Parameters
    ----------
    record
        The experiment.
    tracking_uri
        Where MLflow keeps its runs: `sqlite:////path/mlflow.db`, or a server's `http` or `https`
        address.

    Returns
    -------
    list of str
        MLflow's identifiers of the runs that were written now.

    Raises
    ------
    ExperimentError
        If the extra is not installed.
    MlflowError
        If MLflow refuses.
    """
    # without being asked, MLflow tells its makers how it is used
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # and it asks a server that does not answer for four minutes
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    try:
        tracking = import_module("mlflow.tracking")
        refusals = import_module("mlflow.exceptions").MlflowException
    except ModuleNotFoundError:
        raise ExperimentError(
            "MLflow needs the extra `mlflow`: pip install 'agetrace[mlflow]'"
        ) from None
    try:
        client = tracking.MlflowClient(tracking_uri=tracking_uri)
        known = client.get_experiment_by_name(record.title)
        experiment_id = (
            client.create_experiment(record.title, tags={"agetrace.experiment": record.uuid})
            if known is None
            else known.experiment_id
        )
        return [
            _write(client, experiment_id, record, run)
            for run in record.runs
            if not _is_there(client, experiment_id, run)
        ]
    except refusals as error:
        raise MlflowError(f"MLflow at {tracking_uri}: {error}") from None


def _is_there(client: Any, experiment_id: str, run: RunRecord) -> bool:
    """Tell whether a run is there whole; removes what an interruption left of it."""
    found = client.search_runs([experiment_id], f"tags.`{_RUN_TAG}` = '{run.uuid}'")
    for one in found:
        if one.info.status != "FINISHED":
            client.delete_run(one.info.run_id)
    return any(one.info.status == "FINISHED" for one in found)


def _write(client: Any, experiment_id: str, record: ExperimentRecord, run: RunRecord) -> str:
    entities = import_module("mlflow.entities")
    finished_ms = _milliseconds(run.finished_at)
    run_id: str = client.create_run(
        experiment_id,
        start_time=_milliseconds(run.started_at),
        run_name=f"run {run.number}",
        tags={
            _RUN_TAG: run.uuid,
            **{f"agetrace.{name}": value for name, value in run.lineage.items() if name != "run"},
        },
    ).info.run_id
    metrics = [
        *(("train/loss", loss, step) for step, loss in enumerate(run.losses, start=1)),
        *(("validation/loss", loss, step) for step, loss, _ in run.looks),
        *(("validation/accuracy", accuracy, step) for step, _, accuracy in run.looks),
        *((name, value, len(run.losses)) for name, value in run.measures.items()),
    ]
    logged = [entities.Metric(name, value, finished_ms, step) for name, value, step in metrics]
    for start in range(0, len(logged), _METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=logged[start : start + _METRICS_AT_ONCE])
    given = [
        entities.Param(name, value[:_LONGEST_PARAMETER])
        for name, value in record.parameters.items()
    ]
    for start in range(0, len(given), _PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=given[start : start + _PARAMETERS_AT_ONCE])
    client.set_terminated(run_id, "FINISHED", end_time=finished_ms)
    return run_id


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
