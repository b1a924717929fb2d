"""Which scene and session each image is of, and scenes shuffled among sessions; pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.saliency.resampling import shuffled_sets

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ImageGroups:
    """Scene and session of each image by number, and blocks: one scene in one session.

    Shapes: ``scene_of``, ``session_of`` and ``block_of`` (images,), ``block_scenes`` and
    ``block_sessions`` (blocks,), blocks in order of their session.
    """

    scene_of: Integers
    session_of: Integers
    block_of: Integers
    block_scenes: Integers
    block_sessions: Integers

    @classmethod
    def of(cls, scenes: NDArray[np.generic], sessions: NDArray[np.generic]) -> ImageGroups:
        """Return the groups of images of these scenes and sessions, by name."""
        scene_of = np.unique(scenes, return_inverse=True)[1].astype(np.int64)
        session_of = np.unique(sessions, return_inverse=True)[1].astype(np.int64)
        pairs = np.stack([session_of, scene_of], axis=1)
        blocks, block_of = np.unique(pairs, axis=0, return_inverse=True)
        return cls(scene_of, session_of, block_of.reshape(-1), blocks[:, 1], blocks[:, 0])

    @property
    def scene_count(self) -> int:
        """How many scenes there are."""
        return len(np.unique(self.scene_of))

    @property
    def session_count(self) -> int:
        """How many sessions there are."""
        return len(np.unique(self.session_of))

    def scene_sets(self) -> list[list[int]]:
        """Return the scenes of each session."""
        return [
            self.block_scenes[self.block_sessions == session].tolist()
            for session in range(self.session_count)
        ]

    def shuffled(self, sets: Sequence[Sequence[int]], generator: np.random.Generator) -> Integers:
        """Return new scenes of the blocks."""
        return np.concatenate(shuffled_sets(sets, generator))
