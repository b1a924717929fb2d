"""How far a defect stands out of a frame: tau, shot noise, read noise, rounding; pure.

A frame's value of a photosite is compared with and without its defect. Where the photosite itself
is known (fixed patterns are the same at both times), only noise hides the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from training.power.errors import PlanError

Floats = NDArray[np.float64]

_QUANTILES = 48


@dataclass(frozen=True)
class SensorNoise:
    """The constants of a sensor that decide what stands out.

    Attributes
    ----------
    gain_e_per_dn_at_iso100
        Electrons per digital number at ISO 100.
    read_noise_e
        Standard deviation of the read noise, electrons.
    dark_current_e_per_s
        Of a sound photosite at the reference temperature.
    reference_temperature_c, dark_doubling_c
        Dark current doubles every so many kelvins from the reference on (8: EMVA 1288).
    full_well_e
        Electrons that a photosite holds.
    black_level_dn, white_level_dn
        Digital numbers of no signal and of clipping.
    """

    gain_e_per_dn_at_iso100: float
    read_noise_e: float
    dark_current_e_per_s: float
    reference_temperature_c: float
    dark_doubling_c: float
    full_well_e: float
    black_level_dn: float
    white_level_dn: float


@dataclass(frozen=True)
class Settings:
    """How a frame is taken.

    Attributes
    ----------
    exposure_s, iso
        Exposure time and ISO.
    temperature_c
        Of the sensor; None leaves the temperature out of tau.
    brightness
        Mean of the scene as a share of the range from black to white.
    """

    exposure_s: float
    iso: float
    temperature_c: float | None
    brightness: float


@dataclass(frozen=True)
class Strengths:
    """A distribution of defects in equal or unequal shares.

    Attributes
    ----------
    dark_rate_e_per_s
        D of each share, electrons per second at the reference temperature.
    offset_e
        c of each share, electrons a frame.
    share
        They add up to 1.
    """

    dark_rate_e_per_s: Floats
    offset_e: Floats
    share: Floats


def dark_factor(noise: SensorNoise, temperature_c: float | None) -> float:
    """Return the factor of dark currents at a temperature; 1 where it is unknown."""
    if temperature_c is None:
        return 1.0
    return float(2.0 ** ((temperature_c - noise.reference_temperature_c) / noise.dark_doubling_c))


def tau(noise: SensorNoise, settings: Settings) -> float:
    """Return the exposure factor ``t * ISO/100 * 2^((T - T0)/Td)`` (reconstructed)."""
    return settings.exposure_s * settings.iso / 100.0 * dark_factor(noise, settings.temperature_c)


def strength_distribution(
    dark_rate_median_e_per_s: float,
    dark_rate_log_sd: float,
    share_partially_stuck: float,
    offset_median_e: float,
    offset_log_sd: float,
) -> Strengths:
    """Return log-normal D, and log-normal c for the partially stuck share, in quantiles.

    That strengths are heavy-tailed and that more than 40 % of hot photosites have an offset is
    published (Dudas, Leung and Chapman; DFT 2011); the log-normal form and its numbers are
    reconstructed.
    """
    normal = np.asarray(ndtri((np.arange(_QUANTILES) + 0.5) / _QUANTILES))
    rates = dark_rate_median_e_per_s * np.exp(dark_rate_log_sd * normal)
    offsets = offset_median_e * np.exp(offset_log_sd * normal)
    even = np.full(_QUANTILES, 1.0 / _QUANTILES)
    return Strengths(
        np.concatenate([rates, np.repeat(rates, _QUANTILES)]),
        np.concatenate([np.zeros(_QUANTILES), np.tile(offsets, _QUANTILES)]),
        np.concatenate(
            [
                even * (1 - share_partially_stuck),
                np.repeat(even, _QUANTILES) * share_partially_stuck / _QUANTILES,
            ]
        ),
    )


def signal_dn(
    dark_rate_e_per_s: ArrayLike, offset_e: ArrayLike, noise: SensorNoise, settings: Settings
) -> Floats:
    """Return what defects add to a frame on average, digital numbers, clipping included.

    ``tau * D + c`` of the published model ``I + I*K + tau*D + c``, both in the electrons of a frame
    and times the gain, so c grows with the ISO setting as tau does.
    """
    return _signal_e(dark_rate_e_per_s, offset_e, noise, settings) * _gain(noise, settings)


def d_prime(
    dark_rate_e_per_s: ArrayLike,
    offset_e: ArrayLike,
    noise: SensorNoise,
    settings: Settings,
    *,
    frames: int = 1,
    content_noise_dn: float = 0.0,
) -> Floats:
    """Return by how many standard deviations a defect moves the mean of some frames.

    The difference of the means over the root of the mean variance with and without the defect
    (d_a of Green and Swets 1966): Poisson noise of all electrons, read noise, rounding (1/12). In
    frames that clip, noise is taken as unclipped (reconstructed).

    Parameters
    ----------
    dark_rate_e_per_s, offset_e
        Of the defects, any one shape.
    noise, settings
        Of the sensor and of a frame.
    frames
        Frames of the same scene and settings that are averaged.
    content_noise_dn
        Error of predicting the photosite without its defect from its surroundings; it stays the
        same over frames of one scene, so averaging does not lessen it.
    """
    if frames < 1:
        raise PlanError(f"frames {frames}: at least one is needed")
    gain = _gain(noise, settings)
    added_e = _signal_e(dark_rate_e_per_s, offset_e, noise, settings)
    sound_e = _sound_e(noise, settings)
    variance_e = sound_e + added_e / 2 + noise.read_noise_e**2
    variance_dn = (variance_e * gain**2 + 1.0 / 12.0) / frames + content_noise_dn**2
    return np.asarray(added_e * gain / np.sqrt(variance_dn), np.float64)


def frames_needed(
    wanted_d_prime: float,
    dark_rate_e_per_s: float,
    offset_e: float,
    noise: SensorNoise,
    settings: Settings,
    *,
    content_noise_dn: float = 0.0,
) -> int | None:
    """Return how many frames must be averaged to reach a d'; None where no number does.

    ``1/d'(frames)^2`` is a line in ``1/frames``: the noise of a frame over their number, and the
    content's noise.
    """
    if wanted_d_prime <= 0:
        raise PlanError(f"d' of {wanted_d_prime}: must be above 0")
    signal = float(signal_dn(dark_rate_e_per_s, offset_e, noise, settings))
    alone = float(d_prime(dark_rate_e_per_s, offset_e, noise, settings))
    if signal <= 0 or alone <= 0:
        return None
    left = wanted_d_prime**-2 - (content_noise_dn / signal) ** 2
    if left <= 0:
        return None
    return max(1, ceil(alone**-2 / left - 1e-9))


def _gain(noise: SensorNoise, settings: Settings) -> float:
    return settings.iso / 100.0 / noise.gain_e_per_dn_at_iso100


def _sound_e(noise: SensorNoise, settings: Settings) -> float:
    light_dn = settings.brightness * (noise.white_level_dn - noise.black_level_dn)
    dark_e = (
        noise.dark_current_e_per_s
        * dark_factor(noise, settings.temperature_c)
        * settings.exposure_s
    )
    return light_dn / _gain(noise, settings) + dark_e


def _signal_e(
    dark_rate_e_per_s: ArrayLike, offset_e: ArrayLike, noise: SensorNoise, settings: Settings
) -> Floats:
    factor = dark_factor(noise, settings.temperature_c) * settings.exposure_s
    added = np.asarray(dark_rate_e_per_s, np.float64) * factor + np.asarray(offset_e, np.float64)
    ceiling_e = min(
        noise.full_well_e, (noise.white_level_dn - noise.black_level_dn) / _gain(noise, settings)
    )
    return np.minimum(added, max(0.0, ceiling_e - _sound_e(noise, settings)))
