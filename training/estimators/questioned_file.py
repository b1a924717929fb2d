"""One questioned file as an image that an estimator takes; files are read as hostile input."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datastore.frames import FrameError, read_jpeg_luma
from datastore.frames.isolated import DecodingWorker
from datastore.metadata import FileMetadata, MetadataReader
from training.estimators.errors import EstimatorError
from training.estimators.images import Images
from training.patches.inputs import CachedFrame

_JPEG_MAGIC = b"\xff\xd8\xff"
_JPEG_WHITE_LEVEL = 255
_READ_AT_ONCE = 2**20


@dataclass(frozen=True)
class QuestionedFile:
    """A file whose time is asked.

    Attributes
    ----------
    path
        Where it is.
    sha256
        Of its content.
    image
        The one image, without a time.
    facts
        What the file says of itself.
    notes
        What had to be assumed.
    """

    path: Path
    sha256: str
    image: Images
    facts: Mapping[str, Any]
    notes: tuple[str, ...]


def read_questioned(
    path: Path, lineage: Mapping[str, Any], metadata: MetadataReader, decoder: DecodingWorker
) -> QuestionedFile:
    """Read a file for an estimator of this lineage.

    Parameters
    ----------
    path
        A RAW file or a JPEG, as the estimator's dataset was of.
    lineage
        As of `training.estimators.estimating.lineage_of`.
    metadata, decoder
        Open readers.

    Raises
    ------
    EstimatorError
        If it cannot be read, is of another kind or names another camera; always names the file.
    """
    try:
        sha256, is_jpeg = _looked_at(path)
        if is_jpeg != (lineage["role"] != "raw"):
            own, other = ("a JPEG", "RAW files") if is_jpeg else ("no JPEG", "JPEG files")
            raise EstimatorError(f"{path} is {own}: the estimator was fitted to {other}")
        said = metadata.read(path)
        frame = _decoded(path, sha256, decoder, is_jpeg=is_jpeg)
    except FrameError as error:
        raise EstimatorError(str(error)) from error
    except OSError as error:
        raise EstimatorError(f"{path} cannot be read: {error.strerror}") from error
    serial = lineage["camera"]["serial"]
    notes = _checked_camera(path, said, lineage["camera"])
    factor = said.exposure_s * said.iso / 100 if said.exposure_s and said.iso else None
    if factor is None:
        factor = lineage["median_exposure_factor"]
        notes.append(
            "The file names no exposure time or no ISO: those of the trusted images are assumed."
        )
    image = Images(
        [frame],
        np.array([factor]),
        np.array(["questioned"]),
        np.array([""]),
        np.array([serial]),
    )
    facts = {
        "make": said.make,
        "model": said.model,
        "serial": said.serial,
        "exposure_s": said.exposure_s,
        "iso": said.iso,
        "time": said.taken_at_local,
    }
    return QuestionedFile(path, sha256, image, facts, tuple(notes))


def _looked_at(path: Path) -> tuple[str, bool]:
    digest, is_jpeg = hashlib.sha256(), False
    with path.open("rb") as file:
        while part := file.read(_READ_AT_ONCE):
            if file.tell() == len(part):
                is_jpeg = part.startswith(_JPEG_MAGIC)
            digest.update(part)
    return digest.hexdigest(), is_jpeg


def _decoded(path: Path, sha256: str, decoder: DecodingWorker, *, is_jpeg: bool) -> CachedFrame:
    if is_jpeg:
        luma = read_jpeg_luma(path)
        rows, columns = luma.shape
        return CachedFrame(sha256, luma, (0.0,) * 4, _JPEG_WHITE_LEVEL, (0, 0, rows, columns))
    frame = decoder.read_frame(path)
    if frame.black_level is None:
        raise EstimatorError(f"{path}: states no black level")
    return CachedFrame(sha256, frame.mosaic, frame.black_level, frame.white_level, frame.visible)


def _checked_camera(path: Path, said: FileMetadata, camera: Mapping[str, str]) -> list[str]:
    """Return what is taken on the user's word; raises EstimatorError where the file denies it."""
    for name, own in (("serial", said.serial), ("model", said.model)):
        if own is not None and own != camera[name]:
            raise EstimatorError(
                f"{path}: its {name} is {own}, the estimator was fitted to camera"
                f" {camera['serial']}, a {camera['make']} {camera['model']}: defects belong to one"
                " camera"
            )
    if said.serial is None:
        return [f"The file names no camera: that it is of {camera['serial']} is assumed."]
    return []
