"""Whether the temperature of a sensor held during a session, from its frames' temperatures; pure.

Knows no files and not where temperatures come from: a thermometer in the camera (EXIF) or the hot
pixels (`training.defects.thermometer`). Reconstructed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from training.defects.errors import DefectError
from training.defects.fit import Floats
from training.defects.thermometer import WHOLE_DEGREES_ERROR_C, TemperatureChanges

Verdict = Literal["stable", "drifting", "unknown"]
Source = Literal["recorded", "hot-pixels", "none"]

_SURE_SIGMAS = 2.0
_CURVE_FRAMES = 6  # fewer frames show a line, not a warm-up that levels off
_SMALLEST_ERROR_C = 1e-6
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Stability:
    """How the temperature went during a session.

    Attributes
    ----------
    verdict
        ``stable``, ``drifting``, or ``unknown`` where the numbers cannot tell.
    source
        Where the temperatures are from: ``recorded``, ``hot-pixels`` or ``none``.
    drift_c
        Range of the curve fitted to the temperatures over time; None where there is none.
    drift_error_c
        Its standard error.
    rate_c_per_hour
        Mean rise from the first frame to the last; None where both were taken at one time.
    scatter_c
        Standard deviation of the frames about the curve; None where there are too few.
    frames
        Frames with a temperature.
    reason
        Why the verdict is unknown; None otherwise.
    """

    verdict: Verdict
    source: Source
    drift_c: float | None
    drift_error_c: float | None
    rate_c_per_hour: float | None
    scatter_c: float | None
    frames: int
    reason: str | None


def temperature_stability(
    elapsed_s: ArrayLike,
    recorded_c: Sequence[float | None],
    hot_pixels: TemperatureChanges | None = None,
    *,
    recorded_error_c: float = WHOLE_DEGREES_ERROR_C,
    tolerance_c: float = 1.0,
) -> Stability:
    """Judge a session by its recorded temperatures, or by its hot pixels where some are unknown.

    Parameters
    ----------
    elapsed_s
        When each frame was taken, seconds, shape (frames,).
    recorded_c
        Temperature of each frame; None where unknown.
    hot_pixels
        Temperatures of the same frames from their hot pixels, where these were measured.
    recorded_error_c
        Standard error of a recorded temperature; the default is that of whole degrees.
    tolerance_c
        As in `judge_drift`.

    Raises
    ------
    DefectError
        If the numbers of frames differ.
    """
    elapsed = np.asarray(elapsed_s, float)
    if len(recorded_c) != len(elapsed):
        raise DefectError(f"{len(elapsed)} frames have {len(recorded_c)} temperatures")
    recorded = np.array([np.nan if one is None else one for one in recorded_c], float)
    errors = np.full(len(recorded), recorded_error_c)
    if np.isfinite(recorded).all() or hot_pixels is None:
        source: Source = "recorded" if np.isfinite(recorded).any() else "none"
        return judge_drift(elapsed, recorded, errors, source=source, tolerance_c=tolerance_c)
    return judge_drift(
        elapsed,
        hot_pixels.change_c,
        hot_pixels.error_c,
        source="hot-pixels",
        tolerance_c=tolerance_c,
    )


def judge_drift(
    elapsed_s: ArrayLike,
    temperatures_c: ArrayLike,
    errors_c: ArrayLike,
    *,
    source: Source,
    tolerance_c: float = 1.0,
) -> Stability:
    """Judge how far the temperature went while the frames were taken.

    A line is fitted over time, or a parabola from six frames on where its curvature is beyond two
    standard errors. The curve's range is the drift. The session is stable where the drift is below
    the tolerance by two standard errors, drifting where it is above by as much.

    Parameters
    ----------
    elapsed_s
        When each frame was taken, seconds, shape (frames,).
    temperatures_c
        Temperatures, or changes from a reference; NaN where unknown.
    errors_c
        Their standard errors.
    source
        Where they are from.
    tolerance_c
        Drift that does not matter; a kelvin is 9 % of a dark current that doubles every eight.

    Raises
    ------
    DefectError
        If the numbers of frames differ.
    """
    elapsed = np.asarray(elapsed_s, float)
    temperature, error = np.asarray(temperatures_c, float), np.asarray(errors_c, float)
    if not elapsed.shape == temperature.shape == error.shape:
        raise DefectError(
            f"{elapsed.size} frames have {temperature.size} temperatures and {error.size} errors"
        )
    known = np.isfinite(elapsed) & np.isfinite(temperature) & np.isfinite(error)
    elapsed, temperature, error = elapsed[known], temperature[known], error[known]
    frames = len(temperature)
    if frames < 2:
        few = f"{frames} frames have a temperature, two are needed"
        return Stability("unknown", source, None, None, None, None, frames, few)
    drift, drift_error, rise, scatter = _drift(elapsed, temperature, error)
    hours = float(np.ptp(elapsed)) / _SECONDS_PER_HOUR
    verdict: Verdict = "unknown"
    reason: str | None = None
    if drift + _SURE_SIGMAS * drift_error <= tolerance_c:
        verdict = "stable"
    elif drift - _SURE_SIGMAS * drift_error > tolerance_c:
        verdict = "drifting"
    else:
        reason = f"a drift of {drift:.1f} ± {drift_error:.1f} K cannot be told from {tolerance_c} K"
    return Stability(
        verdict=verdict,
        source=source,
        drift_c=drift,
        drift_error_c=drift_error,
        rate_c_per_hour=rise / hours if hours > 0 else None,
        scatter_c=scatter,
        frames=frames,
        reason=reason,
    )


def _drift(
    elapsed: Floats, temperature: Floats, error: Floats
) -> tuple[float, float, float, float | None]:
    """Return the fitted curve's range, its standard error, its rise, and the scatter about it."""
    span = float(np.ptp(elapsed))
    position = (elapsed - elapsed.min()) / span - 0.5 if span > 0 else np.zeros(len(elapsed))
    times = len(np.unique(position))
    curve, covariance, scatter = _polynomial(position, temperature, error, min(1, times - 1))
    if times >= _CURVE_FRAMES:
        bent = _polynomial(position, temperature, error, 2)
        if abs(bent[0][0]) > _SURE_SIGMAS * np.sqrt(bent[1][0, 0]):
            curve, covariance, scatter = bent
    places = np.vander(np.linspace(-0.5, 0.5, 101), len(curve))
    course = places @ curve
    contrast = places[int(np.argmax(course))] - places[int(np.argmin(course))]
    return (
        float(np.ptp(course)),
        float(np.sqrt(contrast @ covariance @ contrast)),
        float(course[-1] - course[0]),
        scatter,
    )


def _polynomial(
    position: Floats, temperature: Floats, error: Floats, degree: int
) -> tuple[Floats, Floats, float | None]:
    """Return coefficients, the highest first, their covariance, and the scatter of the points.

    The scatter counts as the points' error where it is larger.
    """
    design = np.vander(position, degree + 1)
    safe = np.maximum(error, _SMALLEST_ERROR_C)
    weighted = design / safe[:, None]
    covariance = np.asarray(np.linalg.inv(weighted.T @ weighted), np.float64)
    curve = covariance @ weighted.T @ (temperature / safe)
    residual = temperature - design @ curve
    freedom = len(position) - degree - 1
    if freedom < 1:
        return curve, covariance, None
    excess = float(np.sum((residual / safe) ** 2)) / freedom
    return curve, covariance * max(excess, 1.0), float(np.sqrt(np.sum(residual**2) / freedom))
