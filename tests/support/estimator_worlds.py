"""Small simulated cameras whose defects' onsets are known, for tests of age estimators.

Plain numpy, nothing of ours but the types that estimators take: smooth random scenes, photon and
read noise, defects that are offsets, dark current or insensitive photosites, rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.estimators.images import Images
from training.estimators.protocol import AgeEstimator
from training.patches.inputs import CachedFrame

START = np.datetime64("2020-01-01T00:00:00", "us")
CAMERA = "simulated-1"

Kind = Literal["raw", "luma"]


@dataclass(frozen=True)
class WorldSpec:
    """What to simulate.

    Attributes
    ----------
    d_prime
        Amplitude of every defect at the scenes' median setting, over the noise's standard
        deviation at the scenes' mean brightness.
    dark_share
        Share of the defects whose amplitude is dark current (grows with tau); the others' is an
        offset.
    texture
        Standard deviation of the scenes' small details, over the mean brightness.
    """

    defects: int = 20
    d_prime: float = 6.0
    timeslots: int = 10
    images_per_timeslot: int = 12
    questioned_per_timeslot: int = 4
    rows: int = 48
    columns: int = 64
    kind: Kind = "raw"
    dark_share: float = 0.5
    texture: float = 0.0
    years: float = 4.0
    seed: int = 1


@dataclass(frozen=True)
class World:
    """Images with the truth of how they came about.

    Attributes
    ----------
    trusted, timeslots
        Images with times, and the ordinal of each one's timeslot.
    questioned, questioned_timeslots, questioned_times
        Images without times, and the truth of them.
    places
        (row, column) of each defect, int64 of shape (defects, 2).
    onsets
        When each defect arose, datetime64[us].
    amplitudes_dn
        Of each at the scenes' median setting.
    is_dark
        Whether it grows with tau (dark current) or not (offset).
    """

    spec: WorldSpec
    trusted: Images
    timeslots: NDArray[np.int64]
    questioned: Images
    questioned_timeslots: NDArray[np.int64]
    questioned_times: NDArray[np.datetime64]
    places: NDArray[np.int64]
    onsets: NDArray[np.datetime64]
    amplitudes_dn: NDArray[np.float64]
    is_dark: NDArray[np.bool_]

    @property
    def span(self) -> np.timedelta64:
        """From the first to the last time that an image can have."""
        return _years(self.spec.years)


class MadeFrames(Sequence[CachedFrame]):
    """Frames in memory that count how often they are opened."""

    def __init__(self, frames: list[CachedFrame]) -> None:
        self.frames = frames
        self.opened = 0

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, place: int) -> CachedFrame:
        self.opened += 1
        return self.frames[place]


def make_world(spec: WorldSpec | None = None, **changes: object) -> World:
    """Simulate a camera; the same spec gives the same world."""
    spec = WorldSpec(**{**(spec or WorldSpec()).__dict__, **changes})
    generator = np.random.default_rng(spec.seed)
    camera = _Camera(spec, generator)
    # the first and the last tenth of the years have no onset, so that each is within the images
    onsets = START + _years(spec.years * np.sort(generator.uniform(0.1, 0.9, spec.defects)))
    camera.onsets = onsets
    trusted, timeslots, _ = camera.images(spec.images_per_timeslot, keeps_times=True)
    questioned, asked, times = camera.images(spec.questioned_per_timeslot, keeps_times=False)
    return World(
        spec,
        trusted,
        timeslots,
        questioned,
        asked,
        times,
        camera.places,
        onsets,
        camera.amplitudes_dn,
        camera.is_dark,
    )


class _Camera:
    def __init__(self, spec: WorldSpec, generator: np.random.Generator) -> None:
        self.spec, self.generator = spec, generator
        is_raw = spec.kind == "raw"
        self.gain_dn = 0.5 if is_raw else 0.02  # of an electron
        self.mean_electrons = 4000.0
        self.read_electrons = 5.0
        self.black = 512.0 if is_raw else 0.0
        self.white = 16383 if is_raw else 255
        noise = np.sqrt(self.mean_electrons + self.read_electrons**2) * self.gain_dn
        noise = np.hypot(noise, np.sqrt(1 / 12))
        self.amplitudes_dn = np.full(spec.defects, spec.d_prime * noise)
        # apart, so that no defect is in another's neighbourhood
        cells = np.argwhere(np.ones((spec.rows // 6, spec.columns // 6)))
        chosen = generator.choice(len(cells), spec.defects, replace=False)
        self.places = (cells[chosen] * 6 + generator.integers(0, 2, (spec.defects, 2))).astype(
            np.int64
        )
        self.is_dark = generator.random(spec.defects) < spec.dark_share
        self.onsets = np.empty(0, "datetime64[us]")

    def images(
        self, per_timeslot: int, *, keeps_times: bool
    ) -> tuple[Images, NDArray[np.int64], NDArray[np.datetime64]]:
        spec, generator = self.spec, self.generator
        timeslots = np.repeat(np.arange(spec.timeslots), per_timeslot)
        within = np.sort(generator.random((spec.timeslots, per_timeslot)), axis=1).ravel()
        times = START + _years(spec.years * (timeslots + within) / spec.timeslots)
        # 1/60, 1/30 and 1/15 s at ISO 100
        factors = generator.choice([1 / 60, 1 / 30, 1 / 15], len(times))
        frames = [
            self._frame(f"{keeps_times}-{number}", at, factor)
            for number, (at, factor) in enumerate(zip(times, factors, strict=True))
        ]
        count = len(frames)
        images = Images(
            MadeFrames(frames),
            factors,
            np.array([f"session-{slot}" for slot in timeslots]),
            np.array([f"scene-{number % 5}" for number in range(count)]),
            np.full(count, CAMERA),
            times if keeps_times else None,
        )
        return images, timeslots.astype(np.int64), times

    def _frame(self, key: str, at: np.datetime64, factor: float) -> CachedFrame:
        spec, generator = self.spec, self.generator
        shape = (spec.rows, spec.columns)
        smooth = ndimage.gaussian_filter(generator.normal(size=shape), 10.0, mode="wrap")
        detail = ndimage.gaussian_filter(generator.normal(size=shape), 1.0, mode="wrap")
        relative = 1 + 0.4 * smooth / smooth.std() / 2 + spec.texture * detail / detail.std()
        electrons = generator.poisson(self.mean_electrons * relative.clip(0.05, None))
        signal = electrons + generator.normal(scale=self.read_electrons, size=shape)
        values = self.black + self.gain_dn * signal
        has_begun = self.onsets <= at
        scale = np.where(self.is_dark, factor * 30, 1.0)
        values[tuple(self.places[has_begun].T)] += (self.amplitudes_dn * scale)[has_begun]
        dtype = np.uint16 if spec.kind == "raw" else np.uint8
        pixels = values.round().clip(0, self.white).astype(dtype)
        return CachedFrame(key, pixels, (self.black,) * 4, self.white, (0, 0, *shape))


def _years(years: float | NDArray[np.float64]) -> np.timedelta64:
    return (np.asarray(years) * 365.25 * 86_400e6).astype("timedelta64[us]")


def _maximum_likelihood(world: World) -> AgeEstimator:
    from training.estimators.maximum_likelihood import MaximumLikelihood

    return MaximumLikelihood(seed=1)


def _naive_bayes(world: World) -> AgeEstimator:
    from training.estimators.naive_bayes import NaiveBayes

    return NaiveBayes(seed=1)


def _kernel_naive_bayes(world: World) -> AgeEstimator:
    from training.estimators.naive_bayes import KernelNaiveBayes

    return KernelNaiveBayes(seed=1)


ESTIMATORS: dict[str, Callable[[World], AgeEstimator]] = {
    "maximum-likelihood": _maximum_likelihood,
    "naive-bayes": _naive_bayes,
    "naive-bayes-kernel": _kernel_naive_bayes,
}
"""Unfitted estimators by name; each may know what its user would know of the world's defects."""
