"""How well one run recognised the frames of one block; pure, knows no catalogue and no network.

An image's probabilities are the *mean* of its crops' log-probabilities, exponentiated and brought
to sum to one (the logarithmic opinion pool). Their *sum* would be the likelihood of all crops
together, were they independent: it names the same class, but crops of one image share light,
content and the network's error, so that it claims near certainty whatever the network knows. Votes
are a third way to a class, and give no probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.experiments.predictions import Predictions, accuracy, balanced_accuracy, confusion

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]
Pooling = Literal["mean", "sum"]
"""How crops' log-probabilities become an image's: see the module."""

_SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Recognition:
    """How answers agree with the truth.

    Attributes
    ----------
    answers
        How many crops or images were judged.
    confusion
        Counts of (true class, predicted class).
    accuracy
        Share recognised.
    balanced_accuracy
        Mean over the classes that occur of the share recognised.
    kappa
        Cohen's; None where it is not defined.
    """

    answers: int
    confusion: tuple[tuple[int, ...], ...]
    accuracy: float
    balanced_accuracy: float
    kappa: float | None


@dataclass(frozen=True)
class RunMeasures:
    """Everything that is measured of one run on one block.

    Attributes
    ----------
    crops
        Of crops, each by itself.
    images
        Of images, by the log-likelihoods of their crops together.
    voted
        Of images, by the class that most of their crops name.
    cameras
        Of the images of each camera, by log-likelihood, in the order of their serials.
    log_loss, brier_score
        Of the images' pooled probabilities; see the functions.
    """

    crops: Recognition
    images: Recognition
    voted: Recognition
    cameras: Mapping[str, Recognition]
    log_loss: float
    brier_score: float


def cohen_kappa(counts: NDArray[np.int64]) -> float | None:
    """Return agreement beyond chance, (observed - expected) / (1 - expected) (Cohen 1960).

    Parameters
    ----------
    counts
        Counts of (true class, predicted class), shape (classes, classes).

    Returns
    -------
    float or None
        At most 1, and 0 at chance; None where truth and answers are one and the same class only.
    """
    total = counts.sum()
    expected = float(counts.sum(axis=1) @ counts.sum(axis=0) / total**2)
    if expected >= 1:
        return None
    return (accuracy(counts) - expected) / (1 - expected)


def recognition(labels: Labels, predicted: Labels, classes: int) -> Recognition:
    """Compare answers with the truth.

    Parameters
    ----------
    labels, predicted
        True and predicted class, the same shape (answers,), at least one.
    classes
        Number of classes.
    """
    return recognition_of(confusion(labels, predicted, classes))


def recognition_of(counts: NDArray[np.int64]) -> Recognition:
    """Measure counts of (true class, predicted class), such as the sum over several runs."""
    return Recognition(
        answers=int(counts.sum()),
        confusion=tuple(tuple(row) for row in counts.tolist()),
        accuracy=accuracy(counts),
        balanced_accuracy=balanced_accuracy(counts),
        kappa=cohen_kappa(counts),
    )


def image_probabilities(predictions: Predictions, pooling: Pooling = "mean") -> Probabilities:
    """Return the probabilities of each image's classes, shape (frames, classes).

    Parameters
    ----------
    predictions
        One run's answers for one block.
    pooling
        ``mean`` for those that calibration is measured of; ``sum`` to show what counting crops as
        independent would claim.
    """
    logarithms = predictions.image_log_probabilities()
    if pooling == "sum":
        crops = np.bincount(predictions.crop_frames, minlength=len(predictions.labels))
        logarithms = logarithms * crops[:, None]
    powers = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def log_loss(labels: Labels, probabilities: Probabilities) -> float:
    """Return the mean of -log p of the true classes, in nats.

    Probabilities below the rounding error of a double count as that, so that one certain error does
    not make the loss infinite.
    """
    true = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(true, _SMALLEST, 1.0)).mean())


def brier_score(labels: Labels, probabilities: Probabilities) -> float:
    """Return the mean squared distance to the truth, summed over the classes (Brier 1950).

    0 is perfect, 2 is certain and wrong; two classes at one half each give 0.5.
    """
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def measure(predictions: Predictions) -> RunMeasures:
    """Measure one run's answers for one block."""
    labels, classes = predictions.labels, predictions.classes
    named = predictions.image_classes()
    probabilities = image_probabilities(predictions)
    serials = sorted(set(predictions.cameras.tolist()))
    return RunMeasures(
        crops=recognition(labels[predictions.crop_frames], predictions.crop_classes(), classes),
        images=recognition(labels, named, classes),
        voted=recognition(labels, predictions.voted_classes(), classes),
        cameras={
            serial: recognition(labels[chosen], named[chosen], classes)
            for serial in serials
            for chosen in [predictions.cameras == serial]
        },
        log_loss=log_loss(labels, probabilities),
        brier_score=brier_score(labels, probabilities),
    )
