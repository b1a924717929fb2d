"""Patches of a frozen dataset, with what the catalogue knows of its cameras; no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from datastore.catalogue import Catalogue
from datastore.datasets.items import CameraIdentity, Item
from datastore.datasets.manifest import Header, Manifest
from datastore.datasets.patch_spec import PatchSpec
from datastore.frames import read_frame, read_jpeg_luma
from datastore.tables import Asset, Verdict
from training.defects.ledger_places import find_camera, ledger_places
from training.patches.cache import FrameCache
from training.patches.crop_offset import find_crop_offset
from training.patches.errors import PatchError
from training.patches.inputs import INPUTS, InputName, Transform, Variation, content_of
from training.patches.source import PatchSource, Place, SensorFacts

_ASKED_AT_ONCE = 500


def open_patches(
    catalogue: Catalogue,
    manifest: Manifest,
    *,
    blocks: Sequence[str] = ("train",),
    patches: PatchSpec | None = None,
    input_name: InputName | None = None,
    cache_folder: Path,
    quota_bytes: int | None = None,
    transform: Transform = "linear",
    seed: int = 0,
    crop_offsets: Mapping[str, Place] | None = None,
    variations: Mapping[str, Variation] | None = None,
) -> PatchSource:
    """Open patches of a dataset's blocks.

    Parameters
    ----------
    catalogue
        Holds the frames' files, the cameras' defect ledgers and sizes.
    manifest
        The frozen dataset.
    blocks
        Whose items, in the manifest's order.
    patches
        Which patches; those that the dataset's specification names by default.
    input_name
        What the network sees; the specification's input by default.
    cache_folder
        Decoded frames, on a disk of this host; several datasets and processes may share it.
    quota_bytes
        The most that decoded frames take on the disk; None sets no bound.
    transform
        `linear`, or `square-root` to make photon noise the same at every brightness.
    seed
        Of random places and of controls.
    crop_offsets
        By a camera's serial, the (row, column) in full `raw_image` space of its JPEG files' first
        pixel. Where it is not given, it is (0, 0) for files of the sensor's size, and else found
        from a shot that has both files.
    variations
        By a camera's serial, a change of its mosaics, such as the mask of its defects.

    Raises
    ------
    PatchError
        When nobody says which patches or which input, the input does not suit the dataset, its
        blocks have no items, or the frames cannot give such patches.
    """
    items = manifest.block(*blocks)
    header = manifest.header
    if not items:
        raise PatchError(f"dataset {header.name}: no items in {', '.join(blocks) or 'no block'}")
    patches, input_name = patches or _own_patches(header), input_name or _own_input(header)
    if (header.role == "raw") != input_name.startswith("raw-"):
        raise PatchError(
            f"dataset {header.name} is of {header.role} files, which give no {input_name}"
        )
    cameras = {item.camera for item in items}
    for serial in {*(crop_offsets or {}), *(variations or {})}:
        if serial not in {camera.serial for camera in cameras}:
            raise PatchError(f"dataset {header.name} has no items of a camera {serial}")
    if variations and header.role != "raw":
        raise PatchError(f"dataset {header.name} is of JPEG files: only mosaics have variations")
    return PatchSource(
        items,
        header.class_names,
        spec=patches,
        input_name=input_name,
        cache=FrameCache(cache_folder, content_of(input_name), quota_bytes),
        path_of=catalogue.store.path,
        sensors=sensor_facts(
            catalogue,
            items,
            crop_offsets=crop_offsets,
            variations=variations,
            needs_defects=patches.kind == "defect-centred",
        ),
        transform=transform,
        seed=seed,
    )


def sensor_facts(
    catalogue: Catalogue,
    items: Sequence[Item],
    *,
    crop_offsets: Mapping[str, Place] | None = None,
    variations: Mapping[str, Variation] | None = None,
    needs_defects: bool = False,
) -> dict[CameraIdentity, SensorFacts]:
    """Return what patches need to know of the cameras of items.

    Parameters
    ----------
    catalogue
        Holds the frames' files, the cameras' defect ledgers and sizes.
    items
        Items of a dataset, all of one role.
    crop_offsets, variations
        As for `open_patches`.
    needs_defects
        Whether patches are centred on defects.
    """
    known = _Cameras(catalogue, items, crop_offsets or {}, variations or {}, needs_defects)
    return {camera: known.sensor(camera) for camera in {item.camera for item in items}}


def _own_patches(header: Header) -> PatchSpec:
    found = header.specification.get("patches")
    if found is None:
        raise PatchError(f"dataset {header.name} does not say which patches: give some")
    return PatchSpec.model_validate(found)


def _own_input(header: Header) -> InputName:
    found = header.specification.get("input")
    for name in INPUTS:
        if name == found:
            return name
    raise PatchError(f"dataset {header.name} does not say which input: give one")


class _Cameras:
    """What the catalogue knows of the cameras of items."""

    def __init__(
        self,
        catalogue: Catalogue,
        items: Sequence[Item],
        crop_offsets: Mapping[str, Place],
        variations: Mapping[str, Variation],
        needs_defects: bool,
    ) -> None:
        self._catalogue = catalogue
        self._items = items
        self._crop_offsets = crop_offsets
        self._variations = variations
        self._needs_defects = needs_defects

    def sensor(self, camera: CameraIdentity) -> SensorFacts:
        """Return what patches need to know of a camera."""
        items = [item for item in self._items if item.camera == camera]
        with self._catalogue.reading() as session:
            places = None
            if self._needs_defects:
                places = ledger_places(session, find_camera(session, camera))
            defects = None if places is None else places.known
            if items[0].role == "raw":
                variation = self._variations.get(camera.serial)
                return SensorFacts(defects=defects, variation=variation)
            corner = self._corner(session, camera, items)
            obstacle = None
            if self._needs_defects:
                if any(_is_resized(session, part) for part in _parts(items)):
                    obstacle = (
                        "the camera resized its pictures, in which no defect has a place of its own"
                    )
                elif corner is None:
                    obstacle = (
                        "where its JPEG files lie on the sensor is not known: give crop_offsets"
                    )
            return SensorFacts(corner, defects, obstacle)

    def _corner(
        self, session: Session, camera: CameraIdentity, items: Sequence[Item]
    ) -> Place | None:
        if camera.serial in self._crop_offsets:
            return self._crop_offsets[camera.serial]
        store = self._catalogue.store
        luma = read_jpeg_luma(store.path(items[0].sha256))
        row = find_camera(session, camera)
        if (row.height, row.width) == luma.shape:
            return (0, 0)
        pair = next((found for part in _parts(items) if (found := _raw_pair(session, part))), None)
        if pair is None:
            return None
        jpeg_sha256, raw_sha256 = pair
        frame = read_frame(store.path(raw_sha256))
        return find_crop_offset(frame, read_jpeg_luma(store.path(jpeg_sha256)))


def _parts(items: Sequence[Item]) -> Iterator[list[str]]:
    """Yield the items' hashes, as many as a statement may name."""
    for start in range(0, len(items), _ASKED_AT_ONCE):
        yield [item.sha256 for item in items[start : start + _ASKED_AT_ONCE]]


def _raw_pair(session: Session, sha256s: Sequence[str]) -> tuple[str, str] | None:
    """Return a JPEG and the RAW file of the same shot."""
    raw = aliased(Asset)
    found = session.execute(
        select(Asset.sha256, raw.sha256)
        .join(raw, raw.shot_id == Asset.shot_id)
        .where(Asset.sha256.in_(sha256s), raw.role == "raw")
        .order_by(Asset.id)
        .limit(1)
    ).first()
    return None if found is None else (found[0], found[1])


def _is_resized(session: Session, sha256s: Sequence[str]) -> bool:
    """Return whether an import found one of these files smaller than its camera's sensor."""
    numbers = session.scalars(
        select(Verdict.numbers)
        .join(Asset, Asset.shot_id == Verdict.shot_id)
        .where(Asset.sha256.in_(sha256s), Verdict.numbers.is_not(None))
    )
    return any("resized" in one for one in numbers if one is not None)
