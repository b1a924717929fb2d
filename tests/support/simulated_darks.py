"""Dark frames of a simulated sensor in plain numpy, with the truth beside them.

Electrons are drawn first (Poisson), then read noise and fixed pattern, then gain, black level,
rounding and clipping: the order of EMVA 1288.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.defects.frames import DarkFrame

DN_PER_ELECTRON = 1 / 3
READ_NOISE_E = 4.0
WHITE_LEVEL = 16_383
BLACK_LEVEL = 512.0
GRID = ((0.25, 800), (1.0, 800), (4.0, 800))


@dataclass
class Sensor:
    """A sensor with defects; rates and offsets in electrons, at 20 degC."""

    shape: tuple[int, int]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    dark_rate_e: NDArray[np.float64]
    offset_e: NDArray[np.float64]
    fixed_pattern_e: NDArray[np.float64]
    blinking: NDArray[np.bool_]
    places: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.places = self.rows * self.shape[1] + self.columns

    def amplitude_e(self, seconds: float) -> NDArray[np.float64]:
        """Mean electrons after an exposure at 20 degC."""
        return self.dark_rate_e * seconds + self.offset_e


def make_sensor(
    generator: np.random.Generator,
    shape: tuple[int, int] = (192, 256),
    defects: int = 150,
    partially_stuck: float = 0.4,
    blinking: float = 0.0,
) -> Sensor:
    """A sensor with heavy-tailed defects at random places."""
    places = generator.choice(shape[0] * shape[1], defects, replace=False)
    stuck = generator.random(defects) < partially_stuck
    return Sensor(
        shape=shape,
        rows=places // shape[1],
        columns=places % shape[1],
        dark_rate_e=5.0 * np.exp(1.2 * generator.standard_normal(defects)),
        offset_e=np.where(stuck, 60 * np.exp(0.8 * generator.standard_normal(defects)), 0.0),
        fixed_pattern_e=generator.normal(0.0, 1.0, shape),
        blinking=generator.random(defects) < blinking,
    )


def dark_frames(
    generator: np.random.Generator,
    sensor: Sensor,
    *,
    grid: Sequence[tuple[float, int]] = GRID,
    repeats: int = 5,
    temperature_c: float = 22.0,
    active: NDArray[np.bool_] | None = None,
    cosmic_rays: int = 0,
    row_noise_e: float = 0.0,
    glow_e_per_s: float = 0.0,
    cfa: str = "RGGB",
    temperature_known: bool = True,
) -> list[DarkFrame]:
    """Frames of one session; defects that are not `active` are as sound as any photosite."""
    shape = sensor.shape
    factor = 2 ** ((temperature_c - 20) / 8)
    alive = np.ones(len(sensor.places)) if active is None else active.astype(float)
    glow = glow_e_per_s * np.linspace(0, 1, shape[1])[None, :] ** 2
    frames = []
    for exposure_s, iso in grid:
        for repeat in range(repeats):
            mean = np.broadcast_to((1.0 * factor + glow) * exposure_s, shape).copy().ravel()
            level = np.where(sensor.blinking, generator.random(len(sensor.places)) < 0.5, 1.0)
            signal = sensor.dark_rate_e * factor * exposure_s + sensor.offset_e
            mean[sensor.places] += alive * level * signal
            electrons = generator.poisson(mean).reshape(shape).astype(float)
            electrons += generator.normal(0, READ_NOISE_E, shape) + sensor.fixed_pattern_e
            electrons += generator.normal(0, 1, (shape[0], 1)) * row_noise_e
            struck = generator.integers(0, mean.size, cosmic_rays)
            electrons.ravel()[struck] += generator.exponential(500, cosmic_rays)
            dn = np.round(electrons * DN_PER_ELECTRON * iso / 100 + BLACK_LEVEL)
            mosaic = np.clip(dn, 0, WHITE_LEVEL).astype(np.uint16)
            frames.append(
                DarkFrame(
                    read=lambda mosaic=mosaic: mosaic,  # type: ignore[misc]
                    exposure_s=exposure_s,
                    iso=iso,
                    temperature_c=temperature_c if temperature_known else None,
                    cfa=cfa,
                    white_level=WHITE_LEVEL,
                    identifier=f"{exposure_s} s ISO {iso} number {repeat}",
                )
            )
    return frames
