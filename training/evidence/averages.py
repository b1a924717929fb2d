"""Average images of test frames, by which an answer from content is told from a trace.

What is fixed in sensor coordinates stays in an average of n frames while noise and the content of
different scenes go (Jöchl and Uhl, arXiv 2310.02067; kinds and form reconstructed). One frame is
read at a time. Frames come and go as frame sets; knows no catalogue and no network.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from training.evidence.changed_frames import MadeFrames
from training.evidence.errors import EvidenceError
from training.evidence.noise import NoiseModel, black_of
from training.experiments.frame_set import FrameSet
from training.files import write_atomically
from training.interventions.places import seeded_generator
from training.patches.inputs import CachedFrame

AverageKind = Literal[
    "same-class-different-scenes",
    "same-class-same-scene",
    "mixed",
    "class-minus-global",
    "residual",
]
"""`mixed` has as many frames of each of two classes, and must be at chance whatever is learned.
`class-minus-global` and `residual` lie on grey, the frames' mean level of each colour."""

AVERAGE_KINDS: tuple[AverageKind, ...] = get_args(AverageKind)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Average:
    """Which frames go into one average.

    Attributes
    ----------
    members
        Their numbers.
    label
        Its class; of a `mixed` one a class that was dealt to it.
    unit
        The sessions that its unit of inference is of, no two units sharing one.
    scene
        Its scene; empty where it has several.
    camera
        Serial of its camera.
    """

    members: tuple[int, ...]
    label: int
    unit: str
    scene: str
    camera: str


def plan_averages(
    frames: FrameSet, kind: AverageKind, count: int, seed: int = 0
) -> tuple[Average, ...]:
    """Deal frames to averages, each frame to one at most.

    Sessions of a camera and class are joined to units, as few of them as give every unit an
    average; averages stay within a unit, so that units remain independent.

    Parameters
    ----------
    frames
        The frames.
    kind
        What an average consists of.
    count
        Frames per average; even for `mixed`.
    seed
        Seed of the order in which frames of a scene are taken.

    Raises
    ------
    EvidenceError
        When there are too few frames, or `count` does not fit the kind.
    """
    if count < 1 or (kind == "mixed" and count % 2):
        raise EvidenceError(f"{kind}: averages of {count} frames cannot be made")
    generator = np.random.default_rng(seed)
    averages = []
    for camera in sorted(set(frames.cameras.tolist())):
        own = np.flatnonzero(frames.cameras == camera)
        classes = np.unique(frames.labels[own])
        if kind == "mixed":
            averages += _mixed(frames, own, classes, count, generator)
            continue
        for label in classes:
            members = own[frames.labels[own] == label]
            for unit, groups in _units(frames, members, kind, count, generator):
                averages += [_average(frames, group, int(label), unit, kind) for group in groups]
    return tuple(averages)


def average_frames(
    frames: FrameSet,
    kind: AverageKind,
    count: int,
    *,
    noise: NoiseModel | None = None,
    seed: int = 0,
    folder: Path | None = None,
) -> FrameSet:
    """Return averages as frames, whose sessions are the units of `plan_averages`.

    Values are rounded after seeded dithering, so that traces below one DN are kept on average.

    Parameters
    ----------
    frames
        Mosaics, of each camera of one size and level.
    kind
        What an average consists of.
    count
        Frames per average.
    noise
        Makes matched-noise controls where given: noise is added so that an average has that of a
        single frame.
    seed
        Seed of the dealing, of noise and of dithering.
    folder
        Where averages are kept, found again by their content; without one they are made whenever
        they are asked for again.

    Raises
    ------
    EvidenceError
        When there are too few frames, or frames of a camera do not fit each other.
    """
    plan = plan_averages(frames, kind, count, seed)
    maker = _Maker(frames, kind, count, noise, seed, folder, plan)
    return replace(
        frames,
        frames=MadeFrames(maker.make, len(plan)),
        labels=np.array([one.label for one in plan], np.int64),
        sessions=np.array([one.unit for one in plan], np.str_),
        scenes=np.array([one.scene for one in plan], np.str_),
        cameras=np.array([one.camera for one in plan], np.str_),
    )


