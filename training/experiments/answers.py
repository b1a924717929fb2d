"""What runs said of images, as summaries, comparisons and matrices take it; pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.experiments.predictions import Predictions
from training.experiments.run_results import RunResult
from training.statistics import JudgedFrames

Texts = NDArray[np.str_]


@dataclass(frozen=True)
class ImageAnswers:
    """What one run said of images.

    Attributes
    ----------
    asset_ids
        Row number of each image, int64, shape (images,).
    true_classes, named_classes
        Name of each image's class, and of the class that the run named.
    sessions, cameras
        Unit of inference (the session, the day of a natural frame) and serial of each image.
    """

    asset_ids: NDArray[np.int64]
    true_classes: Texts
    named_classes: Texts
    sessions: Texts
    cameras: Texts

    @property
    def accuracy(self) -> float:
        """Share of images recognised."""
        return float((self.true_classes == self.named_classes).mean())

    def session_shares(self) -> dict[str, float]:
        """Return what the images of each session add to the accuracy."""
        correct = self.true_classes == self.named_classes
        names, session_of = np.unique(self.sessions, return_inverse=True)
        shares = np.bincount(session_of, correct, len(names)) / len(correct)
        return dict(zip(names.tolist(), shares.tolist(), strict=True))

    def judged(self) -> JudgedFrames:
        """Return them as tests by sessions want them."""
        return JudgedFrames(self.true_classes, self.named_classes, self.sessions)

    def of_camera(self, serial: str) -> ImageAnswers:
        """Return those of one camera's images."""
        chosen = self.cameras == serial
        return ImageAnswers(
            self.asset_ids[chosen],
            self.true_classes[chosen],
            self.named_classes[chosen],
            self.sessions[chosen],
            self.cameras[chosen],
        )


@dataclass(frozen=True)
class RunAnswers:
    """What one run said under one evaluation.

    Attributes
    ----------
    number
        Of the run within its experiment.
    images
        What it said of the images.
    crops, crops_correct
        How many crops were judged and recognised, over all images.
    learned_from
        Identity of what the run learned from: the version of its dataset, and the cameras.
    train_sessions
        How many sessions these frames are of.
    predictions
        What the run said of every crop; None where it was recorded before that was kept.
    """

    number: int
    images: ImageAnswers
    crops: int
    crops_correct: int
    learned_from: str
    train_sessions: int
    predictions: Predictions | None

    def result(self) -> RunResult:
        """Return the run as comparisons want it."""
        return RunResult(
            number=self.number,
            accuracy=self.images.accuracy,
            images=len(self.images.asset_ids),
            learned_from=self.learned_from,
            judged_on=hashlib.sha256(np.sort(self.images.asset_ids).tobytes()).hexdigest(),
            train_sessions=self.train_sessions,
            session_shares=self.images.session_shares(),
        )
