"""Errors of reading frames; knows nothing of what a frame is for."""

from __future__ import annotations

from datastore.errors import DatastoreError


class FrameError(DatastoreError):
    """A file could not be read as a frame."""


class UnsupportedFrameError(FrameError):
    """The file may be sound, but it is no frame of a kind that is read here."""


class DecodingStoppedError(FrameError):
    """A decoder crashed, ran past its deadline or past its memory limit, and was stopped."""
