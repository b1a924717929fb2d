"""Content control at the shutter: whether a frame is what its shot asked for.

Each check gives a number, the threshold of the recipe and a verdict, whether the frame passed or
not. Whether a file belongs to the shot at all is another question with functions of its own.
"""

from typing import Final

from capture.checks.belonging import ClockSkew, foreign_body, foreign_time, wall_time
from capture.checks.process import ExaminingWorker, FrameAnswer, FrameQuestion, ReferencePlace
from capture.checks.results import CheckResult, numbers, sentences
from capture.checks.scenes import SceneDescriptor, check_right_scene, describe_scene
from capture.checks.settings import check_settings, exposure_product, settings_result
from capture.checks.structure import structure_result
from capture.checks.thresholds import CheckThresholds

AUTHOR: Final = "capture.checks"

__all__ = [
    "AUTHOR",
    "CheckResult",
    "CheckThresholds",
    "ClockSkew",
    "ExaminingWorker",
    "FrameAnswer",
    "FrameQuestion",
    "ReferencePlace",
    "SceneDescriptor",
    "check_right_scene",
    "check_settings",
    "describe_scene",
    "exposure_product",
    "foreign_body",
    "foreign_time",
    "numbers",
    "sentences",
    "settings_result",
    "structure_result",
    "wall_time",
]
