"""IANA time zones: their names, and what people's clocks there show; knows no rule and no table."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

from datastore.clocks import as_utc

_OF_THIS_HOST: Final = {"localtime", "Factory"}
"""Names that mean another zone on every computer."""


@cache
def _known_zone(name: str) -> str:
    # listing the zones reads hundreds of files
    if name in _OF_THIS_HOST or name not in available_timezones():
        raise ValueError(
            f"{name!r} is no IANA time zone: write one such as Europe/Berlin, Asia/Tokyo or UTC"
        )
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]
"""Name of an IANA time zone; validation refuses what is none."""


def local_text(at: datetime, zone: str) -> str:
    """Return what clocks in a zone show at a moment, with the offset from UTC.

    The offset tells the two passes of an hour apart that occurs twice.

    Raises
    ------
    ValueError
        If the time has no zone.
    """
    return as_utc(at).astimezone(ZoneInfo(zone)).isoformat(sep=" ", timespec="seconds")
