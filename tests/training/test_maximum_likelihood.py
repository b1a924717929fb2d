"""Onsets and dates by maximum likelihood, against plain loops, distributions and worlds' truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import ndimage, optimize, stats

from tests.support.estimator_worlds import START, World, make_world
from training.estimators.acceptance import best_onsets, calibrate
from training.estimators.dating import central_interval, timeslot_log_likelihood
from training.estimators.errors import EstimatorError, NotFittedError
from training.estimators.images import Images
from training.estimators.known_defects import KnownDefect
from training.estimators.maximum_likelihood import MaximumLikelihood
from training.estimators.noise_model import fit_noise, image_scales
from training.estimators.onset_likelihood import (
    PRIOR_SAMPLES,
    BetaPrior,
    integrated_log_likelihood,
    posterior_of,
    profile_log_likelihood,
    split_sums,
)
from training.estimators.scene_scales import of_images, scene_groups, scene_scales
from training.patches.inputs import CachedFrame

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, BetaPrior]


def series(seed: int, images: int = 30, pixels: int = 4) -> Arrays:
    """Series of photosites, some with a defect, some samples missing, one photosite dead."""
    generator = np.random.default_rng(seed)
    light = generator.uniform(100, 2000, (images, pixels))
    factors = generator.choice([0.02, 0.05, 0.2], images)
    noise = np.sqrt(20 + 0.4 * light)
    residuals = generator.normal(size=light.shape) * noise
    residuals[12:, 1] += 900 * factors[12:]
    residuals[20:, 2] += 60
    residuals[9:, 3] -= 1.02 * light[9:, 3]  # dead, and by chance below the limit
    residuals[generator.random(light.shape) < 0.1] = np.nan
    prior = BetaPrior(
        np.array([[0.0, 0.0, 0.0]] * (pixels - 1) + [[0.0, 5.0, 2.0]]),
        np.array([[0.5, 8000.0, 400.0]] * pixels),
    )
    return residuals, light, factors, noise, prior


def by_plain_loops(arrays: Arrays) -> np.ndarray:
    """Fit every onset of every photosite by bounded least squares."""
    residuals, light, factors, noise, prior = arrays
    images, pixels = residuals.shape
    found = np.empty((images + 1, pixels))
    for pixel in range(pixels):
        for onset in range(images + 1):
            known = ~np.isnan(residuals[:, pixel])
            before = known & (np.arange(images) < onset)
            after = known & (np.arange(images) >= onset)
            outcome = residuals[after, pixel] / noise[after, pixel]
            design = np.column_stack([light[after, pixel], factors[after], np.ones(after.sum())])
            design = design / noise[after, pixel][:, None]
            # the prior as three samples more, in units in which all unknowns are alike
            spread = prior.spread[pixel]
            design = np.concatenate([design * spread, np.eye(3)])
            outcome = np.concatenate([outcome, prior.mean[pixel] / spread])
            free = optimize.lsq_linear(design, outcome, tol=1e-15)
            fit = free
            if free.x[0] * spread[0] < -1:
                fit = optimize.lsq_linear(
                    design[:, 1:], outcome + design[:, 0] / spread[0], tol=1e-15
                )
            squares = [((residuals[before, pixel] / noise[before, pixel]) ** 2).sum(), 2 * fit.cost]
            found[onset, pixel] = -0.5 * sum(
                (count + PRIOR_SAMPLES) * np.log((square + PRIOR_SAMPLES) / (count + PRIOR_SAMPLES))
                for count, square in zip((before.sum(), after.sum()), squares, strict=True)
            )
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_likelihood_of_every_onset_is_that_of_least_squares_one_by_one(seed: int) -> None:
    arrays = series(seed)
    sums = split_sums(*arrays[:4])
    np.testing.assert_allclose(
        profile_log_likelihood(sums, arrays[4]), by_plain_loops(arrays), rtol=1e-9, atol=1e-9
    )


def test_the_integrated_likelihood_is_a_multivariate_t() -> None:
    residuals, light, factors, noise, prior = series(4)
    sums = split_sums(residuals, light, factors, noise)
    found = integrated_log_likelihood(sums, prior)
    for pixel in (0, 1, 2):  # the dead one has a bounded K, which the t does not know
        expected = []
        for onset in range(len(residuals) + 1):
            known = np.flatnonzero(~np.isnan(residuals[:, pixel]))
            outcome = residuals[known, pixel] / noise[known, pixel]
            begun = known >= onset
            design = np.column_stack([light[known, pixel], factors[known], np.ones(len(known))])
            design = (design / noise[known, pixel][:, None])[begun] * prior.spread[pixel]
            logs = 0.0
            for part, shape in (
                (outcome[~begun], np.eye((~begun).sum())),
                (outcome[begun], np.eye(begun.sum()) + design @ design.T),
            ):
                if len(part):
                    logs += stats.multivariate_t(
                        np.zeros(len(part)), shape, df=PRIOR_SAMPLES
                    ).logpdf(part)
            expected.append(logs)
        differences = found[:, pixel] - np.array(expected)
        np.testing.assert_allclose(differences, differences[0], atol=1e-7)


def test_a_dead_photosite_has_a_response_of_minus_one_and_not_less() -> None:
    residuals, light, factors, noise, prior = series(5)
    posterior = posterior_of(split_sums(residuals, light, factors, noise), prior)
    assert posterior.mean[..., 0].min() == -1.0
    assert posterior.mean[9, 3, 0] == pytest.approx(-1.0, abs=0.01)


def test_the_threshold_is_passed_as_rarely_as_it_promises() -> None:
    generator = np.random.default_rng(7)
    ratios = []
    for _ in range(10):
        light = generator.uniform(500, 2000, (60, 4000))
        noise = np.sqrt(20 + 0.4 * light)
        residuals = generator.normal(size=light.shape) * noise
        factors = generator.choice([0.02, 0.05, 0.2], 60)
        sums = split_sums(residuals, light, factors, noise)
        prior = BetaPrior(np.zeros((4000, 3)), np.tile([0.5, 8000.0, 400.0], (4000, 1)))
        separable = np.ones(61, bool)
        ratios.append(best_onsets(profile_log_likelihood(sums, prior), sums, separable)[1])
    # calibrated on a tenth of them, for 1 in 1,000; then met by the others
    threshold = calibrate(ratios[0], 1e-3)
    passed = int((np.concatenate(ratios[1:]) > threshold.log_ratio).sum())
    assert stats.poisson.cdf(passed, 36) > 1e-4
    assert stats.poisson.sf(passed - 1, 36) > 1e-4 or passed < 36


def test_a_tenth_of_true_defects_among_the_controls_hardly_moves_the_threshold() -> None:
    generator = np.random.default_rng(8)
    clean = generator.exponential(1.3, 4000)
    mixed = np.concatenate([clean, np.full(40, 500.0)])
    assert calibrate(mixed, 1e-7).log_ratio == pytest.approx(
        calibrate(clean, 1e-7).log_ratio, rel=0.25
    )
    assert calibrate(clean, 1e-7).log_ratio == pytest.approx(1.3 * np.log(1e7), rel=0.1)


def test_noise_is_measured_by_brightness_and_image_in_spite_of_defects() -> None:
    generator = np.random.default_rng(9)
    light = generator.uniform(100, 4000, (40, 2000))
    scales = generator.uniform(0.7, 1.5, 40)
    residuals = generator.normal(size=light.shape) * np.sqrt(50 + 0.5 * light)
    residuals[:, :20] += 5000
    noise = fit_noise(residuals.astype(np.float32), light.astype(np.float32))
    assert noise.read_variance == pytest.approx(50, rel=0.5)
    assert noise.photon_slope_dn == pytest.approx(0.5, rel=0.1)
    scaled = (residuals * scales[:, None]).astype(np.float32)
    np.testing.assert_allclose(
        image_scales(scaled, light.astype(np.float32), noise), scales, rtol=0.1
    )


def test_intervals_of_known_curves() -> None:
    positions = np.array([0.0, 1.0, 2.0, 5.0, 10.0])
    assert central_interval(np.zeros(5), positions, 0.8) == pytest.approx((1.0, 9.0))
    # all the likelihood between 2 and 5, rising and falling: no; a triangle from 1 over 2 to 5
    curve = np.log(np.array([0.0, 0.0, 1.0, 0.0, 0.0]) + 1e-300)
    low, high = central_interval(curve, positions, 0.5)
    # mass 0.5 below 2 and 1.5 above it: quarters of 2 at 0.5 and 1.5
    assert low == pytest.approx(2.0)
    assert high == pytest.approx(5 - np.sqrt(2 * 0.5 * 3))
    means = timeslot_log_likelihood(np.log([1.0, 3.0, 8.0]), np.array([0, 0, 1]), 2)
    np.testing.assert_allclose(means, np.log([2.0, 8.0]))


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(d_prime=6.0, seed=31)


@pytest.fixture(scope="module")
def fitted(world: World) -> MaximumLikelihood:
    return MaximumLikelihood(seed=1).fit(world.trusted, world.timeslots)


def onset_errors(world: World, estimator: MaximumLikelihood) -> tuple[list[int], int]:
    """Return by how many images each true defect's onset is off, and how many were false."""
    assert world.trusted.times is not None
    truth = {
        tuple(place): int((world.trusted.times < onset).sum())
        for place, onset in zip(world.places.tolist(), world.onsets, strict=True)
    }
    found = zip(estimator.places_.tolist(), estimator.onsets_.tolist(), strict=True)
    errors = [onset - truth[tuple(place)] for place, onset in found if tuple(place) in truth]
    return errors, len(estimator.places_) - len(errors)


