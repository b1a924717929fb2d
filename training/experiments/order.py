"""Which crops each training step sees: pure functions of seed, epoch and the frames' facts.

Crops are paired by content. Within an epoch the frames of one camera and scene are matched across
the classes, and the frames of a match share the places of their crops, one of each following the
other. In a content-controlled set every batch then shows the same content under every class, and
what differs is age; without it a small network on a Bayer mosaic can stay at chance for a whole
run. In a set whose classes have no scene in common nothing can be matched: the same code yields a
plain shuffle.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from training.experiments.crop_places import CropPlaces, FixedPlaces
from training.experiments.frame_set import FrameSet
from training.experiments.seeds import epoch_generator
from training.experiments.spec import ExperimentSpec
from training.patches.places import random_origins


def _content_groups(frames: FrameSet) -> list[list[NDArray[np.int64]]]:
    """Return, per camera and scene, the frame numbers of each class."""
    places = np.char.add(np.char.add(frames.cameras, "\n"), frames.scenes)
    groups = []
    for place in np.unique(places):
        members = np.flatnonzero(places == place)
        labels = frames.labels[members]
        groups.append([members[labels == label] for label in np.unique(labels)])
    return groups


def epoch_order(spec: ExperimentSpec, frames: FrameSet, seed: int, epoch: int) -> CropPlaces:
    """Return the crops of an epoch in their order: one of every frame, or all fixed ones.

    Parameters
    ----------
    spec
        The experiment, which says which crops.
    frames
        The training block.
    seed
        Seed of the run.
    epoch
        Number of the epoch, from 0.
    """
    generator = epoch_generator(seed, epoch)
    matches = _matches(frames, generator)
    if spec.patches == "random":
        return _random_crops(spec, frames, matches, generator)
    fixed = FixedPlaces(frames, spec.patches, spec.patch_size, spec.patches_per_frame)
    places = [fixed.of(int(match[match >= 0][0])) for match in matches]
    counts = np.array([len(some) for some in places])
    match_of_pair = np.repeat(np.arange(len(matches)), counts)
    shuffled = generator.permutation(len(match_of_pair))
    shown = matches[match_of_pair[shuffled]]
    return CropPlaces(
        shown[shown >= 0],
        np.repeat(np.concatenate(places)[shuffled], (shown >= 0).sum(axis=1), axis=0),
    )


def _matches(frames: FrameSet, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return frames of equal content side by side, shape (matches, classes), -1 where one lacks."""
    rows = [
        match
        for classes in _content_groups(frames)
        for match in zip_longest(
            *(generator.permutation(members).tolist() for members in classes), fillvalue=-1
        )
    ]
    widest = max(map(len, rows))
    return np.array([(*row, *[-1] * (widest - len(row))) for row in rows], np.int64)


def _random_crops(
    spec: ExperimentSpec,
    frames: FrameSet,
    matches: NDArray[np.int64],
    generator: np.random.Generator,
) -> CropPlaces:
    indices: list[NDArray[np.int64]] = []
    origins = []
    for number in generator.permutation(len(matches)):
        match = matches[number][matches[number] >= 0]
        visible = frames.visible[int(match[0])]
        origin = random_origins(generator, visible, spec.patch_size, 1)
        indices.append(match)
        origins.append(np.repeat(origin, len(match), axis=0))
    return CropPlaces(np.concatenate(indices), np.concatenate(origins))


def training_batches(
    spec: ExperimentSpec, frames: FrameSet, seed: int, start: int = 0
) -> Iterator[CropPlaces]:
    """Yield the crops of each step; epochs follow each other without a gap.

    Parameters
    ----------
    spec
        The experiment: crops, batch size and number of steps.
    frames
        The training block.
    seed
        Seed of the run.
    start
        Number of the first step that is yielded, from 0; those before it take no time to speak of.
    """
    epoch = 0
    order = epoch_order(spec, frames, seed, epoch)
    # every epoch has as many crops: the classes' frames are the same
    epoch, position = divmod(start * spec.batch_size, len(order.indices))
    if epoch:
        order = epoch_order(spec, frames, seed, epoch)
    for _ in range(start, spec.steps):
        parts = []
        missing = spec.batch_size
        while missing:
            part = order.part(slice(position, position + missing))
            parts.append(part)
            missing -= len(part.indices)
            position += len(part.indices)
            if position == len(order.indices):
                epoch, position = epoch + 1, 0
                order = epoch_order(spec, frames, seed, epoch)
        yield CropPlaces(
            np.concatenate([part.indices for part in parts]),
            np.concatenate([part.origins for part in parts]),
        )
