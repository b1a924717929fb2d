"""The parts of a power plan, each against a truth of its own."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from datastore.datasets.auditing.relabelling import relabelling_count
from datastore.datasets.patch_spec import PatchKind, PatchSpec
from tests.support.simulated_experiments import (
    SimulatedSensor,
    photosite_values,
)
from training.patches.places import random_origins
from training.power.coverage import coverage_of, union_area
from training.power.errors import PlanError
from training.power.growth import (
    SensorType,
    chance_of_any,
    expected_defects,
    prior_growth,
    prior_rate_per_mm2,
)
from training.power.population import (
    d_primes_of_scores,
    largest_score,
    scores_of,
    summed_scores,
)
from training.power.session_test import (
    accuracy_of,
    d_prime_of_accuracy,
    permutation_power,
    relabellings,
    sessions_for_power,
    sessions_needed,
    smallest_p,
)
from training.power.strength import (
    SensorNoise,
    Settings,
    d_prime,
    frames_needed,
    signal_dn,
    strength_distribution,
    tau,
)

NOISE = SensorNoise(3.0, 4.0, 1.0, 20.0, 8.0, 50_000.0, 512.0, 16_383.0)

# 1/2.3-inch sensors, 6.17 mm wide; NTIF's cameras of timeslots 1-5 against 21-25
NTIF: list[tuple[str, SensorType, int, int]] = [
    ("canon", "CMOS", 4000, 3000),
    ("fujifilm", "CCD", 4288, 3216),
    ("nikon", "CCD", 5152, 3864),
    ("panasonic", "CMOS", 4320, 3240),
    ("samsung", "CCD", 4320, 3240),
]
NTIF_DAYS = 26.5 * 7


@pytest.mark.parametrize(("sensor_type", "width", "height"), [one[1:] for one in NTIF])
def test_ntif_cameras_got_two_to_four_new_defects_of_which_crops_hold_few(
    sensor_type: SensorType, width: int, height: int
) -> None:
    growth = prior_growth(sensor_type, 6170 / width, width, height, iso=100)
    new = expected_defects(growth.per_year, NTIF_DAYS)
    assert 2 <= new <= 4
    crops = coverage_of(PatchSpec(kind="five-crop", size=256), width, height)
    assert crops.frame_share == pytest.approx(5 * 256**2 / (width * height))
    assert 0.045 <= chance_of_any(new * crops.frame_share) <= 0.09


def test_the_prior_is_the_recalled_law() -> None:
    assert prior_rate_per_mm2("CMOS", 1.0, 1.0) == pytest.approx(0.0741, rel=1e-3)
    assert prior_rate_per_mm2("CCD", 1.0, 1.0) == pytest.approx(0.01416, rel=1e-3)
    with pytest.raises(PlanError, match="pixel_pitch_um"):
        prior_rate_per_mm2("CMOS", 0.0, 100)


def test_tau_halves_and_doubles_as_the_exposure_law_says() -> None:
    dark = Settings(4.0, 1600, 20.0, 0.0)
    day = Settings(1 / 60, 100, 20.0, 0.0)
    assert tau(NOISE, day) / tau(NOISE, dark) == pytest.approx(0.00026, rel=0.01)
    assert tau(NOISE, Settings(1.0, 800, 20.0, 0.0)) / tau(NOISE, dark) == pytest.approx(0.125)
    warm = tau(NOISE, Settings(4.0, 1600, 28.0, 0.0))
    assert warm == pytest.approx(2 * tau(NOISE, dark))
    assert tau(NOISE, Settings(4.0, 1600, None, 0.0)) == pytest.approx(tau(NOISE, dark))


@pytest.mark.parametrize("iso", [100, 800, 6400])
@pytest.mark.parametrize("brightness", [0.02, 0.3])
def test_d_prime_is_that_of_counted_electrons(iso: int, brightness: float) -> None:
    generator = np.random.default_rng(1)
    gain = iso / 100 / 3.0
    light_e = brightness * (16_383 - 512) / gain
    sensor = SimulatedSensor(1.0, 8, 8, 0.5, gain, light_e)
    added = np.array([120.0])
    without = photosite_values(sensor, np.zeros(1), 40_000, generator)
    present = photosite_values(sensor, added, 40_000, generator)
    measured = (present.mean() - without.mean()) / np.sqrt((present.var() + without.var()) / 2)
    ours = d_prime(200.0, 20.0, NOISE, Settings(0.5, iso, 20.0, brightness))
    assert float(ours) == pytest.approx(float(measured), abs=5 * np.sqrt(2 / 40_000))


def test_frames_needed_are_the_fewest_that_reach_a_d_prime() -> None:
    scene = Settings(1 / 30, 400, 20.0, 0.1)
    for content in (0.0, 1.0):
        needed = frames_needed(3.0, 900.0, 10.0, NOISE, scene, content_noise_dn=content)
        assert needed is not None and needed > 1

        def reached(frames: int, content: float = content) -> float:
            return float(
                d_prime(900.0, 10.0, NOISE, scene, frames=frames, content_noise_dn=content)
            )

        assert reached(needed) >= 3.0 > reached(needed - 1)
    assert frames_needed(3.0, 900.0, 10.0, NOISE, scene, content_noise_dn=100.0) is None
    assert frames_needed(3.0, 900.0, 0.0, NOISE, Settings(1.0, 100, 20.0, 1.0)) is None


def test_a_defect_fills_no_more_than_the_room_to_clipping() -> None:
    bright = Settings(1.0, 100, 20.0, 0.9)
    assert float(signal_dn(1e9, 0.0, NOISE, bright)) == pytest.approx(0.1 * 15_871, rel=1e-3)


def test_strengths_have_the_given_medians_and_shares() -> None:
    strengths = strength_distribution(60.0, 1.0, 0.4, 80.0, 0.8)
    assert strengths.share.sum() == pytest.approx(1.0)
    assert strengths.share[strengths.offset_e > 0].sum() == pytest.approx(0.4)
    assert strengths.share[strengths.dark_rate_e_per_s < 60].sum() == pytest.approx(0.5)
    mean = float(strengths.share @ strengths.dark_rate_e_per_s)
    assert mean == pytest.approx(60 * np.exp(0.5), rel=0.03)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["five-crop", "grid", "tiles"]),
    size=st.integers(4, 20).map(lambda half: 2 * half),
    width=st.integers(40, 120),
    height=st.integers(40, 120),
)
def test_shares_are_those_of_photosites_counted_one_by_one(
    kind: PatchKind, size: int, width: int, height: int
) -> None:
    from training.patches import places

    cut = {
        "five-crop": places.five_crop_origins,
        "grid": places.grid_origins,
        "tiles": places.tile_origins,
    }[kind]
    origins = cut((0, 0, height, width), size)
    inside = np.zeros((height, width), bool)
    for top, left in origins.tolist():
        inside[top : top + size, left : left + size] = True
    ours = coverage_of(PatchSpec(kind=kind, size=size), width, height)
    assert ours.frame_share == pytest.approx(inside.mean())
    assert union_area(origins, size) == inside.sum()


def test_random_patches_see_what_drawn_ones_see() -> None:
    generator = np.random.default_rng(2)
    width, height, size, count = 60, 40, 16, 3
    frames = 3000
    total = 0
    for _ in range(frames):
        inside = np.zeros((height, width), bool)
        for top, left in random_origins(generator, (0, 0, height, width), size, count).tolist():
            inside[top : top + size, left : left + size] = True
        total += int(inside.sum())
    ours = coverage_of(PatchSpec(kind="random", size=size, count=count), width, height)
    assert not ours.fixed
    assert ours.frame_share == pytest.approx(total / frames / (width * height), abs=0.005)


@pytest.mark.parametrize("mean", [0.0, 0.3, 4.0, 900.0])
def test_the_summed_trace_has_the_distribution_of_drawn_populations(mean: float) -> None:
    generator = np.random.default_rng(3)
    d_primes, shares = np.array([0.2, 0.7, 2.0, 6.0]), np.array([0.5, 0.3, 0.15, 0.05])
    values, chances = summed_scores(mean, scores_of(d_primes, 1.0), shares, 81.0)
    assert chances.sum() == pytest.approx(1.0)
    assert chances.min() >= -1e-12
    drawn = generator.poisson(mean * shares, (20_000, 4)) @ d_primes**2
    for edge in (0.0, 0.5, 4.0, 20.0, 70.0):
        ours = float(chances[values <= edge + 0.04].sum())
        low, high = np.mean(drawn <= edge), np.mean(drawn <= edge + 0.08)
        assert low - 0.015 <= ours <= high + 0.015


@settings(max_examples=50, deadline=None)
@given(
    d_primes=st.lists(st.floats(0.01, 6), min_size=1, max_size=6),
    share=st.floats(0.01, 0.99),
)
def test_random_patches_are_never_credited_with_too_little(
    d_primes: list[float], share: float
) -> None:
    present = np.array(np.meshgrid(*[[0, 1]] * len(d_primes))).reshape(len(d_primes), -1).T
    weights = np.prod(np.where(present == 1, share, 1 - share), axis=1)
    truth = float(weights @ accuracy_of(np.sqrt(present @ np.array(d_primes) ** 2)))
    total = scores_of(np.array(d_primes), share).sum()
    ours = float(accuracy_of(d_primes_of_scores(np.array(total), share)))
    assert ours >= truth - 1e-9
    if len(d_primes) == 1:
        assert ours == pytest.approx(truth)
    assert float(d_primes_of_scores(np.array(largest_score(2.5, share)), share)) == pytest.approx(
        2.5
    )


@pytest.mark.parametrize(("sessions", "classes"), [(1, 2), (3, 2), (4, 2), (2, 3), (3, 5)])
def test_relabellings_are_as_many_as_the_test_counts(sessions: int, classes: int) -> None:
    assert relabellings(sessions, classes) == relabelling_count(
        np.repeat(np.arange(classes), sessions)
    )
    assert smallest_p(sessions, classes) == 1 / relabellings(sessions, classes)


def test_a_p_below_a_twentieth_needs_four_test_sessions_a_class() -> None:
    assert comb(6, 3) == 20 and comb(8, 4) == 70
    assert sessions_needed(0.05) == 4
    assert sessions_needed(0.06) == 3
    assert sessions_needed(0.05, classes=5) == 1  # 120 ways
    assert float(permutation_power(50.0, 3, 20, 0.05)) == 0.0
    assert float(permutation_power(50.0, 4, 20, 0.05)) == 1.0
    with pytest.raises(PlanError, match="alpha"):
        sessions_needed(1.0)


def test_a_small_level_is_reached_where_relabellings_are_drawn() -> None:
    assert float(permutation_power(50.0, 8, 10, 0.001)) == 1.0


@pytest.mark.parametrize("offset_sd", [0.0, 1.0])
def test_without_a_trace_the_test_alarms_no_more_often_than_its_level(offset_sd: float) -> None:
    for sessions in (4, 7):
        power = permutation_power(0.0, sessions, 30, 0.05, session_offset_sd=offset_sd)
        assert float(power) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_power_at_an_accuracy_is_the_binomial_tests_when_sessions_are_the_frames() -> None:
    # one frame a session: the sum over the later sessions is hypergeometric under relabelling
    sessions, accuracy = 8, 0.9
    d = d_prime_of_accuracy(accuracy)
    assert float(accuracy_of(d)) == pytest.approx(accuracy)
    right = stats.binom(sessions, accuracy)
    wrong = stats.binom(sessions, 1 - accuracy)
    power = 0.0
    for later in range(sessions + 1):
        for earlier in range(sessions + 1):
            p = stats.hypergeom(2 * sessions, later + earlier, sessions).sf(later - 1)
            if p < 0.05:
                power += right.pmf(later) * wrong.pmf(earlier)
    assert float(permutation_power(d, sessions, 1, 0.05)) == pytest.approx(power, abs=0.03)


def test_sessions_for_power_are_the_fewest() -> None:
    d = d_prime_of_accuracy(0.6, 0.5)
    needed = sessions_for_power(d, 20, 0.05, 0.8, session_offset_sd=0.5)
    assert needed is not None
    below, at = (
        float(permutation_power(d, count, 20, 0.05, session_offset_sd=0.5))
        for count in (needed - 1, needed)
    )
    assert below < 0.8 <= at
    assert sessions_for_power(0.0, 20, 0.05, 0.8) is None
    with pytest.raises(PlanError, match="accuracy"):
        d_prime_of_accuracy(1.0)
