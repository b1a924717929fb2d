"""Messages between a camera worker and its parent: JSON with a length in front; knows no camera.

An error travels by the name of its class and its message.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

from capture import errors

_LENGTH = struct.Struct("<I")
_LONGEST_BYTES = 16 << 20


class WireClosedError(Exception):
    """The other end is gone."""


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one message; WireClosedError if the other end is gone."""
    data = json.dumps(message).encode()
    try:
        connection.sendall(_LENGTH.pack(len(data)) + data)
    except OSError as error:
        raise WireClosedError(str(error)) from error


def receive(connection: socket.socket) -> dict[str, Any]:
    """Receive one message; WireClosedError if the other end is gone, TimeoutError if silent."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > _LONGEST_BYTES:
        raise WireClosedError(f"a message announces {length} bytes")
    message = json.loads(_exactly(connection, length))
    if not isinstance(message, dict):
        raise WireClosedError("a message is no JSON object")
    return message


def error_message(error: Exception) -> dict[str, str]:
    """Return the message that stands for an error."""
    if isinstance(error, errors.CaptureError):
        return {"error": type(error).__name__, "message": str(error)}
    message = f"camera worker: {type(error).__name__}: {error}"
    return {"error": errors.CaptureError.__name__, "message": message}


def raise_if_error(message: dict[str, Any]) -> None:
    """Raise the CaptureError that a message stands for, if it stands for one."""
    if "error" not in message:
        return
    found = getattr(errors, message["error"], None)
    if not (isinstance(found, type) and issubclass(found, errors.CaptureError)):
        found = errors.CaptureError
    raise found(message["message"])


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        try:
            piece = connection.recv(size - len(received))
        except TimeoutError:
            raise
        except OSError as error:
            raise WireClosedError(str(error)) from error
        if not piece:
            raise WireClosedError("the connection was closed")
        received += piece
    return bytes(received)
