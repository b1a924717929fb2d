"""Hot pixels as thermometers, against simulated sensors whose temperatures are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize

from tests.support.simulated_darks import Sensor, dark_frames, make_sensor
from training.defects.errors import DefectError
from training.defects.extraction import extract
from training.defects.fit import read_series
from training.defects.frames import DarkFrame, cells_of, scratch_file
from training.defects.stability import judge_drift, temperature_stability
from training.defects.thermometer import (
    TemperatureChanges,
    common_scales,
    doubling_fit,
    frame_scales,
    temperature_changes,
)

Floats = NDArray[np.float64]
WARM = np.linspace(14.0, 30.0, 7)
DOUBLING_C = 8.0


def signals(
    generator: np.random.Generator,
    temperatures_c: Floats,
    *,
    defects: int = 60,
    noise: float = 5.0,
    activation_spread: float = 0.0,
    blinking: float = 0.0,
) -> tuple[Floats, Floats]:
    """Signals of defects of the exponential law and their errors, shape (defects, times)."""
    amplitude = 40 * np.exp(generator.standard_normal(defects))
    doubling = DOUBLING_C / (1 + activation_spread * generator.standard_normal(defects))
    y = amplitude[:, None] * 2 ** ((temperatures_c - 20) / doubling[:, None])
    count = round(blinking * defects)
    y[:count] *= generator.random((count, len(temperatures_c))) < 0.5
    return y + noise * generator.standard_normal(y.shape), np.full(y.shape, noise)


def test_agrees_with_nonlinear_least_squares_of_every_amplitude() -> None:
    generator = np.random.default_rng(1)
    y, errors = signals(generator, WARM, defects=15, noise=2.0)

    def residuals(parameters: Floats) -> Floats:
        fitted = parameters[1:, None] * 2 ** ((WARM - 20) * parameters[0])
        return np.ravel((y - fitted) / errors)

    peer = optimize.least_squares(residuals, np.r_[0.1, y.mean(axis=1)])
    peer_error = np.sqrt(np.linalg.inv(np.asarray(peer.jac).T @ np.asarray(peer.jac))[0, 0])
    fit = doubling_fit(y, errors, WARM, temperature_error_c=0.0)
    assert fit.doubling_c is not None
    assert fit.error_c is not None
    assert 1 / fit.doubling_c == pytest.approx(peer.x[0], abs=2 * peer_error)
    assert fit.error_c == pytest.approx(peer_error / peer.x[0] ** 2, rel=0.5)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param({}, id="plain"),
        pytest.param({"activation_spread": 0.1}, id="defects-of-their-own"),
        pytest.param({"blinking": 0.2}, id="blinking"),
        pytest.param({"defects": 200, "noise": 25.0}, id="weak"),
    ],
)
def test_intervals_of_the_doubling_hold_the_truth(case: dict[str, Any]) -> None:
    generator = np.random.default_rng(2)
    held = []
    for _ in range(25):
        y, errors = signals(generator, WARM, **case)
        fit = doubling_fit(y, errors, WARM, temperature_error_c=0.0)
        assert fit.low_c is not None
        assert fit.high_c is not None
        assert fit.high_c - fit.low_c < 1.5
        held.append(fit.low_c <= DOUBLING_C <= fit.high_c)
    assert np.mean(held) >= 0.9


def test_errors_of_the_thermometer_widen_the_interval() -> None:
    generator = np.random.default_rng(3)
    held, widths = [], []
    for _ in range(60):
        y, errors = signals(generator, WARM)
        read = WARM + 0.6 * generator.standard_normal(len(WARM))
        fit = doubling_fit(y, errors, read, temperature_error_c=0.6)
        assert fit.low_c is not None
        assert fit.high_c is not None
        held.append(fit.low_c <= DOUBLING_C <= fit.high_c)
        widths.append(fit.high_c - fit.low_c)
    assert np.mean(held) >= 0.9
    assert np.median(widths) < 2.5


def test_spread_of_the_defects_is_reported() -> None:
    generator = np.random.default_rng(4)
    y, errors = signals(generator, WARM, defects=300, activation_spread=0.1)
    fit = doubling_fit(y, errors, WARM)
    assert fit.spread_c == pytest.approx(0.1 * DOUBLING_C, rel=0.3)


@pytest.mark.parametrize(
    ("temperatures_c", "defects", "reason"),
    [
        (np.linspace(20.0, 22.0, 6), 60, "span 2.0 K"),
        (np.array([20.0, np.nan, np.nan]), 60, "1 of 3 times"),
        (WARM, 3, "3 defects"),
    ],
)
def test_says_why_there_is_no_doubling(temperatures_c: Floats, defects: int, reason: str) -> None:
    generator = np.random.default_rng(5)
    y, errors = signals(generator, np.nan_to_num(temperatures_c, nan=20.0), defects=defects)
    fit = doubling_fit(y, errors, temperatures_c)
    assert fit.doubling_c is None
    assert fit.low_c is None
    assert fit.reason is not None
    assert reason in fit.reason


def test_signals_that_ignore_the_temperature_have_no_doubling() -> None:
    generator = np.random.default_rng(6)
    y = np.full((40, len(WARM)), 200.0) + 5 * generator.standard_normal((40, len(WARM)))
    fit = doubling_fit(y, np.full(y.shape, 5.0), WARM)
    assert fit.reason is not None
    assert "do not rise" in fit.reason


def test_temperatures_come_back_from_the_signals() -> None:
    generator = np.random.default_rng(7)
    pulls = []
    for _ in range(40):
        true = generator.uniform(15, 30, 6)
        y, errors = signals(generator, true, defects=40, noise=20.0, blinking=0.1)
        # defects that no session could measure twice do no harm
        y[-1, 1:] = np.nan
        changes = temperature_changes(common_scales(y, errors), DOUBLING_C, reference=0)
        assert changes.change_c[0] == 0.0
        assert changes.error_c[0] == 0.0
        pulls.append((changes.change_c - (true - true[0]))[1:] / changes.error_c[1:])
    assert abs(np.mean(pulls)) < 0.35
    assert 0.7 < np.std(pulls) < 1.25


def test_error_of_the_doubling_temperature_grows_with_the_change() -> None:
    generator = np.random.default_rng(8)
    scales = common_scales(*signals(generator, WARM, noise=0.01))
    changes = temperature_changes(scales, DOUBLING_C, doubling_error_c=0.8, reference=0)
    assert changes.error_c[1:] == pytest.approx(0.1 * (WARM - WARM[0])[1:], rel=0.01)


def test_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(DefectError, match="matrix"):
        common_scales(np.ones(3), np.ones(3))
    with pytest.raises(DefectError, match="temperatures"):
        doubling_fit(np.ones((6, 3)), np.ones((6, 3)), [20.0, 30.0])
    scales = common_scales(np.full((6, 2), np.nan), np.ones((6, 2)))
    with pytest.raises(DefectError, match="choose another"):
        temperature_changes(scales, 8.0, reference=0)


def dark_rates_at_own_temperature(
    generator: np.random.Generator, sensor: Sensor, temperatures_c: Floats
) -> tuple[Floats, Floats]:
    """Dark rates and errors of the sensor's defects from extractions of unnormalised sessions."""
    rates, errors = np.full((2, len(sensor.places), len(temperatures_c)), np.nan)
    order = {place: index for index, place in enumerate(sensor.places.tolist())}
    for time, temperature_c in enumerate(temperatures_c.tolist()):
        frames = dark_frames(
            generator, sensor, temperature_c=temperature_c, temperature_known=False
        )
        one = extract(frames)
        places = (one.row * sensor.shape[1] + one.column).tolist()
        for found, place in enumerate(places):
            if place in order:
                rates[order[place], time] = one.dark_rate_dn_per_s[found]
                errors[order[place], time] = one.dark_rate_error[found]
    return rates, errors


