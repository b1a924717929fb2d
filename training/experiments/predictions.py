"""One run's answers for one block, as arrays, and plain measures of them; no torch, no network."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.experiments.errors import ExperimentError
from training.files import write_atomically


@dataclass(frozen=True)
class Predictions:
    """A network's answers for one block.

    Attributes
    ----------
    crop_frames
        Number of each crop's frame in its set, int64, shape (crops,).
    crop_origins
        Even (row, column) of each crop's first photosite, int64, shape (crops, 2).
    crop_log_probabilities
        Log-softmax of each crop's class scores, float32, shape (crops, classes).
    labels
        Class of each frame, int64, shape (frames,).
    sessions, scenes, cameras
        Names of the session, scene and camera of each frame, shape (frames,).
    """

    crop_frames: NDArray[np.int64]
    crop_origins: NDArray[np.int64]
    crop_log_probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    sessions: NDArray[np.str_]
    scenes: NDArray[np.str_]
    cameras: NDArray[np.str_]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.crop_log_probabilities.shape[1])

    def crop_classes(self) -> NDArray[np.int64]:
        """Return the most probable class of each crop, shape (crops,)."""
        return self.crop_log_probabilities.argmax(axis=1)

    def image_log_probabilities(self) -> NDArray[np.float64]:
        """Return each frame's mean log-softmax over its crops, shape (frames, classes).

        The mean orders the classes as the likelihood of all crops together does, were they
        independent.
        """
        sums = np.zeros((len(self.labels), self.classes))
        np.add.at(sums, self.crop_frames, self.crop_log_probabilities)
        return sums / np.bincount(self.crop_frames, minlength=len(self.labels))[:, None]

    def image_classes(self) -> NDArray[np.int64]:
        """Return the most probable class of each frame over all its crops, shape (frames,)."""
        return self.image_log_probabilities().argmax(axis=1)

    def voted_classes(self) -> NDArray[np.int64]:
        """Return the class that most crops of each frame name; ties go to the likelier class."""
        votes = np.zeros((len(self.labels), self.classes))
        np.add.at(votes, (self.crop_frames, self.crop_classes()), 1.0)
        likelihood = np.exp(self.image_log_probabilities())
        # Mean probabilities are below 1, so that they order ties and nothing else.
        return (votes + likelihood / 2).argmax(axis=1)

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file, complete or not at all."""
        content = predictions_bytes(self)
        write_atomically(path, lambda file: file.write(content))

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Read what `save` wrote.

        Raises
        ------
        ExperimentError
            When the file lacks an array.
        """
        with np.load(path, allow_pickle=False) as arrays:
            try:
                return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})
            except KeyError as error:
                raise ExperimentError(f"{path}: no predictions ({error})") from error


def predictions_bytes(predictions: Predictions) -> bytes:
    """Return the bytes of an ``.npz`` file; equal predictions have equal bytes."""
    arrays = {name: getattr(predictions, name) for name in predictions.__dataclass_fields__}
    buffer = io.BytesIO()
    # numpy dates every array of the file to 1980
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def confusion(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Return counts of (true class, predicted class), int64, shape (classes, classes)."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def accuracy(counts: NDArray[np.int64]) -> float:
    """Return the share of a confusion matrix that lies on its diagonal."""
    return float(np.trace(counts) / counts.sum())


def balanced_accuracy(counts: NDArray[np.int64]) -> float:
    """Return the mean over the classes that occur of the share recognised."""
    totals = counts.sum(axis=1)
    occurring = totals > 0
    return float((np.diag(counts)[occurring] / totals[occurring]).mean())