def test_defects_are_found_in_scenes_alone_with_their_onsets(
    world: World, fitted: MaximumLikelihood
) -> None:
    errors, false = onset_errors(world, fitted)
    assert len(errors) >= 18 and false <= 1
    assert (np.abs(errors) <= 2).mean() >= 0.9


def test_facts_hold_onset_amplitude_and_threshold_of_every_defect(
    world: World, fitted: MaximumLikelihood
) -> None:
    facts = fitted.facts()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["photosites_searched"] == 48 * 64
    for one in facts["defects"]:
        assert one["log_ratio"] > facts["threshold"]["log_ratio"]
        assert one["response"] >= -1
        # its signal at the median setting, a mixture of D and c, is that of the truth
        signal = one["dark_rate_dn_per_factor"] / 30 + one["offset_dn"] + 2000 * one["response"]
        assert signal == pytest.approx(world.amplitudes_dn[0], rel=0.5)


def test_dates_are_intervals_with_the_photosites_that_they_rest_on(
    world: World, fitted: MaximumLikelihood
) -> None:
    dated = fitted.date(world.questioned)
    hits = [
        (one.low is None or one.low <= at) and (one.high is None or one.high >= at)
        for one, at in zip(dated, world.questioned_times, strict=True)
    ]
    assert np.mean(hits) >= 0.85
    middle = dated[20]
    assert json.loads(json.dumps(middle.to_json(), allow_nan=False)) == middle.to_json()
    assert middle.low is not None and middle.high is not None and middle.low < middle.high
    assert middle.log_likelihood.max() == 0.0
    assert {(one.row, one.column) for one in middle.evidence} == set(
        map(tuple, fitted.places_.tolist())
    )
    ratios = np.abs([one.log10_ratio for one in middle.evidence])
    assert (np.diff(ratios) <= 0).all()
    # a photosite that shows its defect: the image is later than its onset
    at = world.questioned_times[20]
    told = [one for one in middle.evidence if abs(one.log10_ratio) > 1.5]
    assert len(told) >= 5
    for one in told:
        assert one.onset_after is not None and one.onset_before is not None
        assert (one.log10_ratio > 0) == (one.onset_after < at)
    assert middle.controls.photosites == 512
    assert 0.5 < middle.controls.noise_scale < 2


