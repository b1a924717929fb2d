"""Errors of the door: a home that is missing or wrong, a request that names nothing."""

from __future__ import annotations

from typing import ClassVar


class AgetraceError(Exception):
    """Base of the door's errors; the message says what to do."""

    exit_code: ClassVar[int] = 2


class HomeError(AgetraceError):
    """The home is missing, exists already, or its settings cannot be read."""


class RequestError(AgetraceError):
    """The command line asks for something that is not there or does not fit together."""
