"""The answers for crops with a defect against those for crops without one; pure, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.experiments.predictions import Predictions
from training.interventions.places import Coordinates, InterventionError


@dataclass(frozen=True)
class CropsByDefects:
    """The answers of one run, parted by whether a crop shows a defect.

    Frames without a crop of a kind are left out there, so that the two may have other frames.

    Attributes
    ----------
    with_defects, without_defects
        None where there is no such crop.
    """

    with_defects: Predictions | None
    without_defects: Predictions | None


def crops_by_defects(
    predictions: Predictions, defects: Mapping[str, Coordinates], patch_size: int
) -> CropsByDefects:
    """Part the crops of frames by whether a defect lies in them (Joechl and Uhl, WIFS 2021, ask).

    Parameters
    ----------
    predictions
        What a run said.
    defects
        By a camera's serial, (row, column) of its defects in the sensor coordinates of the crops,
        int64, shape (defects, 2).
    patch_size
        Side of a crop in photosites.

    Raises
    ------
    InterventionError
        When the defects of a camera are not given.
    """
    has_defect = crops_with_defects(predictions, defects, patch_size)
    return CropsByDefects(_part(predictions, has_defect), _part(predictions, ~has_defect))


def crops_with_defects(
    predictions: Predictions, defects: Mapping[str, Coordinates], patch_size: int
) -> NDArray[np.bool_]:
    """Tell which crops show a defect, shape (crops,); parameters as `crops_by_defects`.

    Raises
    ------
    InterventionError
        When the defects of a camera are not given.
    """
    missing = sorted(set(predictions.cameras.tolist()) - set(defects))
    if missing:
        raise InterventionError(f"camera {missing[0]}: its defects are not given")
    has_defect = np.zeros(len(predictions.crop_frames), bool)
    cameras = predictions.cameras[predictions.crop_frames]
    for camera, coordinates in defects.items():
        chosen = np.flatnonzero(cameras == camera)
        origins, which = np.unique(predictions.crop_origins[chosen], axis=0, return_inverse=True)
        places = np.asarray(coordinates, np.int64).reshape(-1, 2)
        hit = [
            bool(((places >= origin) & (places < origin + patch_size)).all(axis=1).any())
            for origin in origins
        ]
        has_defect[chosen] = np.array(hit, bool)[which.reshape(-1)]
    return has_defect


def _part(predictions: Predictions, chosen: NDArray[np.bool_]) -> Predictions | None:
    if not chosen.any():
        return None
    frames, renumbered = np.unique(predictions.crop_frames[chosen], return_inverse=True)
    return replace(
        predictions,
        crop_frames=renumbered.astype(np.int64),
        crop_origins=predictions.crop_origins[chosen],
        crop_log_probabilities=predictions.crop_log_probabilities[chosen],
        labels=predictions.labels[frames],
        sessions=predictions.sessions[frames],
        scenes=predictions.scenes[frames],
        cameras=predictions.cameras[frames],
    )