def test_the_median_error_of_dates_is_below_a_twentieth_of_the_years(
    world: World, fitted: MaximumLikelihood
) -> None:
    assert np.median(date_errors(world, fitted)) < 0.05


def date_errors(world: World, estimator: MaximumLikelihood) -> np.ndarray:
    """Return how far the middle of the likeliest interval is off, as a share of the span."""
    errors = []
    for one, at in zip(estimator.date(world.questioned), world.questioned_times, strict=True):
        low = one.most_likely_interval[0] or START
        high = one.most_likely_interval[1] or START + world.span
        errors.append(abs((low + (high - low) / 2 - at) / world.span))
    return np.array(errors)


def test_no_single_photosite_decides(world: World, fitted: MaximumLikelihood) -> None:
    expected = fitted.date(world.questioned)[20]
    frame = world.questioned.frames[20]
    pixels = frame.pixels.copy()
    row, column = fitted.places_[0]
    pixels[row, column] = 15_000  # a cosmic ray, five hundred times the noise
    struck = type(frame)("struck", pixels, frame.black_levels, frame.white_level, frame.visible)
    asked = world.questioned.subset([20])
    dated = fitted.date(replace(asked, frames=[struck]))[0]
    assert np.abs(dated.log_likelihood - expected.log_likelihood).max() < 2 * np.log(101)


