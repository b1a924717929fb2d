"""Debian's gphoto2 command as a peer: shots of a virtual camera, timed from outside."""

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_CAPTURE = "--capture-image-and-download"
_LONGEST_S = 120.0
_CHUNK_BYTES = 1 << 20


class PeerMissingError(Exception):
    """The command of a comparison is not installed."""


@dataclass(frozen=True)
class PeerSeconds:
    """Seconds a shot, as the command leaves it, and with the file hashed and flushed after it."""

    bare: float
    durable: float


class Gphoto2Command:
    """The command for one camera.

    Parameters
    ----------
    port
        Port of libgphoto2.
    folder
        Where files go; a private home is made in it.
    """

    def __init__(self, port: str, folder: Path) -> None:
        command = shutil.which("gphoto2")
        if command is None:
            raise PeerMissingError("the gphoto2 command is missing: apt install gphoto2")
        self._folder = folder
        self._command = [command, "--port", port, "--camera", "PTP/IP Camera"]
        self._environment = {**os.environ, "HOME": str(folder), "LC_ALL": "C"}

    def version(self) -> str:
        """Return its name and version."""
        lines = self._run("--version").splitlines()
        return " ".join(lines[0].split()[:2])

    def set(self, **settings: str) -> None:
        """Set the camera once, by names and values of its settings."""
        options = [f"--set-config={name}={value}" for name, value in settings.items()]
        self._run(*options)

    def one_process(self, shots: int) -> PeerSeconds:
        """Take shots in one process; its start is left out of the time."""
        first_s = self._capture(1)
        return self._per_shot(self._capture(1 + shots) - first_s, shots)

    def one_process_a_shot(self, shots: int) -> PeerSeconds:
        """Take shots with a process each."""
        seconds = sum(self._capture(1, clear=not shot) for shot in range(shots))
        return self._per_shot(seconds, shots)

    def _capture(self, shots: int, *, clear: bool = True) -> float:
        if clear:
            for path in self._folder.glob("shot-*"):
                path.unlink()
        number = len(list(self._folder.glob("shot-*")))
        began = time.perf_counter()
        self._run(f"--filename=shot-{number}-%n.%C", "--force-overwrite", *[_CAPTURE] * shots)
        return time.perf_counter() - began

    def _per_shot(self, seconds: float, shots: int) -> PeerSeconds:
        paths = sorted(self._folder.glob("shot-*"))[-shots:]
        began = time.perf_counter()
        for path in paths:
            hash_and_flush(path)
        durable_s = (time.perf_counter() - began) / len(paths)
        return PeerSeconds(seconds / shots, seconds / shots + durable_s)

    def _run(self, *options: str) -> str:
        return subprocess.run(
            [*self._command, *options],
            cwd=self._folder,
            env=self._environment,
            check=True,
            timeout=_LONGEST_S,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout


def hash_and_flush(path: Path) -> str:
    """Do to a file what makes a download durable and known."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    return digest


def tcp_copy_seconds(size: int, repeats: int) -> float:
    """Return the median time of one copy over loopback into a flushed file."""
    data = memoryview(os.urandom(_CHUNK_BYTES) * -(-size // _CHUNK_BYTES))[:size]
    durations = []
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(repeats):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        for _ in range(repeats):
            began = time.perf_counter()
            with (
                socket.create_connection(server.getsockname()) as connection,
                (Path(folder) / "copy").open("wb", buffering=0) as file,
            ):
                while piece := connection.recv(_CHUNK_BYTES):
                    file.write(piece)
                os.fsync(file.fileno())
            durations.append(time.perf_counter() - began)
        thread.join()
    return sorted(durations)[repeats // 2]
