"""How many defects arise: a rate with its interval, and the Poisson numbers that follow; pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Literal

from training.defects.growth import DAYS_PER_YEAR, Growth
from training.power.errors import PlanError

SensorType = Literal["CMOS", "CCD"]

PRIOR_FACTOR = 3.0
"""Half-width of the prior's interval as a factor (ours: no published interval was at hand)."""

_COEFFICIENTS: dict[SensorType, tuple[float, float, float]] = {
    "CMOS": (-1.13, -3.05, 0.505),
    "CCD": (-1.849, -2.25, 0.687),
}


@dataclass(frozen=True)
class GrowthRate:
    """New defects of one sensor in a year.

    Attributes
    ----------
    per_year, low_per_year, high_per_year
        The rate and its interval.
    source
        Where it comes from, in words.
    """

    per_year: float
    low_per_year: float
    high_per_year: float
    source: str

    def __post_init__(self) -> None:
        """Refuse an interval that does not hold its rate."""
        if not 0 <= self.low_per_year <= self.per_year <= self.high_per_year:
            raise PlanError(
                f"growth: 0 <= {self.low_per_year} <= {self.per_year} <= {self.high_per_year} does "
                "not hold"
            )


def sensor_area_mm2(width: int, height: int, pixel_pitch_um: float) -> float:
    """Return the area of so many photosites in square millimetres."""
    return width * height * (pixel_pitch_um / 1000.0) ** 2


def prior_rate_per_mm2(sensor_type: SensorType, pixel_pitch_um: float, iso: float) -> float:
    """Return the prior's new defects per year and square millimetre.

    CMOS (APS) ``10^-1.13 * S^-3.05 * ISO^0.505``, CCD ``10^-1.849 * S^-2.25 * ISO^0.687``, S the
    pixel pitch in micrometres: fits of Chapman and others, recalled and not read again; consistent
    with two ratios that they published. A prior, not an oracle.

    Parameters
    ----------
    sensor_type
        CMOS or CCD.
    pixel_pitch_um
        Distance of neighbouring photosites, micrometres.
    iso
        ISO setting at which a defect counts.
    """
    if pixel_pitch_um <= 0 or iso <= 0:
        raise PlanError(f"pixel_pitch_um {pixel_pitch_um}, iso {iso}: both must be above 0")
    constant, of_pitch, of_iso = _COEFFICIENTS[sensor_type]
    return float(10.0**constant * pixel_pitch_um**of_pitch * iso**of_iso)


def prior_growth(
    sensor_type: SensorType, pixel_pitch_um: float, width: int, height: int, iso: float
) -> GrowthRate:
    """Return the prior's rate for a whole sensor, within `PRIOR_FACTOR` either way.

    Parameters
    ----------
    sensor_type, pixel_pitch_um, iso
        As in :func:`prior_rate_per_mm2`.
    width, height
        Photosites.
    """
    rate = prior_rate_per_mm2(sensor_type, pixel_pitch_um, iso) * sensor_area_mm2(
        width, height, pixel_pitch_um
    )
    source = f"recalled prior for {sensor_type}, its interval (a factor of {PRIOR_FACTOR:g}) ours"
    return GrowthRate(rate, rate / PRIOR_FACTOR, rate * PRIOR_FACTOR, source)


def measured_growth(growth: Growth, serial: str) -> GrowthRate:
    """Return the rate that a camera's own defect ledger showed, with its exact interval."""
    source = (
        f"measured: {growth.count} new defects of camera {serial} in {growth.years:.2f} years, "
        f"{growth.confidence:.0%} interval"
    )
    return GrowthRate(growth.rate_per_year, growth.low_per_year, growth.high_per_year, source)


def expected_defects(rate_per_year: float, gap_days: float) -> float:
    """Return the mean of the Poisson number of defects that arise in a gap."""
    if rate_per_year < 0 or gap_days < 0:
        raise PlanError(f"a rate of {rate_per_year} a year in {gap_days} days: none is negative")
    return rate_per_year * gap_days / DAYS_PER_YEAR


def chance_of_any(mean: float) -> float:
    """Return the probability that a Poisson number of the given mean is not 0."""
    return 1.0 - exp(-mean)
