"""The process that talks to one camera: takes orders from its parent, one at a time.

Run as `python -m capture.cameras._worker ORDERS ANNOUNCEMENTS HOME`: descriptors of two sockets to
the parent, one for orders and their answers, one on which the writer tells of sealed shots; the
home is a temporary folder that goes with the worker. It ends when the parent does. It never touches
the catalogue.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from capture.cameras._wire import WireClosedError, error_message, receive, send
from capture.cameras._writer import ShotInMemory, Writer
from capture.errors import CameraError, CaptureError
from capture.spool import Spool

_ORDERLY_END_S: Final = 3.0
_LONGEST_WRITING_S: Final = 600.0


class _Worker:
    """Carries out orders; holds the camera open between them."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._open_body: Any = None
        self._open_spool: Spool | None = None
        self.orders: dict[str, Callable[..., Any]] = {
            "autodetect": self._autodetect,
            "open": self.open,
            "prepare": lambda: self._body.settings.prepare(),
            "offered": lambda: self._body.settings.offered(),
            "clock": lambda: self._body.settings.clock_s(),
            "apply": lambda wishes: self._body.settings.apply(wishes),
            "capabilities": lambda: self._body.inspect().to_json(),
            "release": self._release,
            "list_card": lambda: self._body.files.list_card(),
            "fetch": self._fetch,
            "delete": lambda folder, name: self._body.files.delete((folder, name)),
            "close": self.close,
        }

    @property
    def _body(self) -> Any:
        if self._open_body is None:
            raise CameraError("the camera is not open: open it first")
        return self._open_body

    def _autodetect(self) -> list[tuple[str, str]]:
        from capture.cameras._connection import autodetect

        return autodetect()

    def open(self, address: str, spool_folder: str | None = None) -> dict[str, Any]:
        """Open a camera and return its identity; without a spool it can take no shot."""
        # the parent never imports this module's library, nor does a worker that opens nothing
        from capture.cameras._body import Body

        self._open_spool = None if spool_folder is None else Spool(Path(spool_folder))
        self._open_body = Body(address)
        identity: dict[str, Any] = self._open_body.settings.identify()
        return identity

    def close(self) -> None:
        """Have the writer finish, and close the camera if it is open."""
        # another session that finds the camera free may count on what is in the spool
        self._writer.finish(_LONGEST_WRITING_S)
        if self._open_body is not None:
            self._open_body.close()
            self._open_body = None

    def _release(self, shot_uuid: str, image_quality: str, deadline_s: float) -> dict[str, Any]:
        began = time.monotonic()
        spool = self._spool
        self._writer.await_room(deadline_s)
        waited_s = time.monotonic() - began
        files, released_after_s = self._body.trigger.release(image_quality, deadline_s - waited_s)
        self._write(spool, shot_uuid, files, waited_s + released_after_s)
        return {
            "released_after_s": waited_s + released_after_s,
            "free_after_s": time.monotonic() - began,
        }

    def _fetch(self, shot_uuid: str, files: list[list[str]]) -> None:
        spool = self._spool
        self._writer.await_room(_LONGEST_WRITING_S)
        received = [self._body.files.download((folder, name)) for folder, name in files]
        self._write(spool, shot_uuid, received, 0.0)

    def _write(
        self, spool: Spool, shot_uuid: str, files: Sequence[Any], released_after_s: float
    ) -> None:
        """Have the writer bring a shot's files to the spool and seal it."""
        read_back = self._body.settings.read_back
        facts = {"released_after_s": released_after_s, "read_back": read_back}
        self._writer.write(ShotInMemory(spool, shot_uuid, files, facts))

    @property
    def _spool(self) -> Spool:
        if self._open_spool is None:
            raise CameraError("the camera is not open with a spool: open it with one first")
        return self._open_spool


def _listen(connection: socket.socket, orders: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    """Pass orders on; once the parent is gone, end the process even in the midst of a call."""
    try:
        while True:
            orders.put(receive(connection))
    except WireClosedError:
        orders.put(None)
        threading.Event().wait(_ORDERLY_END_S)
        os._exit(1)


def serve(connection: socket.socket, announcements: socket.socket) -> None:
    """Answer orders until the parent is gone."""

    def announce(message: dict[str, Any]) -> None:
        # a parent that is gone finds the shot in the spool
        with suppress(WireClosedError):
            send(announcements, message)

    orders: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, orders), daemon=True).start()
    worker = _Worker(Writer(announce))
    try:
        while (message := orders.get()) is not None:
            try:
                order = worker.orders[message["order"]]
                answer = {"result": order(**message["arguments"])}
            except (CaptureError, OSError) as error:
                answer = error_message(error)
            send(connection, answer)
    except WireClosedError:
        pass
    finally:
        worker.close()


def main() -> None:
    """Serve the parent on the sockets whose descriptors are the first arguments."""
    orders, announcements, home = sys.argv[1:]
    # an interrupt at the terminal is for the parent, which finishes the shot in hand
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(socket.socket(fileno=int(orders)), socket.socket(fileno=int(announcements)))
    finally:
        # a parent that was killed cannot remove it
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
