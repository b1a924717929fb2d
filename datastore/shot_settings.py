"""Rows of the settings of shots, as their files state them."""

from __future__ import annotations

from typing import Any

from datastore.metadata import FileMetadata
from datastore.tables import ShotSettings


def exif_settings(
    shot_id: int,
    metadata: FileMetadata,
    *,
    temperature_c: float | None,
    raw_values: dict[str, Any] | None = None,
) -> ShotSettings:
    """Return the row of what a shot's main file says of its settings.

    Parameters
    ----------
    shot_id
        The shot.
    metadata
        Of the file.
    temperature_c
        Of the camera, as far as it is known; who has declared one knows better than the file.
    raw_values
        What else was said, verbatim.
    """
    return ShotSettings(
        shot_id=shot_id,
        source="exif",
        exposure_s=metadata.exposure_s,
        iso=metadata.iso,
        f_number=metadata.f_number,
        temperature_c=temperature_c,
        taken_at=metadata.taken_at,
        taken_at_text=metadata.taken_at_local,
        firmware=metadata.firmware,
        long_exposure_noise_reduction=metadata.long_exposure_noise_reduction,
        raw_values=raw_values,
    )
