"""Questioned files dated by a stored estimator: files in, answers out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datastore.frames.isolated import DecodingWorker
from datastore.metadata import MetadataReader
from training.code_version import code_version
from training.estimators.dated_file import DatedFile, TimeslotAnswer
from training.estimators.errors import EstimatorError
from training.estimators.maximum_likelihood import MaximumLikelihood
from training.estimators.methods import estimator_of
from training.estimators.protocol import AgeEstimator, require_confidence
from training.estimators.questioned_file import QuestionedFile, read_questioned
from training.estimators.state import load_state


def answer_files(
    estimator_file: Path,
    files: Sequence[Path],
    confidence: float = 0.95,
    progress: Callable[[int, int], None] | None = None,
) -> list[DatedFile]:
    """Date files one after the other.

    Parameters
    ----------
    estimator_file
        As `training.estimators.state.save_state` wrote it, with a lineage.
    files
        Questioned ones.
    confidence
        Of the intervals.
    progress
        Called with the files done and their total.

    Raises
    ------
    EstimatorError
        If the estimator or a file cannot be read, or a file is not of its camera; names the file.
    """
    require_confidence(confidence)
    state, lineage = load_state(estimator_file)
    if "class_names" not in lineage:
        raise EstimatorError(f"{estimator_file}: does not say what it was fitted to: fit it again")
    estimator = estimator_of(state)
    estimator_sha256 = hashlib.sha256(estimator_file.read_bytes()).hexdigest()
    version = code_version()
    dated = []
    with MetadataReader() as metadata, DecodingWorker() as decoder:
        for done, path in enumerate(files, start=1):
            questioned = read_questioned(path, lineage, metadata, decoder)
            try:
                answers = _answers(estimator, questioned, lineage, confidence)
            except EstimatorError as error:
                raise EstimatorError(f"{path}: {error}") from error
            dated.append(
                DatedFile(
                    name=path.name,
                    sha256=questioned.sha256,
                    facts=questioned.facts,
                    notes=questioned.notes,
                    **answers,
                    estimator=estimator.name,
                    estimator_file=estimator_file.name,
                    estimator_sha256=estimator_sha256,
                    is_suspect=estimator.is_suspect,
                    lineage=lineage,
                    code_version=version,
                )
            )
            if progress is not None:
                progress(done, len(files))
    return dated


def _answers(
    estimator: AgeEstimator,
    questioned: QuestionedFile,
    lineage: Mapping[str, Any],
    confidence: float,
) -> dict[str, Any]:
    image, names = questioned.image, lineage["class_names"]
    probabilities = estimator.predict_proba(image)[0]
    predicted = estimator.predict(image)
    within = estimator.predict_interval(image, confidence)
    abstains = bool(np.ma.getmaskarray(predicted)[0])
    own = [names[number] for number in estimator.timeslots_.tolist()]
    timeslot = TimeslotAnswer(
        probabilities=dict(zip(own, probabilities.tolist(), strict=True)),
        low=names[int(within.low[0])],
        high=names[int(within.high[0])],
        confidence=confidence,
        most_likely=None if abstains else names[int(predicted.data[0])],
    )
    if not isinstance(estimator, MaximumLikelihood):
        return {"timeslot": timeslot, "estimate": None, "displaced": None}
    return {
        "timeslot": timeslot,
        "estimate": estimator.date(image, confidence)[0],
        "displaced": estimator.date(image, confidence, at_neighbours=True)[0],
    }
