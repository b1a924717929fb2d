"""The parts of a power plan put together for one question and any gap; pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.power import growth as growths
from training.power.coverage import Coverage, coverage_of
from training.power.growth import GrowthRate
from training.power.population import (
    d_primes_of_scores,
    largest_score,
    scores_of,
    summed_scores,
)
from training.power.session_test import accuracy_of, permutation_power
from training.power.spec import PowerSpec, SessionsSpec
from training.power.strength import (
    SensorNoise,
    Settings,
    Strengths,
    d_prime,
    strength_distribution,
)

Floats = NDArray[np.float64]

_LONGEST_GAP_DAYS = 36_525.0
_SATURATED = 0.0005
_COARSE_POINTS, _CURVE_POINTS = 20, 32
_FARTHEST = 9.0
"""A d' beyond which nothing is mistaken."""


@dataclass(frozen=True)
class Range:
    """A figure for weak and few, for expected, and for strong and many defects."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True)
class Case:
    """Growth and strength together: weak and few, expected, strong and many."""

    rate_per_year: float
    strengths: Strengths


@dataclass(frozen=True)
class PowerCurve:
    """The power of the test of sessions by the d' of their frames.

    Attributes
    ----------
    sessions, alpha
        What it holds for, gap and cadence apart.
    d_primes, power
        float64, shape (points,), from 0 to where the power has levelled off.
    """

    sessions: SessionsSpec
    alpha: float
    d_primes: Floats
    power: Floats

    def serves(self, spec: PowerSpec) -> bool:
        """Tell whether another question has the same test."""
        names = ("test", "frames", "offset_sd")
        return self.alpha == spec.alpha and all(
            getattr(self.sessions, name) == getattr(spec.sessions, name) for name in names
        )


def power_curve(spec: PowerSpec) -> PowerCurve:
    """Play the test of a question's sessions for frames from no trace to an unmistakable one."""
    sessions = spec.sessions

    def power(at: Floats) -> Floats:
        return permutation_power(
            at,
            sessions.test,
            sessions.frames,
            spec.alpha,
            session_offset_sd=sessions.offset_sd,
        )

    farthest = _FARTHEST * float(np.sqrt(1 + sessions.offset_sd**2))
    coarse = farthest * np.linspace(0, 1, _COARSE_POINTS) ** 2
    values = power(coarse)
    # where the curve has levelled off, one more standard deviation is of no use
    last = max(1, int(np.argmax(values >= values[-1] - _SATURATED)))
    fine = coarse[last] * np.linspace(0, 1, _CURVE_POINTS)
    return PowerCurve(sessions, spec.alpha, fine, power(fine))


