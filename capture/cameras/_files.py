"""The files on a camera's card through libgphoto2; used in camera workers alone.

Owns which files were there before a shot. Files are brought to memory; nothing is written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gphoto2

from capture.cameras._connection import Connection
from capture.cameras._translation import NO_SUCH_FILE
from capture.errors import CameraLostError

CardPath = tuple[str, str]
"""Folder and name of a file on the card."""


@dataclass(frozen=True)
class ReceivedFile:
    """A file in memory.

    Attributes
    ----------
    folder, name
        Where its copy on the card lies.
    data
        Its bytes.
    owner
        The library's object that the bytes belong to: they are gone with it.
    """

    folder: str
    name: str
    data: memoryview
    owner: Any


class Files:
    """The files of an open camera.

    Attributes
    ----------
    known
        Every file that belongs to no shot to come.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._camera = connection.camera
        self.known: set[CardPath] = {(file["folder"], file["name"]) for file in self.list_card()}

    def list_card(self) -> list[dict[str, Any]]:
        """Return folder, name and size of every file on the card."""
        found = []
        waiting = ["/"]
        with self._connection.translated("listing its card"):
            while waiting:
                folder = waiting.pop()
                for name, _ in self._camera.folder_list_folders(folder).items():
                    waiting.append(f"{folder.rstrip('/')}/{name}")
                for name, _ in self._camera.folder_list_files(folder).items():
                    size = self._camera.file_get_info(folder, name).file.size
                    found.append({"folder": folder, "name": name, "bytes": int(size)})
        return found

    def download(self, path: CardPath) -> ReceivedFile:
        """Bring a file to memory.

        Raises
        ------
        CameraLostError
            If the camera sends another number of bytes than it announced.
        """
        folder, name = path
        with self._connection.translated(f"reading {name}"):
            announced = int(self._camera.file_get_info(folder, name).file.size)
            owner = self._camera.file_get(folder, name, gphoto2.GP_FILE_TYPE_NORMAL)
            data = memoryview(owner.get_data_and_size())
        if len(data) != announced:
            raise CameraLostError(
                f"the camera at {self._connection.address} announced {name} with {announced} bytes"
                f" and sent {len(data)}"
            )
        return ReceivedFile(folder, name, data, owner)

    def delete(self, path: CardPath) -> None:
        """Delete a file from the card; one that is not there is as good as deleted."""
        folder, name = path
        try:
            self._camera.file_delete(folder, name)
        except gphoto2.GPhoto2Error as error:
            if error.code != NO_SUCH_FILE:
                raise self._connection.translation(error, f"deleting {folder}/{name}") from None
        self.known.discard(path)
