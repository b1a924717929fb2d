"""Checks of dark fields: darkness, leaking light, defects that the camera removed by itself."""

from __future__ import annotations

from typing import Final

from capture.checks.results import CheckResult, unmeasured
from capture.checks.thresholds import CheckThresholds
from datastore.frames import Frame
from datastore.frames.darkness import Darkness, measure_darkness
from datastore.frames.suppression import DefectSigns, measure_defect_signs

_LEAK_SIGMAS: Final = 6.0
_LEAST_NOISE_DN: Final = 1.0
"""Noise from which few neighbours are equal in whole numbers."""

_LEAST_HOT: Final = 20
_LEAST_COLD: Final = 5
_LONE_SHARE: Final = 0.2


def check_dark_field(frame: Frame, thresholds: CheckThresholds) -> tuple[CheckResult, ...]:
    """Make every check of a dark field: level, leak, suppression, subtraction."""
    darkness = measure_darkness(frame)
    signs = measure_defect_signs(frame, darkness.level_dn, darkness.noise_dn)
    return (
        _check_level(frame, darkness, thresholds),
        _check_leak(frame, darkness, thresholds),
        _check_suppression(signs, min(darkness.noise_dn), thresholds),
        _check_subtraction(signs, thresholds),
    )


def _check_level(frame: Frame, darkness: Darkness, thresholds: CheckThresholds) -> CheckResult:
    name, unit = "dark-level", "DN"
    numbers = {
        "level_dn": [round(level, 3) for level in darkness.level_dn],
        "noise_dn": [round(noise, 3) for noise in darkness.noise_dn],
    }
    if darkness.excess_dn is None or frame.black_level is None:
        return unmeasured(name, None, unit, "The file states no black level.", numbers)
    limit_dn = thresholds.dark_level_share * (frame.white_level - max(frame.black_level))
    passed = darkness.excess_dn <= limit_dn
    return CheckResult(
        name,
        round(darkness.excess_dn, 3),
        round(limit_dn, 3),
        unit,
        passed,
        f"The dark field lies {darkness.excess_dn:.1f} DN above black"
        + ("." if passed else f", more than {limit_dn:.1f} DN: is the body cap on?"),
        numbers,
    )


def _check_leak(frame: Frame, darkness: Darkness, thresholds: CheckThresholds) -> CheckResult:
    limit_dn = max(
        thresholds.light_leak_range_share * (frame.white_level - max(frame.black_level or (0.0,))),
        thresholds.light_leak_level_share * max(darkness.excess_dn or 0.0, 0.0),
        _LEAK_SIGMAS * darkness.pattern_uncertainty_dn,
    )
    passed = darkness.pattern_dn <= limit_dn
    return CheckResult(
        "light-leak",
        round(darkness.pattern_dn, 3),
        round(limit_dn, 3),
        "DN",
        passed,
        f"The smooth pattern of the dark field spans {darkness.pattern_dn:.2f} DN"
        + ("." if passed else f", more than {limit_dn:.2f} DN: light leaks in."),
        {"uncertainty_dn": round(darkness.pattern_uncertainty_dn, 4)},
    )


def _check_suppression(
    signs: DefectSigns, noise_dn: float, thresholds: CheckThresholds
) -> CheckResult:
    name, limit = "hot-pixel-suppression", thresholds.suppression_peaks
    peaks = signs.peaks if signs.green_peaks is None else min(signs.peaks, signs.green_peaks)
    numbers = {
        "peaks": round(signs.peaks, 4),
        "green_peaks": None if signs.green_peaks is None else round(signs.green_peaks, 4),
        "hot": signs.hot,
        "lone_hot": signs.lone_hot,
        "equal_hot": signs.equal_hot,
        "photosites": signs.photosites,
    }
    said = (
        f"{signs.lone_hot} of {signs.hot} hot photosites stand alone, and {peaks:.3f} times as many"
        " photosites exceed all neighbours as chance gives"
    )
    if noise_dn >= _LEAST_NOISE_DN and peaks < limit:
        why = f"{said}: the camera suppresses hot photosites."
        return CheckResult(name, round(peaks, 4), limit, "", False, why, numbers)
    if signs.hot < _LEAST_HOT:
        why = f"{signs.hot} hot photosites are too few to tell whether the camera suppresses them."
        return unmeasured(name, limit, "", why, numbers)
    # neighbouring hot photosites survive such a filter as equals, none stands alone
    passed = signs.lone_hot >= _LONE_SHARE * signs.hot or signs.equal_hot < signs.lone_hot
    end = "." if passed else ": the camera suppresses hot photosites."
    return CheckResult(name, round(peaks, 4), limit, "", passed, f"{said}{end}", numbers)


def _check_subtraction(signs: DefectSigns, thresholds: CheckThresholds) -> CheckResult:
    name, limit = "dark-subtraction", thresholds.cold_share
    outliers = signs.hot + signs.cold
    numbers = {"cold": signs.cold, "hot": signs.hot}
    if outliers < _LEAST_COLD:
        why = f"{outliers} outlying photosites are too few to tell of a subtracted dark frame."
        return unmeasured(name, limit, "", why, numbers)
    share = signs.cold / outliers
    passed = share <= limit or signs.cold < _LEAST_COLD
    return CheckResult(
        name,
        round(share, 4),
        limit,
        "",
        passed,
        f"{signs.cold} of {outliers} outlying photosites are cold"
        + (
            "."
            if passed
            else ", as after the subtraction of a dark frame: switch noise reduction off."
        ),
        numbers,
    )