def test_sessions_that_were_extracted_give_the_doubling_of_the_sensor() -> None:
    generator = np.random.default_rng(9)
    sensor = make_sensor(generator, blinking=0.1)
    temperatures_c = np.array([15.0, 19.0, 24.0, 28.0])
    rates, errors = dark_rates_at_own_temperature(generator, sensor, temperatures_c)
    fit = doubling_fit(rates, errors, temperatures_c, temperature_error_c=0.0)
    assert fit.low_c is not None
    assert fit.high_c is not None
    assert fit.low_c <= DOUBLING_C <= fit.high_c
    assert fit.high_c - fit.low_c < 1.5


def session_of(generator: np.random.Generator, temperatures_c: Floats) -> list[DarkFrame]:
    """Frames of unknown temperature in the order of time, exposures in random order."""
    sensor = make_sensor(np.random.default_rng(10), partially_stuck=0.4)
    exposures = generator.permutation(np.resize([1.0, 4.0], len(temperatures_c)))
    return [
        dark_frames(
            generator,
            sensor,
            grid=[(float(exposure_s), 800)],
            repeats=1,
            temperature_c=float(temperature_c),
            temperature_known=False,
        )[0]
        for exposure_s, temperature_c in zip(exposures, temperatures_c, strict=True)
    ]


