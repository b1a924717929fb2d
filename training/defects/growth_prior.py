"""Measured growth against what pixel pitch and ISO let one expect; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from training.power.growth import PRIOR_FACTOR, GrowthRate, SensorType, prior_growth

Verdict = Literal["within", "above", "below", "undecided"]


class Rate(Protocol):
    """A measured rate with its interval."""

    @property
    def rate_per_year(self) -> float | None:
        """New defects in a year; None where nothing was watched."""
        ...

    @property
    def low_per_year(self) -> float | None:
        """Lower limit."""
        ...

    @property
    def high_per_year(self) -> float | None:
        """Upper limit."""
        ...


@dataclass(frozen=True)
class PriorComparison:
    """A measured rate over the prior's.

    Attributes
    ----------
    prior
        The prior's rate with its interval; None where it cannot be told.
    ratio, low, high
        Measured over expected rate, with the limits of the measurement alone.
    verdict
        Within, above or below: the measurement's whole interval lies in, over or under the
        prior's (a factor of `PRIOR_FACTOR` either way); undecided where it reaches over an end
        of it; None where there is no prior or no rate.
    sentence
        The outcome in words, or why there is none.
    """

    prior: GrowthRate | None
    ratio: float | None
    low: float | None
    high: float | None
    verdict: Verdict | None
    sentence: str


def compare_with_prior(
    measured: Rate,
    *,
    sensor_type: SensorType | None,
    pixel_pitch_um: float | None,
    width: int,
    height: int,
    iso: float | None,
) -> PriorComparison:
    """Compare a measured rate with :func:`training.power.growth.prior_growth`.

    The prior is recalled, not read again, its spread is ours, and it speaks of an average camera
    of its time. A published example (Chapman and others, DFT 2022: 128 hot pixels in 1.4 years at
    ISO 6400 and in 3.2 years at ISO 3200, 20 megapixels of 4 um) is 3.2 and 2.0 times what it
    gives. So a rate outside is a question, not an error: what shows in dark fields depends on
    exposure time, temperature and threshold, which the prior does not know.

    Parameters
    ----------
    measured
        Rate of the whole sensor, such as a :class:`training.defects.growth.Growth`.
    sensor_type
        CMOS or CCD; None where unknown.
    pixel_pitch_um
        Distance of neighbouring photosites in micrometres; None where unknown.
    width, height
        Photosites.
    iso
        Highest ISO setting of the dark fields, as it shows the most defects; None where unknown.

    Raises
    ------
    PlanError
        If pitch or ISO are not above 0.
    """
    if sensor_type is None or pixel_pitch_um is None or iso is None:
        unknown = [
            name
            for name, value in (
                ("sensor type", sensor_type),
                ("pixel pitch", pixel_pitch_um),
                ("ISO setting", iso),
            )
            if value is None
        ]
        return PriorComparison(
            None, None, None, None, None,
            f"no prior to compare with: {' and '.join(unknown)} unknown",
        )  # fmt: skip
    prior = prior_growth(sensor_type, pixel_pitch_um, width, height, iso)
    if measured.rate_per_year is None or measured.low_per_year is None:
        return PriorComparison(
            prior, None, None, None, None, "nothing to compare: no time was watched"
        )
    assert measured.high_per_year is not None
    ratio, low, high = (
        rate / prior.per_year
        for rate in (measured.rate_per_year, measured.low_per_year, measured.high_per_year)
    )
    verdict: Verdict = "undecided"
    if low > PRIOR_FACTOR:
        verdict = "above"
    elif high < 1 / PRIOR_FACTOR:
        verdict = "below"
    elif low >= 1 / PRIOR_FACTOR and high <= PRIOR_FACTOR:
        verdict = "within"
    words = {
        "within": "within what the prior expects",
        "above": "above what the prior expects",
        "below": "below what the prior expects",
        "undecided": "not told apart from the prior, nor surely within it",
    }[verdict]
    return PriorComparison(
        prior,
        ratio,
        low,
        high,
        verdict,
        f"{ratio:.2g} times ({low:.2g} to {high:.2g}) the {prior.per_year:.3g} a year of the"
        f" {prior.source}: {words}",
    )
