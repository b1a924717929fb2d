"""Frames: decoding files into mosaics of photosites, and measures on them; knows no catalogue."""

from datastore.frames.errors import DecodingStoppedError, FrameError, UnsupportedFrameError
from datastore.frames.frame import (
    MONOCHROME,
    Frame,
    read_frame,
    read_jpeg_luma,
    read_jpeg_rgb,
)

__all__ = [
    "MONOCHROME",
    "DecodingStoppedError",
    "Frame",
    "FrameError",
    "UnsupportedFrameError",
    "read_frame",
    "read_jpeg_luma",
    "read_jpeg_rgb",
]
