"""Where the networks of an experiment look: the measures of their maps together; plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.saliency.constancy import Constancy
from training.saliency.content_independence import ContentIndependence
from training.saliency.measures import HitRates
from training.saliency.randomisation import SanityCheck


@dataclass(frozen=True)
class MapsFinding:
    """What the maps of one method say about the crops of one camera.

    Attributes
    ----------
    method
        Such as `grad-cam`.
    camera
        Serial.
    runs, images, crops_per_image
        How many were mapped.
    cell_photosites
        Side of a cell of the maps.
    agreement
        Mean correlation with the maps of the first method, image by image; None for constant maps.
    constancy
        Of class-mean maps across runs.
    independence
        Of the content, by the mean map of the runs.
    hits
        At defects that the ledger saw arise, by the mean map of the last class; None without any.
    randomised_weights
        Against the maps of a network with fresh weights.
    other_labels
        Against those of a placebo's network; None where none was given.
    """

    method: str
    camera: str
    runs: int
    images: int
    crops_per_image: int
    cell_photosites: int
    agreement: float | None
    constancy: Constancy
    independence: ContentIndependence
    hits: HitRates | None
    randomised_weights: SanityCheck
    other_labels: SanityCheck | None


@dataclass(frozen=True)
class Superimposed:
    """Maps of an image's own class over correctly predicted crops of a camera.

    Attributes
    ----------
    camera, method
        Whose, and by what.
    class_names
        In the order of the maps.
    runs
        Numbers of the runs, in the order of the maps.
    maps
        float32, shape (runs, classes, rows, columns), in crop coordinates; NaN where a run
        predicted no crop of a class correctly.
    crops
        Correctly predicted crops, shape (runs, classes).
    agreement
        Mean correlation of two runs' maps of a class; None where there are no two.
    """

    camera: str
    method: str
    class_names: tuple[str, ...]
    runs: tuple[int, ...]
    maps: NDArray[np.float32]
    crops: NDArray[np.int64]
    agreement: float | None

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON, undefined cells as null."""
        document = {one: getattr(self, one) for one in ("camera", "method", "agreement")}
        return document | {
            "class_names": list(self.class_names),
            "runs": list(self.runs),
            "crops": self.crops.tolist(),
            "maps": [
                [[[_number(value) for value in row] for row in one.tolist()] for one in of_classes]
                for of_classes in self.maps
            ],
        }


def _number(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None


@dataclass(frozen=True)
class ExampleCrop:
    """A crop with its map, to be looked at.

    Attributes
    ----------
    title
        Class, scene and method.
    original, residual
        Values above black and their median residuals in DN, float32, shape (rows, columns).
    map
        Evidence for the last class, mean over the runs, float32, of any resolution.
    defects
        (row, column) of the defects in the crop, shape (defects, 2).
    """

    title: str
    original: NDArray[np.float32]
    residual: NDArray[np.float32]
    map: NDArray[np.float32]
    defects: NDArray[np.int64]


@dataclass(frozen=True)
class SaliencyFindings:
    """Where the networks of an experiment look.

    Attributes
    ----------
    of_class
        The class whose evidence is mapped, in frames of every class.
    methods
        What each method says, camera by camera.
    superimposed
        Over correctly predicted crops, camera by camera.
    not_mapped
        Why a method says nothing, by its name.
    image_maps
        By run and camera, sha256 of the file with the maps of every crop by every method.
    image_map_files
        Where these files lie; not in the JSON.
    examples
        Crops to be looked at; not in the JSON.
    """

    of_class: str
    methods: tuple[MapsFinding, ...] = ()
    superimposed: tuple[Superimposed, ...] = ()
    not_mapped: dict[str, str] = field(default_factory=dict)
    image_maps: dict[str, str] = field(default_factory=dict)
    image_map_files: dict[str, Path] = field(default_factory=dict)
    examples: tuple[ExampleCrop, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return everything but files and examples as JSON."""
        return {
            "of_class": self.of_class,
            "methods": [asdict(one) for one in self.methods],
            "superimposed": [one.to_json() for one in self.superimposed],
            "not_mapped": self.not_mapped,
            "image_maps": self.image_maps,
        }
