"""The maps of all runs by one method, brought together run by run and measured; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evidence.saliency_findings import MapsFinding
from training.saliency.constancy import constancy
from training.saliency.content_independence import content_independence
from training.saliency.measures import HitRates, hit_rates, pearson, standardised
from training.saliency.randomisation import SanityCheck, sanity_check
from training.saliency.strips import GAP_PHOTOSITES, Strip, coarse, fitting_cells

Maps = NDArray[np.float32]
Coordinates = NDArray[np.int64]

HIT_RADII_PHOTOSITES = (0.0, 4.0, float(GAP_PHOTOSITES))
_SAMPLES = 499


@dataclass(frozen=True)
class MappedImages:
    """The images of one camera whose crops are mapped, over all folds.

    Attributes
    ----------
    camera
        Serial.
    origins
        Of the crops, (row, column) on the sensor, shape (crops, 2).
    patch_size
        Side of a crop in photosites.
    labels, scenes, sessions
        Of each image, shape (images,).
    classes
        How many there are.
    defects
        (row, column) of those that the ledger saw arise, shape (defects, 2).
    """

    camera: str
    origins: Coordinates
    patch_size: int
    labels: NDArray[np.int64]
    scenes: NDArray[np.str_]
    sessions: NDArray[np.str_]
    classes: int
    defects: Coordinates


class MapsTogether:
    """Maps of one method, added run by run; holds means, never all maps.

    Parameters
    ----------
    method
        Such as `cam`.
    images
        What is mapped.
    """

    def __init__(self, method: str, images: MappedImages) -> None:
        self.method = method
        self._images = images
        self._scenes = np.unique(images.scenes)
        self._sums: Maps | None = None
        self._counts = np.zeros(len(images.labels), np.int64)
        self._class_means: list[Maps] = []

    def add(self, maps: Maps, numbers: NDArray[np.int64]) -> None:
        """Add the maps of a run.

        Parameters
        ----------
        maps
            float32, shape (images of the run's fold, crops, grid, grid).
        numbers
            Which of the images they are of.
        """
        images = self._images
        fitted = fitting_cells(maps, images.patch_size)
        if self._sums is None:
            self._sums = np.zeros((len(images.labels), *fitted.shape[1:]), np.float32)
        self._sums[numbers] += _scaled(fitted)
        self._counts[numbers] += 1
        small = _scaled(coarse(fitted, images.patch_size))
        strips = self._strip(small).laid_out(small)
        shape = (images.classes, len(self._scenes), *strips.shape[1:])
        means = np.full(shape, np.nan, np.float32)
        for label in range(images.classes):
            for place, scene in enumerate(self._scenes):
                chosen = (images.labels[numbers] == label) & (images.scenes[numbers] == scene)
                if chosen.any():
                    means[label, place] = strips[chosen].mean(axis=0)
        self._class_means.append(means)

    def image_maps(self) -> Maps:
        """Return the mean map of the runs for every image, (images, crops, grid, grid)."""
        if self._sums is None:
            raise ValueError("no maps were added")
        counts = np.maximum(self._counts, 1)[:, None, None, None]
        means: Maps = (self._sums / counts).astype(np.float32)
        return means

    def finding(
        self,
        luminance: Maps,
        reference: MapsTogether | None,
        randomised_weights: SanityCheck,
        other_labels: SanityCheck | None,
        *,
        seed: int,
    ) -> MapsFinding:
        """Measure what was added.

        Parameters
        ----------
        luminance
            Values of the crops by photosite, float32, shape (images, crops, side, side).
        reference
            The method that others are compared with; None for itself.
        randomised_weights, other_labels
            Against networks that know nothing.
        seed
            Of the nulls.
        """
        images, maps = self._images, self.image_maps()
        strip = self._strip(maps)
        small = coarse(maps, images.patch_size)
        small_strip = self._strip(small)
        return MapsFinding(
            method=self.method,
            camera=images.camera,
            runs=len(self._class_means),
            images=len(images.labels),
            crops_per_image=len(images.origins),
            cell_photosites=strip.cell_photosites,
            agreement=None if reference is None else _agreement(maps, reference.image_maps()),
            constancy=constancy(np.stack(self._class_means), samples=_SAMPLES, seed=seed),
            independence=content_independence(
                small_strip.laid_out(small),
                small_strip.laid_out(_in_cells(luminance, small_strip.grid)),
                images.scenes,
                images.sessions,
                samples=_SAMPLES,
                seed=seed,
            ),
            hits=self._hits(maps, strip, seed),
            randomised_weights=randomised_weights,
            other_labels=other_labels,
        )

    def _hits(self, maps: Maps, strip: Strip, seed: int) -> HitRates | None:
        images = self._images
        last = images.labels == images.classes - 1
        if not last.any():
            return None
        mean_map = maps[last].mean(axis=0, keepdims=True, dtype=np.float64)
        return hit_rates(
            strip.in_photosites(strip.laid_out(mean_map)[0]),
            strip.places(images.defects),
            radii_photosites=HIT_RADII_PHOTOSITES,
            cell_photosites=strip.cell_photosites,
            seed=seed,
        )

    def _strip(self, maps: NDArray[np.floating[Any]]) -> Strip:
        images = self._images
        return Strip(images.origins, images.patch_size, images.patch_size // maps.shape[-1])


def compared_maps(
    trained: Maps, changed: Maps, images: MappedImages, numbers: NDArray[np.int64], seed: int
) -> SanityCheck:
    """Compare a network's maps with those of a network that knows nothing.

    Parameters
    ----------
    trained, changed
        float32, shape (images, crops, grid, grid) each.
    images
        What is mapped.
    numbers
        Which of the images they are of.
    seed
        Of the resampling.
    """
    size = images.patch_size
    strips = []
    for maps in (trained, changed):
        fitted = fitting_cells(maps, size)
        strip = Strip(images.origins, size, size // fitted.shape[-1])
        strips.append(strip.laid_out(fitted))
    return sanity_check(strips[0], strips[1], sessions=images.sessions[numbers], seed=seed)


def _scaled(maps: Maps) -> Maps:
    """Return maps divided by the run's own spread, so that no run speaks louder than others."""
    spread = float(maps.std())
    return maps / np.float32(spread) if spread > 0 else maps


def _agreement(maps: Maps, others: Maps) -> float | None:
    """Return the mean correlation of two methods' maps, in the coarser cells of the two."""
    grid = min(maps.shape[-1], others.shape[-1])
    if maps.shape[-1] % grid or others.shape[-1] % grid:
        return None
    found = [
        value
        for one, other in zip(_in_cells(maps, grid), _in_cells(others, grid), strict=True)
        if (value := pearson(one, other)) is not None
    ]
    return float(np.mean(found)) if found else None


def _in_cells(values: Maps, grid: int) -> Maps:
    """Return means over the cells of a coarser grid, shape (images, crops, grid, grid)."""
    size = values.shape[-1] // grid
    blocks = values.reshape(*values.shape[:2], grid, size, grid, size)
    means: Maps = blocks.mean(axis=(3, 5), dtype=np.float64).astype(np.float32)
    return means


def superimposed_agreement(maps: Maps) -> float | None:
    """Return the mean correlation of two runs' maps of a class, shape (runs, classes, rows, ...).

    None where no two runs have a map of the same class.
    """
    found = []
    for of_class in np.moveaxis(maps, 1, 0):
        vectors = standardised(of_class[np.isfinite(of_class).all(axis=(1, 2))])
        products = vectors @ vectors.T
        pairs = products[np.triu_indices(len(products), 1)]
        found += pairs[np.isfinite(pairs)].tolist()
    return float(np.mean(found)) if found else None
