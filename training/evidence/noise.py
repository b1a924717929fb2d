"""The noise of single frames, as repeats of a scene show it; pure.

Photon transfer: ``var = read_variance + gain (x - black)``, from the differences of two frames of
one camera and scene, in which content cancels.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.evidence.errors import EvidenceError
from training.experiments.frame_set import FrameSet
from training.patches.inputs import CachedFrame

Floats = NDArray[np.float64]

_MAD_TO_SIGMA = 1.4826
_BINS = 16
_MOST_PAIRS = 8


@dataclass(frozen=True)
class NoiseModel:
    """Temporal noise of one frame.

    Attributes
    ----------
    read_variance_dn2
        Variance in darkness, DN squared.
    gain_dn
        Growth of the variance with the signal, DN per electron.
    """

    read_variance_dn2: float
    gain_dn: float

    def variance_dn2(self, signal_dn: Floats) -> Floats:
        """Return the variance of values of this signal above black, DN squared."""
        return self.read_variance_dn2 + self.gain_dn * np.maximum(signal_dn, 0.0)


def black_of(frame: CachedFrame) -> Floats:
    """Return the black level of every photosite of a frame, shape (rows, columns)."""
    rows, columns = frame.size
    cell = np.reshape(np.asarray(frame.black_levels, np.float64), (2, 2))
    return np.tile(cell, (rows // 2 + 1, columns // 2 + 1))[:rows, :columns]


def measure_noise(frames: FrameSet) -> NoiseModel:
    """Measure the noise of single frames from pairs of one camera and scene.

    Each difference is compared with that two columns on, so that a change of light between the
    two frames cancels as well; medians of absolute values ignore defects (reconstructed).

    Parameters
    ----------
    frames
        Mosaics; the first eight pairs that share camera, scene and class are used.

    Raises
    ------
    EvidenceError
        When no two frames share camera, scene and class.
    """
    groups: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for number, key in enumerate(
        zip(frames.cameras.tolist(), frames.scenes.tolist(), frames.labels.tolist(), strict=True)
    ):
        groups[key].append(number)
    pairs = [pair for members in groups.values() for pair in pairwise(members)][:_MOST_PAIRS]
    if not pairs:
        raise EvidenceError("noise: no two frames share camera, scene and class")
    signals, variances = zip(
        *(_transfer(frames.frames[one], frames.frames[other]) for one, other in pairs), strict=True
    )
    signal, variance = np.concatenate(signals), np.concatenate(variances)
    # relative errors of variances are alike, so that small ones weigh more
    design = np.stack([np.ones_like(signal), signal], axis=1) / variance[:, None]
    read, gain = np.linalg.lstsq(design, np.ones_like(signal), rcond=None)[0]
    if gain < 0:
        read, gain = float(np.median(variance)), 0.0
    return NoiseModel(max(float(read), 0.0), float(gain))


def _transfer(one: CachedFrame, other: CachedFrame) -> tuple[Floats, Floats]:
    """Return signal and variance in bins of the signal."""
    top, left, height, width = one.visible
    seen = (slice(top, top + height), slice(left, left + width))
    black = black_of(one)[seen]
    first, second = (frame.pixels[seen].astype(np.float64) for frame in (one, other))
    differences = first - second
    scatter = np.abs(differences[:, 2:] - differences[:, :-2]).reshape(-1)
    unsaturated = np.maximum(first, second)[:, 2:].reshape(-1) < one.white_level
    unsaturated &= np.maximum(first, second)[:, :-2].reshape(-1) < one.white_level
    signal = ((first + second) / 2 - black)[:, 2:].reshape(-1)[unsaturated]
    scatter = scatter[unsaturated]
    order = np.argsort(signal)
    parts = np.array_split(order, min(_BINS, max(1, len(order) // 100)))
    means = np.array([signal[part].mean() for part in parts])
    # four values of one photosite's noise enter each difference
    sigmas = np.array([_MAD_TO_SIGMA * np.median(scatter[part]) / 2 for part in parts])
    return means, np.maximum(sigmas**2, 1e-6)