def _average(
    frames: FrameSet, members: Sequence[int], label: int, unit: str, kind: AverageKind
) -> Average:
    scene = str(frames.scenes[members[0]]) if kind == "same-class-same-scene" else ""
    return Average(
        tuple(int(number) for number in members),
        label,
        unit,
        scene,
        str(frames.cameras[members[0]]),
    )


Groups = list[list[int]]


def _units(
    frames: FrameSet,
    members: NDArray[np.int64],
    kind: AverageKind,
    count: int,
    generator: np.random.Generator,
) -> list[tuple[str, Groups]]:
    """Join sessions to units that each give an average, as few sessions to each as suffice."""
    sessions = sorted(set(frames.sessions[members].tolist()))
    for size in range(1, len(sessions) + 1):
        starts = list(range(0, len(sessions) - size + 1, size))
        ends = [*starts[1:], len(sessions)]
        units = []
        for start, end in zip(starts, ends, strict=True):
            joined = sessions[start:end]
            chosen = members[np.isin(frames.sessions[members], joined)]
            units.append(("+".join(joined), _groups(frames, chosen, kind, count, generator)))
        if all(groups for _, groups in units):
            return units
    label, camera = frames.labels[members[0]], frames.cameras[members[0]]
    raise EvidenceError(
        f"{kind}: camera {camera} has too few frames of class {label} for averages of {count}"
    )


def _groups(
    frames: FrameSet,
    members: NDArray[np.int64],
    kind: AverageKind,
    count: int,
    generator: np.random.Generator,
) -> Groups:
    """Deal frames to groups, of one scene or over the scenes in turn."""
    scenes = [
        generator.permutation(members[frames.scenes[members] == scene]).tolist()
        for scene in sorted(set(frames.scenes[members].tolist()))
    ]
    if kind == "same-class-same-scene":
        return [group for scene in scenes for group in _cut(scene, count)]
    deepest = max(len(scene) for scene in scenes)
    dealt = [scene[turn] for turn in range(deepest) for scene in scenes if turn < len(scene)]
    return _cut(dealt, count)


def _cut(numbers: list[int], count: int) -> Groups:
    return [numbers[start : start + count] for start in range(0, len(numbers) - count + 1, count)]


