"""Errors of jobs: a job that there is not, a log that lies elsewhere."""

from __future__ import annotations

from capture.errors import CaptureError, RequestError


class UnknownJobError(RequestError):
    """No job has the name that was given, or several have."""


class JobLogError(CaptureError):
    """A log does not lie in the folder of logs."""
