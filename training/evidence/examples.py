"""Crops of a sample as values: their light, and the ones that are shown with their maps; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.evidence.map_samples import CropSample, held_defects
from training.evidence.maps_together import MappedImages
from training.evidence.saliency_findings import ExampleCrop
from training.experiments.frame_set import FrameSet
from training.patches.inputs import CachedFrame

Values = NDArray[np.float32]


def values_of_crops(frames: FrameSet, sample: CropSample) -> Values:
    """Return the values of a sample's crops above black, mean of the colours.

    Returns
    -------
    ndarray
        float32 in DN, shape (images, crops, patch size, patch size).
    """
    size = sample.patch_size
    values = np.empty((len(sample.images), len(sample.origins), size, size), np.float32)
    for place, number in enumerate(sample.images.tolist()):
        frame, corner = frames.frames[number], frames.corner(number)
        for crop, origin in enumerate(sample.origins - corner):
            values[place, crop] = _values(frame, int(origin[0]), int(origin[1]), size)
    return values


def _values(frame: CachedFrame, row: int, column: int, size: int) -> Values:
    pixels = frame.pixels[row : row + size, column : column + size].astype(np.float32)
    if pixels.ndim == 3:
        mean: Values = pixels.mean(axis=2)
        return mean
    # the colour cell keeps its phase: origins are even
    black = np.array(frame.black_levels, np.float32).reshape(2, 2)
    return pixels - np.tile(black, (size // 2, size // 2))


def median_residual(values: Values, *, mosaic: bool) -> Values:
    """Return values less their 3x3 median, among photosites of the same colour in a mosaic.

    Parameters
    ----------
    values
        float32, shape (rows, columns), even sides.
    mosaic
        Whether they are of a Bayer mosaic.
    """
    if not mosaic:
        return values - _median(values)
    residual = np.empty_like(values)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        plane = np.ascontiguousarray(values[row::2, column::2])
        residual[row::2, column::2] = plane - _median(plane)
    return residual


def _median(plane: Values) -> NDArray[Any]:
    return cv2.medianBlur(plane, 3)


def example_crops(
    frames: FrameSet,
    sample: CropSample,
    images: MappedImages,
    maps: Mapping[str, Values],
    class_names: Sequence[str],
) -> list[ExampleCrop]:
    """Return a crop of the first and of the last class, with the map of every method.

    The place is the one with most defects, the scene one that both classes show where there is one.

    Parameters
    ----------
    frames
        Of the sample's fold.
    sample
        The crops.
    images
        What is mapped; the sample's images come first.
    maps
        By method, mean of the runs, float32, shape (images, crops, grid, grid).
    class_names
        Names of the classes.
    """
    labels = frames.labels[sample.images]
    scenes = frames.scenes[sample.images]
    last = len(class_names) - 1
    crop, defects = _fullest(sample, images.defects)
    both = sorted(set(scenes[labels == 0].tolist()) & set(scenes[labels == last].tolist()))
    found = []
    for label in (0, last):
        own = np.flatnonzero(labels == label)
        shared = own[np.isin(scenes[own], both[:1])] if both else own
        chosen = shared if len(shared) else own
        if not len(chosen):
            continue
        place = int(chosen[0])
        number = int(sample.images[place])
        origin = sample.origins[crop] - frames.corner(number)
        frame = frames.frames[number]
        values = _values(frame, int(origin[0]), int(origin[1]), sample.patch_size)
        residual = median_residual(values, mosaic=frame.pixels.dtype == np.uint16)
        found += [
            ExampleCrop(
                title=f"{class_names[label]}, scene {scenes[place]}, {method}",
                original=values,
                residual=residual,
                map=of_method[place, crop],
                defects=defects,
            )
            for method, of_method in maps.items()
        ]
    return found


def _fullest(sample: CropSample, defects: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
    """Return the crop with most defects, and where they lie in it."""
    held = held_defects(sample.origins, sample.patch_size, defects)
    crop = int(held.sum(axis=1).argmax())
    return crop, defects[held[crop]] - sample.origins[crop]
