"""The parent's end of a camera worker: start it, give it orders with deadlines, kill it.

Knows nothing of cameras; the orders and answers are plain JSON values.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from capture import errors
from capture.cameras._announcements import Announcements
from capture.cameras._wire import WireClosedError, raise_if_error, receive, send
from datastore.clocks import Deadline

_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]
_LAST_WORDS_BYTES: Final = 2000
_END_S: Final = 2.0
_SEALING_S: Final = 5.0
_HOME_PREFIX: Final = "agetrace-camera-"
_MESSAGES: Final = "messages"
# a home this old has long been locked by its worker, if that lives
_NEW_HOME_S: Final = 60.0

# the driver caches settings for two seconds: a read-back must ask the camera
_DRIVER_SETTINGS: Final = "ptp2=cachetime=0\n"


class WorkerProcess:
    """A running worker with a home folder of its own.

    Parameters
    ----------
    environment
        Variables for its environment besides those of this process.

    Attributes
    ----------
    announcements
        What its writer says of its shots.
    """

    def __init__(self, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        _remove_abandoned_homes()
        self._home = Path(tempfile.mkdtemp(prefix=_HOME_PREFIX))
        settings = self._home / ".gphoto" / "settings"
        settings.parent.mkdir()
        settings.write_text(_DRIVER_SETTINGS, encoding="ascii")
        # held open, because a worker that dies of an error removes its home
        self._said = (self._home / _MESSAGES).open("w+b")
        self._connection, orders = socket.socketpair()
        listening, announcing = socket.socketpair()
        descriptors = (orders.fileno(), announcing.fileno())
        arguments = [*map(str, descriptors), str(self._home)]
        with orders, announcing, (self._home / _MESSAGES).open("ab") as said:
            # the worker inherits the lock and holds it as long as it lives
            fcntl.flock(said, fcntl.LOCK_EX)
            self._process = subprocess.Popen(  # noqa: S603 (our own module)
                [sys.executable, "-P", "-m", "capture.cameras._worker", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=descriptors,
                env={**self._environment(), **environment},
                start_new_session=True,
            )
        self.announcements = Announcements(listening)

    @property
    def pid(self) -> int:
        """Process number of the worker."""
        return self._process.pid

    def order(self, name: str, timeout_s: float, /, **arguments: Any) -> Any:
        """Give an order and return its result.

        Raises
        ------
        CaptureError
            As the worker raised it.
        CameraTimeoutError
            If the worker did not answer in time; it must be killed then.
        CameraLostError
            If the worker died.
        """
        deadline = Deadline.after(timeout_s)
        try:
            send(self._connection, {"order": name, "arguments": arguments})
            self._connection.settimeout(deadline.remaining() or None)
            answer = receive(self._connection)
        except TimeoutError:
            raise errors.CameraTimeoutError(
                f"no answer to {name} within {timeout_s:.1f} s"
            ) from None
        except WireClosedError:
            raise errors.CameraLostError(
                f"the process that talks to the camera died during {name}: {self._last_words()}"
            ) from None
        finally:
            self._connection.settimeout(None)
        raise_if_error(answer)
        return answer["result"]

    def kill(self) -> None:
        """Kill the process; an order at work in another thread fails then."""
        self._process.kill()

    def end(self, *, orderly: bool) -> None:
        """End the process and remove its home.

        Unless the end is `orderly`, the process is killed as soon as its writer has sealed what it
        had in memory, or after a short deadline.
        """
        if not orderly:
            self.announcements.await_all(_SEALING_S)
        self._connection.close()
        if orderly:
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        else:
            self._process.kill()
        self._process.wait()
        self.announcements.close(_END_S)
        self._said.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        paths = [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]
        return {
            **os.environ,
            "HOME": str(self._home),
            # untranslated choices, and a camera clock that is read as it is written
            "LC_ALL": "C.UTF-8",
            "LANGUAGE": "",
            "TZ": "UTC",
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }

    def _last_words(self) -> str:
        # its connection ends before its last message
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self._said.seek(0)
        said = self._said.read()[-_LAST_WORDS_BYTES:].decode(errors="replace")
        lines = said.strip().splitlines()
        return lines[-1] if lines else "it left no message"


def _remove_abandoned_homes() -> None:
    """Remove the homes of workers that were killed and whose parents were, too."""
    for home in Path(tempfile.gettempdir()).glob(f"{_HOME_PREFIX}*"):
        # another process may be removing it as well
        with contextlib.suppress(OSError):
            facts = home.lstat()
            is_ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
            if is_ours and time.time() - facts.st_mtime > _NEW_HOME_S and not _is_held(home):
                shutil.rmtree(home, ignore_errors=True)


def _is_held(home: Path) -> bool:
    """Tell whether the worker of a home lives."""
    try:
        with (home / _MESSAGES).open("r+b") as said:
            fcntl.flock(said, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
