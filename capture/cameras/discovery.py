"""Which cameras there are: on USB by asking, on the network by given addresses.

Each is opened in a worker process of its own, identified and closed again; nothing is set and no
shutter released. Cameras on the network announce themselves in no way that could be listened to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final

from capture.cameras._supervisor import Supervisor
from capture.cameras.gphoto2_camera import MARGIN_S, port_path
from capture.errors import CaptureError

_NO_VARIABLES: Final[Mapping[str, str]] = MappingProxyType({})
_USB: Final = "USB"


@dataclass(frozen=True)
class FoundCamera:
    """A camera that was found, or an address where none answers.

    Attributes
    ----------
    address
        Where it is, as a fixture's description writes it.
    make, model, serial, firmware
        As it states them; of one on USB that cannot be opened, the model as the driver knows it.
    reason
        Why it cannot be opened, None if it can.
    """

    address: str
    make: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the camera as JSON values."""
        return asdict(self)


def discover(
    addresses: Sequence[str] = (),
    *,
    margin_s: float = MARGIN_S,
    environment: Mapping[str, str] = _NO_VARIABLES,
) -> list[FoundCamera]:
    """Find the cameras on USB and at addresses, and say who they are.

    Parameters
    ----------
    addresses
        Where to look besides USB, such as `ptpip:192.168.1.5`.
    margin_s
        How long a camera may take for an answer, in seconds.
    environment
        Variables for the workers' environment besides those of this process.

    Raises
    ------
    AddressError
        If an address has a form that cannot be opened.
    CaptureError
        If USB cannot be searched.
    """
    places: dict[str, str | None] = dict.fromkeys(addresses)
    for address in addresses:
        port_path(address)
    for model, address in _on_usb(margin_s, environment):
        places.setdefault(address, model)
    if not places:
        return []

    def identify(place: tuple[str, str | None]) -> FoundCamera:
        return _identified(*place, margin_s, environment)

    with ThreadPoolExecutor(len(places), thread_name_prefix="discovery") as threads:
        return list(threads.map(identify, places.items()))


def _on_usb(margin_s: float, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    supervisor = Supervisor(_USB, _USB, None, margin_s, environment)
    supervisor.start()
    try:
        return [(model, address) for model, address in supervisor.order("autodetect")]
    finally:
        supervisor.end()


def _identified(
    address: str, model: str | None, margin_s: float, environment: Mapping[str, str]
) -> FoundCamera:
    path = port_path(address)
    supervisor = Supervisor(address, path, None, margin_s, environment)
    supervisor.start()
    try:
        return FoundCamera(address, **supervisor.order("open", address=path))
    except CaptureError as error:
        return FoundCamera(address, model=model, reason=str(error))
    finally:
        supervisor.end()
