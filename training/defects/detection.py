"""Which photosites stand out: control of the false-discovery rate over all of a sensor; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.defects.errors import DarkFrameError
from training.defects.parameters import ExtractionParameters

_SURELY_OPPOSITE = 10.0  # standard deviations of a count
_SHARE_OPPOSITE = 0.2  # of those on the side of defects

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """Photosites that may stand out, in reading order; each array of shape (photosites,).

    Attributes
    ----------
    row, column
        Photosites in full `raw_image` space.
    z
        Significance, the larger one of the filters'.
    below
        How many photosites lie as far below their surroundings, the most of the filters'.
    """

    row: Places
    column: Places
    z: Floats
    below: int


@dataclass(frozen=True)
class Significant:
    """The photosites that stand out.

    Attributes
    ----------
    candidates
        Those that passed.
    p
        p-value of each, corrected for the two filters.
    threshold_z
        Significance from which photosites pass.
    """

    candidates: Candidates
    p: Floats
    threshold_z: float


def least_significance(parameters: ExtractionParameters) -> float:
    """Return the significance below which none can pass, so that it need not be looked at.

    The most that Benjamini and Hochberg's procedure allows where as many pass as may at most.
    """
    rate = parameters.false_discovery_rate * parameters.largest_share / 2
    return float(stats.norm.isf(min(rate, 0.5)))


def merged(found: Sequence[Candidates], columns: int, below: int) -> Candidates:
    """Return the candidates of all filters, each photosite once with its largest significance."""
    places = np.concatenate([one.row * columns + one.column for one in found])
    z = np.concatenate([one.z for one in found])
    order = np.argsort(places, kind="stable")
    places, z = places[order], z[order]
    if not len(places):
        return Candidates(places, places, z, below)
    starts = np.flatnonzero(np.r_[True, places[1:] != places[:-1]])
    kept = places[starts]
    return Candidates(kept // columns, kept % columns, np.maximum.reduceat(z, starts), below)


def is_two_sided(wanted: int, opposite: int, expected: float) -> bool:
    """Return whether photosites stand out on the wrong side as well, as edges in a picture do.

    Parameters
    ----------
    wanted, opposite
        How many stand out on the side of defects, and as far on the other one.
    expected
        How many noise alone puts on either side.
    """
    surplus = opposite - expected
    return bool(
        surplus > _SURELY_OPPOSITE * np.sqrt(expected + 1)
        and surplus > _SHARE_OPPOSITE * (wanted - expected)
    )


def require_dark(candidates: Candidates, photosites: int, least_z: float) -> None:
    """Refuse frames that show something else than the dark.

    Defects are brighter than their surroundings. What lies below them as often shows edges: of a
    scene, or of a dark frame that the camera subtracted (reconstructed).

    Parameters
    ----------
    candidates
        Photosites of at least `least_z`.
    photosites
        How many the sensor has.
    least_z
        The significance that candidates have.

    Raises
    ------
    DarkFrameError
        If the frames cannot be dark fields.
    """
    expected = photosites * float(stats.norm.sf(least_z))
    if is_two_sided(len(candidates.z), candidates.below, expected):
        raise DarkFrameError(
            f"{candidates.below} photosites are darker than their surroundings, where noise"
            f" explains {expected:.0f}: these frames are no dark fields, or the camera subtracted"
            " one"
        )


def significant(
    candidates: Candidates, photosites: int, parameters: ExtractionParameters
) -> Significant:
    """Control the false-discovery rate over all photosites (Benjamini and Hochberg 1995).

    Parameters
    ----------
    candidates
        Every photosite of at least `least_significance`.
    photosites
        How many the sensor has; each was tested twice.
    parameters
        Rate, and the share above which the frames cannot be dark fields.

    Raises
    ------
    DarkFrameError
        If so many stand out that the frames cannot be dark fields.
    """
    tests = 2 * photosites
    rate = parameters.false_discovery_rate
    ordered = np.sort(candidates.z)[::-1]
    one_sided = stats.norm.sf(ordered)
    passed = np.flatnonzero(one_sided * tests <= rate * np.arange(1, len(ordered) + 1))
    threshold = float(stats.norm.isf(rate / tests))
    if len(passed):
        threshold = float(ordered[passed[-1]])
    kept = candidates.z >= threshold
    share = np.count_nonzero(kept) / photosites
    if share > parameters.largest_share:
        raise DarkFrameError(
            f"{share:.0%} of the photosites stand out: these frames are no dark fields"
        )
    z = candidates.z[kept]
    return Significant(
        Candidates(candidates.row[kept], candidates.column[kept], z, candidates.below),
        np.maximum(2 * stats.norm.sf(z), np.finfo(np.float64).tiny),
        threshold,
    )
