"""The frames of one block of a dataset with what is known of each; knows no catalogue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from training.experiments.errors import ExperimentError
from training.patches.defect_places import DefectPlaces
from training.patches.inputs import CachedFrame
from training.patches.places import Area

Place = tuple[int, int]


class _ChosenFrames(Sequence[CachedFrame]):
    """Some of the frames of a sequence, opened only when they are asked for."""

    def __init__(self, frames: Sequence[CachedFrame], numbers: Sequence[int]) -> None:
        self._frames = frames
        self._numbers = numbers

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._numbers)

    def __getitem__(self, number: int) -> CachedFrame:  # type: ignore[override]
        """Return a frame."""
        return self._frames[self._numbers[number]]


@dataclass(frozen=True)
class FrameSet:
    """Frames with their classes and the groups that make them dependent.

    Attributes
    ----------
    frames
        Cached frames; a sequence may open each only when it is asked for.
    labels
        Class of each frame (0, 1, ...), int64, shape (frames,).
    sessions, scenes, cameras
        Names of the session, scene and camera of each frame, shape (frames,).
    corners
        By camera, the (row, column) in sensor coordinates of its frames' first pixel; (0, 0) for
        those that are not named.
    defect_places
        By camera, the places of patches around its defects and of their controls, in sensor
        coordinates; empty unless such patches are asked for.
    """

    frames: Sequence[CachedFrame]
    labels: NDArray[np.int64]
    sessions: NDArray[np.str_]
    scenes: NDArray[np.str_]
    cameras: NDArray[np.str_]
    corners: Mapping[str, Place] = field(default_factory=dict)
    defect_places: Mapping[str, DefectPlaces] = field(default_factory=dict)

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
            frames=frames,
            labels=np.asarray(labels, np.int64),
            sessions=np.asarray(sessions, np.str_),
            scenes=np.asarray(scenes, np.str_),
            cameras=np.asarray(cameras, np.str_),
        )

    def corner(self, index: int) -> Place:
        """Return where a frame's first pixel lies on its sensor."""
        return self.corners.get(str(self.cameras[index]), (0, 0))

    @cached_property
    def visible(self) -> tuple[Area, ...]:
        """The part of the sensor that each frame shows, in sensor coordinates."""
        areas = []
        for index, frame in enumerate(self.frames):
            top, left, height, width = frame.visible
            row, column = self.corner(index)
            areas.append((top + row, left + column, height, width))
        return tuple(areas)

    def subset(self, chosen: NDArray[np.integer]) -> FrameSet:
        """Return some of the frames, by their numbers."""
        return replace(
            self,
            frames=_ChosenFrames(self.frames, chosen.tolist()),
            labels=self.labels[chosen],
            sessions=self.sessions[chosen],
            scenes=self.scenes[chosen],
            cameras=self.cameras[chosen],
        )

    def sha256(self) -> str:
        """Return the hash of contents, classes, groups and places, in this order."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
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
        for camera in sorted(set(self.cameras.tolist())):
            known = self.defect_places.get(camera)
            places = None if known is None else known.origins.tolist()
            layout = (camera, self.corners.get(camera, (0, 0)), places)
            digest.update(json.dumps(layout).encode() + b"\n")
        return digest.hexdigest()
