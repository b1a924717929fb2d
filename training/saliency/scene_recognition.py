"""Whether the scene of an image can be told from its map; pure numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.saliency.image_groups import ImageGroups
from training.saliency.resampling import central_interval, smallest_share
from training.statistics import Interval, bootstrap_interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class SceneRecognition:
    """How well the scene of an image is told from its map alone.

    Attributes
    ----------
    accuracy
        Share of the images whose scene is the nearest: that of least distance between the map and
        the mean map of the scene in the other sessions.
    interval
        Of it, by resampling whole sessions and scenes.
    p_value
        Share of the shuffles of scenes among sessions that are recognised at least as well
        (one-sided, the true one among them).
    smallest_p
        The p-value that perfect recognition would have got.
    chance, chance_interval
        Mean and central 95 % of the accuracies of the shuffles.
    images
        Images judged: those whose scene was taken in another session as well.
    """

    accuracy: float
    interval: Interval
    p_value: float
    smallest_p: float
    chance: float
    chance_interval: Interval
    images: int


def scene_recognition(
    vectors: Floats, images: ImageGroups, samples: int, seed: int
) -> SceneRecognition | None:
    """Tell each image's scene from its map, learning from the other sessions.

    Parameters
    ----------
    vectors
        Maps of mean 0 and length 1, float64 of shape (images, cells).
    images
        Scene and session of each.
    samples
        Shuffles of scenes among sessions.
    seed
        Of the drawing.

    Returns
    -------
    SceneRecognition or None
        None where no scene was taken in two sessions, or there is but one.
    """
    recogniser = _Recogniser(vectors, images)
    judged, right = recogniser.recognised(images.block_scenes)
    if not judged.any() or images.scene_count < 2:
        return None
    accuracy = float(right[judged].mean())
    sets, generator = images.scene_sets(), np.random.default_rng(seed)
    by_chance = []
    for _ in range(samples):
        also_judged, also_right = recogniser.recognised(images.shuffled(sets, generator))
        if also_judged.any():
            by_chance.append(float(also_right[also_judged].mean()))
    chance = np.array(by_chance)
    if not len(chance):
        return None
    return SceneRecognition(
        accuracy=accuracy,
        interval=bootstrap_interval(
            right[judged], images.session_of[judged], images.scene_of[judged], seed=seed
        ),
        p_value=float((np.sum(chance >= accuracy - 1e-9) + 1) / (len(chance) + 1)),
        smallest_p=max(1 / (len(chance) + 1), smallest_share(sets)),
        chance=float(chance.mean()),
        chance_interval=central_interval(chance),
        images=int(judged.sum()),
    )


class _Recogniser:
    """Nearest mean map of a scene, leaving out the image's session, for any naming of the blocks.

    Distances follow from inner products alone, so that a shuffle costs no pass over the maps.
    """

    def __init__(self, vectors: Floats, images: ImageGroups) -> None:
        blocks = len(images.block_scenes)
        member = np.zeros((blocks, len(vectors)))
        member[images.block_of, np.arange(len(vectors))] = 1
        sums = member @ vectors
        self._images = images
        self._sizes = member.sum(axis=1)
        self._with_blocks = vectors @ sums.T
        self._of_blocks = sums @ sums.T
        self._scenes = images.scene_count

    def recognised(self, block_scenes: Integers) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which images can be judged and which are right, were blocks of these scenes."""
        scenes = np.eye(self._scenes)[block_scenes]
        truth = block_scenes[self._images.block_of]
        judged = np.zeros(len(truth), bool)
        right = np.zeros(len(truth), bool)
        for session in range(self._images.session_count):
            chosen = np.flatnonzero(self._images.session_of == session)
            weights = scenes * (self._images.block_sessions != session)[:, None]
            counts = self._sizes @ weights
            known = counts > 0
            weights = weights[:, known] / counts[known]
            if not known.any():
                continue
            length = np.einsum("bs,bd,ds->s", weights, self._of_blocks, weights, optimize=True)
            distances = length - 2 * self._with_blocks[chosen] @ weights
            nearest = np.flatnonzero(known)[np.argmin(distances, axis=1)]
            judged[chosen] = known[truth[chosen]]
            right[chosen] = nearest == truth[chosen]
        return judged, right & judged
