"""Dark sessions of a simulated sensor in a catalogue, frames and all."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import numpy as np
import tifffile

from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.tables import Camera
from tests.support.catalogue_rows import NOW, add_session, add_shot
from tests.support.simulated_darks import Sensor, dark_frames


def store_session(
    catalogue: Catalogue,
    generator: np.random.Generator,
    sensor: Sensor,
    camera_id: int,
    day: int,
    active: np.ndarray,
) -> str:
    """Store a session's dark frames as TIFF files, three of each exposure; return its UUID."""
    frames = dark_frames(generator, sensor, repeats=3, active=active, cfa="MONO")
    with catalogue.writing() as transaction:
        camera = transaction.get_one(Camera, camera_id)
        at = NOW + timedelta(days=day)
        session = add_session(transaction, at)
        for sequence, frame in enumerate(frames):
            shot = add_shot(transaction, session, camera, sequence, at, exposure_s=frame.exposure_s)
            buffer = BytesIO()
            tifffile.imwrite(buffer, frame.read())
            stored = catalogue.store.put_bytes(buffer.getvalue())
            register_asset(transaction, stored, "raw", at, shot_id=shot.id)
        return session.uuid


def store_flats(
    catalogue: Catalogue,
    generator: np.random.Generator,
    response: np.ndarray,
    camera_id: int,
    day: int,
    frames: int = 4,
    light_e: float = 20_000.0,
) -> str:
    """Store a session's flat fields of a sensor that answers so, a third DN an electron."""
    with catalogue.writing() as transaction:
        camera = transaction.get_one(Camera, camera_id)
        at = NOW + timedelta(days=day)
        session = add_session(transaction, at)
        for sequence in range(frames):
            shot = add_shot(transaction, session, camera, sequence, at, kind="flat-field")
            electrons = generator.poisson(light_e * response) + generator.normal(
                0, 4, response.shape
            )
            mosaic = np.clip(np.round(electrons / 3 + 512), 0, 16_383).astype(np.uint16)
            buffer = BytesIO()
            tifffile.imwrite(buffer, mosaic)
            stored = catalogue.store.put_bytes(buffer.getvalue())
            register_asset(transaction, stored, "raw", at, shot_id=shot.id)
        return session.uuid
