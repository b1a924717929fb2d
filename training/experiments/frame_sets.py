"""Frames of an experiment's blocks, opened as they are needed: files in, frame sets out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datastore.catalogue import Catalogue
from datastore.datasets.items import CameraIdentity
from training.experiments.frame_set import FrameSet
from training.experiments.preparing import Judged
from training.experiments.spec import ExperimentSpec
from training.interventions import mask_variation
from training.patches.cache import FrameCache
from training.patches.defect_places import DefectPlaces, defect_centred_origins
from training.patches.errors import PatchError
from training.patches.inputs import Variation, content_of
from training.patches.opened_frames import OpenedFrames, decode_items
from training.patches.opening import sensor_facts
from training.patches.source import SensorFacts


class FrameSets:
    """Builds the frame sets of an experiment.

    Parameters
    ----------
    catalogue
        Where the files, ledgers and cameras are.
    cache_folder
        Decoded frames.
    spec
        The experiment: input and patches.
    class_names
        The classes in their order.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        cache_folder: Path,
        spec: ExperimentSpec,
        class_names: Sequence[str],
    ) -> None:
        self._catalogue = catalogue
        self._cache = FrameCache(cache_folder, content_of(spec.input))
        self._spec = spec
        self._labels = {name: label for label, name in enumerate(class_names)}

    def decode(
        self, blocks: Sequence[Judged], progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Decode the frames of blocks that the cache does not hold, and check all of them.

        Parameters
        ----------
        blocks
            What will be asked for.
        progress
            Called with the frames done and their total.

        Raises
        ------
        PatchError
            When a file is damaged or gone.
        """
        unique = {}
        for block in blocks:
            variations = _variations(block)
            for item in block.items:
                change = variations.get(item.camera.serial)
                unique[item.sha256, None if change is None else change.name] = (item, change)
        decode_items(list(unique.values()), self._catalogue, self._cache, progress)

    def of(self, judged: Judged) -> FrameSet:
        """Return the frames of a block, each decoded when it is first needed.

        Raises
        ------
        PatchError
            When a file is damaged or gone, or cannot give such patches.
        """
        items = judged.items
        variations = _variations(judged)
        facts = sensor_facts(
            self._catalogue, items, needs_defects=self._spec.patches == "defect-centred"
        )
        frames = FrameSet(
            frames=OpenedFrames(items, self._catalogue, self._cache, variations),
            labels=_int64([self._labels[item.class_name] for item in items]),
            sessions=_text([item.session_unit for item in items]),
            scenes=_text([item.scene_unit or "" for item in items]),
            cameras=_text([item.camera.serial for item in items]),
            corners={camera.serial: one.corner or (0, 0) for camera, one in facts.items()},
        )
        if self._spec.patches != "defect-centred":
            return frames
        return replace(frames, defect_places=self._defect_places(frames, facts))

    def _defect_places(
        self, frames: FrameSet, facts: Mapping[CameraIdentity, SensorFacts]
    ) -> dict[str, DefectPlaces]:
        places = {}
        for camera, sensor in facts.items():
            if sensor.obstacle is not None or sensor.defects is None:
                why = sensor.obstacle or "it has no defect ledger: run `agetrace defects extract`"
                raise PatchError(f"camera {camera}: no defect-centred patches: {why}")
            areas = {
                area
                for area, serial in zip(frames.visible, frames.cameras.tolist(), strict=True)
                if serial == camera.serial
            }
            if len(areas) > 1:
                raise PatchError(
                    f"camera {camera}: its frames show different parts of the sensor; leave some"
                    " out of the dataset"
                )
            places[camera.serial] = defect_centred_origins(
                areas.pop(), self._spec.patch_size, sensor.defects, self._spec.seed
            )
        return places


def _variations(judged: Judged) -> dict[str, Variation]:
    return {serial: mask_variation(places) for serial, places in (judged.masks or {}).items()}


def _int64(values: list[int]) -> NDArray[np.int64]:
    return np.asarray(values, np.int64)


def _text(values: list[str]) -> NDArray[np.str_]:
    return np.asarray(values, np.str_)