def changes_within(frames: list[DarkFrame]) -> TemperatureChanges:
    """Temperatures of frames relative to their session, from its own extraction."""
    extraction = extract(frames)
    cells = cells_of(frames, 20.0, 8.0)
    black = np.array([one.black_dn for one in extraction.diagnostics])
    with scratch_file(frames[0].read().shape) as scratch:
        for number, frame in enumerate(frames):
            scratch.write(number, frame.read())
        series = [
            read_series(scratch, cell, black, extraction.row, extraction.column, 2, 16_000.0)
            for cell in cells
        ]
    noise = np.array([12.0 for _ in cells])
    scales = frame_scales(series, cells, extraction.dark_rate_dn_per_s, extraction.offset_dn, noise)
    return temperature_changes(scales, DOUBLING_C)


def test_sensor_that_warms_up_is_seen_without_a_thermometer() -> None:
    generator = np.random.default_rng(11)
    elapsed_s = np.arange(24) * 20.0
    true = 22 + 5 * (1 - np.exp(-elapsed_s / 150))
    changes = changes_within(session_of(generator, true))
    pulls = (changes.change_c - changes.change_c.mean() - (true - true.mean())) / changes.error_c
    assert abs(pulls.mean()) < 1.0
    assert pulls.std() < 1.6
    stability = temperature_stability(elapsed_s, [None] * len(elapsed_s), changes)
    assert stability.verdict == "drifting"
    assert stability.source == "hot-pixels"
    assert stability.drift_c is not None
    assert stability.drift_c == pytest.approx(np.ptp(true), abs=0.8)


def test_sensor_that_keeps_its_temperature_is_stable() -> None:
    generator = np.random.default_rng(12)
    changes = changes_within(session_of(generator, np.full(24, 22.0)))
    stability = temperature_stability(np.arange(24) * 20.0, [None] * 24, changes)
    assert stability.verdict == "stable"
    assert stability.drift_c is not None
    assert stability.drift_c < 0.5


@pytest.mark.parametrize(
    ("recorded_c", "verdict"),
    [
        ([23.0] * 12, "stable"),
        ([23.0] * 6 + [24.0] * 6, "unknown"),
        ([23.0, 23.0, 24.0, 24.0, 25.0, 25.0, 26.0, 26.0, 26.0, 27.0, 27.0, 27.0], "drifting"),
        # up and down again: no line shows it
        ([23.0, 24.0, 25.0, 26.0, 27.0, 27.0, 27.0, 26.0, 25.0, 24.0, 23.0, 23.0], "drifting"),
        ([23.0] + [None] * 11, "unknown"),
        ([None] * 12, "unknown"),
    ],
)
def test_recorded_temperatures_are_judged(recorded_c: list[float | None], verdict: str) -> None:
    stability = temperature_stability(np.arange(12) * 60.0, recorded_c)
    assert stability.verdict == verdict
    assert stability.source == ("none" if recorded_c[0] is None else "recorded")
    assert (stability.reason is None) == (verdict != "unknown")


def test_rate_is_per_hour() -> None:
    elapsed_s = np.linspace(0, 1800, 5)
    stability = judge_drift(elapsed_s, 20 + elapsed_s / 600, np.full(5, 0.1), source="recorded")
    assert stability.drift_c == pytest.approx(3.0)
    assert stability.rate_c_per_hour == pytest.approx(6.0)
    assert stability.verdict == "drifting"


def test_frames_at_one_time_have_no_drift() -> None:
    stability = judge_drift(np.zeros(4), np.full(4, 20.0), np.full(4, 0.3), source="recorded")
    assert stability.verdict == "stable"
    assert stability.rate_c_per_hour is None


def test_constant_temperatures_raise_few_false_alarms() -> None:
    generator = np.random.default_rng(13)
    verdicts = [
        judge_drift(
            np.arange(15) * 30.0,
            0.25 * generator.standard_normal(15),
            np.full(15, 0.25),
            source="hot-pixels",
        ).verdict
        for _ in range(300)
    ]
    assert verdicts.count("drifting") <= 3
    assert verdicts.count("stable") > 200
