"""Recorded runs as event files of TensorBoard; needs the extra `tensorboard` when called."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from training.experiments.errors import ExperimentError
from training.experiments.run_records import ExperimentRecord, RunRecord


def export(record: ExperimentRecord, folder: Path) -> list[Path]:
    """Write a folder of event files per run; runs that are there already are left as they are.

    Parameters
    ----------
    record
        The experiment.
    folder
        TensorBoard's log folder; `NAME-IDENTIFIER/run-NUMBER` are made in it, each complete or not
        at all.

    Returns
    -------
    list of Path
        The folders that were written now.

    Raises
    ------
    ExperimentError
        If the extra is not installed, or the folder cannot be written.
    """
    writer_class = _writer_class()
    parent = folder / re.sub(r"[^A-Za-z0-9]+", "-", record.title).strip("-")
    written = []
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for run in record.runs:
            target = parent / f"run-{run.number}"
            if target.exists():
                continue
            unfinished = Path(tempfile.mkdtemp(dir=folder, prefix=".partial-"))
            try:
                _write(writer_class, unfinished, record, run)
                # others may read logs too
                unfinished.chmod(0o755)
                unfinished.rename(target)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            written.append(target)
    except OSError as error:
        raise ExperimentError(f"{folder}: {error.strerror}") from None
    return written


def _writer_class() -> Any:
    try:
        return import_module("tensorboardX").SummaryWriter
    except ModuleNotFoundError:
        raise ExperimentError(
            "event files of TensorBoard need the extra `tensorboard`: pip install"
            " 'agetrace[tensorboard]'"
        ) from None


def _write(writer_class: Any, folder: Path, record: ExperimentRecord, run: RunRecord) -> None:
    finished = run.finished_at.timestamp()
    writer = writer_class(logdir=str(folder))
    try:
        for step, loss in enumerate(run.losses, start=1):
            writer.add_scalar("train/loss", loss, step, finished)
        for step, loss, accuracy in run.looks:
            writer.add_scalar("validation/loss", loss, step, finished)
            writer.add_scalar("validation/accuracy", accuracy, step, finished)
        for name, value in run.measures.items():
            writer.add_scalar(name, value, len(run.losses), finished)
        for name, facts in (("parameters", record.parameters), ("lineage", run.lineage)):
            text = json.dumps(dict(facts), indent=2)
            writer.add_text(name, f"```json\n{text}\n```", walltime=finished)
    finally:
        writer.close()
