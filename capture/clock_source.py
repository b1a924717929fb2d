"""The simulated civil clock of a virtual fixture, as the datastore's clock protocol."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from capture._control import ControlEndpoint, ControlFailedError
from capture.errors import ClockError
from datastore.clocks import ClockSource, as_utc


class VirtualFixtureClock:
    """Civil time as a virtual fixture's control endpoint tells it.

    Parameters
    ----------
    url
        Of the control endpoint, `http://127.0.0.1:PORT`.
    """

    source: Final[ClockSource] = "simulated"

    def __init__(self, url: str) -> None:
        self._endpoint = ControlEndpoint(url)

    def now(self) -> datetime:
        """Return the aware UTC time of the virtual fixture.

        Raises
        ------
        ClockError
            If the endpoint does not answer with a time.
        """
        try:
            return as_utc(datetime.fromisoformat(str(self._endpoint.get("/state")["civil_time"])))
        except ControlFailedError as error:
            raise ClockError(f"the simulated clock cannot be read: {error}") from None
        except (KeyError, ValueError):
            raise ClockError("the simulated clock answered without a civil_time") from None

    def set(self, at: datetime) -> None:
        """Set the civil time of the virtual fixture; from there it goes on.

        Raises
        ------
        ClockError
            If the endpoint does not take it, as outside the life of one of its cameras.
        """
        try:
            self._endpoint.put("/civil-time", {"civil_time": as_utc(at).isoformat()})
        except ControlFailedError as error:
            raise ClockError(f"the simulated clock cannot be set: {error}") from None
