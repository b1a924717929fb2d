"""The patches of a dataset's frames by number, as arrays; knows no catalogue and no torch.

Patches are numbered frame by frame in the order of the items. What a number gives is a function of
the items, the seed and the epoch alone, whichever process asks, and however often.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datastore.canonical import content_sha256
from datastore.datasets.items import CameraIdentity, Item
from datastore.datasets.patch_spec import PatchSpec
from training.patches.batches import BatchMemory, cut_batch
from training.patches.cache import FrameCache
from training.patches.defect_places import defect_centred_origins
from training.patches.errors import PatchError
from training.patches.inputs import CachedFrame, InputName, Transform, Variation, batch_shape
from training.patches.mapped import MappedFrames
from training.patches.order import drawn_numbers
from training.patches.places import (
    Area,
    Origins,
    even_choices,
    five_crop_origins,
    grid_origins,
    tile_origins,
)

Place = tuple[int, int]


@dataclass(frozen=True)
class SensorFacts:
    """What is known of a camera beside its frames.

    Attributes
    ----------
    corner
        (row, column) in full `raw_image` space of the first pixel of the camera's frames: (0, 0)
        for mosaics, the crop offset for JPEG files; None where it is not known, and coordinates
        are then counted from that pixel.
    defects
        (row, column) of every known defect, shape (defects, 2); None where there is no ledger.
    obstacle
        Why patches cannot be centred on defects, where they cannot.
    variation
        A change of every frame of the camera, such as a mask.
    """

    corner: Place | None = (0, 0)
    defects: NDArray[np.int64] | None = None
    obstacle: str | None = None
    variation: Variation | None = None


@dataclass(frozen=True)
class PatchArrays:
    """A batch of patches, ready for a network.

    Attributes
    ----------
    pixels
        float32, shape (patches, channels, rows, columns).
    labels
        Number of each patch's class, int64.
    ages_s
        Age of each patch's frame in seconds, float32; NaN where the dataset has no ages.
    items
        Number of each patch's item, int64.
    origins
        (row, column) of each patch's first photosite in full `raw_image` space, int64, shape
        (patches, 2).
    has_defect
        Whether the patch is around a defect, bool; False for controls and all other kinds.
    """

    pixels: NDArray[np.float32]
    labels: NDArray[np.int64]
    ages_s: NDArray[np.float32]
    items: NDArray[np.int64]
    origins: Origins
    has_defect: NDArray[np.bool_]


@dataclass(frozen=True)
class _Camera:
    """Frames of one camera: which part of the sensor they show, and where their patches lie."""

    variation: str | None
    size: tuple[int, int]
    corner: Place
    visible: Area
    origins: Origins
    has_defect: NDArray[np.bool_]


class PatchSource:
    """Patches of items by number.

    Parameters
    ----------
    items
        Items of a manifest, such as those of its train block.
    class_names
        The dataset's classes in their order.
    spec
        Which patches.
    input_name
        What the network sees.
    cache
        Decoded frames, of the content that the input needs.
    path_of
        Returns where the file of an asset's hash lies.
    sensors
        What is known of each camera.
    transform
        `linear` or `square-root`, see `training.patches.batches.cut_batch`.
    seed
        Of random places and of controls.

    Raises
    ------
    PatchError
        When there are no items, or their frames cannot give such patches.
    """

    def __init__(
        self,
        items: Sequence[Item],
        class_names: Sequence[str],
        *,
        spec: PatchSpec,
        input_name: InputName,
        cache: FrameCache,
        path_of: Callable[[str], Path],
        sensors: Mapping[CameraIdentity, SensorFacts],
        transform: Transform = "linear",
        seed: int = 0,
    ) -> None:
        if not items:
            raise PatchError("no items to cut patches from")
        self.items = tuple(items)
        self.spec = spec
        self.input_name = input_name
        self.transform = transform
        self.seed = seed
        self._cache = cache
        self._path_of = path_of
        self._sensors = sensors
        self._memory = BatchMemory()
        self._frames = MappedFrames(self._load, cache.quota_bytes)
        numbers = {name: number for number, name in enumerate(class_names)}
        self._labels = np.array([numbers[item.class_name] for item in items], np.int64)
        self._ages_s = np.array(
            [np.nan if item.age_s is None else item.age_s for item in items], np.float32
        )
        self._number_cameras()

    def _number_cameras(self) -> None:
        """Lay out the patches of every camera by its first frame, and count them."""
        identities = {item.camera: None for item in self.items}
        order = {camera: number for number, camera in enumerate(identities)}
        self._camera_of = np.array([order[item.camera] for item in self.items], np.int32)
        self._cameras: list[_Camera] = []
        for number, camera in enumerate(identities):
            first = int(np.argmax(self._camera_of == number))
            self._cameras.append(self._laid_out(camera, self._open(first)))
        counts = np.array([len(one.origins) for one in self._cameras], np.int64)
        self._table_starts = np.cumsum(counts) - counts
        self._origins = np.concatenate([one.origins for one in self._cameras])
        self._has_defect = np.concatenate([one.has_defect for one in self._cameras])
        self._ends = np.cumsum(counts[self._camera_of])
        if self.spec.kind == "random":
            fits = [even_choices(one.visible, self.spec.size) for one in self._cameras]
            self._first_places = np.array([first for first, _ in fits])
            self._choices = np.array([choices for _, choices in fits])

    def _laid_out(self, camera: CameraIdentity, frame: CachedFrame) -> _Camera:
        sensor = self._sensors[camera]
        row, column = sensor.corner or (0, 0)
        top, left, height, width = frame.visible
        visible = (top + row, left + column, height, width)
        spec = self.spec
        if spec.kind == "defect-centred":
            if sensor.obstacle is not None or sensor.defects is None:
                why = sensor.obstacle or "it has no defect ledger: run `agetrace defects extract`"
                raise PatchError(f"camera {camera}: no defect-centred patches: {why}")
            places = defect_centred_origins(
                visible, spec.size, sensor.defects, self.seed, spec.count
            )
            origins, has_defect = places.origins, places.has_defect
        else:
            if spec.kind == "random":
                even_choices(visible, spec.size)
                origins = np.zeros((spec.count or 1, 2), np.int64)
            elif spec.kind == "grid":
                origins = grid_origins(visible, spec.size, spec.count)
            elif spec.kind == "five-crop":
                origins = five_crop_origins(visible, spec.size)
            else:
                origins = tile_origins(visible, spec.size)
            has_defect = np.zeros(len(origins), bool)
        variation = None if sensor.variation is None else sensor.variation.name
        return _Camera(variation, frame.size, (row, column), visible, origins, has_defect)

    def __len__(self) -> int:
        """Return the number of patches of an epoch."""
        return int(self._ends[-1])

    @cached_property
    def identity(self) -> str:
        """Return a hash of what decides the patches: items, places, input, transform and seed."""
        facts = [
            [item.sha256 for item in self.items],
            self.spec.model_dump(mode="json"),
            self.input_name,
            self.transform,
            self.seed,
            self._origins.tolist(),
            [[*one.visible, *one.corner, one.variation] for one in self._cameras],
        ]
        return content_sha256(facts)

    def batch(self, numbers: NDArray[np.int64], epoch: int = 0) -> PatchArrays:
        """Return patches by their numbers.

        Parameters
        ----------
        numbers
            Numbers of patches, int64, shape (patches,).
        epoch
            Number of the epoch, which decides where patches of random places lie.

        Raises
        ------
        IndexError
            When there is no patch of a number.
        PatchError
            When a frame does not show the part of the sensor that its camera's first one shows.
        """
        numbers = np.asarray(numbers, np.int64)
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"patches are numbered 0 to {len(self) - 1}")
        items = np.searchsorted(self._ends, numbers, side="right")
        cameras = self._camera_of[items]
        origins, has_defect = self._places(numbers, items, cameras, epoch)
        corners = np.array([one.corner for one in self._cameras], np.int64)[cameras]
        shape = batch_shape(self.input_name, len(numbers), self.spec.size)
        pixels = cut_batch(
            [self._frames[item] for item in items.tolist()],
            origins - corners,
            self.spec.size,
            input_name=self.input_name,
            transform=self.transform,
            out=self._memory.take(shape),
        )
        return PatchArrays(
            pixels, self._labels[items], self._ages_s[items], items, origins, has_defect
        )

    def _places(
        self,
        numbers: NDArray[np.int64],
        items: NDArray[np.int64],
        cameras: NDArray[np.int32],
        epoch: int,
    ) -> tuple[Origins, NDArray[np.bool_]]:
        if self.spec.kind == "random":
            drawn = drawn_numbers(numbers, self._choices[cameras], self.seed, epoch)
            return self._first_places[cameras] + 2 * drawn, np.zeros(len(numbers), bool)
        counts = np.diff(self._ends, prepend=0)[items]
        rows = self._table_starts[cameras] + numbers - (self._ends[items] - counts)
        return self._origins[rows], self._has_defect[rows]

    def prepare(self, threads: int = 1, progress: Callable[[int, int], None] | None = None) -> None:
        """Decode every frame that the cache does not hold, and check all of them.

        Parameters
        ----------
        threads
            How many frames are decoded at a time.
        progress
            Called with the frames done and their total.

        Raises
        ------
        PatchError
            When a frame cannot be used.
        """
        total = len(self.items)
        executor = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        try:
            for done, _ in enumerate(executor.map(self._check, range(total)), start=1):
                if progress is not None:
                    progress(done, total)
        finally:
            executor.shutdown(cancel_futures=True)

    def _check(self, item: int) -> None:
        self._load(item)

    def _open(self, number: int) -> CachedFrame:
        item = self.items[number]
        return self._cache.frame(
            item.sha256, self._path_of(item.sha256), self._sensors[item.camera].variation
        )

    def _load(self, number: int) -> CachedFrame:
        frame = self._open(number)
        camera = self._cameras[self._camera_of[number]]
        row, column = camera.corner
        top, left, height, width = frame.visible
        if (frame.size, (top + row, left + column, height, width)) != (camera.size, camera.visible):
            item = self.items[number]
            raise PatchError(
                f"item {item.sha256} of camera {item.camera}: a frame of {frame.size[0]} x"
                f" {frame.size[1]}, where its first has {camera.size[0]} x {camera.size[1]} and"
                " shows another part of the sensor; leave it out of the dataset"
            )
        return frame
