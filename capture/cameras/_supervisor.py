"""A camera's worker under supervision: orders one at a time, and no second chance after an error.

After any failure the worker is killed: a session with a camera that went wrong once may deliver the
previous shot's file for ever after.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from capture.cameras._process import WorkerProcess
from capture.cameras._wire import raise_if_error
from capture.errors import CameraLostError, CameraTimeoutError, CaptureError, RequestError


class Supervisor:
    """Starts, orders and ends the worker of one camera.

    Parameters
    ----------
    address
        The camera's address, as its user wrote it.
    port_path
        The same as the worker's library writes it.
    serial
        The camera's serial if it is known.
    deadline_s
        How long an order may take that says nothing else, in seconds.
    environment
        Variables for the worker's environment besides those of this process.
    """

    def __init__(
        self,
        address: str,
        port_path: str,
        serial: str | None,
        deadline_s: float,
        environment: Mapping[str, str],
    ) -> None:
        self._environment = dict(environment)
        self._address = address
        self._port_path = port_path
        self._named = "the camera" if serial is None else f"camera {serial}"
        self._deadline_s = deadline_s
        self._worker: WorkerProcess | None = None
        self._shots: dict[str, WorkerProcess] = {}
        self._shots_of_worker = 0
        # an interrupted session closes its cameras while their last orders may still be at work
        self._lock = threading.RLock()

    @property
    def pid(self) -> int | None:
        """Process number of the worker, None without one."""
        return None if self._worker is None else self._worker.pid

    @property
    def shots(self) -> int:
        """How many shots the worker had in hand so far."""
        return self._shots_of_worker

    def start(self) -> None:
        """Start a fresh worker, in place of the last one."""
        with self._lock:
            self.end()
            self._worker = WorkerProcess(self._environment)
            self._shots_of_worker = 0

    def order(self, order: str, timeout_s: float | None = None, /, **arguments: Any) -> Any:
        """Give an order and return its result; the worker is killed if it fails.

        Raises
        ------
        RequestError
            If the order asks for what the camera does not offer; the worker goes on.
        CaptureError
            As the worker raised it, naming the camera.
        """
        with self._lock:
            if self._worker is None:
                raise CameraLostError(f"the camera at {self._address} is closed: open it first")
            try:
                return self._worker.order(order, timeout_s or self._deadline_s, **arguments)
            except RequestError:
                raise
            except CaptureError as error:
                self._drop()
                raise type(error)(self._naming_the_camera(str(error))) from None
            except BaseException:
                # an interrupt leaves an answer behind that would be taken for the next order's
                self._drop()
                raise

    def order_shot(self, order: str, timeout_s: float, /, shot_uuid: str, **arguments: Any) -> Any:
        """Give an order that leaves a shot with the worker's writer; see `order`."""
        with self._lock:
            result = self.order(order, timeout_s, shot_uuid=shot_uuid, **arguments)
            assert self._worker is not None
            self._shots_of_worker += 1
            self._worker.announcements.expect(shot_uuid)
            self._shots[shot_uuid] = self._worker
            return result

    def await_shot(self, shot_uuid: str) -> None:
        """Wait until the writer is done with a shot; any thread may, while an order is at work.

        Raises
        ------
        CameraTimeoutError
            If it takes too long; the worker is killed then.
        CaptureError
            As the writer raised it; the worker goes on, its camera did not fail.
        """
        worker = self._shots.pop(shot_uuid, None)
        if worker is None:
            return
        try:
            outcome = worker.announcements.outcome(shot_uuid, self._deadline_s)
        except TimeoutError:
            self._kill(worker)
            raise CameraTimeoutError(
                f"{self._named} at {self._address}: shot {shot_uuid} was not written within"
                f" {self._deadline_s:.1f} s; its files are still on the card"
            ) from None
        raise_if_error(outcome or {})

    def _kill(self, worker: WorkerProcess) -> None:
        # an order at work holds the lock, and fails once its worker is dead
        worker.kill()
        with self._lock:
            if self._worker is worker:
                self._drop()

    def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end(orderly=False)

    def end(self) -> None:
        """Have the worker close the camera, and end it; without a worker this does nothing."""
        with self._lock:
            if self._worker is None:
                return
            try:
                self.order("close")
            except CaptureError:
                return
            worker, self._worker = self._worker, None
            worker.end(orderly=True)

    def _naming_the_camera(self, message: str) -> str:
        """Say which camera a worker's message speaks of: it knows only the port's name."""
        named = message.replace(
            f"the camera at {self._port_path}", f"{self._named} at {self._address}"
        ).replace(self._port_path, self._address)
        if self._address in named:
            return named
        return f"{self._named} at {self._address}: {named}"
