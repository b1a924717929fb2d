"""Opening a camera with patience: again, after growing pauses, as long as that may help."""

from __future__ import annotations

from typing import Final

import stamina
import stamina.instrumentation

from capture.cameras.protocol import Camera, CameraIdentity
from capture.errors import CaptureError
from capture.logs import get_logger

_LOG = get_logger(__name__)
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 2.0
_JITTER_S: Final = 0.1


def open_patiently(camera: Camera, patience_s: float) -> CameraIdentity:
    """Open a camera; an error that is marked retryable is not the last word while patience lasts.

    Parameters
    ----------
    camera
        Any camera; each attempt opens it anew.
    patience_s
        After so many seconds no further attempt begins; 0 for a single one.

    Raises
    ------
    CaptureError
        As the last attempt raised it.
    """
    # by default each retry is printed to standard output, where commands write JSON
    stamina.instrumentation.set_on_retry_hooks((_log_retry,))
    for attempt in stamina.retry_context(
        on=_is_retryable,
        attempts=None if patience_s > 0 else 1,
        timeout=patience_s or None,
        wait_initial=_FIRST_PAUSE_S,
        wait_max=_LONGEST_PAUSE_S,
        wait_jitter=_JITTER_S,
    ):
        with attempt:
            return camera.open()
    raise AssertionError("unreachable: the last attempt returns or raises")


def _log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    _LOG.info(
        "camera-opening-again",
        attempt=details.retry_num + 1,
        wait_s=round(details.wait_for, 3),
        reason=str(details.caused_by),
    )


def _is_retryable(error: Exception) -> bool:
    return isinstance(error, CaptureError) and error.retryable
