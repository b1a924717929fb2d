"""Puts the daemon together from a home's settings: its runner, its clocks, what else it does."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING

from agetrace import __version__
from agetrace.capturing import clock_of, go_on, run_recipe
from agetrace.errors import RequestError

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from datetime import datetime

    from agetrace.settings import Home
    from capture.daemon.replay import Progress, Replayed
    from capture.daemon.service import DaemonService, Hook
    from capture.daemon.service_manager import ServiceManager
    from capture.outcome import SessionOutcome
    from capture.schedules.occurrences import ClaimedOccurrence
    from datastore.catalogue import Catalogue


class HomeRunner:
    """Runs the sessions of occurrences as the home's settings say.

    Each session opens the catalogue for itself, so that several run beside each other without
    waiting for one another's connections.

    Parameters
    ----------
    home
        With the settings.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        # what cannot be loaded is to be seen at the start, not at the first due time
        import_module("capture.sessions")

    def run(self, occurrence: ClaimedOccurrence, *, stop: threading.Event) -> SessionOutcome:
        """Run a new session for an occurrence; raises as `agetrace.capturing.run_recipe`."""
        with self._home.open_catalogue() as catalogue:
            return run_recipe(
                self._home,
                catalogue,
                occurrence.recipe,
                fixture_name=occurrence.fixture,
                serials=occurrence.serials,
                operator=occurrence.attended_by,
                occurrence_id=occurrence.id,
                stop=stop,
            )

    def resume(self, session_uuid: str, *, stop: threading.Event) -> SessionOutcome | None:
        """Go on with a session; None if a process that still runs has it."""
        with self._home.open_catalogue() as catalogue:
            return go_on(self._home, catalogue, session_uuid, stop=stop)


def daemon_of(
    home: Home,
    catalogue: Catalogue,
    *,
    manager: ServiceManager | None = None,
    hooks: Sequence[Hook] = (),
) -> DaemonService:
    """Return a daemon for a home, whose `run` makes one pass after another.

    Parameters
    ----------
    home
        With the settings.
    catalogue
        The home's.
    manager
        Is told how the daemon does.
    hooks
        What else every pass does.

    Raises
    ------
    HomeError
        If the settings of the clock are incomplete.
    """
    from capture.daemon.clock_watch import ClockWatch
    from capture.daemon.service import DaemonService
    from capture.leasing import this_process

    clock = clock_of(home)
    return DaemonService(
        catalogue,
        HomeRunner(home),
        clock=clock,
        holder=this_process(),
        version=__version__,
        horizon=_horizon(home),
        # a simulated clock moves as it likes
        watch=ClockWatch() if clock.source == "host" else None,
        hooks=hooks,
        manager=manager,
    )


def replay_home(
    home: Home,
    catalogue: Catalogue,
    until: datetime,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Replayed:
    """Live through a home's schedules in simulated time; nobody is notified, no job is run.

    Parameters as for `capture.daemon.replay.replay`.

    Raises
    ------
    RequestError
        If the home's clock is the host's, or `until` is past.
    capture.errors.ClockRefusedError
        If a camera of a schedule's fixture is real.
    """
    from capture.clock_source import VirtualFixtureClock
    from capture.daemon.replay import replay, require_simulated

    require_simulated(catalogue, home.settings.clock.source)
    clock = clock_of(home)
    if not isinstance(clock, VirtualFixtureClock):
        raise RequestError("only the clock of a virtual fixture can be replayed")
    return replay(
        daemon_of(home, catalogue),
        catalogue,
        clock,
        until=until,
        horizon=_horizon(home),
        progress=progress,
        stop=stop,
    )


def _horizon(home: Home) -> timedelta:
    return timedelta(days=home.settings.daemon.horizon_days)