@dataclass
class Reckoning:
    """What gaps do not change, made once for a question.

    Attributes
    ----------
    spec, growth
        The question and the rate of new defects.
    curve
        Power by d', made anew where None or of other sessions.
    coverage
        What patches see.
    cases
        Few and weak, expected, many and strong defects.
    """

    spec: PowerSpec
    growth: GrowthRate
    curve: PowerCurve | None = None
    coverage: Coverage = field(init=False)
    cases: tuple[Case, ...] = field(init=False)

    def __post_init__(self) -> None:
        spec = self.spec
        self.noise, self.settings = noise_of(spec), settings_of(spec)
        self.coverage = coverage_of(spec.patches, spec.sensor.width, spec.sensor.height)
        uncertainty = spec.strength.uncertainty
        self.cases = (
            Case(self.growth.low_per_year, _strengths(spec, 1 / uncertainty)),
            Case(self.growth.per_year, _strengths(spec, 1.0)),
            Case(self.growth.high_per_year, _strengths(spec, uncertainty)),
        )
        self.seen_share = 1.0 if self.coverage.fixed else self.coverage.frame_share
        if self.curve is None or not self.curve.serves(spec):
            self.curve = power_curve(spec)

    def d_primes(self, case: Case) -> Floats:
        """Return d' of each share of the defects in what the network is shown."""
        return d_prime(
            case.strengths.dark_rate_e_per_s,
            case.strengths.offset_e,
            self.noise,
            self.settings,
            frames=self.spec.scene.frames_averaged,
            content_noise_dn=self.spec.scene.content_noise_dn,
        )

    def evidence(self, case: Case, gap_days: float, farthest: float) -> tuple[Floats, Floats]:
        """Return d' of a frame up to the farthest that matters, and the chance of each."""
        mean = growths.expected_defects(case.rate_per_year, gap_days)
        if self.coverage.fixed:
            mean *= self.coverage.frame_share
        sums, chances = summed_scores(
            mean,
            scores_of(self.d_primes(case), self.seen_share),
            case.strengths.share,
            largest_score(farthest, self.seen_share),
        )
        return d_primes_of_scores(sums, self.seen_share), chances

    def power(self, case: Case, gap_days: float) -> float:
        """Return the chance that the test of sessions finds the trace after a gap."""
        assert self.curve is not None
        d_primes, chances = self.evidence(case, gap_days, float(self.curve.d_primes[-1]))
        return float(chances @ np.interp(d_primes, self.curve.d_primes, self.curve.power))

    def accuracy(self, case: Case, gap_days: float) -> float:
        """Return the mean share of frames that are recognised after a gap."""
        offset_sd = self.spec.sessions.offset_sd
        farthest = _FARTHEST * float(np.sqrt(1 + offset_sd**2))
        d_primes, chances = self.evidence(case, gap_days, farthest)
        return float(chances @ accuracy_of(d_primes, offset_sd))

    def detectable_share(self, case: Case) -> float:
        """Return the share of the defects with the wanted d' or more."""
        return float(case.strengths.share[self.d_primes(case) >= self.spec.wanted_d_prime].sum())

    def smallest_gap_days(self, case: Case) -> float | None:
        """Return the smallest gap that reaches the wanted power; None if a century does not."""
        wanted = self.spec.wanted_power
        if self.power(case, _LONGEST_GAP_DAYS) < wanted:
            return None
        low, high = 0.0, _LONGEST_GAP_DAYS
        while high - low > max(0.01, high / 500):
            # by ratio while the scale is unknown, then by halves
            middle = float(np.sqrt(low * high)) if low else high / 8
            low, high = (low, middle) if self.power(case, middle) >= wanted else (middle, high)
        return high


def growth_of_spec(spec: PowerSpec) -> GrowthRate:
    """Return the rate that a specification names, or the prior's."""
    if spec.growth is not None:
        known = spec.growth
        return GrowthRate(
            known.per_year, known.low_per_year, known.high_per_year, "given in the plan"
        )
    sensor = spec.sensor
    iso = spec.counted_at_iso or spec.scene.iso
    return growths.prior_growth(
        sensor.type, sensor.pixel_pitch_um, sensor.width, sensor.height, iso
    )


def powers_over_gaps(
    spec: PowerSpec, gaps_days: Floats, growth: GrowthRate | None = None
) -> dict[str, Floats]:
    """Return the power at each gap for the cases `low`, `expected` and `high`."""
    reckoning = Reckoning(spec, growth or growth_of_spec(spec))
    return {
        name: np.array([reckoning.power(case, gap) for gap in gaps_days.tolist()])
        for name, case in zip(("low", "expected", "high"), reckoning.cases, strict=True)
    }


def noise_of(spec: PowerSpec) -> SensorNoise:
    """Return the sensor's constants of a question."""
    sensor = spec.sensor
    return SensorNoise(**{name: getattr(sensor, name) for name in SensorNoise.__dataclass_fields__})


def settings_of(spec: PowerSpec) -> Settings:
    """Return how the scene frames of a question are taken."""
    scene = spec.scene
    return Settings(scene.exposure_s, scene.iso, scene.temperature_c, scene.brightness)


def _strengths(spec: PowerSpec, factor: float) -> Strengths:
    strength = spec.strength
    return strength_distribution(
        strength.dark_rate_median_e_per_s * factor,
        strength.dark_rate_log_sd,
        strength.share_partially_stuck,
        strength.offset_median_e * factor,
        strength.offset_log_sd,
    )
