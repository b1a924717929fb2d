"""All content checks of a frame of one kind, and what is kept of a reference for them.

Runs in the process that decodes. Opens files only to read references.
"""

from __future__ import annotations

from capture.checks.dark import check_dark
from capture.checks.process import FrameQuestion
from capture.checks.results import CheckResult, findings_result
from capture.checks.scenes import SceneDescriptor, describe_scene
from datastore.frames import Frame


def check_content(
    frame: Frame, question: FrameQuestion
) -> tuple[tuple[CheckResult, ...], SceneDescriptor | None]:
    """Return every result of the frame's kind, and the description of a lit frame."""
    if question.kind == "dark-field":
        return (findings_result("dark-level", check_dark(frame), "The dark field is dark."),), None
    return (), describe_scene(frame)
