"""A camera's settings through libgphoto2: offered, set, read back; used in camera workers alone.

No setting is believed because it raised no error: each is looked up among the choices, set, and
read again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final

import gphoto2

from capture.cameras._connection import Connection
from capture.cameras._translation import REFUSALS
from capture.cameras.choices import NAMES, choice_for, parse_image_quality, parse_number
from capture.cameras.custom_functions import is_noise_reduction_on, without_noise_reduction
from capture.errors import SettingNotAppliedError, SettingNotOfferedError

NOISE_REDUCTION: Final = "longexpnr"
CUSTOM_FUNCTIONS: Final = "customfuncex"
"""The driver's names of where long-exposure noise reduction is set; some bodies hide it."""

_PREPARED: Final = (
    ("capturetarget", "Memory card"),
    ("recordingmedia", "Card"),
    ("autofocus", "Off"),
    ("autoiso", "Off"),
    (NOISE_REDUCTION, "Off"),
    ("highisonr", "Off"),
    ("drivemode", "Single"),
)
"""State that every session needs: files kept on the card, and no processing in the camera."""

_MUST_HOLD: Final = frozenset({"capturetarget", "autoiso", NOISE_REDUCTION, "drivemode"})
_MANUAL_PROGRAMS: Final = (("expprogram", "M"), ("autoexposuremode", "Manual"))

SHUTTER_COUNTER: Final = "shuttercounter"
BATTERY: Final = "batterylevel"
CLOCK: Final = "datetime"
_SERIAL_ON_THE_PLATE: Final = "eosserialnumber"
_EVENT_MODE: Final = "eventmode"
"""Set to 1, it has Canon's EOS tell every value again; else their clock is that of the opening."""

_USED: Final = frozenset(
    {name for names in NAMES.values() for name in names}
    | {name for name, _ in (*_PREPARED, *_MANUAL_PROGRAMS)}
    | {CUSTOM_FUNCTIONS, SHUTTER_COUNTER, BATTERY, CLOCK, _SERIAL_ON_THE_PLATE, _EVENT_MODE}
)
_REFUSED_AT_ONCE_S: Final = 0.5
"""A driver that lists a setting which a camera lacks says so sooner, a late answer comes later."""

_CLOCK_MOVES_WITHIN_S: Final = 1.5
_SETTLING_S: Final = 0.5
_POLL_S: Final = 0.004


