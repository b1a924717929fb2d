"""Errors of capture: what went wrong at which camera or field, and what to do about it."""

from __future__ import annotations

from typing import ClassVar


class CaptureError(Exception):
    """Base of every error of capture: the work failed.

    Attributes
    ----------
    exit_code
        Status of a command that ends with it.
    retryable
        Whether the same may succeed a moment later without anybody's help.
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False


class RequestError(CaptureError):
    """The request was wrong; no shutter was released for it."""

    exit_code: ClassVar[int] = 2


class RecipeError(RequestError):
    """A recipe is malformed, or asks for something that the fixture does not have."""


class ScheduleError(RequestError):
    """A schedule is malformed, or asks for something that there is not."""


class UnknownScheduleError(RequestError):
    """No schedule has the name that was given."""


class UnknownOccurrenceError(RequestError):
    """No occurrence has the name that was given."""


class OccurrenceStateError(RequestError):
    """An occurrence is in a state in which this cannot be done to it."""


class UnknownCameraError(RequestError):
    """A session asks for a camera that the fixture does not mount."""


class AddressError(RequestError):
    """A camera's address has a form that cannot be opened."""


class SettingNotOfferedError(RequestError):
    """A camera does not offer a setting that a recipe asks for."""


class ClockRefusedError(RequestError):
    """A simulated clock was given to a session with a real camera."""


class UnknownSessionError(RequestError):
    """No session, or no prompt of one, has the name that was given."""


class SessionNotRunningError(RequestError):
    """A session that has ended cannot be steered any more."""


class SessionNotResumableError(RequestError):
    """A session cannot be gone on with; a new one can."""


class PromptAnsweredError(RequestError):
    """A prompt has an answer already."""


class ActuatorSettingsError(RequestError):
    """The settings of an actuator or of a clock cannot be used."""


class ChannelError(RequestError):
    """A channel of notifications cannot be used as the home's settings name it."""


class MetricsError(RequestError):
    """The metrics cannot be served where the home's settings say."""


class CameraError(CaptureError):
    """A camera failed; its session with the computer is over and it must be opened anew."""


class CameraLostError(CameraError):
    """A camera does not answer, or the connection to it broke."""

    retryable: ClassVar[bool] = True


class CameraBusyError(CameraError):
    """A camera says that it is busy, or that another program holds it."""

    retryable: ClassVar[bool] = True


class CameraTimeoutError(CameraError):
    """A camera, or the process that talks to it, did not finish within its deadline."""


class WrongSerialError(CameraError):
    """Another body than the expected one answers at an address."""


class SettingNotAppliedError(CameraError):
    """A camera took a setting without an error and shows another value."""


class FilesMissingError(CameraError):
    """A shot did not deliver the files that its image quality promises."""


class ForeignFileError(CameraError):
    """A camera delivered a file that does not belong to the shot."""


class BatteryLowError(CameraError):
    """A camera's battery has too little charge for another shot."""


class CardFullError(CameraError):
    """A camera's memory card has no room for another shot."""


class DiskFullError(CaptureError):
    """The spool or the store has no room for what a session will bring."""


class SpoolError(CaptureError):
    """A file of the spool is missing or is not what its sidecar says."""


class ActuatorError(CaptureError):
    """A scene could not be changed, or the body cap not moved."""


class PromptUnansweredError(ActuatorError):
    """No operator answered a prompt in time, or one refused it."""


class ClockError(CaptureError):
    """The simulated civil clock does not answer."""
