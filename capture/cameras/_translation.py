"""What libgphoto2's error codes mean for a session; knows codes and sentences, not the library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from capture.errors import CameraBusyError, CameraError, CameraLostError, CardFullError

NO_SUCH_FILE: Final = -108
REFUSALS: Final = frozenset({-2, -6})

_BUSY: Final = frozenset({-110})
_CLAIMED: Final = frozenset({-53, -60})
_CARD_FULL: Final = frozenset({-1, -3, -115})


def translation(
    address: str,
    doing: str,
    code: int,
    text: str,
    *,
    holders: Sequence[str] = (),
    card_full_possible: bool = False,
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
    card_full_possible
        Whether the request writes to the card: a full one is told with codes of many meanings.
    """
    said = f"the camera at {address} failed while {doing}: {text} ({code})"
    if code in _BUSY:
        return CameraBusyError(f"{said}; it is busy, or another program has a session with it")
    if code in _CLAIMED:
        holder = " and ".join(holders) or "another program, often gvfs-gphoto2-volume-monitor,"
        return CameraBusyError(f"{said}; {holder} holds it: end that, or unmount the camera")
    if card_full_possible and code in _CARD_FULL:
        return CardFullError(f"{said}; its memory card may be full: empty it")
    if code in REFUSALS:
        return CameraError(said)
    return CameraLostError(f"{said}; check that it is on and that the address is right")