class Settings:
    """The settings of an open camera.

    Attributes
    ----------
    names
        What the driver calls those that are of use here and that the camera has.
    make
        The maker, as the camera states it.
    read_back
        The settings as they were last applied and shown.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._camera = connection.camera
        self.read_back: dict[str, Any] = {}
        self._clock_shown: tuple[object, float] = (None, 0.0)
        self.names = self._readable_names()
        self.make = self._text("manufacturer") or ""

    def identify(self) -> dict[str, str | None]:
        """Return make, model, serial and firmware as the camera states them."""
        return {
            "make": self.make,
            "model": self._text("cameramodel") or "",
            "serial": self._serial(),
            "firmware": self._text("deviceversion"),
        }

    def _serial(self) -> str:
        # where a camera shows both, this is the one on its plate and in its files
        return self.text_if_any(_SERIAL_ON_THE_PLATE) or self._text("serialnumber") or ""

    def prepare(self) -> None:
        """Bring the camera to the state that every session needs.

        Raises
        ------
        SettingNotAppliedError
            If it keeps a state that would spoil the shots.
        """
        for name, wanted in _PREPARED:
            if name not in self.names:
                continue
            widget = self.widget(name)
            if widget.get_value() == wanted or wanted not in choices_of(widget):
                continue
            self._set(name, widget, wanted)
            if name in _MUST_HOLD:
                self._await_value(name, wanted)
        custom_functions = self.text_if_any(CUSTOM_FUNCTIONS) or ""
        if is_noise_reduction_on(custom_functions):
            self.set_verified(CUSTOM_FUNCTIONS, without_noise_reduction(custom_functions))
        for name, wanted in _MANUAL_PROGRAMS:
            if name in self.names and (shown := self._text(name)) != wanted:
                raise SettingNotAppliedError(
                    f"the camera at {self._connection.address} is not in manual mode ({name} is"
                    f" {shown}): turn its mode dial to M"
                )

    def offered(self) -> dict[str, list[str]]:
        """Return the choices of every field of a recipe."""
        return {
            field: choices_of(self.widget(name))
            for field in NAMES
            if (name := self.name_of(field)) is not None
        }

    def clock_s(self) -> float | None:
        """Return the camera's clock as seconds since 1970, None if it shows none that runs."""
        if CLOCK not in self.names:
            return None
        if _EVENT_MODE in self.names:
            self._have_all_told_again()
        value = self.widget(CLOCK).get_value()
        now = time.monotonic()
        if value != self._clock_shown[0]:
            self._clock_shown = (value, now)
        stands_still = now - self._clock_shown[1] > _CLOCK_MOVES_WITHIN_S
        if stands_still or not isinstance(value, int) or value <= 0:
            return None
        return float(value)

    def is_noise_reduction_on(self) -> bool | None:
        """Tell whether long-exposure noise reduction is on, None if the camera does not show it."""
        shown = self.text_if_any(NOISE_REDUCTION)
        if shown is not None:
            return shown != "Off"
        return is_noise_reduction_on(self.text_if_any(CUSTOM_FUNCTIONS) or "")

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
            name_left = self.name_of(field)
            if name_left is not None:
                shown[name_left] = self._text(name_left) or ""
        self.read_back = self._understood(shown)
        return self.read_back

    def _choose(self, field: str, wanted: object) -> tuple[str, Any, str]:
        """Return name, widget and choice for a field of a recipe."""
        name = self.name_of(field)
        if name is None:
            raise SettingNotOfferedError(
                f"the camera at {self._connection.address} has no setting for {field}; change the"
                " recipe"
            )
        widget = self.widget(name)
        try:
            return name, widget, choice_for(field, wanted, choices_of(widget), self.make)
        except SettingNotOfferedError as error:
            raise SettingNotOfferedError(
                f"the camera at {self._connection.address}: {error}; change the recipe"
            ) from None

    def _understood(self, shown: Mapping[str, str]) -> dict[str, Any]:
        """Return the camera's texts as numbers, by field, and the texts themselves."""

        def number(field: str) -> Fraction | None:
            return parse_number(shown.get(self.name_of(field) or "", ""))

        exposure, iso, f_number = number("exposure"), number("iso"), number("f_number")
        quality = shown.get(self.name_of("image_quality") or "", "")
        return {
            "exposure_s": None if exposure is None else float(exposure),
            "iso": None if iso is None else int(iso),
            "f_number": None if f_number is None else float(f_number),
            "image_quality": parse_image_quality(quality, self.make),
            "long_exposure_noise_reduction": self.is_noise_reduction_on(),
            "values": dict(shown),
        }

    def _readable_names(self) -> frozenset[str]:
        with self._connection.translated("opening it"):
            listed = self._camera.list_config().keys()
        names = {str(path).rsplit("/", 1)[-1] for path in listed}
        return frozenset(name for name in sorted(names & _USED) if self._is_readable(name))

    def _is_readable(self, name: str) -> bool:
        return not self._is_refused(
            lambda: self._camera.get_single_config(name), f"reading its setting {name}"
        )

    def _have_all_told_again(self) -> None:
        widget = self.widget(_EVENT_MODE)
        widget.set_value("1")
        # where that is refused, the clock stands still
        self._is_refused(
            lambda: self._camera.set_single_config(_EVENT_MODE, widget), f"setting {_EVENT_MODE}"
        )

    def _is_refused(self, request: Callable[[], object], doing: str) -> bool:
        """Do something that a camera may have no notion of; tell whether it refused at once."""
        asked = time.monotonic()
        try:
            request()
        except gphoto2.GPhoto2Error as error:
            if error.code in REFUSALS and time.monotonic() - asked < _REFUSED_AT_ONCE_S:
                return True
            raise self._connection.translation(error, doing) from None
        return False

    def name_of(self, field: str) -> str | None:
        """Return the driver's name of a field of a recipe, None if the camera has none."""
        return next((name for name in NAMES[field] if name in self.names), None)

    def widget(self, name: str) -> Any:
        """Return a setting as the library shows it at this moment."""
        with self._connection.translated(f"reading its setting {name}"):
            return self._camera.get_single_config(name)

    def text_if_any(self, name: str) -> str | None:
        """Return a setting's text, None if the camera has no such setting."""
        return self._text(name) if name in self.names else None

    def is_writable(self, name: str) -> bool:
        """Tell whether a setting can be set from here."""
        return not self.widget(name).get_readonly()

    def set_verified(self, name: str, choice: str) -> None:
        """Set a setting to one of its choices, or to a text.

        Raises
        ------
        SettingNotAppliedError
            If the camera took it without an error and shows another value.
        """
        self._set(name, self.widget(name), choice)
        self._await_value(name, choice)

    def _text(self, name: str) -> str | None:
        value = self.widget(name).get_value()
        return None if value is None else str(value)

    def _set(self, name: str, widget: Any, choice: str) -> None:
        with self._connection.translated(f"setting {name} to {choice}"):
            widget.set_value(choice)
            self._camera.set_single_config(name, widget)

    def _await_value(self, name: str, wanted: str) -> None:
        deadline = time.monotonic() + _SETTLING_S
        while (shown := self._text(name)) != wanted:
            if time.monotonic() > deadline:
                raise SettingNotAppliedError(
                    f"the camera at {self._connection.address} was set to {name} {wanted} and"
                    f" shows {shown}"
                )
            time.sleep(_POLL_S)


def choices_of(widget: Any) -> list[str]:
    """Return the choices of a setting; none if it is of a kind without any."""
    try:
        return [str(choice) for choice in widget.get_choices()]
    except gphoto2.GPhoto2Error:
        return []
