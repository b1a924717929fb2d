"""The images of a frozen dataset, and what a ledger knows of their camera, for age estimators.

Reads the catalogue; what estimators make of it is theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.datasets.items import CameraIdentity, Item
from datastore.datasets.manifest import Manifest
from datastore.tables import DefectLedger
from training.defects.ledger_places import find_camera
from training.defects.ledger_records import read_ledger
from training.estimators.errors import EstimatorError
from training.estimators.images import Images
from training.estimators.known_defects import KnownDefect, known_defects
from training.evidence.defects_between import exposures_of
from training.patches.cache import FrameCache
from training.patches.inputs import InputName, content_of
from training.patches.opened_frames import OpenedFrames, decode_items
from training.patches.opening import sensor_facts
from training.patches.source import Place


@dataclass(frozen=True)
class TrustedImages:
    """Images of one camera whose timeslots are known.

    Attributes
    ----------
    images
        With their times.
    timeslots
        For each image the number of its class in the order of time, int64 of shape (images,).
    class_names
        Names of the classes in that order.
    items
        Of the dataset, one for each image.
    camera
        Whose images.
    corner
        (row, column) in sensor coordinates of the images' first pixel; None where it is not known,
        so that no ledger can be used.
    """

    images: Images
    timeslots: NDArray[np.int64]
    class_names: tuple[str, ...]
    items: tuple[Item, ...]
    camera: CameraIdentity
    corner: Place | None

    def block(self, *names: str) -> TrustedImages:
        """Return those of some blocks."""
        chosen = np.array([item.block in names for item in self.items], np.bool_)
        numbers = np.flatnonzero(chosen).tolist()
        return replace(
            self,
            images=self.images.subset(chosen),
            timeslots=self.timeslots[chosen],
            items=tuple(self.items[number] for number in numbers),
        )


@dataclass(frozen=True)
class CameraLedger:
    """What the newest ledger of a camera says.

    Attributes
    ----------
    id
        Of its row in the catalogue.
    defects
        In the coordinates of the images.
    photosites
        How many lasting defects it has in all; the images may show a part of the sensor.
    """

    id: int
    defects: tuple[KnownDefect, ...]
    photosites: int


def dataset_camera(manifest: Manifest, serial: str | None) -> CameraIdentity:
    """Return the camera of a dataset that is meant.

    Raises
    ------
    EstimatorError
        When it has no such camera, or several and none is named.
    """
    cameras = manifest.header.cameras
    found = [one for one in cameras if serial is None or one.serial == serial]
    serials = ", ".join(one.serial for one in cameras)
    if not found:
        raise EstimatorError(
            f"dataset {manifest.header.name} has no camera {serial}: it has {serials}"
        )
    if len(found) > 1:
        raise EstimatorError(
            f"dataset {manifest.header.name} has several cameras ({serials}): name one, defects"
            " belong to a camera"
        )
    return found[0]


def trusted_images(
    catalogue: Catalogue,
    manifest: Manifest,
    camera: CameraIdentity,
    cache_folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> TrustedImages:
    """Return all images that a camera has in a dataset, decoded.

    Parameters
    ----------
    catalogue
        Where the files and ledgers are.
    manifest
        The dataset.
    camera
        Whose images.
    cache_folder
        Decoded frames, on a disk of this host.
    progress
        Called with the frames decoded and their total.

    Raises
    ------
    EstimatorError
        When exposure time or ISO of an image are unknown.
    PatchError
        When a file is damaged or gone.
    """
    items = tuple(one for one in manifest.items if one.camera == camera)
    cache = FrameCache(cache_folder, content_of(_input_of(manifest)))
    decode_items([(one, None) for one in items], catalogue, cache, progress)
    facts = sensor_facts(catalogue, items)[camera]
    is_raw = manifest.header.role == "raw"
    names = _names_in_time(manifest, items)
    images = Images(
        OpenedFrames(items, catalogue, cache, {}),
        _exposure_factors(catalogue, items),
        np.array([one.session_unit for one in items]),
        np.array([one.scene_unit or "" for one in items]),
        np.array([one.camera.serial for one in items]),
        np.array([one.triggered_at.replace(tzinfo=None) for one in items], "datetime64[us]"),
    )
    timeslots = np.array([names.index(one.class_name) for one in items], np.int64)
    corner = (0, 0) if is_raw else facts.corner
    return TrustedImages(images, timeslots, names, items, camera, corner)


def camera_ledger(catalogue: Catalogue, trusted: TrustedImages) -> CameraLedger | None:
    """Return what the camera's newest ledger knows of the photosites that the images show.

    Defects that annealed or were mapped out are left out.

    Dark currents and offsets are kept for RAW files alone: those of JPEG files went through a tone
    curve. An offset grows with the gain, and is kept where all images share one ISO.

    Returns
    -------
    CameraLedger or None
        None where the camera has no ledger, or where the images lie on the sensor is not known.
    """
    if trusted.corner is None:
        return None
    with catalogue.reading() as session:
        camera_id = find_camera(session, trusted.camera).id
        ledger_id = session.scalar(
            select(DefectLedger.id)
            .where(DefectLedger.camera_id == camera_id)
            .order_by(DefectLedger.id.desc())
            .limit(1)
        )
    if ledger_id is None:
        return None
    # what went away again, or is hidden by the camera, does not tell that time has passed
    lasting = [
        one for one in read_ledger(catalogue, camera_id) if not (one.annealed or one.mapped_out)
    ]
    entries = known_defects(lasting)
    is_raw = trusted.items[0].role == "raw"
    isos = {one.iso for one in trusted.items}
    gain = isos.pop() if len(isos) == 1 else None
    top, left, height, width = trusted.images.frames[0].visible
    found = []
    for one in entries:
        row, column = one.row - trusted.corner[0], one.column - trusted.corner[1]
        if not (top <= row < top + height and left <= column < left + width):
            continue
        offset_dn = None
        if is_raw and gain is not None and one.offset_dn is not None:
            offset_dn = one.offset_dn * gain / 100
        found.append(
            replace(
                one,
                row=row,
                column=column,
                dark_rate_dn_per_s=one.dark_rate_dn_per_s if is_raw else None,
                offset_dn=offset_dn,
            )
        )
    return CameraLedger(ledger_id, tuple(found), len(entries))


def _input_of(manifest: Manifest) -> InputName:
    return "raw-mosaic" if manifest.header.role == "raw" else "jpeg-luma"


def _names_in_time(manifest: Manifest, items: Sequence[Item]) -> tuple[str, ...]:
    """Return the classes that items have, the earliest first."""
    middle = {}
    for name in manifest.header.class_names:
        times = sorted(one.triggered_at for one in items if one.class_name == name)
        if times:
            middle[name] = times[len(times) // 2]
    return tuple(sorted(middle, key=lambda name: middle[name]))


def _exposure_factors(catalogue: Catalogue, items: Sequence[Item]) -> NDArray[np.float64]:
    exposures = exposures_of(catalogue, items)
    if exposures is None:
        unknown = next(one for one in items if one.exposure is None or one.iso is None)
        raise EstimatorError(
            f"the exposure time or ISO of frame {unknown.sha256[:12]} is unknown: dark current"
            " grows with both; leave it out of the dataset"
        )
    return np.array([one.exposure_s * one.iso / 100 * one.dark_factor for one in exposures])
