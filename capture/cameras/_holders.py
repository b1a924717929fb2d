"""Which processes hold a USB camera open, as /proc tells; knows nothing of cameras' protocols."""

from __future__ import annotations

from pathlib import Path

_DEVICES = Path("/dev/bus/usb")
_PROCESSES = Path("/proc")


def device_of(address: str) -> Path | None:
    """Return the device file of `usb:BUS,DEVICE`, None for other addresses."""
    kind, _, numbers = address.partition(":")
    bus, _, device = numbers.partition(",")
    return _DEVICES / bus / device if kind == "usb" and bus and device else None


def holders_of(device: Path) -> list[str]:
    """Return the processes that hold a file open, such as `gvfs-gphoto2-vo (process 812)`.

    Those of other users stay unseen, and this process is left out.
    """
    found = []
    for process in sorted(_PROCESSES.glob("[0-9]*")):
        try:
            is_holder = any(link.readlink() == device for link in (process / "fd").iterdir())
            name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            # it ended, or is another user's
            continue
        if is_holder and process.resolve() != (_PROCESSES / "self").resolve():
            found.append(f"{name} (process {process.name})")
    return found
