"""A client of its own process: python-gphoto2 driven by steps from the command line.

Prints one JSON line per step: its result, or libgphoto2's error code, and its seconds.
"""

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import gphoto2


class Client:
    """One connection to one camera."""

    def __init__(self) -> None:
        self._camera = gphoto2.Camera()

    def open(self, port: str) -> None:
        ports = gphoto2.PortInfoList()
        ports.load()
        self._camera.set_port_info(ports[ports.lookup_path(port)])
        abilities = gphoto2.CameraAbilitiesList()
        abilities.load()
        self._camera.set_abilities(abilities[abilities.lookup_model("PTP/IP Camera")])
        self._camera.init()

    def close(self) -> None:
        self._camera.exit()

    def get(self, name: str) -> str:
        value: str = self._camera.get_single_config(name).get_value()
        return value

    def choices(self, name: str) -> list[str]:
        return list(self._camera.get_single_config(name).get_choices())

    def set(self, name: str, value: str) -> None:
        widget = self._camera.get_single_config(name)
        widget.set_value(value)
        self._camera.set_single_config(name, widget)

    def shoot(self, files: int, timeout_s: float = 10.0) -> list[list[str]]:
        """Trigger and wait for so many files, or until the timeout."""
        self._camera.trigger_capture()
        found: list[list[str]] = []
        deadline = time.monotonic() + timeout_s
        while len(found) < files and time.monotonic() < deadline:
            kind, data = self._camera.wait_for_event(5)
            if kind == gphoto2.GP_EVENT_FILE_ADDED:
                found.append([data.folder, data.name])
            elif kind == gphoto2.GP_EVENT_TIMEOUT:
                time.sleep(0.002)
        return found

    def download(self, folder: str, name: str, to: str = "") -> dict[str, Any]:
        """Return size and hash of a file, and write it where `to` says."""
        begun = time.monotonic()
        # The bytes belong to the file object: it has to outlive them.
        file = self._camera.file_get(folder, name, gphoto2.GP_FILE_TYPE_NORMAL)
        data = file.get_data_and_size()
        seconds = time.monotonic() - begun
        if to:
            Path(to).write_bytes(data)
        return {
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "transfer_s": seconds,
        }

    def delete(self, folder: str, name: str) -> None:
        self._camera.file_delete(folder, name)

    def files(self, folder: str) -> list[str]:
        return [name for name, _ in self._camera.folder_list_files(folder).items()]

    def serial(self) -> str:
        return self.get("serialnumber")

    def linger(self, seconds: float) -> None:
        """Hold the session."""
        time.sleep(seconds)


def main(steps: list[list[Any]]) -> None:
    client = Client()
    for name, *arguments in steps:
        begun = time.monotonic()
        answer: dict[str, Any] = {"step": name}
        try:
            answer["result"] = getattr(client, name)(*arguments)
        except gphoto2.GPhoto2Error as error:
            answer["error"] = error.code
        answer["seconds"] = time.monotonic() - begun
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
