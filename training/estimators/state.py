"""Fitted estimators as files: arrays and settings, nothing that could be run on reading.

One `.npz` of arrays, the settings as JSON in one of them. Pickled objects are neither written nor
read.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.estimators.errors import EstimatorError
from training.files import write_atomically

FORMAT = "agetrace-estimator"
FORMAT_VERSION = 1

_SETTINGS = "settings.json"


@dataclass(frozen=True)
class EstimatorState:
    """What a fitted estimator keeps.

    Attributes
    ----------
    estimator
        Its name.
    settings
        Parameters and single numbers, as JSON.
    arrays
        By name; no objects.
    """

    estimator: str
    settings: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def save_state(path: Path, state: EstimatorState, lineage: Mapping[str, Any] | None = None) -> None:
    """Write a state as one file, complete or not at all.

    Parameters
    ----------
    path
        The file, `.npz` by custom.
    state
        What is written.
    lineage
        Of what it was fitted, and by which code, as JSON.

    Raises
    ------
    EstimatorError
        When the file cannot be written, or an array holds objects.
    """
    objects = [name for name, array in state.arrays.items() if array.dtype.hasobject]
    if objects or _SETTINGS in state.arrays:
        raise EstimatorError(f"{path}: {', '.join(objects) or _SETTINGS} cannot be kept")
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "estimator": state.estimator,
        "settings": dict(state.settings),
        "lineage": dict(lineage or {}),
    }
    text = json.dumps(document, sort_keys=True, allow_nan=False).encode()
    content = {**state.arrays, _SETTINGS: np.frombuffer(text, np.uint8)}
    try:
        write_atomically(path, lambda file: np.savez_compressed(file, **content))  # type: ignore[arg-type]
    except OSError as error:
        raise EstimatorError(f"{path}: {error.strerror}") from None


def load_state(path: Path) -> tuple[EstimatorState, dict[str, Any]]:
    """Read a state and its lineage.

    Raises
    ------
    EstimatorError
        When the file is not there, or is none that `save_state` wrote.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
    except OSError as error:
        raise EstimatorError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, TypeError):
        raise _no_estimator(path) from None
    try:
        document = json.loads(arrays.pop(_SETTINGS).tobytes())
        if document["format"] != FORMAT:
            raise _no_estimator(path)
        if document["format_version"] != FORMAT_VERSION:
            raise EstimatorError(
                f"{path}: of format version {document['format_version']}, this version reads"
                f" {FORMAT_VERSION}: fit it again"
            )
        state = EstimatorState(document["estimator"], document["settings"], arrays)
        return state, dict(document["lineage"])
    except (KeyError, TypeError, ValueError):
        raise _no_estimator(path) from None


def _no_estimator(path: Path) -> EstimatorError:
    return EstimatorError(f"{path}: no fitted estimator: give a file of `agetrace estimate fit`")
