"""Which crops each training step sees: pure functions of seed, epoch and the frames' facts.

Crops are paired by content. Within an epoch the frames of one camera and scene are matched across
the classes, and the frames of a match share the place of their crop and follow each other. In a
content-controlled set every batch then shows the same content under every class, and what differs
is age; without it a small network on a Bayer mosaic can stay at chance for a whole run. In a set
whose classes have no scene in common nothing can be matched: the same code yields a plain shuffle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice, zip_longest

import numpy as np
from numpy.typing import NDArray

from training.experiments.frame_set import FrameSet
from training.experiments.seeds import epoch_generator
from training.patches.places import random_origins


@dataclass(frozen=True)
class CropPlaces:
    """Where crops lie.

    Attributes
    ----------
    indices
        Number of each crop's frame in its set, int64, shape (crops,).
    origins
        Even (row, column) of each crop's first photosite, int64, shape (crops, 2).
    """

    indices: NDArray[np.int64]
    origins: NDArray[np.int64]


def _content_groups(frames: FrameSet) -> list[list[NDArray[np.int64]]]:
    """Return, per camera and scene, the frame numbers of each class."""
    places = np.char.add(np.char.add(frames.cameras, "\n"), frames.scenes)
    groups = []
    for place in np.unique(places):
        members = np.flatnonzero(places == place)
        labels = frames.labels[members]
        groups.append([members[labels == label] for label in np.unique(labels)])
    return groups


def epoch_order(frames: FrameSet, patch_size: int, seed: int, epoch: int) -> CropPlaces:
    """Return one crop of every frame, in the order of an epoch.

    Parameters
    ----------
    frames
        The training block.
    patch_size
        Side of a crop in photosites.
    seed
        Seed of the run.
    epoch
        Number of the epoch, from 0.

    Returns
    -------
    CropPlaces
        As many crops as frames.
    """
    generator = epoch_generator(seed, epoch)
    matches = [
        [frame for frame in match if frame is not None]
        for classes in _content_groups(frames)
        for match in zip_longest(*(generator.permutation(members).tolist() for members in classes))
    ]
    indices: list[int] = []
    origins = []
    for number in generator.permutation(len(matches)):
        match = matches[number]
        origin = random_origins(generator, frames.frames[match[0]].visible, patch_size, 1)
        indices += match
        origins.append(np.repeat(origin, len(match), axis=0))
    return CropPlaces(np.array(indices, np.int64), np.concatenate(origins))


def training_batches(
    frames: FrameSet, patch_size: int, batch_size: int, steps: int, seed: int
) -> Iterator[CropPlaces]:
    """Yield the crops of each step; epochs follow each other without a gap.

    Parameters
    ----------
    frames
        The training block.
    patch_size
        Side of a crop in photosites.
    batch_size
        Crops per step.
    steps
        Number of steps.
    seed
        Seed of the run.
    """

    def stream() -> Iterator[tuple[np.int64, NDArray[np.int64]]]:
        for epoch in count():
            order = epoch_order(frames, patch_size, seed, epoch)
            yield from zip(order.indices, order.origins, strict=True)

    crops = stream()
    for _ in range(steps):
        indices, origins = zip(*islice(crops, batch_size), strict=True)
        yield CropPlaces(np.array(indices, np.int64), np.array(origins, np.int64))
