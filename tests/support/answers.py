"""Answers of networks that never were: what a run says of sessions of one class each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.experiments.predictions import Predictions


def answers_of(
    generator: np.random.Generator,
    *,
    sessions: int = 8,
    frames: int = 5,
    crops: int = 6,
    classes: int = 2,
    trace: float = 1.0,
    session_noise: float = 0.0,
    cameras: tuple[str, ...] = ("7100001", "7100002"),
    first_session: int = 0,
) -> Predictions:
    """Return answers that favour the true class by `trace`, each session by a leaning of its own.

    Sessions take the classes in turn, and frames the cameras.
    """
    session_of = np.repeat(np.arange(sessions), frames)
    labels = session_of % classes
    leaning = session_noise * generator.normal(size=(sessions, classes))[session_of]
    frame_scores = trace * np.eye(classes)[labels] + leaning
    frame_of = np.repeat(np.arange(len(labels)), crops)
    # frames whose crops are not of one number, as at the edges of real ones
    frame_of = frame_of[np.r_[np.ones(len(frame_of) - 2, bool), False, False]]
    scores = frame_scores[frame_of] + generator.normal(size=(len(frame_of), classes))
    logarithms = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    origins: NDArray[np.int64] = 2 * generator.integers(0, 50, (len(frame_of), 2))
    return Predictions(
        crop_frames=frame_of,
        crop_origins=origins,
        crop_log_probabilities=logarithms.astype(np.float32),
        labels=labels.astype(np.int64),
        sessions=np.array([f"session {first_session + one}" for one in session_of]),
        scenes=np.array([f"scene {one % frames}" for one in range(len(labels))]),
        cameras=np.array([cameras[one % len(cameras)] for one in range(len(labels))]),
    )