def test_a_saturated_sample_drops_out(world: World, fitted: MaximumLikelihood) -> None:
    frame = world.questioned.frames[20]
    pixels = np.full_like(frame.pixels, frame.white_level)
    asked = world.questioned.subset([20])
    white = type(frame)("white", pixels, frame.black_levels, frame.white_level, frame.visible)
    dated = fitted.date(replace(asked, frames=[white]))[0]
    assert dated.abstained and dated.low is None and dated.high is None
    assert not dated.log_likelihood.any()


def test_a_world_without_defects_has_none_accepted() -> None:
    for seed in range(6):
        bare = make_world(defects=0, seed=100 + seed, timeslots=6)
        fit = MaximumLikelihood(seed=1).fit(bare.trusted, bare.timeslots)
        assert not len(fit.places_)
        assert all(one.abstained for one in fit.date(bare.questioned))


def as_datetime(at: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(at)).replace(tzinfo=UTC)


def ledger_of(world: World, days: int) -> list[KnownDefect]:
    """Return the true defects with onsets between dark sessions so many days apart."""
    step = np.timedelta64(days, "D").astype("timedelta64[us]")
    sessions = (world.onsets - START) // step
    return [
        KnownDefect(
            int(row),
            int(column),
            as_datetime(START + one * step),
            as_datetime(START + (one + 1) * step),
        )
        for (row, column), one in zip(world.places.tolist(), sessions, strict=True)
    ]


def test_a_ledger_dates_by_defects_too_weak_to_be_found_in_scenes() -> None:
    weak = make_world(d_prime=1.5, seed=43, defects=40)
    alone = MaximumLikelihood(seed=1).fit(weak.trusted, weak.timeslots)
    ledger = MaximumLikelihood(ledger_of(weak, 30), searches=False).fit(
        weak.trusted, weak.timeslots
    )
    assert len(alone.places_) < 10
    np.testing.assert_array_equal(ledger.places_, weak.places)
    errors, _ = onset_errors(weak, ledger)
    assert np.abs(errors).max() <= 3  # 30 days are 2.5 images
    assert np.median(date_errors(weak, ledger)) < 0.5 * np.median(date_errors(weak, alone))
    wide, narrow = (one.predict_interval(weak.questioned) for one in (alone, ledger))
    assert (narrow.high - narrow.low).mean() < 0.6 * (wide.high - wide.low).mean()


def test_ledger_and_search_add_up(world: World) -> None:
    some = ledger_of(world, 60)[:5]
    both = MaximumLikelihood(some, seed=1).fit(world.trusted, world.timeslots)
    errors, _ = onset_errors(world, both)
    assert len(errors) >= 18
    assert sum(one["from_ledger"] for one in both.facts()["defects"]) == 5
    assert len(np.unique(both.places_, axis=0)) == len(both.places_)


def test_a_defect_newer_than_all_trusted_images_is_known_by_its_ledger_alone() -> None:
    grown = make_world(d_prime=8.0, seed=61, defects=12)
    early = np.flatnonzero(grown.timeslots < 5)
    asked = grown.questioned.subset(np.flatnonzero(grown.questioned_timeslots == 9))
    ledger = [
        replace(
            one,
            dark_rate_dn_per_s=30 * grown.amplitudes_dn[0] if is_dark else None,
            offset_dn=None if is_dark else grown.amplitudes_dn[0],
        )
        for one, is_dark in zip(ledger_of(grown, 30), grown.is_dark, strict=True)
    ]
    fit = MaximumLikelihood(ledger, searches=False).fit(
        grown.trusted.subset(early), grown.timeslots[early]
    )
    assert grown.trusted.times is not None
    last = grown.trusted.times[early].max()
    newer = {tuple(place) for place in grown.places[grown.onsets > last].tolist()}
    assert len(newer) >= 3
    for dated in fit.date(asked):
        # all that is told is that it may be newer than every trusted image
        assert dated.high is None
        shown = [one for one in dated.evidence if (one.row, one.column) in newer]
        assert all(one.onset_before is None for one in shown)
        assert np.mean([one.log10_ratio > 0.5 for one in shown]) > 0.6


def test_defects_that_were_there_from_the_beginning_are_left_out(world: World) -> None:
    row, column = world.places[0].tolist()
    old = KnownDefect(row, column, None, as_datetime(START), pre_existing=True)
    fit = MaximumLikelihood([old], seed=1).fit(world.trusted, world.timeslots)
    assert [row, column] not in fit.places_.tolist()