def _mixed(
    frames: FrameSet,
    own: NDArray[np.int64],
    classes: NDArray[np.int64],
    count: int,
    generator: np.random.Generator,
) -> list[Average]:
    """Pair the units of two classes; the pairs are called one class and the other in turn."""
    if len(classes) < 2:
        raise EvidenceError(f"mixed: camera {frames.cameras[own[0]]} has frames of one class only")
    first, second = (
        _units(frames, own[frames.labels[own] == label], "mixed", count // 2, generator)
        for label in classes[:2]
    )
    averages = []
    for number, ((one, some), (other, more)) in enumerate(zip(first, second, strict=False)):
        for pair in zip(some, more, strict=False):
            label = int(classes[number % 2])
            averages.append(
                _average(frames, [*pair[0], *pair[1]], label, f"{one}+{other}", "mixed")
            )
    return averages


class _Maker:
    """Makes averages by number."""

    def __init__(
        self,
        frames: FrameSet,
        kind: AverageKind,
        count: int,
        noise: NoiseModel | None,
        seed: int,
        folder: Path | None,
        plan: tuple[Average, ...],
    ) -> None:
        self._frames = frames
        self._kind = kind
        self._count = count
        self._noise = noise
        self._seed = seed
        self._folder = folder
        self._plan = plan
        self._global_means: dict[str, NDArray[np.float32]] = {}
        self._camera_keys: dict[str, str] = {}

    def make(self, number: int) -> CachedFrame:
        average = self._plan[number]
        first = self._frames.frames[average.members[0]]
        key = self._key(average)
        if self._folder is None:
            pixels = self._pixels(average, first, key)
        else:
            path = self._folder / f"{key}.npy"
            if not path.exists():
                content = io.BytesIO()
                np.save(content, self._pixels(average, first, key), allow_pickle=False)
                write_atomically(path, lambda file: file.write(content.getbuffer()))
            pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        return replace(first, key=key, pixels=pixels)

    def _key(self, average: Average) -> str:
        parts = [f"average:{self._kind}:{self._noise}:{self._seed}"]
        parts += [self._frames.frames[number].key for number in average.members]
        if self._kind in ("class-minus-global", "residual"):
            parts.append(self._camera_key(average.camera))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _camera_key(self, camera: str) -> str:
        """Name all frames of a camera: grey, and what is subtracted, come from them."""
        if camera not in self._camera_keys:
            own = np.flatnonzero(self._frames.cameras == camera).tolist()
            parts = [f"{self._frames.frames[one].key}:{self._frames.labels[one]}" for one in own]
            self._camera_keys[camera] = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return self._camera_keys[camera]

    def _pixels(self, average: Average, first: CachedFrame, key: str) -> NDArray[np.uint16]:
        mean = self._mean(average.members, first, residual=False)
        values = mean
        if self._kind in ("class-minus-global", "residual"):
            common = self._global_mean(average.camera, first)
            if self._kind == "residual":
                values = self._mean(average.members, first, residual=True)
            else:
                values = mean - common
            values = values + _grey(common, first)
        generator = seeded_generator(self._seed, key)
        if self._noise is not None:
            missing = (1 - 1 / self._count) * self._noise.variance_dn2(mean - black_of(first))
            values = values + np.sqrt(missing) * generator.normal(size=values.shape)
        dithered = np.floor(values + generator.random(values.shape))
        return np.clip(dithered, 0, first.white_level).astype(np.uint16)

    def _mean(self, members: Sequence[int], first: CachedFrame, *, residual: bool) -> Floats:
        total = np.zeros(first.size)
        for number in members:
            frame = self._frames.frames[number]
            _require_fit(frame, first)
            total += _residual(frame.pixels) if residual else frame.pixels
        return total / len(members)

    def _global_mean(self, camera: str, first: CachedFrame) -> NDArray[np.float32]:
        """Return the mean of the classes' means, of all frames of a camera."""
        if camera not in self._global_means:
            own = self._frames.cameras == camera
            labels = np.unique(self._frames.labels[own])
            means = np.zeros(first.size)
            for label in labels:
                members = np.flatnonzero(own & (self._frames.labels == label)).tolist()
                means += self._mean(members, first, residual=False) / len(labels)
            self._global_means[camera] = means.astype(np.float32)
        return self._global_means[camera]


def _require_fit(frame: CachedFrame, first: CachedFrame) -> None:
    for name in ("size", "black_levels", "white_level", "visible"):
        if getattr(frame, name) != getattr(first, name):
            raise EvidenceError(
                f"averages: frames of one camera have {name} {getattr(first, name)} and"
                f" {getattr(frame, name)}"
            )


def _residual(mosaic: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the difference to the 3x3 median, for each of the four colours by itself."""
    result = np.empty(mosaic.shape, np.float32)
    for row in (0, 1):
        for column in (0, 1):
            plane = mosaic[row::2, column::2].astype(np.float32)
            result[row::2, column::2] = plane - median_filter(plane, 3, mode="reflect")
    return result


def _grey(common: NDArray[np.float32], frame: CachedFrame) -> Floats:
    """Return the mean level of each colour in the visible part, over the whole frame."""
    top, left, height, width = frame.visible
    grey = np.empty(frame.size)
    for row in (0, 1):
        for column in (0, 1):
            rows = slice(top + (row - top) % 2, top + height, 2)
            columns = slice(left + (column - left) % 2, left + width, 2)
            grey[row::2, column::2] = common[rows, columns].mean(dtype=np.float64)
    return grey
