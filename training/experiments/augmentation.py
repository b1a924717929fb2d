"""Random changes of training crops, as pure functions of seed and step; no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.experiments.seeds import step_generator
from training.experiments.spec import Augmentation

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Draws:
    """What chance says of each crop of a batch.

    Attributes
    ----------
    mirrored
        Whether from left to right, and whether from top to bottom, bool, shape (crops, 2).
    turns
        Number of quarter turns, int64, shape (crops,).
    gains
        Factor of the values, float32, shape (crops,).
    """

    mirrored: NDArray[np.bool_]
    turns: NDArray[np.int64]
    gains: NDArray[np.float32]

    def part(self, chosen: slice) -> Draws:
        """Return those of some of the crops."""
        return Draws(self.mirrored[chosen], self.turns[chosen], self.gains[chosen])


def drawn_changes(changes: Augmentation, crops: int, seed: int, step: int) -> Draws:
    """Draw the changes of a step's whole batch; the same seed and step draw the same."""
    generator = step_generator(seed, step)
    # all are drawn, so that one change more leaves the others as they are
    return Draws(
        mirrored=generator.random((crops, 2)) < 0.5,
        turns=generator.integers(4, size=crops),
        gains=(1 + changes.gain * generator.uniform(-1, 1, size=crops)).astype(np.float32),
    )


def augmented(crops: Floats, changes: Augmentation, draws: Draws) -> Floats:
    """Return changed crops.

    Parameters
    ----------
    crops
        Shape (crops, channels, rows, columns), rows and columns equal.
    changes
        Which changes are made.
    draws
        What chance says of each crop.
    """
    changed = np.empty_like(crops)
    for number, crop in enumerate(crops):
        if changes.flip:
            across, down = draws.mirrored[number]
            crop = crop[:, :: -1 if down else 1, :: -1 if across else 1]
        if changes.rotate:
            crop = np.rot90(crop, int(draws.turns[number]), axes=(1, 2))
        changed[number] = crop
    if changes.gain:
        changed *= draws.gains[:, None, None, None]
    return changed
