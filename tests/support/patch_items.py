"""Items of made-up datasets whose frames are files on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from datastore.datasets.items import CameraIdentity, Item
from datastore.datasets.patch_spec import PatchSpec
from tests.support.dataset_frames import make_frames, timeslot
from tests.support.patch_files import Decoder, write_file
from training.patches.cache import FrameCache
from training.patches.inputs import InputName
from training.patches.source import PatchSource, SensorFacts

CLASSES = ("early", "late")


def make_items(sha256s: Sequence[str], *, cameras: Sequence[str] = ("6001",)) -> list[Item]:
    """Return items of these files, of both classes and all cameras in turn."""
    frames = make_frames(sessions=8, cameras=cameras)
    chosen = [*frames[: len(frames) // 2], *frames[len(frames) // 2 :]]
    by_class = (chosen[: len(frames) // 2], chosen[len(frames) // 2 :])
    return [
        Item.of(
            replace(by_class[number % 2][number // 2], sha256=sha256),
            class_name=CLASSES[number % 2],
            timeslot=timeslot(1 + number % 2),
            block="train",
        )
        for number, sha256 in enumerate(sha256s)
    ]


def made_up_source(
    folder: Path,
    spec: PatchSpec,
    *,
    frames: int = 6,
    cameras: Sequence[str] = ("6001",),
    sensor: SensorFacts | None = None,
    input_name: InputName = "raw-mosaic",
    decoder: Decoder | None = None,
    quota_bytes: int | None = None,
    seed: int = 0,
) -> PatchSource:
    """Return patches of made-up frames; the same arguments give the same patches."""
    files = dict(write_file(folder, f"frame {number}") for number in range(frames))
    items = make_items(list(files), cameras=cameras)
    identities: dict[CameraIdentity, None] = {item.camera: None for item in items}
    return PatchSource(
        items,
        CLASSES,
        spec=spec,
        input_name=input_name,
        cache=FrameCache(folder / "cache", (decoder or Decoder()).content, quota_bytes),
        path_of=files.__getitem__,
        sensors={camera: sensor or SensorFacts() for camera in identities},
        seed=seed,
    )
