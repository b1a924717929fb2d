"""The inside of a process that answers requests about untrusted files.

Run as `python -m datastore.frames._serving DESCRIPTOR BYTES HANDLER [WARM_UP]`: the descriptor of
a connection to the parent, the address space that the process may have, and functions named
`module:function`. It ends when the parent does.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from datastore.frames.errors import DecodingStoppedError, FrameError
from datastore.frames.process import Answer


def serve(connection: Connection, handler: Callable[[dict[str, Any]], Answer]) -> None:
    """Answer requests until the other side is gone."""
    try:
        connection.send_bytes(b"ready")
        while True:
            request = json.loads(connection.recv_bytes())
            answer, block = _answer(handler, request)
            connection.send_bytes(json.dumps({**answer, "has_block": block is not None}).encode())
            if block is not None:
                connection.send_bytes(block)
    except (EOFError, OSError):
        return


def _answer(handler: Callable[[dict[str, Any]], Answer], request: dict[str, Any]) -> Answer:
    try:
        return handler(request)
    except FrameError as error:
        return {"error": type(error).__name__, "message": str(error)}, None
    except MemoryError:
        return {"error": MemoryError.__name__}, None
    except Exception as error:  # a decoder may fail in any way on hostile input
        message = f"{request['path']} could not be decoded: {type(error).__name__}: {error}"
        return {"error": DecodingStoppedError.__name__, "message": message}, None


def _function(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def main() -> None:
    """Serve the parent as the arguments say."""
    descriptor, memory_bytes, handler, *warm_ups = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (int(memory_bytes), int(memory_bytes)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serving = _function(handler)
    for place in warm_ups:
        _function(place)()
    # decoders write about damaged data, which the answers tell better
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    serve(Connection(int(descriptor)), serving)


if __name__ == "__main__":
    main()
