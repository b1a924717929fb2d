"""Frames: decoding files into mosaics of photosites, and measures on them; knows no catalogue."""

from datastore.frames.errors import DecodingStoppedError, FrameError, UnsupportedFrameError
from datastore.frames.frame import (
    MONOCHROME,
    Frame,
    read_frame,
    read_jpeg_luma,
    read_jpeg_rgb,
)
from datastore.frames.integrity import (
    Examination,
    ExpectedFile,
    Finding,
    begins_like_image,
    check_file,
    check_frame,
    examine_file,
    examine_frame,
)
from datastore.frames.isolated import DecodingWorker
from datastore.frames.measures import FrameMeasures
from datastore.frames.planes import cfa_planes, clipped_share, neighbour_maximum, robust_black

__all__ = [
    "MONOCHROME",
    "DecodingStoppedError",
    "DecodingWorker",
    "Examination",
    "ExpectedFile",
    "Finding",
    "Frame",
    "FrameError",
    "FrameMeasures",
    "UnsupportedFrameError",
    "begins_like_image",
    "cfa_planes",
    "check_file",
    "check_frame",
    "clipped_share",
    "examine_file",
    "examine_frame",
    "neighbour_maximum",
    "read_frame",
    "read_jpeg_luma",
    "read_jpeg_rgb",
    "robust_black",
]
