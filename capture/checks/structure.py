"""The structure of a file as a check: what its examination found."""

from __future__ import annotations

from capture.checks.results import CheckResult, findings_result
from datastore.frames import Examination


def structure_result(examination: Examination) -> CheckResult:
    """Return the findings of an examination as one result, named ``structure``."""
    return findings_result(
        "structure",
        examination.findings,
        "Extents, rows, dimensions, make and model are those of a sound file of this camera.",
    )
