"""What the runs of an experiment said of every crop, measured together; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.experiments.calibration import (
    Reliability,
    class_reliability,
    confidence_reliability,
)
from training.experiments.measures import (
    Recognition,
    RunMeasures,
    image_probabilities,
    measure,
)
from training.experiments.predictions import Predictions


@dataclass(frozen=True)
class CropMeasures:
    """What is known only where the runs kept what they said of every crop; means over the runs.

    Attributes
    ----------
    balanced_accuracy, kappa
        Of crops, each by itself.
    voted_accuracy
        Of images, each by the class that most of its crops name.
    log_loss, brier_score
        Of the images' probabilities, those that the mean of their crops' log-probabilities gives.
    calibration
        How often images are of the class that is named with a certain probability, over all runs
        together.
    calibration_error
        Expected calibration error of that curve.
    class_calibration_errors
        The same of each class's probability, whether it is named or not, in the classes' order.
    summed_calibration_error
        What `calibration_error` would be of the sum of the crops' log-probabilities, which counts
        crops as independent.
    """

    balanced_accuracy: float
    kappa: float | None
    voted_accuracy: float
    log_loss: float
    brier_score: float
    calibration: Reliability
    calibration_error: float
    class_calibration_errors: tuple[float, ...]
    summed_calibration_error: float


def mean_kappa(runs: Sequence[Recognition]) -> float | None:
    """Return the mean of the runs' kappas; None where it is not defined for one of them."""
    kappas = [one.kappa for one in runs if one.kappa is not None]
    return float(np.mean(kappas)) if len(kappas) == len(runs) else None


def measure_crops(runs: Sequence[Predictions | None]) -> CropMeasures | None:
    """Measure what the runs of an experiment said of every crop.

    Parameters
    ----------
    runs
        What each run said; unless all of them kept it, nothing is measured.
    """
    predictions = [one for one in runs if one is not None]
    if len(predictions) < len(runs):
        return None
    measured: list[RunMeasures] = [measure(one) for one in predictions]
    labels = np.concatenate([one.labels for one in predictions])
    pooled = np.concatenate([image_probabilities(one) for one in predictions])
    summed = np.concatenate([image_probabilities(one, "sum") for one in predictions])
    curve = confidence_reliability(labels, pooled)
    return CropMeasures(
        balanced_accuracy=float(np.mean([one.crops.balanced_accuracy for one in measured])),
        kappa=mean_kappa([one.crops for one in measured]),
        voted_accuracy=float(np.mean([one.voted.accuracy for one in measured])),
        log_loss=float(np.mean([one.log_loss for one in measured])),
        brier_score=float(np.mean([one.brier_score for one in measured])),
        calibration=curve,
        calibration_error=curve.expected_error,
        class_calibration_errors=tuple(
            one.expected_error for one in class_reliability(labels, pooled)
        ),
        summed_calibration_error=confidence_reliability(labels, summed).expected_error,
    )
