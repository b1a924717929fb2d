"""Frames of virtual cameras whose surroundings are disturbed by known amounts.

Uses the simulation itself instead of the virtual fixture's processes, so that thousands of frames
can be judged in minutes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datastore.frames import Frame
from fixtures.ageing import AgeingParameters, draw_population
from fixtures.optics import PHOTONS_PER_S_UM2, Optics
from fixtures.scenes import render_scene
from fixtures.sensor import Exposed, SensorParameters, expose, normal_tables

BORN = datetime(2020, 1, 1, tzinfo=UTC)
CFA = "RGGB"
_PITCH_UM = 5.0
_QUANTUM_EFFICIENCY = {"R": 0.38, "G": 0.50, "B": 0.42}
Mosaic = NDArray[np.uint16]


@functools.lru_cache(maxsize=4)
def _radiance(scene: str, height: int, width: int) -> NDArray[np.float32]:
    return render_scene(scene, height, width)


@dataclass(frozen=True)
class Shot:
    """A shot and what disturbs it; `scene` None is a dark field.

    `shift` is in photosites, `defocus` the standard deviation of the blur in photosites, `lamp` a
    factor, `colour` factors on red, green and blue, `side_stops` the fall of the light from the
    right to the left edge, `leak_dn` light on a dark field at its bright corner.
    """

    scene: str | None = None
    exposure_s: float = 1 / 8
    iso: int = 100
    years: float = 1.0
    temperature_c: float = 20.0
    shift: tuple[float, float] = (0.0, 0.0)
    defocus: float = 0.0
    lamp: float = 1.0
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    side_stops: float = 0.0
    leak_dn: float = 0.0

    @property
    def exposure_product(self) -> float:
        return self.exposure_s * self.iso


class DisturbedCamera:
    """One virtual sensor behind a lens; `defects_per_year` and the initial ones age it fast."""

    def __init__(
        self,
        seed: int,
        shape: tuple[int, int] = (768, 1152),
        defects_per_year: float = 200.0,
        initial_defects: int = 200,
    ) -> None:
        height, width = shape
        self.shape = shape
        self.seed = seed
        self.sensor = SensorParameters()
        self._population = draw_population(
            AgeingParameters(defects_per_year=defects_per_year, initial_defects=initial_defects),
            width=width,
            height=height,
            pixel_pitch_um=_PITCH_UM,
            full_well_e=self.sensor.full_well_e,
            manufactured_at=BORN,
            seed=seed,
        )
        generator = np.random.default_rng((seed, 3))
        self._dsnu_e = self.sensor.dsnu_e * generator.standard_normal(shape, dtype=np.float32)
        response = 1.0 + self.sensor.prnu * generator.standard_normal(shape, dtype=np.float32)
        optics = Optics.drawn(
            self.sensor.dust_spots, width=width, height=height, pixel_pitch_um=_PITCH_UM, seed=seed
        )
        photons = PHOTONS_PER_S_UM2 * _PITCH_UM**2
        self._rate_of_white = optics.transmission(height, width, 8.0) * response * photons
        self._tables = normal_tables()
        self._shots = 0

    def take(self, shot: Shot) -> Frame:
        """Take one frame; no two have the same noise."""
        self._shots += 1
        exposed = Exposed(
            self._rate(shot), shot.lamp, shot.exposure_s, shot.iso, shot.temperature_c
        )
        at = BORN + timedelta(days=365.25 * shot.years)
        seed = np.random.SeedSequence((self.seed, self._shots)).generate_state(1, np.uint64)[0]
        mosaic = expose(
            self.sensor,
            self._dsnu_e,
            exposed,
            self._population.active_at(at, self._shots),
            tables=self._tables,
            seed=int(seed),
        )
        black = float(self.sensor.black_level_dn)
        return Frame(mosaic, CFA, self.sensor.white_level_dn, (black,) * 4, (0, 0, *self.shape))

    def _rate(self, shot: Shot) -> NDArray[np.float32] | None:
        height, width = self.shape
        if shot.scene is None:
            if shot.leak_dn == 0.0:
                return None
            electrons = shot.leak_dn / self.sensor.dn_per_electron(shot.iso)
            fall = np.outer(np.linspace(1, 0, height), np.linspace(1, 0, width))
            return (fall * electrons / shot.exposure_s).astype(np.float32)
        radiance: NDArray[Any] = _radiance(shot.scene, height, width)
        if shot.shift != (0.0, 0.0):
            moved = np.array([[1, 0, shot.shift[1]], [0, 1, shot.shift[0]]])
            radiance = cv2.warpAffine(
                radiance,
                moved,
                (width, height),
                flags=cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REFLECT,
            )
        if shot.defocus:
            radiance = cv2.GaussianBlur(radiance, (0, 0), shot.defocus)
        radiance = radiance * np.array(shot.colour, np.float32)
        fall = 2.0 ** (shot.side_stops * np.linspace(-1, 0, width))[:, None]
        rate = np.empty(self.shape, np.float32)
        for position, letter in enumerate(CFA):
            cells = np.s_[position // 2 :: 2, position % 2 :: 2]
            channel = (radiance * fall)[:, :, "RGB".index(letter)]
            rate[cells] = (self._rate_of_white * channel * _QUANTUM_EFFICIENCY[letter])[cells]
        return np.maximum(rate, 0.0)


def with_mosaic(frame: Frame, mosaic: NDArray[np.int64]) -> Frame:
    """Return the frame with other values, clipped to what the sensor gives."""
    return replace(frame, mosaic=np.clip(mosaic, 0, frame.white_level).astype(np.uint16))


def suppressed(frame: Frame) -> Frame:
    """Replace what exceeds its eight neighbours of the same colour by the largest of them."""
    largest = _largest(frame.mosaic, [(2 * y, 2 * x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    return with_mosaic(frame, np.minimum(frame.mosaic.astype(np.int64), largest))


def suppressed_greens(frame: Frame) -> Frame:
    """Do so with greens alone, their neighbours being four straight and four diagonal greens."""
    straight = [(0, -2), (0, 2), (-2, 0), (2, 0)]
    largest = _largest(frame.mosaic, [*straight, (-1, -1), (-1, 1), (1, -1), (1, 1)])
    values = frame.mosaic.astype(np.int64)
    for position, letter in enumerate(CFA):
        if letter == "G":
            cells = np.s_[position // 2 :: 2, position % 2 :: 2]
            values[cells] = np.minimum(values[cells], largest[cells])
    return with_mosaic(frame, values)


def subtracted(frame: Frame, dark: Frame) -> Frame:
    """Subtract a dark frame and add the black level again, as noise reduction in camera does."""
    black = int((frame.black_level or (0.0,))[0])
    return with_mosaic(frame, frame.mosaic.astype(np.int64) - dark.mosaic + black)


def _largest(mosaic: Mosaic, steps: list[tuple[int, int]]) -> NDArray[np.int64]:
    padded = np.pad(mosaic.astype(np.int64), 2, constant_values=-1)
    rows, columns = mosaic.shape
    rings = [
        padded[2 + y : 2 + y + rows, 2 + x : 2 + x + columns] for y, x in steps if (y, x) != (0, 0)
    ]
    return np.asarray(np.max(rings, axis=0))
