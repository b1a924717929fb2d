"""Photosites that are relevant to age: detectors of the ICIP 2021 kind (reconstructed).

Two ways to find them in trusted images alone. *Class contrast*: how much of the variance of the
sessions' mean residuals lies between timeslots, against the same under relabelled sessions, which
gives the false discoveries among those that are taken. *Interior onset*: the likelihood ratio of an
onset within the images against none and against one before the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datastore.datasets.auditing.relabelling import relabel_sessions
from training.estimators.errors import EstimatorError
from training.estimators.images import Images
from training.estimators.known_defects import KnownDefect, places_of
from training.estimators.maximum_likelihood import MaximumLikelihood, reach_of
from training.estimators.measured_noise import MeasuredNoise
from training.estimators.places import beyond_reach, strongest
from training.estimators.residuals import ResidualStrip, residual_strips

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_BINS = 4096
_PRIOR_SESSIONS = 2.0
"""Sessions' worth of noise that a photosite's own spread is shrunk towards: few sessions may agree
by chance."""

_CLIPPED = 8.0
_BYTES_OF_SAMPLE = 56


@dataclass(frozen=True)
class RelevantDefects:
    """Photosites whose residuals go with the timeslot of their session.

    Attributes
    ----------
    places
        (row, column), int64 of shape (pixels, 2).
    contrast
        Share of the variance of session means that lies between timeslots, shape (pixels,).
    discovery_rate
        Expected share of false ones among all photosites of at least this contrast, shape
        (pixels,).
    tried
        How many photosites were looked at.
    relabellings
        How many ways to give sessions other timeslots were compared; 0 where there is none.
    """

    places: Places
    contrast: Floats
    discovery_rate: Floats
    tried: int
    relabellings: int


def class_contrast_defects(
    images: Images,
    numbers: NDArray[np.int64],
    noise: MeasuredNoise,
    *,
    discovery_rate: float = 0.05,
    reach: int = 2,
    samples: int = 199,
    memory_bytes: int = 256 * 2**20,
    seed: int = 0,
) -> RelevantDefects:
    """Find photosites whose residuals differ between timeslots more than between sessions.

    Parameters
    ----------
    images
        Trusted ones.
    numbers
        Of each one's timeslot, from 0, shape (images,); a session has one.
    noise
        Of these images.
    discovery_rate
        Expected share of false ones among those that are returned.
    reach
        How far a defect may reach into its neighbours: the strongest of them counts.
    samples
        Relabellings of sessions, at most; all where there are fewer.
    memory_bytes
        What one step may take, about.
    seed
        Of the relabellings drawn.

    Raises
    ------
    EstimatorError
        When a session has images of two timeslots.
    """
    names, session_of = np.unique(images.sessions, return_inverse=True)
    classes = np.array([numbers[session_of == place][0] for place in range(len(names))])
    mixed = np.flatnonzero(numbers != classes[session_of])
    if len(mixed):
        raise EstimatorError(
            f"session {images.sessions[mixed[0]]} has images of two timeslots: sessions have one"
        )
    others = _relabellings(classes, samples, seed)
    _, _, height, width = images.frames[0].visible
    if not len(others):
        return _nothing(height * width)
    rows = max(int(memory_bytes // (_BYTES_OF_SAMPLE * len(images) * width)), 1)
    observed = np.zeros(_BINS + 1)
    chance = np.zeros(_BINS + 1)
    strips: list[tuple[Places, Floats]] = []
    for strip in residual_strips(images, min(rows, height)):
        means, noise_sum = _session_means(strip, images, noise, session_of, len(names))
        contrast = _contrasts(means, classes, noise_sum)
        observed += _histogram(contrast)
        for labels in others:
            chance += _histogram(_contrasts(means, labels, noise_sum))
        # what most relabellings reach as well is never taken
        kept = np.flatnonzero(contrast >= 0.5)
        places = np.stack(np.unravel_index(kept, strip.residuals.shape[1:]), axis=1)
        corner = np.array([strip.first_row, strip.first_column])
        strips.append((places + corner, contrast[kept]))
    rates = _discovery_rates(observed, chance / len(others))
    places = np.concatenate([one for one, _ in strips]).astype(np.int64)
    contrast = np.concatenate([one for _, one in strips])
    found = rates[_bins(contrast)]
    taken = found <= discovery_rate
    places, contrast, found = places[taken], contrast[taken], found[taken]
    alone = strongest(places, contrast, reach)
    return RelevantDefects(
        places[alone], contrast[alone], found[alone], height * width, len(others)
    )


def _nothing(tried: int) -> RelevantDefects:
    return RelevantDefects(np.empty((0, 2), np.int64), np.empty(0), np.empty(0), tried, 0)


def _relabellings(classes: NDArray[np.int64], samples: int, seed: int) -> NDArray[np.int64]:
    """Return other timeslots of the sessions, without those that only rename them."""
    drawn = relabel_sessions(classes, np.zeros_like(classes), samples=samples, seed=seed).codes
    pairs = classes[:, None] == classes
    renames = np.array([((labels[:, None] == labels) == pairs).all() for labels in drawn], np.bool_)
    return drawn[~renames]


def _session_means(
    strip: ResidualStrip,
    images: Images,
    noise: MeasuredNoise,
    session_of: NDArray[np.intp],
    sessions: int,
) -> tuple[Floats, Floats]:
    """Return the mean residual of each session in units of noise, and their summed variances.

    Shapes (sessions, photosites) and (photosites,). A session without a sample has the mean of the
    others, which takes it out of every contrast.
    """
    deviation = noise.model.deviation(strip.light) * noise.scales[:, None, None]
    relative = np.clip(strip.residuals / deviation, -_CLIPPED, _CLIPPED).reshape(len(images), -1)
    known = ~np.isnan(relative)
    member = np.zeros((sessions, len(images)))
    member[session_of, np.arange(len(images))] = 1
    counts = member @ known
    means = member @ np.where(known, relative, 0.0) / np.maximum(counts, 1)
    present = counts > 0
    others = np.where(present, means, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    means = np.where(present, means, others)
    variance = np.where(present, 1 / np.maximum(counts, 1), 0.0).mean(axis=0)
    return means, _PRIOR_SESSIONS * variance


def _contrasts(means: Floats, classes: NDArray[np.int64], prior: Floats) -> Floats:
    """Return the share of the variance between classes, with some noise added to all of it."""
    centred = means - means.mean(axis=0)
    total = (centred**2).sum(axis=0)
    between = np.zeros(means.shape[1])
    for number in np.unique(classes):
        own = classes == number
        between += own.sum() * centred[own].mean(axis=0) ** 2
    shares: Floats = between / (total + prior)
    return shares


def _bins(contrast: Floats) -> NDArray[np.int64]:
    return np.clip((contrast * _BINS).astype(np.int64), 0, _BINS)


def _histogram(contrast: Floats) -> Floats:
    return np.bincount(_bins(contrast), minlength=_BINS + 1).astype(np.float64)


def _discovery_rates(observed: Floats, chance: Floats) -> Floats:
    """Return for each contrast the least share of false ones that taking it as well leads to."""
    seen = np.cumsum(observed[::-1])[::-1]
    false = np.cumsum(chance[::-1])[::-1]
    rates = np.minimum(false / np.maximum(seen, 1.0), 1.0)
    least: Floats = np.minimum.accumulate(rates)
    return least


def relevant_places(
    images: Images,
    timeslots: NDArray[np.int64],
    numbers: NDArray[np.int64],
    noise: MeasuredNoise,
    known: Sequence[KnownDefect],
    seed: int,
) -> Places:
    """Return the photosites of known defects and those that either detector finds.

    A defect counts once: what lies within reach of one that is there already is left out, and so is
    what the ledger saw from the beginning.

    Parameters
    ----------
    images, numbers, noise
        As of `class_contrast_defects`.
    timeslots
        Ordinals that the numbers stand for.
    known
        Defects of the ledger; those that tell no age are avoided.
    seed
        Of whatever is random.
    """
    useful = places_of([one for one in known if not one.pre_existing])
    onsets = MaximumLikelihood(known, seed=seed).fit(images, timeslots[numbers]).places_
    contrast = class_contrast_defects(images, numbers, noise, seed=seed).places
    reach = reach_of(images.frames[0])
    found = useful
    for places in (onsets, contrast):
        avoided = np.concatenate([places_of(known), found])
        found = np.concatenate([found, beyond_reach(places, avoided, reach)])
    return found.astype(np.int64)
