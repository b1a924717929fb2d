"""Contrasts within answers that are there already: no frame is changed, no network asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evidence.effects import Difference, difference_of
from training.experiments.predictions import Predictions
from training.interventions import Coordinates
from training.interventions.crops import crops_with_defects

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ContentSwap:
    """Whether answers stay with the defects or with the scene.

    Attributes
    ----------
    agreement
        `intervention`: how often a run gives a frame and one of the same session, hence of the same
        defects, but another scene the same answer. `control`: the same scene, but another class.
        A trace has 1 and 0, content that is learned one half and 1, an answer that never changes
        1 and 1.
    runs, images, sessions
        How many stand behind it.
    """

    agreement: Difference
    runs: int
    images: int
    sessions: int

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self)


def content_swap(answers: Sequence[Predictions], seed: int = 0) -> ContentSwap | None:
    """Swap the content and keep the defects, and the other way round (reconstructed).

    Parameters
    ----------
    answers
        What each run said of the same frames.
    seed
        Of resamplings and sign flips.

    Returns
    -------
    ContentSwap or None
        None where no session shows two scenes of which another class shows one.
    """
    frames = answers[0]
    held, followed = np.full((2, len(frames.labels)), np.nan)
    named = [one.image_classes() for one in answers]
    for camera in np.unique(frames.cameras):
        own = np.flatnonzero(frames.cameras == camera)
        agreeing = np.mean([_equal(one[own]) for one in named], axis=0)
        same_scene = _equal(frames.scenes[own])
        held[own] = _row_means(agreeing, _equal(frames.sessions[own]) & ~same_scene)
        followed[own] = _row_means(agreeing, ~_equal(frames.labels[own]) & same_scene)
    usable = np.isfinite(held) & np.isfinite(followed)
    if not usable.any():
        return None
    return ContentSwap(
        agreement=difference_of(
            held[usable],
            followed[usable],
            frames.sessions[usable],
            frames.scenes[usable],
            frames.labels[usable],
            seed=seed,
        ),
        runs=len(answers),
        images=int(usable.sum()),
        sessions=len(np.unique(frames.sessions[usable])),
    )


def _equal(values: NDArray[Any]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = values[:, None] == values[None, :]
    return same


def _row_means(values: Floats, chosen: NDArray[np.bool_]) -> Floats:
    counts = chosen.sum(axis=1)
    sums = np.where(chosen, values, 0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


@dataclass(frozen=True)
class CropsContrast:
    """Accuracy of crops that show a defect against that of crops which show none.

    Attributes
    ----------
    accuracy
        Of crops with (`intervention`) and without (`control`) a defect, on the same images.
    share_with
        Share of all crops that show one.
    runs, images, sessions
        How many stand behind it.
    """

    accuracy: Difference
    share_with: float
    runs: int
    images: int
    sessions: int

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self)


def crops_contrast(
    answers: Sequence[Predictions],
    defects: Mapping[str, Coordinates],
    patch_size: int,
    seed: int = 0,
) -> CropsContrast | None:
    """Compare crops with and without a defect of the ledger on the same images.

    Joechl and Uhl (WIFS 2021) found that a strong defect in a crop was irrelevant to accuracy,
    which speaks for another trace, or for content. Form reconstructed.

    Parameters
    ----------
    answers
        What each run said of the same frames.
    defects
        By a camera's serial, (row, column) of the defects, shape (defects, 2).
    patch_size
        Side of a crop in photosites.
    seed
        Of resamplings and sign flips.

    Returns
    -------
    CropsContrast or None
        None where no image has crops of both kinds.

    Raises
    ------
    InterventionError
        When the defects of a camera are not given.
    """
    first = answers[0]
    shown = [crops_with_defects(one, defects, patch_size) for one in answers]
    shares = [_crop_accuracies(one, has) for one, has in zip(answers, shown, strict=True)]
    treated = np.mean([one for one, _ in shares], axis=0)
    controlled = np.mean([other for _, other in shares], axis=0)
    usable = np.isfinite(treated) & np.isfinite(controlled)
    if not usable.any():
        return None
    return CropsContrast(
        accuracy=difference_of(
            treated[usable],
            controlled[usable],
            first.sessions[usable],
            first.scenes[usable],
            first.labels[usable],
            seed=seed,
        ),
        share_with=float(np.mean(shown)),
        runs=len(answers),
        images=int(usable.sum()),
        sessions=len(np.unique(first.sessions[usable])),
    )


def _crop_accuracies(one: Predictions, has_defect: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the share of right crops of each image, with and without a defect; NaN where none."""
    right = one.crop_classes() == one.labels[one.crop_frames]
    images = len(one.labels)

    def shares(chosen: NDArray[np.bool_]) -> Floats:
        counts = np.bincount(one.crop_frames[chosen], minlength=images)
        found = np.bincount(one.crop_frames[chosen], right[chosen], minlength=images)
        return np.where(counts > 0, found / np.maximum(counts, 1), np.nan)

    return shares(has_defect), shares(~has_defect)


def joined(answers: Sequence[Predictions]) -> Predictions:
    """Return the answers of the runs of several folds as those of one run for all their frames."""
    starts = np.cumsum([0, *(len(one.labels) for one in answers)])
    return Predictions(
        crop_frames=np.concatenate(
            [one.crop_frames + start for one, start in zip(answers, starts, strict=False)]
        ),
        crop_origins=np.concatenate([one.crop_origins for one in answers]),
        crop_log_probabilities=np.concatenate([one.crop_log_probabilities for one in answers]),
        labels=np.concatenate([one.labels for one in answers]),
        sessions=np.concatenate([one.sessions for one in answers]),
        scenes=np.concatenate([one.scenes for one in answers]),
        cameras=np.concatenate([one.cameras for one in answers]),
    )


def of_frames(answers: Predictions, chosen: NDArray[np.int64]) -> Predictions:
    """Return the answers for some of the frames, by their numbers in growing order."""
    place = np.full(len(answers.labels), -1)
    place[chosen] = np.arange(len(chosen))
    crops = place[answers.crop_frames] >= 0
    return Predictions(
        crop_frames=place[answers.crop_frames[crops]],
        crop_origins=answers.crop_origins[crops],
        crop_log_probabilities=answers.crop_log_probabilities[crops],
        labels=answers.labels[chosen],
        sessions=answers.sessions[chosen],
        scenes=answers.scenes[chosen],
        cameras=answers.cameras[chosen],
    )
