"""Whether a frame shows its scene: compact descriptions of frames, and how alike two of them are.

A description is small enough to lie in the catalogue beside every reference, so that a frame is
compared with all scenes of its fixture, not with its own alone.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from capture.checks.results import CheckResult, unmeasured
from capture.checks.thresholds import CheckThresholds
from datastore.frames import MONOCHROME, Frame, FrameError

_NAME: Final = "scene"
_UNIT: Final = "similarity"
_ROWS: Final = 16
_COLUMNS: Final = 24
_CHANNELS: Final = 3
_HEADER: Final = struct.Struct("<4sBBBB")
_MAGIC: Final = b"SCN1"
_UNRELATED_DISTANCE: Final = 0.5
"""Distance from which two descriptions have nothing in common."""

_LEAST_LEVEL_DN: Final = 1.0


@dataclass(frozen=True, eq=False)
class SceneDescriptor:
    """What a scene looks like from afar.

    Attributes
    ----------
    channels
        float16 of shape (3, 16, 24): square roots of the mean red, green and blue above black in
        each part of the frame, relative to the mean of all; independent of the exposure. Three
        times the same for a sensor without colour filters. All zero for a frame without light.
    """

    channels: NDArray[np.float16]

    def __eq__(self, other: object) -> bool:
        """Return whether two descriptions have the same bytes."""
        if not isinstance(other, SceneDescriptor):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        """Return a hash of the bytes."""
        return hash(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the description as about two kilobytes."""
        header = _HEADER.pack(_MAGIC, *self.channels.shape, 0)
        return header + self.channels.astype("<f2").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the description that `to_bytes` wrote.

        Raises
        ------
        FrameError
            If the bytes are no description.
        """
        size = _CHANNELS * _ROWS * _COLUMNS
        expected = _HEADER.pack(_MAGIC, _CHANNELS, _ROWS, _COLUMNS, 0)
        if len(data) != _HEADER.size + 2 * size or not data.startswith(expected):
            raise FrameError(f"{len(data)} bytes are no description of a scene")
        values = np.frombuffer(data, "<f2", offset=_HEADER.size).astype(np.float16)
        if not np.isfinite(values).all():
            raise FrameError("the description of a scene holds values that are no numbers")
        return cls(values.reshape(_CHANNELS, _ROWS, _COLUMNS))

    @property
    def is_dark(self) -> bool:
        """Whether the frame had too little light to be described."""
        return not self.channels.any()

    def similarity(self, other: SceneDescriptor) -> float:
        """Return how alike two descriptions are, from 0 to 1.

        One less the root of the mean squared difference, in units of 0.5, at least 0
        (reconstructed). Square roots keep photon noise even over bright and dark parts.
        """
        difference = self.channels.astype(np.float64) - other.channels
        return max(0.0, 1.0 - float(np.sqrt(np.mean(difference**2))) / _UNRELATED_DISTANCE)


def describe_scene(frame: Frame) -> SceneDescriptor:
    """Describe what a frame shows.

    Parameters
    ----------
    frame
        Of at least 48 x 32 visible photosites.

    Raises
    ------
    FrameError
        If it is smaller.
    """
    from datastore.frames.blocks import block_means
    from datastore.frames.cells import visible_cells

    rows, columns = visible_cells(frame).shape
    block_cells = min(rows // (2 * _ROWS), columns // (2 * _COLUMNS), 8)
    if block_cells < 1:
        raise FrameError(f"{columns} x {rows} photosites are too few to describe a scene")
    return describe_blocks(block_means(frame, block_cells).means, frame.cfa)


def describe_blocks(means: NDArray[np.float32], cfa: str) -> SceneDescriptor:
    """Describe a scene by the block means of its frame, as `describe_scene` does."""
    planes = [_tiles(plane) for plane in means]
    groups = (
        [range(4)] * _CHANNELS
        if cfa == MONOCHROME
        else [[i for i in range(4) if cfa[i] == colour] for colour in "RGB"]
    )
    channels = np.stack([np.mean([planes[i] for i in group], axis=0) for group in groups])
    level = float(channels.mean())
    if level < _LEAST_LEVEL_DN:
        return SceneDescriptor(np.zeros(channels.shape, np.float16))
    return SceneDescriptor(np.sqrt(np.maximum(channels, 0.0) / level).astype(np.float16))


def check_right_scene(
    descriptor: SceneDescriptor,
    own: SceneDescriptor,
    others: Mapping[str, SceneDescriptor],
    thresholds: CheckThresholds,
) -> CheckResult:
    """Judge whether a frame shows its own scene and no other.

    Parameters
    ----------
    descriptor
        Of the frame.
    own
        Of the reference of the frame's scene.
    others
        Of the references of the other scenes of the fixture, by name.
    thresholds
        Least similarity, and least lead over the most similar other scene.
    """
    if descriptor.is_dark or own.is_dark:
        whose = "frame" if descriptor.is_dark else "reference"
        return unmeasured(
            _NAME, thresholds.scene_similarity, _UNIT, f"The {whose} is too dark to show a scene."
        )
    similarity = descriptor.similarity(own)
    by_name = {name: descriptor.similarity(other) for name, other in others.items()}
    best = max(by_name, key=by_name.__getitem__, default=None)
    margin = None if best is None else similarity - by_name[best]
    is_like = similarity >= thresholds.scene_similarity
    leads = margin is None or margin >= thresholds.scene_margin
    said = f"The frame is like its scene's reference by {similarity:.3f}"
    if margin is not None:
        said += f", and like {best} by {similarity - margin:.3f}"
    return CheckResult(
        _NAME,
        round(similarity, 5),
        thresholds.scene_similarity,
        _UNIT,
        is_like and leads,
        said + ("." if is_like and leads else ": it shows another scene, or a changed one."),
        {
            "margin": None if margin is None else round(margin, 5),
            "least_margin": thresholds.scene_margin,
            "most_similar_other": best,
        },
    )


def _tiles(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means of 16 x 24 parts of an image, each of nearly the same size."""
    row_edges = np.linspace(0, image.shape[0], _ROWS + 1).astype(int)
    column_edges = np.linspace(0, image.shape[1], _COLUMNS + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(image, row_edges[:-1], 0), column_edges[:-1], 1)
    return np.asarray(sums / np.outer(np.diff(row_edges), np.diff(column_edges)))
