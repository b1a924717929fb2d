"""Photosites that interventions change, and their random counterparts; pure.

Knows no ledger and no network: coordinates are given.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.errors import TrainingError
from training.patches.places import Area

Coordinates = NDArray[np.int64]


class InterventionError(TrainingError):
    """An intervention was asked for that the frame cannot take."""

    exit_code: ClassVar[int] = 2


def checked_places(coordinates: Coordinates, shape: tuple[int, ...]) -> Coordinates:
    """Return coordinates as int64 of shape (n, 2).

    Raises
    ------
    InterventionError
        When one lies outside of a frame of this shape.
    """
    places = np.asarray(coordinates, np.int64).reshape(-1, 2)
    if ((places < 0) | (places >= shape)).any():
        raise InterventionError(f"coordinates outside of the frame {shape[0]}x{shape[1]}")
    return places


def content_name(kind: str, *parts: ArrayLike | str | None) -> str:
    """Return a name that tells a change with these parts from every other of its kind."""
    digest = hashlib.sha256()
    for part in parts:
        if part is None or isinstance(part, str):
            content = repr(part).encode()
        else:
            array = np.ascontiguousarray(part)
            content = f"{array.dtype.str}{array.shape}".encode() + array.tobytes()
        digest.update(len(content).to_bytes(8, "little") + content)
    return f"{kind}:{digest.hexdigest()}"


def seeded_generator(seed: int, *parts: str) -> np.random.Generator:
    """Return a generator that depends on a seed and on names, such as a frame's key."""
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, np.uint32).tolist()])


def random_counterparts(
    places: Coordinates, excluded: Coordinates, area: Area, seed: int
) -> Coordinates:
    """Return for each photosite another of the same colour at a random place without a defect.

    Parameters
    ----------
    places
        (row, column) of the photosites that are to be controlled for, shape (n, 2).
    excluded
        (row, column) of all known defects, which are not chosen, shape (defects, 2).
    area
        Top, left, height and width of where to choose: the part of the sensor that networks see.
    seed
        Seed of the drawing.

    Returns
    -------
    ndarray
        Distinct (row, column) in the order of ``places``, shape (n, 2).

    Raises
    ------
    InterventionError
        When the area has too few photosites of a colour to choose from.
    """
    top, left, height, width = area
    free = np.ones((height, width), bool)
    for taken in (np.asarray(places), np.asarray(excluded)):
        inside = taken.reshape(-1, 2) - (top, left)
        inside = inside[((inside >= 0) & (inside < (height, width))).all(axis=1)]
        free[inside[:, 0], inside[:, 1]] = False
    candidates = np.argwhere(free) + np.array([top, left])
    generator = np.random.default_rng(seed)
    chosen = np.empty((len(places), 2), np.int64)
    colours = places[:, 0] % 2 * 2 + places[:, 1] % 2
    candidate_colours = candidates[:, 0] % 2 * 2 + candidates[:, 1] % 2
    for colour in np.unique(colours):
        members = np.flatnonzero(colours == colour)
        choices = np.flatnonzero(candidate_colours == colour)
        if len(members) > len(choices):
            raise InterventionError(
                f"{len(members)} photosites without a defect asked of the {len(choices)} of their"
                " colour"
            )
        chosen[members] = candidates[generator.choice(choices, len(members), replace=False)]
    return chosen
