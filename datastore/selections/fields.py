"""The words that selections know: what each is called, and which values it takes; no database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Final, Literal, get_args

from datastore.clocks import as_utc
from datastore.errors import FilterError
from datastore.tables import AssetRole, FrameKind, ShotState, VerdictName

_LARGEST: Final = 1e300
"""Room for the margins of a comparison; neither infinity nor what is no number passes."""
_WRITTEN_EXPOSURE: Final = re.compile(
    r"\d{1,30}/\d{1,30}|\d{0,30}\.?\d{1,30}(e[+-]?\d{1,3})?", re.ASCII
)
"""A fraction or a decimal; a large exponent would be written out digit by digit."""

FieldKind = Literal["text", "word", "integer", "number", "exposure", "time", "boolean"]
Value = str | int | float | bool | datetime | Fraction


@dataclass(frozen=True)
class Field:
    """A recorded fact of shots that a selection may ask for.

    Attributes
    ----------
    name
        As it is written.
    kind
        What its values are.
    words
        The only values of a `word`.
    """

    name: str
    kind: FieldKind
    words: tuple[str, ...] = ()

    @property
    def is_ordered(self) -> bool:
        """Whether its values can be compared with `<` and `>`."""
        return self.kind in ("integer", "number", "exposure", "time")

    def value(self, given: object) -> Value:
        """Return a value that was given, by a program or as text, as this field holds it.

        Raises
        ------
        FilterError
            If it is none of this field's; names the field and what it takes.
        """
        found = _READERS[self.kind](given)
        if found is None or (self.words and found not in self.words):
            takes = ", ".join(self.words) if self.words else _TAKES[self.kind]
            shown = given.isoformat() if isinstance(given, datetime) else given
            raise FilterError(f"{self.name} takes {takes}, not {shown!r}")
        return found


def _text(given: object) -> str | None:
    if isinstance(given, bool) or not isinstance(given, (str, int)):
        return None
    text = str(given)
    return text if text and text.isprintable() else None


def _integer(given: object) -> int | None:
    if isinstance(given, str):
        try:
            given = int(given)
        except ValueError:
            return None
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        return None
    return int(given) if abs(int(given)) < 2**63 else None


def _number(given: object) -> float | None:
    if isinstance(given, bool) or not isinstance(given, (str, int, float, Fraction)):
        return None
    try:
        number = float(given)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) <= _LARGEST else None


def _exposure(given: object) -> Fraction | float | None:
    if isinstance(given, str):
        if not _WRITTEN_EXPOSURE.fullmatch(given):
            return None
        try:
            given = Fraction(given)
        except ZeroDivisionError:
            return None
    if isinstance(given, bool) or not isinstance(given, (int, float, Fraction)):
        return None
    number = _number(given)
    if number is None or number < 0:
        return None
    return given if isinstance(given, Fraction) else float(given)


def _time(given: object) -> datetime | None:
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            return None
    if not isinstance(given, datetime) or given.tzinfo is None:
        return None
    try:
        return as_utc(given)
    except OverflowError:
        return None


def _boolean(given: object) -> bool | None:
    if isinstance(given, str):
        return {"yes": True, "no": False}.get(given)
    return given if isinstance(given, bool) else None


_READERS: Final[dict[FieldKind, Any]] = {
    "text": _text,
    "word": _text,
    "integer": _integer,
    "number": _number,
    "exposure": _exposure,
    "time": _time,
    "boolean": _boolean,
}
_TAKES: Final[dict[FieldKind, str]] = {
    "text": "text",
    "word": "a word",
    "integer": "a whole number",
    "number": "a number",
    "exposure": "seconds such as 1/30 or 4",
    "time": "an ISO 8601 time with a zone, such as 2026-01-31T12:00Z",
    "boolean": "yes or no",
}

FIELDS: Final[dict[str, Field]] = {
    field.name: field
    for field in (
        Field("camera", "text"),
        Field("kind", "word", get_args(FrameKind)),
        Field("scene", "text"),
        Field("timeslot", "integer"),
        Field("session", "text"),
        Field("time", "time"),
        Field("iso", "integer"),
        Field("exposure_s", "exposure"),
        Field("f_number", "number"),
        Field("temperature_c", "number"),
        Field("black_level_dn", "number"),
        Field("mean_dn", "number"),
        Field("clipped_share", "number"),
        Field("sharpness", "number"),
        Field("state", "word", get_args(ShotState)),
        Field("verdict", "word", get_args(VerdictName)),
        Field("role", "word", get_args(AssetRole)),
        Field("firmware", "text"),
        Field("operator", "text"),
        Field("fixture", "text"),
        Field("recipe", "text"),
        Field("origin", "word", ("capture", "import")),
        Field("simulated", "boolean"),
        Field("warm_up", "boolean"),
        Field("attempt", "integer"),
    )
}
"""Every field by its name: `camera` is a serial, `scene` a name or `name@revision`, `timeslot` an
ordinal in the selection's scheme, `session` a UUID, `role` that of any of the shot's assets,
`origin` whether a session captured or imported the shot."""


def field_of(name: str) -> Field:
    """Return the field of a name; raises FilterError, with all names, where there is none."""
    if name not in FIELDS:
        raise FilterError(f"shots are not selected by {name!r}: use {', '.join(FIELDS)}")
    return FIELDS[name]
