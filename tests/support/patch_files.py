"""Files whose frames are made up, for caches of decoded frames to decode."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.patches.inputs import Content, Decoded, Mosaic

BLACK = (512.0, 513.0, 514.0, 515.0)
SHAPE = (64, 96)


def made_up_mosaic(text: bytes, shape: tuple[int, int] = SHAPE) -> Mosaic:
    """Return the frame that a file of this text holds."""
    seed = int.from_bytes(hashlib.sha256(text).digest()[:8])
    return np.random.default_rng(seed).integers(0, 16383, shape).astype(np.uint16)


def write_file(folder: Path, text: str) -> tuple[str, Path]:
    """Write a file; return its hash and its path."""
    path = folder / f"{text}.made-up"
    path.write_text(text, encoding="utf-8")
    return hashlib.sha256(path.read_bytes()).hexdigest(), path


@dataclass
class Decoder:
    """Decodes made-up files, and remembers which."""

    shape: tuple[int, int] = SHAPE
    asked: list[Path] = field(default_factory=list)

    def __call__(self, path: Path) -> Decoded:
        self.asked.append(path)
        mosaic = made_up_mosaic(path.read_bytes(), self.shape)
        return Decoded(mosaic, BLACK, 16383, (0, 0, *self.shape))

    @property
    def content(self) -> Content:
        """What a cache takes."""
        return Content("mosaic", self)
