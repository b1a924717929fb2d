"""What an audit looks at: the items of a dataset as columns, whatever they were read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Nuisance:
    """One recorded factor other than age.

    Attributes
    ----------
    name
        Such as `temperature_c`, `scene`, `operator`.
    values
        One per item. With `levels`: int64 codes into them, -1 where unknown; otherwise float64,
        NaN where unknown.
    levels
        Names of the categories; None for a quantity.
    controlled
        Whether the constraints make it equal in every class. Its association is then a fact of the
        dataset and needs no inference; of any other factor the session is the unit.
    """

    name: str
    values: Codes | Floats
    levels: tuple[str, ...] | None
    controlled: bool

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which items have a value, shape (items,)."""
        return ~np.isnan(self.values) if self.levels is None else self.values >= 0


@dataclass(frozen=True)
class ItemFacts:
    """The items of a manifest, in its order, as columns.

    Attributes
    ----------
    manifest_version
        Version of the manifest; that of the unforced one where it was forced.
    class_names
        Labels of the codes in `labels`.
    labels, sessions, cameras, scenes
        int64 codes, shape (items,); a scene is -1 for natural frames. Sessions are the units that
        blocks are split by.
    session_names, camera_names, scene_names
        What the codes stand for.
    blocks
        Block of each item, shape (items,).
    triggered_s
        Time of each item in seconds since 1970 UTC, shape (items,).
    nuisances
        Every recorded factor that is known of at least one item.
    hashes
        Perceptual hashes as four words, uint64, shape (items, 4).
    hashed
        Which items have one, shape (items,).
    natural
        Whether the content is uncontrolled.
    assets
        sha256 of each item; empty for facts of no files, whose items go by their place.
    """

    manifest_version: str
    class_names: tuple[str, ...]
    labels: Codes
    sessions: Codes
    session_names: tuple[str, ...]
    cameras: Codes
    camera_names: tuple[str, ...]
    scenes: Codes
    scene_names: tuple[str, ...]
    blocks: NDArray[np.str_]
    triggered_s: Floats
    nuisances: tuple[Nuisance, ...]
    hashes: NDArray[np.uint64]
    hashed: NDArray[np.bool_]
    natural: bool
    assets: tuple[str, ...] = ()


@dataclass(frozen=True)
class BaselineFeatures:
    """What a baseline that must fail sees of each item.

    Attributes
    ----------
    name
        `thumbnail`, `low-pass`, `mean-colour`, `exif`, `temperature`.
    values
        float64, shape (items, features); rows that are not known are ignored.
    known
        Which items have features, shape (items,).
    """

    name: str
    values: Floats
    known: NDArray[np.bool_]
