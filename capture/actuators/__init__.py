"""Actuators: what changes the scene in front of the cameras and moves their body caps.

Each knows scenes by name only; which one a fixture has is said by the home's settings, never by a
recipe.
"""

from capture.actuators._command import CommandActuator
from capture.actuators._http import HttpActuator
from capture.actuators._prompt import Ask, PromptActuator
from capture.actuators._protocol import Actuator
from capture.actuators._virtual import VirtualActuator

__all__ = [
    "Actuator",
    "Ask",
    "CommandActuator",
    "HttpActuator",
    "PromptActuator",
    "VirtualActuator",
]
