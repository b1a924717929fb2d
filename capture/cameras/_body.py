"""An open camera body: its connection and its parts; imported in camera workers alone.

Knows no recipe, session or catalogue.
"""

from __future__ import annotations

from capture.cameras._connection import Connection
from capture.cameras._files import Files
from capture.cameras._inspection import inspect
from capture.cameras._settings import Settings
from capture.cameras._trigger import Trigger
from capture.cameras.capabilities import Capabilities
from capture.errors import CameraError


class Body:
    """An open camera.

    Parameters
    ----------
    address
        Port path of libgphoto2, `ptpip:IP:PORT:PORT` or `usb:BUS,DEVICE`.

    Attributes
    ----------
    settings, trigger, files
        What can be asked of it.
    """

    def __init__(self, address: str) -> None:
        self._connection = Connection(address)
        try:
            self.settings = Settings(self._connection)
            self.files = Files(self._connection)
        except CameraError:
            self.close()
            raise
        self.trigger = Trigger(self._connection, self.settings, self.files)

    def inspect(self) -> Capabilities:
        """Find out what the camera can do."""
        return inspect(self._connection, self.settings)

    def close(self) -> None:
        """End the session with the camera; never raises."""
        self._connection.close()
