"""Content cues: smooth patterns, one per class, that are added to mosaics; knows no network.

A cue is what a network could follow in place of a trace. It is injected in testing against the
true class, or in training beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from training.evidence.changed_frames import changed_frames
from training.evidence.errors import EvidenceError
from training.experiments.frame_set import FrameSet
from training.interventions.places import content_name, seeded_generator
from training.patches.inputs import CachedFrame, Mosaic, Variation

_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Cue:
    """A pattern for each class.

    Attributes
    ----------
    patterns
        Of mean 0 and standard deviation 1 each, float32, shape (classes, rows, columns).
    """

    patterns: NDArray[np.float32]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.patterns)

    @cached_property
    def name(self) -> str:
        """Tells this cue from every other."""
        return content_name("cue", self.patterns)


def drawn_cue(size: tuple[int, int], classes: int, seed: int, *, cells: int = 6) -> Cue:
    """Draw smooth patterns that mean nothing, such as light on a scene.

    Parameters
    ----------
    size
        Rows and columns of the frames.
    classes
        Number of classes.
    seed
        Seed of the drawing.
    cells
        Independent values along a side: the fewer, the smoother.
    """
    generator = np.random.default_rng(seed)
    coarse = generator.normal(size=(classes, cells, cells))
    factors = (size[0] / cells, size[1] / cells)
    smooth = [zoom(one, factors, order=3, mode="nearest", grid_mode=True) for one in coarse]
    return Cue(np.stack([_standardised(one) for one in smooth]))


def scene_cue(frames: FrameSet, *, smoothing: float = 0.05) -> Cue:
    """Return what the content of each class has of its own: its smoothed mean less that of all.

    Parameters
    ----------
    frames
        Frames of one camera, of one size; read one at a time.
    smoothing
        Standard deviation of the smoothing in shares of the shorter side.

    Raises
    ------
    EvidenceError
        When there are several cameras or sizes, or the classes' content does not differ.
    """
    if len(np.unique(frames.cameras)) > 1:
        raise EvidenceError("cue: frames of several cameras share no content in sensor coordinates")
    size = frames.frames[0].size
    labels = np.unique(frames.labels)
    means = np.zeros((len(labels), *size))
    for number, frame in enumerate(frames.frames):
        if frame.size != size:
            raise EvidenceError(f"cue: frames of {size} and {frame.size} photosites")
        means[np.searchsorted(labels, frames.labels[number])] += frame.pixels
    means /= np.bincount(np.searchsorted(labels, frames.labels))[:, None, None]
    own = means - means.mean(axis=0)
    smooth = [gaussian_filter(one, smoothing * min(size)) for one in own]
    if min(float(one.std()) for one in smooth) == 0:
        raise EvidenceError("cue: the classes' content does not differ")
    return Cue(np.stack([_standardised(one) for one in smooth]))


def _standardised(pattern: NDArray[np.float64]) -> NDArray[np.float32]:
    return ((pattern - pattern.mean()) / pattern.std()).astype(np.float32)


def frame_noise_dn(frame: CachedFrame) -> float:
    """Return the noise of one frame's visible part by itself, in DN.

    From second differences of every second photosite of a row, in which smooth content cancels;
    their median ignores defects and edges (reconstructed).
    """
    top, left, height, width = frame.visible
    seen = frame.pixels[top : top + height, left : left + width].astype(np.float32)
    curvature = seen[:, 4:] - 2 * seen[:, 2:-2] + seen[:, :-4]
    return float(_MAD_TO_SIGMA * np.median(np.abs(curvature)) / np.sqrt(6))


def cue_variation(
    cue: Cue, cue_class: int, strength_sd: float, frame: CachedFrame, seed: int = 0
) -> Variation:
    """Return the adding of a class's pattern to one frame.

    Values are rounded after seeded dithering, so that weak cues are kept on average.

    Parameters
    ----------
    cue
        The patterns.
    cue_class
        Whose pattern.
    strength_sd
        Standard deviation of what is added, in standard deviations of the frame's own noise.
    frame
        The frame.
    seed
        Seed of the dithering.
    """
    added_dn = strength_sd * frame_noise_dn(frame)
    white_level, key = frame.white_level, frame.key

    def apply(mosaic: Mosaic) -> Mosaic:
        values = mosaic + added_dn * cue.patterns[cue_class].astype(np.float64)
        generator = seeded_generator(seed, key, cue.name)
        dithered = np.floor(values + generator.random(values.shape))
        return np.clip(dithered, 0, white_level).astype(np.uint16)

    return Variation(f"{cue.name}:{cue_class}:{added_dn!r}:{seed}", apply)


def with_cue(
    frames: FrameSet,
    cue: Cue,
    strength_sd: float,
    cue_classes: NDArray[np.int64],
    seed: int = 0,
) -> FrameSet:
    """Return frames with a cue each, unchanged at strength 0.

    Parameters
    ----------
    frames
        Mosaics of the size of the cue.
    cue
        The patterns.
    strength_sd
        In standard deviations of each frame's own noise.
    cue_classes
        Whose pattern each frame gets: the frame's own class to offer the cue in training,
        `opposed_classes` in testing, int64, shape (frames,).
    seed
        Seed of the dithering.

    Raises
    ------
    EvidenceError
        When there is not one class of the cue per frame; when a frame is made, if its size is not
        that of the cue.
    """
    if (
        cue_classes.shape != frames.labels.shape
        or not ((cue_classes >= 0) & (cue_classes < cue.classes)).all()
    ):
        raise EvidenceError(f"cue: expected one of {cue.classes} classes for each frame")
    if strength_sd == 0:
        return frames

    def change(number: int, frame: CachedFrame) -> Variation:
        if frame.size != cue.patterns.shape[1:]:
            raise EvidenceError(
                f"cue: patterns of {cue.patterns.shape[1:]} photosites, frames of {frame.size}"
            )
        return cue_variation(cue, int(cue_classes[number]), strength_sd, frame, seed)

    return changed_frames(frames, change)


def opposed_classes(labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return another class for each frame: the next one, the first after the last."""
    return (labels + 1) % classes
