"""One camera body through libgphoto2; the only module that imports gphoto2, in a worker alone.

Knows no recipe, session or catalogue. Every failure is raised as a CaptureError, because the
library's own errors do not leave the process that saw them.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, Final

import gphoto2

from capture.cameras.choices import NAMES, choice_for, parse_image_quality, parse_number
from capture.errors import (
    CameraBusyError,
    CameraError,
    CameraLostError,
    CardFullError,
    FilesMissingError,
    ForeignFileError,
    SettingNotAppliedError,
    SettingNotOfferedError,
)
from capture.spool import Spool, SpooledFile, role_of

_BUSY: Final = frozenset({-110})
_CLAIMED: Final = frozenset({-53, -60})
_NO_SUCH_FILE: Final = -108
_CARD_FULL: Final = frozenset({-1, -3, -115})
_BAD_REQUESTS: Final = frozenset({-2, -6})

_PREPARED: Final = (
    ("capturetarget", "Memory card"),
    ("recordingmedia", "Card"),
    ("autofocus", "Off"),
    ("autoiso", "Off"),
    ("longexpnr", "Off"),
    ("highisonr", "Off"),
)
"""State that every session needs: files kept on the card, and no processing in the camera."""

_MUST_HOLD: Final = frozenset({"capturetarget", "autoiso", "longexpnr"})
_MANUAL_PROGRAM: Final = ("expprogram", "M")

_SETTLING_S: Final = 0.5
_POLL_S: Final = 0.004
_EVENT_WAIT_MS: Final = 20
_AFTER_LAST_FILE_S: Final = 0.05
_ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "raw": ("raw",),
    "jpeg": ("jpeg",),
    "raw+jpeg": ("raw", "jpeg"),
}

_Path = tuple[str, str]


class Body:
    """An open camera.

    Parameters
    ----------
    address
        Port path of libgphoto2, `ptpip:IP:PORT:PORT` or `usb:BUS,DEVICE`.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._read_back: dict[str, Any] = {}
        self._camera = gphoto2.Camera()
        ports = gphoto2.PortInfoList()
        with self._translated("looking for its port"):
            ports.load()
            self._camera.set_port_info(ports[ports.lookup_path(address)])
            if address.startswith("ptpip:"):
                abilities = gphoto2.CameraAbilitiesList()
                abilities.load()
                self._camera.set_abilities(abilities[abilities.lookup_model("PTP/IP Camera")])
        try:
            with self._translated("opening it"):
                self._camera.init()
                self._names = self._setting_names()
            self._make = self._text("manufacturer") or ""
            self._known: set[_Path] = {(file["folder"], file["name"]) for file in self.list_card()}
        except CameraError:
            self.close()
            raise

    def identify(self) -> dict[str, str | None]:
        """Return make, model, serial and firmware as the camera states them."""
        return {
            "make": self._make,
            "model": self._text("cameramodel") or "",
            "serial": self._text("serialnumber") or "",
            "firmware": self._text("deviceversion"),
        }

    def prepare(self) -> None:
        """Bring the camera to the state that every session needs.

        Raises
        ------
        SettingNotAppliedError
            If it keeps a state that would spoil the shots.
        """
        for name, wanted in _PREPARED:
            if name not in self._names:
                continue
            widget = self._widget(name)
            if widget.get_value() == wanted or wanted not in _choices(widget):
                continue
            self._set(name, widget, wanted)
            if name in _MUST_HOLD:
                self._await_value(name, wanted)
        name, wanted = _MANUAL_PROGRAM
        if name in self._names and self._text(name) != wanted:
            raise SettingNotAppliedError(
                f"the camera at {self._address} is not in manual mode ({name} is"
                f" {self._text(name)}): turn its mode dial to M"
            )

    def offered(self) -> dict[str, list[str]]:
        """Return the choices of every field of a recipe."""
        return {
            field: _choices(self._widget(name))
            for field in NAMES
            if (name := self._name_of(field)) is not None
        }

    def clock_s(self) -> float | None:
        """Return the camera's clock as seconds since 1970, None if it shows none."""
        if "datetime" not in self._names:
            return None
        value = self._widget("datetime").get_value()
        return float(value) if isinstance(value, int) and value > 0 else None

    def apply(self, wishes: Mapping[str, object]) -> dict[str, Any]:
        """Apply settings and return what the camera shows afterwards.

        Parameters
        ----------
        wishes
            Field of a recipe and number (as rational text) or image quality; None leaves it.

        Raises
        ------
        SettingNotOfferedError
            If a choice is missing; nothing was set then.
        SettingNotAppliedError
            If the camera took a setting without an error and shows another value.
        """
        chosen = {}
        for field, wanted in wishes.items():
            if wanted is not None:
                chosen[field] = self._choose(field, wanted)
        shown: dict[str, str] = {}
        for name, widget, choice in chosen.values():
            if widget.get_value() != choice:
                self._set(name, widget, choice)
                self._await_value(name, choice)
            shown[name] = choice
        for field in NAMES.keys() - chosen.keys():
            name_left = self._name_of(field)
            if name_left is not None:
                shown[name_left] = self._text(name_left) or ""
        self._read_back = self._understood(shown)
        return self._read_back

    def shoot(
        self, spool: Spool, shot_uuid: str, image_quality: str, deadline_s: float
    ) -> dict[str, Any]:
        """Release the shutter and bring the shot's files into the spool.

        Parameters
        ----------
        spool
            Where they go.
        shot_uuid
            The shot; its sidecar is written once all files are durable.
        image_quality
            Says which files there will be.
        deadline_s
            How long all of them may take to appear, in seconds.

        Raises
        ------
        FilesMissingError
            If a file did not appear in time.
        ForeignFileError
            If a file appeared that the shot does not account for.
        """
        began = time.monotonic()
        self._forget_old_events()
        released_after_s = time.monotonic() - began
        with self._translated("releasing its shutter", card_full_possible=True):
            self._camera.trigger_capture()
        files = self._collect(spool, shot_uuid, image_quality, began + deadline_s)
        return self._seal(spool, shot_uuid, files, released_after_s)

    def list_card(self) -> list[dict[str, Any]]:
        """Return folder, name and size of every file on the card."""
        found = []
        waiting = ["/"]
        with self._translated("listing its card"):
            while waiting:
                folder = waiting.pop()
                for name, _ in self._camera.folder_list_folders(folder):
                    waiting.append(f"{folder.rstrip('/')}/{name}")
                for name, _ in self._camera.folder_list_files(folder):
                    size = self._camera.file_get_info(folder, name).file.size
                    found.append({"folder": folder, "name": name, "bytes": int(size)})
        return found

    def fetch(self, spool: Spool, shot_uuid: str, files: list[_Path]) -> dict[str, Any]:
        """Bring files of the card into the spool as those of a shot, and seal it."""
        received = [
            self._download(spool, shot_uuid, number, path) for number, path in enumerate(files)
        ]
        return self._seal(spool, shot_uuid, received, 0.0)

    def delete(self, folder: str, name: str) -> None:
        """Delete a file from the card; one that is not there is as good as deleted."""
        try:
            self._camera.file_delete(folder, name)
        except gphoto2.GPhoto2Error as error:
            if error.code != _NO_SUCH_FILE:
                raise self._translation(error, f"deleting {folder}/{name}") from None
        self._known.discard((folder, name))

    def close(self) -> None:
        """End the session with the camera; never raises."""
        try:
            self._camera.exit()
        except gphoto2.GPhoto2Error:
            pass
        finally:
            guard_standard_input()

    def _collect(
        self, spool: Spool, shot_uuid: str, image_quality: str, deadline: float
    ) -> list[SpooledFile]:
        missing = Counter(_ROLES[image_quality])
        received: list[SpooledFile] = []
        for path in self._new_files(missing, deadline):
            role = role_of(path[1])
            if path in self._known:
                raise ForeignFileError(
                    f"the camera at {self._address} delivered {path[1]} again, which was on its"
                    " card before the shot"
                )
            if missing[role] == 0:
                raise ForeignFileError(
                    f"the camera at {self._address} delivered {path[1]}, though {image_quality}"
                    " was asked for and that is complete"
                )
            missing[role] -= 1
            self._known.add(path)
            received.append(self._download(spool, shot_uuid, len(received), path))
        return received

    def _new_files(self, missing: Counter[str], deadline: float) -> Iterator[_Path]:
        """Yield files as the camera reports them, until all have come and it reports the end."""
        complete = False
        last_file_at = time.monotonic()
        while True:
            waiting = missing.total() > 0
            now = time.monotonic()
            if not waiting and (complete or now - last_file_at > _AFTER_LAST_FILE_S):
                return
            if waiting and now > deadline:
                roles = " and ".join(role for role, count in missing.items() if count)
                raise FilesMissingError(
                    f"the camera at {self._address} did not deliver the {roles} file of a shot in"
                    " time"
                )
            kind, data = self._next_event()
            if kind == gphoto2.GP_EVENT_FILE_ADDED:
                last_file_at = time.monotonic()
                yield (data.folder, data.name)
                last_file_at = time.monotonic()
            elif kind == gphoto2.GP_EVENT_CAPTURE_COMPLETE:
                complete = True

    def _forget_old_events(self) -> None:
        """Take files that appear before the release as known: they are another shot's."""
        while True:
            kind, data = self._next_event(wait_ms=1)
            if kind == gphoto2.GP_EVENT_TIMEOUT:
                return
            if kind == gphoto2.GP_EVENT_FILE_ADDED:
                self._known.add((data.folder, data.name))

    def _next_event(self, wait_ms: int = _EVENT_WAIT_MS) -> tuple[int, Any]:
        asked = time.monotonic()
        with self._translated("waiting for its files"):
            kind, data = self._camera.wait_for_event(wait_ms)
        # over PTP/IP the library returns at once whatever it was told to wait
        too_soon = time.monotonic() - asked < _POLL_S
        if kind == gphoto2.GP_EVENT_TIMEOUT and wait_ms > 1 and too_soon:
            time.sleep(_POLL_S)
        return kind, data

    def _download(self, spool: Spool, shot_uuid: str, number: int, path: _Path) -> SpooledFile:
        folder, name = path
        with self._translated(f"reading {name}"):
            announced = int(self._camera.file_get_info(folder, name).file.size)
            file = self._camera.file_get(folder, name, gphoto2.GP_FILE_TYPE_NORMAL)
            data = memoryview(file.get_data_and_size())
        if len(data) != announced:
            raise CameraLostError(
                f"the camera at {self._address} announced {name} with {announced} bytes and sent"
                f" {len(data)}"
            )
        return spool.receive(shot_uuid, number, data, folder, name)

    def _seal(
        self, spool: Spool, shot_uuid: str, files: list[SpooledFile], released_after_s: float
    ) -> dict[str, Any]:
        facts = {"released_after_s": released_after_s, "read_back": self._read_back}
        spool.seal(shot_uuid, files, facts)
        return {"shot_uuid": shot_uuid, "released_after_s": released_after_s}

    def _choose(self, field: str, wanted: object) -> tuple[str, Any, str]:
        """Return name, widget and choice for a field of a recipe."""
        name = self._name_of(field)
        if name is None:
            raise SettingNotOfferedError(
                f"the camera at {self._address} has no setting for {field}; change the recipe"
            )
        widget = self._widget(name)
        try:
            return name, widget, choice_for(field, wanted, _choices(widget), self._make)
        except SettingNotOfferedError as error:
            raise SettingNotOfferedError(
                f"the camera at {self._address}: {error}; change the recipe"
            ) from None

    def _understood(self, shown: Mapping[str, str]) -> dict[str, Any]:
        """Return the camera's texts as numbers, by field, and the texts themselves."""

        def number(field: str) -> Fraction | None:
            return parse_number(shown.get(self._name_of(field) or "", ""))

        exposure, iso, f_number = number("exposure"), number("iso"), number("f_number")
        quality = shown.get(self._name_of("image_quality") or "", "")
        reduction = self._text("longexpnr") if "longexpnr" in self._names else None
        return {
            "exposure_s": None if exposure is None else float(exposure),
            "iso": None if iso is None else int(iso),
            "f_number": None if f_number is None else float(f_number),
            "image_quality": parse_image_quality(quality, self._make),
            "long_exposure_noise_reduction": None if reduction is None else reduction != "Off",
            "values": dict(shown),
        }

    def _setting_names(self) -> frozenset[str]:
        found = self._camera.list_config()
        paths = (str(found.get_name(index)) for index in range(len(found)))
        return frozenset(path.rsplit("/", 1)[-1] for path in paths)

    def _name_of(self, field: str) -> str | None:
        return next((name for name in NAMES[field] if name in self._names), None)

    def _widget(self, name: str) -> Any:
        with self._translated(f"reading its setting {name}"):
            return self._camera.get_single_config(name)

    def _text(self, name: str) -> str | None:
        value = self._widget(name).get_value()
        return None if value is None else str(value)

    def _set(self, name: str, widget: Any, choice: str) -> None:
        with self._translated(f"setting {name} to {choice}"):
            widget.set_value(choice)
            self._camera.set_single_config(name, widget)

    def _await_value(self, name: str, wanted: str) -> None:
        deadline = time.monotonic() + _SETTLING_S
        while (shown := self._text(name)) != wanted:
            if time.monotonic() > deadline:
                raise SettingNotAppliedError(
                    f"the camera at {self._address} was set to {name} {wanted} and shows {shown}"
                )
            time.sleep(_POLL_S)

    @contextmanager
    def _translated(self, doing: str, *, card_full_possible: bool = False) -> Iterator[None]:
        try:
            yield
        except gphoto2.GPhoto2Error as error:
            raise self._translation(error, doing, card_full_possible=card_full_possible) from None

    def _translation(
        self, error: Any, doing: str, *, card_full_possible: bool = False
    ) -> CameraError:
        said = f"the camera at {self._address} failed while {doing}: {error.string} ({error.code})"
        if error.code in _BUSY:
            return CameraBusyError(f"{said}; it is busy, or another program has a session with it")
        if error.code in _CLAIMED:
            return CameraBusyError(
                f"{said}; another program holds it: stop gvfs-gphoto2-volume-monitor or unmount it"
            )
        if card_full_possible and error.code in _CARD_FULL:
            return CardFullError(f"{said}; its memory card may be full: empty it")
        if error.code in _BAD_REQUESTS:
            return CameraError(said)
        return CameraLostError(f"{said}; check that it is on and that the address is right")


def _choices(widget: Any) -> list[str]:
    try:
        return [str(choice) for choice in widget.get_choices()]
    except gphoto2.GPhoto2Error:
        return []


def guard_standard_input() -> None:
    """Put /dev/null back on descriptor 0, which libgphoto2 closes with every PTP/IP session."""
    try:
        os.fstat(0)
    except OSError:
        descriptor = os.open(os.devnull, os.O_RDONLY)
        if descriptor != 0:
            os.dup2(descriptor, 0)
            os.close(descriptor)
