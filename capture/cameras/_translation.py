"""What libgphoto2's error codes mean for a session; knows codes and sentences, not the library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from capture.errors import CameraBusyError, CameraError, CameraLostError, CardFullError

UNEXPLAINED: Final = frozenset({-1, -3})
"""What the library makes of a refusal, whatever the camera gave as its reason."""

NO_SUCH_FILE: Final = -108
REFUSALS: Final = frozenset({-2, -6})

_BUSY: Final = frozenset({-110})
_CLAIMED: Final = frozenset({-53, -60})
_CARD_FULL: Final = frozenset({-115})


def failure(address: str, doing: str, code: int, text: str) -> str:
    """Return what failed at a camera, in words that every such message begins with."""
    return f"the camera at {address} failed while {doing}: {text} ({code})"


def translation(
    address: str,
    doing: str,
    code: int,
    text: str,
    *,
    holders: Sequence[str] = (),
) -> CameraError:
    """Return the error to raise for one of libgphoto2's, which do not leave their process.

    Parameters
    ----------
    address
        Port path of the camera.
    doing
        What was asked of it, as in "failed while ...".
    code, text
        The library's error code and its words.
    holders
        Other processes that hold the camera, as far as they are known.
    """
    said = failure(address, doing, code, text)
    if code in _BUSY:
        return CameraBusyError(f"{said}; it is busy, or another program has a session with it")
    if code in _CLAIMED:
        holder = " and ".join(holders) or "another program, often gvfs-gphoto2-volume-monitor,"
        return CameraBusyError(f"{said}; {holder} holds it: end that, or unmount the camera")
    if code in _CARD_FULL:
        return CardFullError(f"{said}; its memory card is full: empty it")
    if code in REFUSALS:
        return CameraError(said)
    return CameraLostError(f"{said}; check that it is on and that the address is right")
