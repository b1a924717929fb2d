"""Fingerprints of sensors, estimated from lit frames of one body; reads no catalogue.

The photo-response K of a sensor (PRNU) multiplies the light, I (1 + K), and is unlike that of any
other. It is estimated on the planes of the RAW mosaic after Chen, Fridrich, Goljan and Lukas
(2008). `training.defects.fingerprint_check` looks for it in other frames. Frames in the dark carry
none: see `training.defects.dark_pattern`.

A fingerprint is taken from flat fields. What is left of a scene's edges is the same for every body
in front of it, and much stronger than K: of two virtual bodies that saw one object on different
backgrounds, one passed for the other. Scenes serve where the frames to be judged show nothing of
them. The blocks of JPEG files and the edges of the area that sees light would do the same harm:
RAW alone, inside that area.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from training.defects.diagnostics import period_of
from training.defects.errors import DefectError
from training.defects.noise_residual import Plane, lit_residual, plane_places, without_lines

Mosaic = NDArray[np.uint16]
Area = tuple[int, int, int, int]
THREADS = 2
"""Planes that are worked on side by side."""

Values = TypeVar("Values", bound=np.generic)

_LEAST_EVENNESS = 0.7  # flat fields give 0.75, a real scene of little texture 0.62
_BLOCK = 32
_BUSY_QUANTILE = 0.02
_MAGIC = b"agetrace-fingerprint-1\n"
_LEAST_BRIGHTNESS = 3.0  # mean light in standard deviations of the residual; 0.4 in the dark
_INSET = 8  # photosites beside the masked ones may see less light
_HALVES = 2  # of the frames, whose agreement tells the strength
_CAUTION_SIGMAS = 3.0
_WIENER_WINDOWS = (3, 5, 7, 9)


@dataclass(frozen=True)
class Fingerprint:
    """The photo-response of a sensor.

    Attributes
    ----------
    response
        float32 of shape (rows, columns): K as a share, in full `raw_image` space; zero outside the
        area that sees light.
    area
        Top, left, height and width of what is compared, of even origin with colour filters.
    cfa
        Colours of the 2 x 2 cell at (0, 0), or ``MONO``.
    frames
        How many it was estimated from.
    strength
        float64 of shape (planes,): variance of K that two halves of the frames agree on, at least
        (three standard errors below the estimate); zero from a single frame.
    gain
        Mean share of the noise that the filter kept in those frames.
    evenness
        The share it kept in the busiest blocks of the busiest frame; edges of scenes lower it.
    """

    response: Plane
    area: Area
    cfa: str
    frames: int
    strength: NDArray[np.float64]
    gain: float
    evenness: float

    @property
    def even(self) -> bool:
        """Whether all of the frames were flat fields: the filter found no edges in them."""
        return self.evenness >= _LEAST_EVENNESS


def estimate_fingerprint(
    frames: Iterable[Callable[[], Mosaic]],
    cfa: str,
    black_dn: Sequence[float],
    white_level: int,
    visible: Area | None = None,
) -> Fingerprint:
    """Estimate a sensor's photo-response from lit frames, one in memory at a time.

    ``K = sum(W I) / sum(I^2)`` over the frames, the maximum-likelihood estimator of Chen et al.
    (2008) with the residual W of `noise_residual`; saturated photosites do not count.
    What cameras of one make share is removed as there: the means of rows and columns of each
    plane, and peaks of the spectrum by a Wiener filter.

    Parameters
    ----------
    frames
        Read one frame each, uint16 of shape (rows, columns); flat fields at best.
    cfa
        As in `DarkFrame`.
    black_dn
        Black level of each plane.
    white_level
        Digital number at which a photosite is full.
    visible
        Top, left, height and width of the area that sees light; all of it where None.

    Raises
    ------
    DefectError
        If there are no frames, they differ in size, or one is dark.
    """
    sums: _Sums | None = None
    with ThreadPoolExecutor(THREADS) as executor:
        for read in frames:
            mosaic = read()
            if sums is None:
                sums = _Sums(mosaic.shape, visible, period_of(cfa), executor)
            sums.add(mosaic, black_dn, white_level)
    if sums is None:
        raise DefectError("there are no lit frames to take a fingerprint from")
    response = np.zeros(sums.shape, np.float32)
    lit = inside(response, sums.area)
    strength = np.zeros(len(sums.places))
    for plane, place in enumerate(sums.places):
        lit[place], strength[plane] = _combined(
            [(weighted[place], energy[place]) for weighted, energy in sums.halves]
        )
    return Fingerprint(
        response, sums.area, cfa, sums.count, strength, sums.kept / sums.count, sums.evenness
    )


def write_fingerprint(fingerprint: Fingerprint) -> bytes:
    """Return a fingerprint as bytes: a line of JSON, then a .npy array of 16-bit floats."""
    header = {
        "area": fingerprint.area,
        "cfa": fingerprint.cfa,
        "frames": fingerprint.frames,
        "strength": fingerprint.strength.tolist(),
        "gain": fingerprint.gain,
        "evenness": fingerprint.evenness,
    }
    buffer = BytesIO()
    buffer.write(_MAGIC + json.dumps(header, sort_keys=True).encode() + b"\n")
    np.save(buffer, fingerprint.response.astype(np.float16), allow_pickle=False)
    return buffer.getvalue()


def read_fingerprint(file: IO[bytes]) -> Fingerprint:
    """Read what `write_fingerprint` wrote.

    Raises
    ------
    DefectError
        If the file holds something else.
    """
    if file.readline() != _MAGIC:
        raise DefectError("this file holds no fingerprint: take it from flat fields again")
    try:
        header = json.loads(file.readline())
        response = np.load(BytesIO(file.read()), allow_pickle=False)
        top, left, height, width = (int(place) for place in header["area"])
        return Fingerprint(
            response=response.astype(np.float32),
            area=(top, left, height, width),
            cfa=str(header["cfa"]),
            frames=int(header["frames"]),
            strength=np.array(header["strength"], np.float64),
            gain=float(header["gain"]),
            evenness=float(header["evenness"]),
        )
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise DefectError(f"the fingerprint is damaged: {error}") from error


class _Sums:
    """Sums of W I and I^2 over frames, of every other frame apart."""

    def __init__(
        self,
        shape: tuple[int, ...],
        visible: Area | None,
        period: int,
        executor: ThreadPoolExecutor,
    ) -> None:
        self.shape = shape
        self.area = _compared(visible, shape, period)
        self.places = plane_places(period)
        size = self.area[2:]
        self.halves = [
            (np.zeros(size, np.float32), np.zeros(size, np.float32)) for _ in range(_HALVES)
        ]
        self.count, self.kept, self.evenness = 0, 0.0, 1.0
        self._executor = executor

    def add(self, mosaic: Mosaic, black_dn: Sequence[float], white_level: int) -> None:
        """Add one frame, its planes side by side."""
        if mosaic.shape != self.shape:
            raise DefectError(
                f"lit frame {self.count} has the size {mosaic.shape}, the first {self.shape}"
            )
        lit = inside(mosaic, self.area)
        weighted, energy = self.halves[self.count % _HALVES]

        def add_plane(plane: int) -> tuple[float, float, float]:
            place = self.places[plane]
            residual, light, gain = lit_residual(lit[place], black_dn[plane], white_level)
            weighted[place] += residual * light
            energy[place] += light * light
            brightness = float(light.mean() / max(residual.std(), 1e-6))
            return brightness, float(gain.mean()), _evenness(gain)

        brightness, kept, evenness = zip(
            *self._executor.map(add_plane, range(len(self.places))), strict=True
        )
        if max(brightness) < _LEAST_BRIGHTNESS:
            raise DefectError(f"lit frame {self.count} is dark: a fingerprint needs light")
        self.kept += float(np.mean(kept))
        self.evenness = min(self.evenness, *evenness)
        self.count += 1


def _compared(visible: Area | None, shape: tuple[int, ...], period: int) -> Area:
    """Return the area to compare: what sees light, less an inset where there are margins."""
    if visible is None or visible == (0, 0, *shape):
        return (0, 0, shape[0], shape[1])
    top, left = (place + _INSET + (place + _INSET) % period for place in visible[:2])
    return (
        top,
        left,
        visible[0] + visible[2] - _INSET - top,
        visible[1] + visible[3] - _INSET - left,
    )


def inside(values: NDArray[Values], area: Area) -> NDArray[Values]:
    """Return the part of a mosaic that is compared, a view."""
    top, left, height, width = area
    return values[top : top + height, left : left + width]


def _evenness(gain: Plane) -> float:
    """Return the mean share that was kept in one of the busiest blocks."""
    blocks = tuple(max(1, side // _BLOCK) for side in reversed(gain.shape))
    means = cv2.resize(gain, blocks, interpolation=cv2.INTER_AREA)
    return float(np.quantile(means, _BUSY_QUANTILE))


def _combined(halves: list[tuple[Plane, Plane]]) -> tuple[Plane, float]:
    """Return K of one plane from the sums of all halves, and the variance they agree on."""
    weighted = halves[0][0] + halves[1][0]
    energy = halves[0][1] + halves[1][1]
    response = without_lines(_ratio(weighted, energy))
    filtered = _without_peaks(response)
    if not np.any(halves[1][1]):
        return filtered, 0.0
    first, second = (without_lines(_ratio(*half)).ravel() for half in halves)
    agreed = float(np.vdot(first, second)) / first.size
    error = float(np.linalg.norm(first) * np.linalg.norm(second)) / first.size**1.5
    # what the Wiener filter takes away is not found again
    left = float(np.vdot(response, filtered)) / max(float(np.vdot(response, response)), 1e-30)
    return filtered, max(agreed - _CAUTION_SIGMAS * error, 0.0) * left


def _ratio(weighted: Plane, energy: Plane) -> Plane:
    # a photosite that saw less than one digital number knows nothing
    return np.asarray(weighted / np.maximum(energy, np.float32(1.0)), np.float32)


def _without_peaks(plane: Plane) -> Plane:
    """Flatten peaks of the spectrum: a Wiener filter that keeps its white part.

    With P the power of a frequency, the least of its means over 3 x 3 to 9 x 9 neighbours, and n
    the plane's variance, the spectrum is multiplied by ``n / max(P, n)`` (Chen et al. 2008).
    """
    spectrum = fft.rfft2(plane)
    power: Plane = (spectrum.real**2 + spectrum.imag**2) / np.float32(plane.size)
    least = np.full_like(power, np.inf)
    for side in _WIENER_WINDOWS:
        means = cv2.blur(power, (side, side), borderType=cv2.BORDER_REFLECT_101)
        np.minimum(least, means, out=least)
    variance = np.float32(plane.var())
    if variance <= 0:
        return plane
    spectrum *= variance / np.maximum(least, variance)
    filtered: Plane = fft.irfft2(spectrum, plane.shape)
    return filtered