def test_without_times_onsets_lie_between_timeslots(world: World) -> None:
    questioned = world.trusted
    untimed = type(questioned)(
        questioned.frames,
        questioned.exposure_factors,
        questioned.sessions,
        questioned.scenes,
        questioned.cameras,
    )
    fit = MaximumLikelihood(seed=1).fit(untimed, world.timeslots)
    assert (fit.onsets_ % world.spec.images_per_timeslot == 0).all()
    predicted = fit.predict(world.questioned)
    assert np.abs(predicted.data - world.questioned_timeslots).mean() < 1
    with pytest.raises(EstimatorError, match="dates need trusted times"):
        fit.date(world.questioned)


def test_eight_bit_luma_is_dated_as_well() -> None:
    luma = make_world(kind="luma", d_prime=8.0, seed=51)
    fit = MaximumLikelihood(seed=1).fit(luma.trusted, luma.timeslots)
    errors, false = onset_errors(luma, fit)
    assert len(errors) >= 18 and false <= 1
    assert np.median(date_errors(luma, fit)) < 0.05


def test_the_search_finds_the_same_in_small_strips(world: World, fitted: MaximumLikelihood) -> None:
    small = MaximumLikelihood(seed=1, memory_bytes=2**20).fit(world.trusted, world.timeslots)
    np.testing.assert_array_equal(small.places_, fitted.places_)
    np.testing.assert_array_equal(small.onsets_, fitted.onsets_)


def test_a_scene_in_which_a_photosite_scatters_counts_for_less_there() -> None:
    generator = np.random.default_rng(12)
    scenes = np.array(list("abcd") * 30 + ["rare"])
    relative = generator.normal(size=(121, 50))
    relative[scenes == "b", 7] += 8 * np.sign(np.arange(30) - 15.5)  # an edge that shifted
    relative[60:, 9] += 8  # what is in all scenes
    groups = scene_groups(scenes)
    assert groups.names.tolist() == list("abcd")
    scales = of_images(scene_scales(relative, groups), groups)
    assert (scales[scenes == "b", 7] > 5).all()
    assert (scales[scenes != "b", 7] < 1.5).all()
    assert (scales[:, 9] < 1.5).all()
    assert (scales[-1] == 1).all()
    everyday = scene_groups(np.arange(100).astype(str))
    assert not len(everyday.names)
    assert (of_images(scene_scales(relative[:100], everyday), everyday) == 1).all()


def test_edges_of_fixed_scenes_that_move_between_sessions_are_no_defects() -> None:
    generator = np.random.default_rng(13)
    trusted, timeslots, places = moving_scenes(generator)
    fit = MaximumLikelihood(seed=1).fit(trusted, timeslots)
    true = np.isin(fit.places_ @ [1000, 1], places @ [1000, 1])
    assert true.sum() >= 0.6 * len(places)
    assert (~true).sum() <= 1


