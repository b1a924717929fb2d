"""Small frames of two classes in memory, whose one difference is a number of new defects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from training.experiments.frame_set import FrameSet
from training.experiments.spec import ExperimentSpec
from training.patches.inputs import CachedFrame, Mosaic

ROWS, COLUMNS = 96, 128
AMPLITUDE_DN = 2500.0


def _shoot(scene: int, bad: NDArray[np.int64], generator: np.random.Generator) -> Mosaic:
    """One 14-bit Bayer frame of a smooth scene with photon and read noise, 1 electron per DN."""
    content = gaussian_filter(np.random.default_rng(scene).normal(size=(ROWS, COLUMNS)), 6)
    electrons = 2500 * np.exp(0.5 * content / content.std())
    electrons *= np.tile([[0.6, 1.0], [1.0, 0.7]], (ROWS // 2, COLUMNS // 2))
    electrons.flat[bad] += AMPLITUDE_DN
    values = generator.poisson(electrons) + 4 * generator.normal(size=electrons.shape) + 512
    mosaic: Mosaic = np.clip(np.rint(values), 0, 16383).astype(np.uint16)
    return mosaic


def defects(new_defects: int) -> NDArray[np.int64]:
    """Photosites of the 40 old defects, then of the new ones."""
    return np.random.default_rng(99).permutation(ROWS * COLUMNS)[: 40 + new_defects]


def frame_set(
    scenes: range, sessions: range, new_defects: int, *, content_by_class: bool = False
) -> FrameSet:
    """Frames of one camera in two classes; the second has ``new_defects`` more defects."""
    places = defects(new_defects)
    rows = []
    for session in sessions:
        label = session % 2
        for scene in scenes:
            if content_by_class and scene % 2 != label:
                continue
            generator = np.random.default_rng((session, scene))
            mosaic = _shoot(scene, places if label else places[:40], generator)
            key = f"{session}-{scene}-{new_defects}"
            frame = CachedFrame(key, mosaic, (512,) * 4, 16383, (0, 0, ROWS, COLUMNS))
            rows.append((frame, label, f"session {session}", f"scene {scene}", "camera"))
    return FrameSet.of(*zip(*rows, strict=True))


def trace_spec(**changes: object) -> ExperimentSpec:
    """Return the spec of a short training that finds them."""
    values: dict[str, object] = {
        "name": "trace", "dataset": "d", "patch_size": 32, "steps": 90, "batch_size": 16, "runs": 1,
        "learning_rate": 0.02, "precision": "float32", "channels_last": True, "threads": 1,
    }  # fmt: skip
    return ExperimentSpec.model_validate(values | changes)
