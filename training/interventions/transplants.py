"""Defects that are added to frames which have none of them; the decision must follow.

Pure numpy on ``raw-mosaic`` frames. What a defect adds is what the ledger measured of it, scaled to
the settings of the frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.interventions.places import (
    Coordinates,
    InterventionError,
    checked_places,
    content_name,
    random_counterparts,
    seeded_generator,
)
from training.patches.inputs import Mosaic, Variation
from training.patches.places import Area

Floats = NDArray[np.float64]


class MeasuredDefect(Protocol):
    """What is asked of an entry of a ledger, whether it comes from the catalogue or from memory."""

    @property
    def row(self) -> int:
        """Row of the photosite."""

    @property
    def column(self) -> int:
        """Column of the photosite."""

    @property
    def kind(self) -> str:
        """Such as `hot` or `stuck`."""

    @property
    def dark_rate_dn_per_s(self) -> float | None:
        """Dark rate at ISO 100; None where it could not be measured."""

    @property
    def offset_dn(self) -> float | None:
        """Offset at ISO 100; None where it could not be measured."""


@dataclass(frozen=True)
class Exposure:
    """The settings that decide what a defect adds to a frame.

    Attributes
    ----------
    exposure_s
        Exposure time in seconds.
    iso
        Sensitivity.
    dark_factor
        Factor of dark currents at the frame's temperature, 1 at the reference temperature of the
        dark rates and where the temperature is unknown.
    """

    exposure_s: float
    iso: int
    dark_factor: float = 1.0


@dataclass(frozen=True)
class Transplant:
    """Defects to add, as a ledger measured them.

    Attributes
    ----------
    coordinates
        (row, column) of each, int64, shape (defects, 2).
    dark_rates_dn_per_s
        Dark rate of each at ISO 100, shape (defects,).
    offsets_dn
        Offset of each at ISO 100, shape (defects,).
    stuck
        Which are saturated whatever the light, bool, shape (defects,).
    left_out
        How many defects of the ledger were not measured well enough to be added.
    """

    coordinates: Coordinates
    dark_rates_dn_per_s: Floats
    offsets_dn: Floats
    stuck: NDArray[np.bool_]
    left_out: int = 0

    @classmethod
    def of(cls, defects: Iterable[MeasuredDefect]) -> Transplant:
        """Take over the entries of a ledger; those of unknown rate and offset are left out."""
        rows = list(defects)
        usable = [
            one
            for one in rows
            if one.kind == "stuck" or not (one.dark_rate_dn_per_s is None and one.offset_dn is None)
        ]
        return cls(
            coordinates=np.array([(one.row, one.column) for one in usable], np.int64).reshape(
                -1, 2
            ),
            dark_rates_dn_per_s=np.array([one.dark_rate_dn_per_s or 0.0 for one in usable]),
            offsets_dn=np.array([one.offset_dn or 0.0 for one in usable]),
            stuck=np.array([one.kind == "stuck" for one in usable], bool),
            left_out=len(rows) - len(usable),
        )

    def amplitudes_dn(self, exposure: Exposure) -> Floats:
        """Return what each adds on average, ``ISO/100 (D t f + c)``; infinite where stuck.

        The model is that of `training.defects.fit`, which measured D and c (reconstructed).
        """
        seconds = exposure.exposure_s * exposure.dark_factor
        added = self.dark_rates_dn_per_s * seconds + self.offsets_dn
        return np.where(self.stuck, np.inf, exposure.iso / 100 * added)

    def elsewhere(self, excluded: Coordinates, area: Area, seed: int) -> Transplant:
        """Return the matched control: the same defects at random sound photosites.

        Colours, amplitudes and the noise of each are kept.

        Parameters
        ----------
        excluded
            (row, column) of all known defects, shape (defects, 2).
        area
            Top, left, height and width of the part of the frames that networks see.
        seed
            Seed of the drawing.

        Raises
        ------
        InterventionError
            When there are too few sound photosites.
        """
        return replace(
            self, coordinates=random_counterparts(self.coordinates, excluded, area, seed)
        )

    def seen_in(self, area: Area) -> Transplant:
        """Return those that lie in a part of the sensor."""
        top, left, height, width = area
        inside = self.coordinates - (top, left)
        chosen = ((inside >= 0) & (inside < (height, width))).all(axis=1)
        return replace(
            self,
            coordinates=self.coordinates[chosen],
            dark_rates_dn_per_s=self.dark_rates_dn_per_s[chosen],
            offsets_dn=self.offsets_dn[chosen],
            stuck=self.stuck[chosen],
        )


def transplant_defects(
    mosaic: Mosaic, coordinates: Coordinates, amplitudes_dn: NDArray[np.float64], white_level: int
) -> Mosaic:
    """Add defects to a frame that has none of them; the decision must follow.

    Parameters
    ----------
    mosaic
        Raw values (rows, columns).
    coordinates
        (row, column) of the defects, shape (defects, 2).
    amplitudes_dn
        What each defect adds at the frame's settings (tau D + c), in DN, shape (defects,).
    white_level
        Saturation in DN, where the sum ends.

    Returns
    -------
    ndarray
        A changed copy.

    Raises
    ------
    InterventionError
        When a coordinate lies outside, or there is not one amplitude per defect.
    """
    places = checked_places(coordinates, mosaic.shape)
    if np.shape(amplitudes_dn) != (len(places),):
        raise InterventionError(f"{np.shape(amplitudes_dn)} amplitudes for {len(places)} defects")
    sites, which = np.unique(places, axis=0, return_inverse=True)
    added = np.bincount(which.reshape(-1), amplitudes_dn, len(sites))
    rows, columns = sites.T
    result = mosaic.copy()
    result[rows, columns] = np.clip(np.rint(mosaic[rows, columns] + added), 0, white_level)
    return result


def transplant_variation(
    transplant: Transplant,
    exposure: Exposure,
    *,
    white_level: int,
    frame_key: str,
    dn_per_electron: float | None = None,
    seed: int = 0,
) -> Variation:
    """Return the adding of defects to one frame as a change that a frame cache can name.

    The added electrons scatter by Poisson's law where the gain is known. The noise of a defect
    depends on the seed, the frame and its number among the defects, not on its place, so that a
    transplant and its control `Transplant.elsewhere` add the very same values.

    Parameters
    ----------
    transplant
        The defects.
    exposure
        Settings of the frame.
    white_level
        Saturation in DN.
    frame_key
        Tells the frame from others: each has noise of its own.
    dn_per_electron
        Gain at ISO 100; the added signal has no noise where None.
    seed
        Seed of the noise.
    """
    mean = transplant.amplitudes_dn(exposure)
    if dn_per_electron is None:
        added = mean
    else:
        scatters = np.isfinite(mean) & (mean > 0)
        gain = dn_per_electron * exposure.iso / 100
        electrons = np.where(scatters, mean, 0.0) / gain
        generator = seeded_generator(seed, frame_key)
        added = np.where(scatters, gain * generator.poisson(electrons), mean)
    name = content_name("transplant", transplant.coordinates, added, str(white_level))
    return Variation(
        name,
        lambda mosaic: transplant_defects(mosaic, transplant.coordinates, added, white_level),
    )