def moving_scenes(generator: np.random.Generator) -> tuple[Images, np.ndarray, np.ndarray]:
    """Return images of five scenes with sharp edges, each session up to a photosite aside."""
    rows, columns, timeslots, defects = 90, 120, 10, 12
    scenes = []
    for _ in range(5):
        scene = np.ones((rows + 2, columns + 2))
        for _ in range(10):
            top, left = generator.integers(0, rows), generator.integers(0, columns)
            height, width = generator.integers(5, 40, 2)
            scene[top : top + height, left : left + width] *= generator.uniform(0.5, 1.6)
        scenes.append(ndimage.gaussian_filter(scene, 0.7))
    places = np.stack(
        [
            6 * generator.choice(rows // 6, defects, replace=False) + 3,
            generator.integers(0, columns, defects),
        ],
        axis=1,
    )
    onsets = generator.integers(12, 108, defects)
    aside = generator.integers(0, 3, (timeslots, 2))
    numbers = np.repeat(np.arange(timeslots), 12)
    frames = []
    for number, slot in enumerate(numbers):
        top, left = aside[slot]
        light = 4000 * scenes[number % 5][top : top + rows, left : left + columns]
        values = 512 + 0.5 * generator.poisson(light)
        values[tuple(places[onsets <= number].T)] += 6 * 0.5 * np.sqrt(4000)
        pixels = values.round().astype(np.uint16)
        frames.append(CachedFrame(f"{number}", pixels, (512.0,) * 4, 16383, (0, 0, rows, columns)))
    count = len(frames)
    images = Images(
        frames,
        np.full(count, 1 / 30),
        numbers.astype(str),
        np.array([f"scene-{number % 5}" for number in range(count)]),
        np.full(count, "one"),
        START + np.arange(count) * np.timedelta64(10, "D"),
    )
    return images, numbers, places


def test_dating_looks_at_each_frame_once(world: World, fitted: MaximumLikelihood) -> None:
    before = world.questioned.frames.opened  # type: ignore[attr-defined]
    fitted.date(world.questioned)
    opened = world.questioned.frames.opened - before  # type: ignore[attr-defined]
    # and at the first once more, for its size
    assert opened == len(world.questioned) + 1


def test_neighbours_of_the_defects_show_none(world: World, fitted: MaximumLikelihood) -> None:
    """Asked as if they were the defects, sound photosites make no image late."""
    late = world.questioned.subset(world.questioned_timeslots == world.questioned_timeslots.max())
    there, beside = fitted.date(late), fitted.date(late, at_neighbours=True)
    for one, other in zip(there, beside, strict=True):
        places = {(each.row, each.column) for each in one.evidence}
        assert not places & {(each.row, each.column) for each in other.evidence}
        assert sum(each.log10_ratio for each in one.evidence) > 2
        assert sum(each.log10_ratio for each in other.evidence) < 2


def test_requests_that_mean_nothing_are_refused(world: World) -> None:
    with pytest.raises(EstimatorError, match="no ledger and no search"):
        MaximumLikelihood(searches=False)
    with pytest.raises(EstimatorError, match="above 0"):
        MaximumLikelihood(false_alarms=0)
    with pytest.raises(EstimatorError, match="give each once"):
        MaximumLikelihood([KnownDefect(1, 2), KnownDefect(1, 2)])
    with pytest.raises(EstimatorError, match="no interval"):
        KnownDefect(1, 2, datetime(2021, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(EstimatorError, match="outside the visible area"):
        MaximumLikelihood([KnownDefect(4800, 2)]).fit(world.trusted, world.timeslots)
    with pytest.raises(NotFittedError):
        MaximumLikelihood().date(world.questioned)


@pytest.mark.prove
@pytest.mark.parametrize("d_prime", [2.0, 4.0, 8.0])
def test_intervals_hold_the_true_time_as_often_as_they_say(
    d_prime: float, record_property: Callable[[str, object], None]
) -> None:
    """960 images of 24 cameras; their defects' onsets are shared, so cameras are the units."""
    hits, slots, errors, onsets, false, accepted = [], [], [], [], 0, 0
    for seed in range(200, 224):
        camera = make_world(d_prime=d_prime, seed=seed)
        fit = MaximumLikelihood(seed=1).fit(camera.trusted, camera.timeslots)
        hits.append(
            np.mean(
                [
                    (one.low is None or one.low <= at) and (one.high is None or one.high >= at)
                    for one, at in zip(
                        fit.date(camera.questioned), camera.questioned_times, strict=True
                    )
                ]
            )
        )
        interval = fit.predict_interval(camera.questioned)
        asked = camera.questioned_timeslots
        slots.append(((interval.low <= asked) & (asked <= interval.high)).mean())
        errors.append(np.median(date_errors(camera, fit)))
        found, wrong = onset_errors(camera, fit)
        onsets += found
        false += wrong
        accepted += len(found)
    record_property("share of true times in 95 % intervals", round(float(np.mean(hits)), 3))
    record_property("share of true timeslots", round(float(np.mean(slots)), 3))
    record_property("median date error, share of span", round(float(np.median(errors)), 4))
    record_property("defects found of 480", accepted)
    record_property("onsets within 2 images", round(float((np.abs(onsets) <= 2).mean()), 3))
    record_property("false defects on 24 sensors", false)
    assert 0.9 <= np.mean(hits) <= 0.98
    assert np.mean(slots) >= 0.95  # whole timeslots hold more than the interval asks for
    assert false <= 8


@pytest.mark.prove
def test_a_large_sensor_without_defects_has_no_more_false_ones_than_allowed(
    record_property: Callable[[str, object], None],
) -> None:
    """1.5 million photosites are searched, once for 0.1 false alarms and once for 50."""
    bare = make_world(
        defects=0, rows=1000, columns=1500, timeslots=6, questioned_per_timeslot=0, seed=71
    )
    for allowed, most in ((0.1, 2), (50.0, 90)):
        fit = MaximumLikelihood(false_alarms=allowed, seed=1).fit(bare.trusted, bare.timeslots)
        record_property(f"false defects where {allowed:g} are allowed", len(fit.places_))
        assert len(fit.places_) <= most
