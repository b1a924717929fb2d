"""The frames of one block of a dataset with what is known of each; knows no catalogue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.experiments.errors import ExperimentError
from training.patches.inputs import CachedFrame


@dataclass(frozen=True)
class FrameSet:
    """Frames with their classes and the groups that make them dependent.

    Attributes
    ----------
    frames
        Cached frames.
    labels
        Class of each frame (0, 1, ...), int64, shape (frames,).
    sessions, scenes, cameras
        Names of the session, scene and camera of each frame, shape (frames,).
    """

    frames: tuple[CachedFrame, ...]
    labels: NDArray[np.int64]
    sessions: NDArray[np.str_]
    scenes: NDArray[np.str_]
    cameras: NDArray[np.str_]

    def __post_init__(self) -> None:
        count = len(self.frames)
        if not count:
            raise ExperimentError("a block without frames: widen the dataset")
        for name in ("labels", "sessions", "scenes", "cameras"):
            if getattr(self, name).shape != (count,):
                raise ExperimentError(
                    f"{name}: shape {getattr(self, name).shape}, expected one per frame ({count})"
                )

    @classmethod
    def of(
        cls,
        frames: Sequence[CachedFrame],
        labels: Sequence[int],
        sessions: Sequence[str],
        scenes: Sequence[str],
        cameras: Sequence[str],
    ) -> FrameSet:
        """Build a set from plain sequences, one value per frame.

        Raises
        ------
        ExperimentError
            When there is no frame or a sequence has another length.
        """
        return cls(
            frames=tuple(frames),
            labels=np.asarray(labels, np.int64),
            sessions=np.asarray(sessions, np.str_),
            scenes=np.asarray(scenes, np.str_),
            cameras=np.asarray(cameras, np.str_),
        )

    def sha256(self) -> str:
        """Return the hash of contents, classes and groups, in this order."""
        digest = hashlib.sha256()
        for row in zip(
            (frame.key for frame in self.frames),
            self.labels.tolist(),
            self.sessions.tolist(),
            self.scenes.tolist(),
            self.cameras.tolist(),
            strict=True,
        ):
            digest.update(json.dumps(row).encode() + b"\n")
        return digest.hexdigest()
