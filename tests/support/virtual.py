"""A running virtual fixture for tests: processes of its own, ports that the system chooses.

Imports nothing of the project: the fixture is met over its command line and the wire.
"""

import contextlib
import copy
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SMALL_CAMERA: Mapping[str, Any] = {
    "serial": "7100001",
    "make": "Agetrace",
    "model": "Fixture 1",
    "profile": "nikon",
    "address": "127.0.0.2",
    "port": 0,
    "width": 384,
    "height": 256,
    "seed": 1,
    "manufactured_at": "2020-01-01T00:00:00Z",
}


class ControlRefusedError(Exception):
    """The control endpoint answered with an error; the message is its own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True)
class RunningFixture:
    """A virtual fixture that runs.

    Attributes
    ----------
    control_url : str
    pid : int
        Of the control process.
    cameras : dict of str to str
        Serial to address, ``ptpip:HOST:PORT``.
    state_folder : Path
    """

    control_url: str
    pid: int
    cameras: dict[str, str]
    state_folder: Path

    @property
    def fixture_file(self) -> Path:
        """The file that ``agetrace fixture add`` reads."""
        return self.state_folder / "fixture.yaml"

    def gphoto_port(self, serial: str) -> str:
        """Return a camera's port name as libgphoto2 needs it, with the port twice."""
        address = self.cameras[serial]
        return f"{address}:{address.rpartition(':')[2]}"

    def get(self, path: str = "/state") -> dict[str, Any]:
        """GET a path of the control endpoint."""
        return self._request("GET", path, None)

    def put(self, path: str, body: object) -> dict[str, Any]:
        """PUT a JSON body; ControlRefusedError if it is not taken."""
        return self._request("PUT", path, body)

    def set_faults(self, serial: str, *faults: str | Mapping[str, Any]) -> None:
        """Replace a camera's faults; without any the camera is sound again."""
        self.put("/faults", {serial: list(faults)})

    def _request(self, method: str, path: str, body: object) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control_url + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            with error:
                message = json.load(error)["error"]
            raise ControlRefusedError(error.code, message) from None


def small_description(*cameras: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a description of small, quick cameras.

    Parameters
    ----------
    *cameras : mapping
        Fields that differ from a small Nikon-speaking camera; each further camera gets a serial,
        a seed and an address of its own. None stands for one camera.
    **fields
        Further fields of the description, such as ``exposure_time_scale``.
    """
    described = [
        {
            **SMALL_CAMERA,
            "serial": str(7100001 + position),
            "seed": 1 + position,
            "address": f"127.0.0.{2 + position}",
            **camera,
        }
        for position, camera in enumerate(cameras or ({},))
    ]
    return {
        "name": "virtual",
        "cameras": described,
        "civil_time": "2024-03-01T12:00:00Z",
        **fields,
    }


@contextlib.contextmanager
def running_fixture(
    tmp_path: Path, description: Mapping[str, Any] | None = None
) -> Iterator[RunningFixture]:
    """Run a virtual fixture for the length of the block.

    Parameters
    ----------
    tmp_path : Path
        Its state goes to a folder below.
    description : mapping, optional
        As in the YAML file; None takes one small camera. A camera without a port gets one that the
        system chooses.
    """
    document = copy.deepcopy(dict(description if description is not None else small_description()))
    for camera in document["cameras"]:
        camera.setdefault("port", 0)
    state_folder = tmp_path / "virtual-fixture"
    description_file = tmp_path / "virtual-fixture.yaml"
    description_file.write_text(yaml.safe_dump(document), encoding="utf-8")
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "fixtures", "start", str(state_folder)),
            *("--foreground", "--description", str(description_file)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "NUMBA_NUM_THREADS": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the virtual fixture ended with {process.wait()}")
            where = json.loads(line)
            yield RunningFixture(
                control_url=where["url"],
                pid=where["pid"],
                cameras={camera["serial"]: camera["address"] for camera in where["cameras"]},
                state_folder=state_folder,
            )
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
