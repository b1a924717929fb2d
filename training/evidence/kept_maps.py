"""The maps of one network over a sample of crops, as bytes that are kept; knows no network."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]

_OWN = "own-class"
_CLASSES = "classes"
_MAP = "map "
_SCALE = "scale "


@dataclass(frozen=True)
class KeptMaps:
    """Maps of a network.

    Attributes
    ----------
    maps
        By method, evidence for one class in every crop, float32, shape (images, crops, grid, grid).
    own
        By the first method, evidence for the class of the image, same shape.
    classes
        The class that each crop was taken for, int64, shape (images, crops).
    """

    maps: Mapping[str, Maps]
    own: Maps
    classes: NDArray[np.int64]

    def to_bytes(self) -> bytes:
        """Return the maps as an npz archive of half-precision values and their scales."""
        arrays: dict[str, NDArray[np.generic]] = {_CLASSES: self.classes}
        for name, maps in {**self.maps, _OWN: self.own}.items():
            scale = float(np.abs(maps).max(initial=0.0)) or 1.0
            arrays[_MAP + name] = (maps / scale).astype(np.float16)
            arrays[_SCALE + name] = np.array(scale)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> KeptMaps:
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            maps = {
                name.removeprefix(_MAP): archive[name].astype(np.float32)
                * np.float32(archive[_SCALE + name.removeprefix(_MAP)])
                for name in archive.files
                if name.startswith(_MAP)
            }
            classes = archive[_CLASSES]
        own = maps.pop(_OWN)
        return cls(maps, own, classes)
