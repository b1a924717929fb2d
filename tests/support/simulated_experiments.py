"""Experiments played out: defects arise, frames are taken, an observer answers, labels are tested.

Independent of `training.power`, of which nothing is imported: electrons are counted one by one,
patches are cut at places of their own, and p-values come from all relabellings.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedSensor:
    """A sensor and its settings; strengths are log-normal."""

    rate_per_year: float
    width: int
    height: int
    exposure_s: float
    dn_per_electron: float
    light_e: float
    read_noise_e: float = 4.0
    dark_e_per_s: float = 1.0
    dark_median_e_per_s: float = 60.0
    dark_log_sd: float = 1.0
    stuck_share: float = 0.4
    offset_median_e: float = 60.0
    offset_log_sd: float = 0.8


@dataclass(frozen=True)
class NewDefects:
    """The defects that arose in a gap."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    electrons: Floats


def arise(sensor: SimulatedSensor, days: float, generator: np.random.Generator) -> NewDefects:
    """Let defects arise one after the other, as waiting times say."""
    count, clock = 0, generator.exponential(365.25 / sensor.rate_per_year)
    while clock < days:
        count += 1
        clock += generator.exponential(365.25 / sensor.rate_per_year)
    rates = generator.lognormal(np.log(sensor.dark_median_e_per_s), sensor.dark_log_sd, count)
    offsets = generator.lognormal(np.log(sensor.offset_median_e), sensor.offset_log_sd, count)
    stuck = generator.random(count) < sensor.stuck_share
    return NewDefects(
        generator.integers(sensor.height, size=count),
        generator.integers(sensor.width, size=count),
        rates * sensor.exposure_s + np.where(stuck, offsets, 0.0),
    )


def five_crops(width: int, height: int, size: int) -> list[tuple[int, int]]:
    """Return the corners of the four outer crops and of the middle one."""
    return [
        (0, 0),
        (0, width - size),
        (height - size, 0),
        (height - size, width - size),
        ((height - size) // 2, (width - size) // 2),
    ]


def seen(defects: NewDefects, corners: list[tuple[int, int]], size: int) -> NDArray[np.bool_]:
    """Return which defects lie in one of the patches."""
    inside = np.zeros(len(defects.rows), bool)
    for top, left in corners:
        inside |= (
            (defects.rows >= top)
            & (defects.rows < top + size)
            & (defects.columns >= left)
            & (defects.columns < left + size)
        )
    return inside


def photosite_values(
    sensor: SimulatedSensor, electrons: Floats, frames: int, generator: np.random.Generator
) -> Floats:
    """Return digital numbers above black of photosites, shape (frames, photosites)."""
    mean = sensor.light_e + sensor.dark_e_per_s * sensor.exposure_s + electrons
    counted = generator.poisson(mean, (frames, len(electrons)))
    noisy = counted + generator.normal(0, sensor.read_noise_e, counted.shape)
    return np.round(noisy * sensor.dn_per_electron)


def share_called_later(
    sensor: SimulatedSensor,
    electrons: Floats,
    *,
    later: bool,
    frames: int,
    offset: float,
    generator: np.random.Generator,
) -> int:
    """Return how many frames of a session a matched filter calls the later class.

    Frames without a defect are called by a coin.
    """
    if not len(electrons):
        lean = generator.normal(0, 1, frames) + offset
        return int((lean > 0).sum())
    present = electrons if later else np.zeros_like(electrons)
    values = photosite_values(sensor, present, frames, generator)
    base_e = sensor.light_e + sensor.dark_e_per_s * sensor.exposure_s
    variance = base_e + electrons / 2 + sensor.read_noise_e**2
    weights = electrons / variance
    signal = values / sensor.dn_per_electron - base_e
    evidence = (signal - electrons / 2) @ weights
    spread = np.sqrt((electrons**2 / variance).sum())
    return int((evidence / spread + offset > 0).sum())


def p_value(counts: NDArray[np.int64]) -> float:
    """Return the exact p of counts whose second half comes from the later class."""
    half = len(counts) // 2
    sums = [counts[list(chosen)].sum() for chosen in combinations(range(len(counts)), half)]
    return float(np.mean(np.array(sums) >= counts[half:].sum()))


def share_called_later_through_random_patches(
    sensor: SimulatedSensor,
    defects: NewDefects,
    *,
    later: bool,
    frames: int,
    size: int,
    count: int,
    generator: np.random.Generator,
) -> int:
    """Return how many frames are called the later class if each shows other places."""
    called = 0
    for _ in range(frames):
        tops = 2 * generator.integers((sensor.height - size) // 2 + 1, size=count)
        lefts = 2 * generator.integers((sensor.width - size) // 2 + 1, size=count)
        corners = list(zip(tops.tolist(), lefts.tolist(), strict=True))
        called += share_called_later(
            sensor,
            defects.electrons[seen(defects, corners, size)],
            later=later,
            frames=1,
            offset=0.0,
            generator=generator,
        )
    return called


def play_random_patches(
    sensor: SimulatedSensor,
    days: float,
    *,
    size: int,
    count: int,
    sessions: int,
    frames: int,
    generator: np.random.Generator,
) -> float:
    """Play one experiment with random patches and return its p."""
    defects = arise(sensor, days, generator)
    counts = [
        share_called_later_through_random_patches(
            sensor,
            defects,
            later=session >= sessions,
            frames=frames,
            size=size,
            count=count,
            generator=generator,
        )
        for session in range(2 * sessions)
    ]
    return p_value(np.array(counts))


def play(
    sensor: SimulatedSensor,
    days: float,
    *,
    size: int | None,
    sessions: int,
    frames: int,
    offset_sd: float,
    generator: np.random.Generator,
) -> tuple[int, float, float]:
    """Play one experiment: new defects, accuracy and p; a size of None centres on defects."""
    defects = arise(sensor, days, generator)
    electrons = defects.electrons
    if size is not None:
        corners = five_crops(sensor.width, sensor.height, size)
        electrons = electrons[seen(defects, corners, size)]
    counts = np.array(
        [
            share_called_later(
                sensor,
                electrons,
                later=session >= sessions,
                frames=frames,
                offset=generator.normal(0, offset_sd),
                generator=generator,
            )
            for session in range(2 * sessions)
        ]
    )
    right = counts[sessions:].sum() + (frames - counts[:sessions]).sum()
    return len(defects.rows), float(right / (2 * sessions * frames)), p_value(counts)
