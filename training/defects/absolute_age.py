"""The age of a sensor from the number of its defects and the rate at which they arise; pure.

A sensor that left the factory (or a mapping of its pixels) without visible defects has as many
as its age times the rate lets expect. Both are uncertain: the count is Poisson, and the rate is
itself measured, or a prior. The intervals here count both. They rest on a constant rate, on
permanent defects and on a count of nothing at age 0: defects that the factory left visible make
the sensor seem older.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf, log

import numpy as np
from scipy import optimize, stats

from training.defects.errors import LedgerError
from training.defects.growth import Dated, growth_by_epoch, pooled_growth
from training.defects.watch import Watch, years_between
from training.power.growth import GrowthRate, SensorType, prior_rate_per_mm2

_NODES = 2001


@dataclass(frozen=True)
class Age:
    """An age in years.

    Attributes
    ----------
    years
        Point estimate; None where no defect arose under watch, so that the rate may be 0.
    low_years, high_years
        Interval; the upper end is None where every age is possible.
    confidence
        Of the interval, at least.
    count
        Defects of that age; where onsets leave it open, the most there can be.
    source
        Where the rate comes from, in words.
    since
        What happened at age 0, in words.
    """

    years: float | None
    low_years: float
    high_years: float | None
    confidence: float
    count: int
    source: str
    since: str


def age_from_measured_rate(
    count: int,
    arisen: int,
    watched_years: float,
    *,
    visibility: float = 1.0,
    confidence: float = 0.95,
) -> Age:
    """Return the age at which a sensor has so many defects, by its own measured growth.

    Given the sum of both counts, ``count`` is binomial with the share a v / (a v + t): the exact
    conditional comparison of two Poisson counts (Przyborowski and Wilenski, Biometrika 31, 1940),
    here with the limits of Clopper and Pearson. Coverage is at least the confidence for every
    age and rate.

    Parameters
    ----------
    count
        Defects whose age is asked for, none of which is among ``arisen``.
    arisen
        Defects that arose under watch.
    watched_years
        How long it was watched, the t above.
    visibility
        Defects that the count's conditions show for one that the watch's conditions show; see
        :func:`visibility_ratio`.
    confidence
        Of the interval.

    Raises
    ------
    LedgerError
        If a count is negative, or watch or visibility are not above 0.
    """
    _require_counts(count, arisen)
    if watched_years <= 0 or visibility <= 0:
        raise LedgerError(
            f"watched_years {watched_years}, visibility {visibility}: both must be above 0"
        )
    tail, scale = (1 - confidence) / 2, watched_years / visibility
    low, high = 0.0, None
    if count > 0:
        share = float(stats.beta.ppf(tail, count, arisen + 1))
        low = share / (1 - share) * scale
    if arisen > 0:
        share = float(stats.beta.ppf(1 - tail, count + 1, arisen))
        high = share / (1 - share) * scale
    return Age(
        count / arisen * scale if arisen else None,
        low,
        high,
        confidence,
        count,
        f"measured: {arisen} new defects in {watched_years:.2f} years",
        "an age without defects",
    )


def age_from_prior_rate(
    count: int, rate: GrowthRate, *, visibility: float = 1.0, confidence: float = 0.95
) -> Age:
    """Return the age at which a sensor has so many defects, by a rate known to a factor only.

    The rate is taken as log-normal with 95 % between its limits (reconstructed); a count is then
    a Poisson number of a log-normal mean. Limits are the ages at which a count at least, or at
    most, as large has the probability (1 - confidence) / 2. Coverage holds on the average over
    sensors whose rates are spread so.

    Parameters
    ----------
    count
        Defects.
    rate
        Such as :func:`training.power.growth.prior_growth` gives.
    visibility, confidence
        As in :func:`age_from_measured_rate`.

    Raises
    ------
    LedgerError
        If the count is negative, or the rate or visibility are not above 0.
    """
    _require_counts(count)
    if rate.low_per_year <= 0 or visibility <= 0:
        raise LedgerError(
            f"low_per_year {rate.low_per_year}, visibility {visibility}: both must be above 0"
        )
    tail = (1 - confidence) / 2
    spread = log(rate.high_per_year / rate.low_per_year) / (2 * float(stats.norm.ppf(0.975)))
    middle = float(np.sqrt(rate.high_per_year * rate.low_per_year)) * visibility
    # so dense that the Poisson tails of large counts, which are steep, are resolved
    deviates = np.linspace(-7.0, 7.0, _NODES)
    rates = middle * np.exp(spread * deviates)
    weights = stats.norm.pdf(deviates)
    weights = weights / weights.sum()

    def at_least(years: float) -> float:
        return float(weights @ stats.poisson.sf(count - 1, rates * years))

    def at_most(years: float) -> float:
        return float(weights @ stats.poisson.cdf(count, rates * years))

    longest = float(stats.gamma.ppf(1 - tail / 10, count + 1)) / float(rates.min())
    low = 0.0
    if count > 0:
        low = float(optimize.brentq(lambda years: at_least(years) - tail, 0.0, longest))
    high = float(optimize.brentq(lambda years: at_most(years) - tail, 0.0, longest))
    return Age(count / middle, low, high, confidence, count, rate.source, "an age without defects")


def age_of(defects: Sequence[Dated], watch: Watch, at: datetime, confidence: float = 0.95) -> Age:
    """Return the age of a sensor at a dark session, by its ledger alone.

    The growth under watch is extrapolated backwards from the first session: its pre-existing
    defects are the count, and the time since is known and added. Where pixels were mapped out
    under watch, only defects of the newest epoch count, and the age is that since the mapping,
    which cannot be older than the last session before it.

    Parameters
    ----------
    defects
        Of a ledger, with the pre-existing ones.
    watch
        The dark sessions and epochs.
    at
        One of the dark sessions, of the newest epoch.
    confidence
        Of the interval.

    Raises
    ------
    LedgerError
        If the time is no session of the newest epoch, or nothing was watched.
    """
    epoch = watch.epochs()[-1]
    if at not in watch.sessions or at < epoch.begins_at:
        raise LedgerError(f"{at} is no dark session of the newest epoch")
    pooled = pooled_growth(growth_by_epoch(defects, watch, confidence))
    if watch.epoch_starts:
        mapped_after = watch.sessions[watch.sessions.index(epoch.begins_at) - 1]
        surely, possibly = _arisen_around(defects, mapped_after, epoch.begins_at)
        oldest: float | None = years_between(mapped_after, at)
        since = f"the mapping of pixels after {mapped_after.date()}"
    else:
        surely = possibly = sum(one.pre_existing for one in defects)
        oldest = None
        since = "manufacture, or a mapping of pixels before the first dark session"
    # each end takes the counts that put it farthest out, where onsets may lie on either side
    youngest = age_from_measured_rate(surely, pooled.possibly, pooled.years, confidence=confidence)
    eldest = age_from_measured_rate(possibly, pooled.surely, pooled.years, confidence=confidence)
    middle = (surely + possibly) / 2
    elapsed = years_between(epoch.begins_at, at)

    def until(years: float | None) -> float | None:
        """Add the time since the first session, and keep to the mapping."""
        total = None if years is None else years + elapsed
        known = [one for one in (total, oldest) if one is not None]
        return min(known) if known else None

    return Age(
        until(middle / pooled.rate_per_year) if pooled.rate_per_year else None,
        min(youngest.low_years + elapsed, inf if oldest is None else oldest),
        until(eldest.high_years),
        confidence,
        possibly,
        f"measured: {round(pooled.expected)} new defects in {pooled.years:.2f} years",
        since,
    )


def _arisen_around(
    defects: Sequence[Dated], mapped_after: datetime, begins_at: datetime
) -> tuple[int, int]:
    """Return how many defects surely, and how many possibly, arose in a gap and outlived it."""
    intervals = [
        (one.onset_after, one.onset_before)
        for one in defects
        if one.onset_after is not None
        and one.onset_after < begins_at
        and one.onset_before >= begins_at
    ]
    surely = sum(after >= mapped_after and before == begins_at for after, before in intervals)
    return surely, len(intervals)


def visibility_ratio(
    sensor_type: SensorType,
    iso: float,
    reference_iso: float,
    *,
    temperature_c: float | None = None,
    reference_temperature_c: float | None = None,
    doubling_temperature_c: float = 8.0,
) -> float:
    """Return how many defects show under some conditions for one that shows under others.

    The prior's exponent of the ISO setting, applied to the gain in amplitude: warmth raises the
    signal of a hot photosite as ISO does, by 2^((T - T0)/Td) (reconstructed; offsets that do not
    depend on temperature make the true ratio smaller). Temperatures are left out where either is
    unknown.

    Parameters
    ----------
    sensor_type
        CMOS or CCD.
    iso, temperature_c
        Under which defects were counted.
    reference_iso, reference_temperature_c
        Under which the rate was measured.
    doubling_temperature_c
        Kelvins in which dark current doubles; eight is what EMVA 1288's simulator uses.

    Raises
    ------
    PlanError
        If an ISO setting is not above 0.
    """
    warmth = 1.0
    if temperature_c is not None and reference_temperature_c is not None:
        warmth = 2.0 ** ((temperature_c - reference_temperature_c) / doubling_temperature_c)
    # the ratio is the same for every pitch
    return prior_rate_per_mm2(sensor_type, 1.0, iso * warmth) / prior_rate_per_mm2(
        sensor_type, 1.0, reference_iso
    )


def _require_counts(*counts: int) -> None:
    if min(counts) < 0:
        raise LedgerError(f"counts {counts}: none is negative")
