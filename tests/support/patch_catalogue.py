"""A catalogue whose frames are files of a virtual camera: RAW files, or pictures made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.datasets.items import CameraIdentity, Frame
from datastore.datasets.manifest import Manifest
from datastore.datasets.spec import DatasetSpec
from datastore.tables import Asset, Camera, DefectLedger, LedgerDefect, Shot, Verdict
from tests.support.dataset_frames import dataset_spec, freeze_frames, make_frames
from tests.support.dataset_rows import FrameWriter, write_scheme
from tests.support.frame_files import dng

AT = datetime(2026, 5, 1, tzinfo=UTC)
ROWS, COLUMNS = 192, 256
SCENES = ("beach", "forest", "harbour", "kitchen")


def lit_mosaic(seed: int) -> NDArray[np.uint16]:
    """Return an RGGB frame of a structured scene, black level 512, white level 4095."""
    generator = np.random.default_rng(seed)
    light = np.zeros((ROWS, COLUMNS))
    for cells in (4, 9, 30, 60):
        coarse = generator.uniform(0, 1, (cells * ROWS // COLUMNS + 2, cells + 2))
        light += cv2.resize(coarse, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC)
    signal = 3000 * (light - light.min()) / np.ptp(light)
    signal[0::2, 0::2] *= 0.6
    signal[1::2, 1::2] *= 0.7
    noisy = 512 + generator.poisson(signal * 4) / 4 + generator.normal(0, 3, signal.shape)
    mosaic: NDArray[np.uint16] = np.clip(np.round(noisy), 0, 4095).astype(np.uint16)
    return mosaic


def picture_of(mosaic: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return the colours that a camera would make of a frame, of the frame's size."""
    above = np.clip(mosaic.astype(np.int32) - 512, 0, 3583).astype(np.uint16)
    colours = cv2.cvtColor(above, cv2.COLOR_BayerBG2RGB).astype(np.float64)
    balanced = colours * [1 / 0.6, 1.0, 1 / 0.7] / 3583
    return (255 * np.clip(balanced, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def jpeg_of(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture as a JPEG file."""
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(picture), quality=92))


def fill_with_raw_files(
    catalogue: Catalogue, **specified: Any
) -> tuple[Manifest, dict[str, NDArray[np.uint16]]]:
    """Add a dataset of RAW files; return its manifest, and the mosaics by hash."""
    mosaics, frames = {}, []
    for seed, frame in enumerate(make_frames(exposures=("1/2",), scenes=SCENES)):
        mosaic = lit_mosaic(seed)
        sha256 = catalogue.store.put_bytes(dng(mosaic)).sha256
        mosaics[sha256] = mosaic
        frames.append(replace(frame, sha256=sha256))
    _fill(catalogue, frames, (ROWS, COLUMNS))
    return freeze_frames(_spec(**specified), frames), mosaics


def fill_with_pictures(
    catalogue: Catalogue,
    crop: tuple[int, int] | None = None,
    *,
    with_raw_files: bool = False,
    sensor: tuple[int, int] = (ROWS, COLUMNS),
    is_resized: bool = False,
) -> tuple[Manifest, dict[str, NDArray[np.uint8]]]:
    """Add a dataset of JPEG files that were cut from frames; return their colours by hash too.

    `crop` is how much was cut off above and to the left; it is 12 photosites on the other sides.
    """
    pictures, frames, raw_files = {}, [], {}
    for seed, frame in enumerate(make_frames(role="jpeg", exposures=("1/2",), scenes=SCENES)):
        mosaic = lit_mosaic(seed)
        picture = picture_of(mosaic)
        if crop is not None:
            picture = picture[crop[0] : -12, crop[1] : -12]
        data = jpeg_of(picture)
        sha256 = catalogue.store.put_bytes(data).sha256
        pictures[sha256] = simplejpeg.decode_jpeg(data)
        frames.append(replace(frame, sha256=sha256))
        if with_raw_files:
            raw_files[sha256] = dng(mosaic)
    _fill(catalogue, frames, sensor)
    with catalogue.writing() as session:
        for sha256, raw in raw_files.items():
            shot_id = session.scalar(select(Asset.shot_id).where(Asset.sha256 == sha256))
            register_asset(session, catalogue.store.put_bytes(raw), "raw", AT, shot_id=shot_id)
        for shot in session.scalars(select(Shot)) if is_resized else ():
            numbers = {"resized": {"width": 1, "height": 1}}
            shot.verdicts.append(
                Verdict(verdict="accepted", reason="test", author="import", at=AT, numbers=numbers)
            )
    return freeze_frames(_spec(role="jpeg"), frames), pictures


def add_ledger(catalogue: Catalogue, places: Sequence[tuple[int, int]]) -> None:
    """Give the only camera a ledger with these defects."""
    with catalogue.writing() as session:
        camera = session.scalars(select(Camera)).one()
        ledger = DefectLedger(
            camera_id=camera.id,
            code_version="tested",
            parameters={},
            inputs=[],
            summary={},
            created_at=AT,
            defects=[
                LedgerDefect(
                    row=row,
                    column=column,
                    kind="hot",
                    pre_existing=False,
                    onset_before=AT,
                    last_seen=AT,
                    amplitude_dn=100.0,
                    significance=9.0,
                    blinking=False,
                    annealed=False,
                    flags=[],
                )
                for row, column in places
            ],
        )
        session.add(ledger)


class _SizedFrameWriter(FrameWriter):
    """Registers cameras with the size of their sensor."""

    def __init__(self, session: Session, sensor: tuple[int, int]) -> None:
        super().__init__(session)
        self._sensor = sensor

    def _camera(self, camera: CameraIdentity) -> Camera:
        is_new = camera not in self._cameras
        row = super()._camera(camera)
        if is_new:
            row.height, row.width = self._sensor
        return row


def _fill(catalogue: Catalogue, frames: Sequence[Frame], sensor: tuple[int, int]) -> None:
    with catalogue.writing() as session:
        write_scheme(session)
        writer = _SizedFrameWriter(session, sensor)
        for frame in frames:
            writer.write(frame)


def _spec(**specified: Any) -> DatasetSpec:
    return dataset_spec(
        blocks={
            "scenes": {"validation": 1, "test": 1},
            "sessions_per_class": {"validation": 1, "test": 1},
        },
        **specified,
    )
