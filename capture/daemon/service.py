"""The daemon's work: one pass after another over what is due, and the sessions that run.

Owns the order of a pass, what is done where the database or the clock fails, and the end. What is
due, claimed and settled is `capture.schedules`'; it knows neither home nor command line.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from capture.daemon.backoff import Backoff
from capture.daemon.catalogue_guard import CatalogueGuard
from capture.daemon.clock_watch import ClockWatch, boot_time_s
from capture.daemon.daemon_row import DaemonRow
from capture.daemon.executor import OUTAGES, SessionRunner
from capture.daemon.service_manager import NoServiceManager, ServiceManager
from capture.daemon.ticker import Ticker
from capture.daemon.work import OccurrenceWork
from capture.errors import ClockError
from capture.logs import get_logger
from capture.schedules.occurrences import claim_next, materialise, sweep
from capture.schedules.reasons import MissedReason
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock

Hook = Callable[[datetime], None]
"""Something else that every pass does, told the civil time."""

_ASLEEP_S: Final = 120.0
"""A longer time without a pass says that nobody was there."""

_LOOK_S: Final = 1.0
_LAST_WORDS_S: Final = 30.0
"""How long the end is put off for a catalogue that is away."""

_LOG = get_logger(__name__)


@dataclass(frozen=True)
class Counts:
    """What a daemon did since it started.

    Attributes
    ----------
    passes, failed_passes
        Of these, the failed ones found the database or the clock away.
    sessions
        Sessions begun or gone on with.
    clock_jumps
        How often the civil clock was moved.
    """

    passes: int = 0
    failed_passes: int = 0
    sessions: int = 0
    clock_jumps: int = 0

    def to_json(self) -> dict[str, int]:
        """Return the counts as JSON values."""
        return asdict(self)


class DaemonService:
    """Has what is due carried out; `tick` is one pass, `run` makes one after another.

    Parameters
    ----------
    catalogue
        Keeps schedules and occurrences.
    runner
        Runs the sessions.
    clock
        Civil time.
    holder
        This process, as `capture.leasing.this_process` names it.
    version
        Of the program, for the record.
    horizon
        How far ahead due times become occurrences.
    watch
        Judges the civil clock; None where it is simulated, and moves as it likes.
    hooks
        What else every pass does; what one of them raises does not keep the others.
    manager
        Is told how the daemon does.
    boot_s
        Returns the seconds since boot, suspend included.
    backoff
        Spaces the passes while they fail.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        runner: SessionRunner,
        *,
        clock: CivilClock,
        holder: str,
        version: str,
        horizon: timedelta,
        watch: ClockWatch | None = None,
        hooks: Sequence[Hook] = (),
        manager: ServiceManager | None = None,
        boot_s: Callable[[], float] = boot_time_s,
        backoff: Backoff | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._guard = CatalogueGuard(catalogue)
        self._runner = runner
        self._clock = clock
        self._holder = holder
        self._horizon = horizon
        self._watch = watch
        self._hooks = hooks
        self._manager = manager or NoServiceManager()
        self._boot_s = boot_s
        self._backoff = backoff or Backoff()
        self._row = DaemonRow(catalogue, holder, version, clock.source)
        self._work: list[OccurrenceWork] = []
        self._is_draining = False
        self._swept_at_s: float | None = None
        self._since_sweep: MissedReason | None = None
        self.counts = Counts()
        self.failure: Exception | None = None

    @property
    def sessions_in_hand(self) -> int:
        """Number of sessions that run at this moment."""
        return sum(work.is_running for work in self._work)

    def run(self, stop: threading.Event, *, tick_s: float) -> None:
        """Tick every `tick_s` seconds until `stop` is set, then end cleanly."""
        self.tick()
        self._manager.ready()
        Ticker(self.tick, tick_s).run(stop)
        self.drain()

    def tick(self) -> None:
        """Make one pass: what is due is begun, what is over is settled; never raises."""
        self._manager.alive()
        if self._backoff.is_waiting:
            return
        try:
            self._pass()
        except (*OUTAGES, ClockError) as error:
            self._note_failure(error)
            _LOG.warning("pass-failed", error=str(error), again_in_s=self._backoff.wait_s)
        except Exception as error:
            # a fault of the program must not end what else is due for years
            self._note_failure(error)
            _LOG.exception("pass-failed", again_in_s=self._backoff.wait_s)
        else:
            if self.failure is not None:
                _LOG.info("pass-succeeded-again")
            self.failure = None
            self._backoff.reset()
        self.counts = replace(self.counts, passes=self.counts.passes + 1)
        self._manager.alive()
        self._manager.status(self._in_words())

    def wait_for_sessions(self, stop: threading.Event | None = None) -> None:
        """Wait until every session in hand has ended, or a stop is asked for."""
        for work in self._work:
            while work.is_running and not (stop is not None and stop.is_set()):
                work.join(_LOOK_S)

    def drain(self) -> None:
        """End: the shots in hand are finished, everything is settled or put back; never raises."""
        self._is_draining = True
        self._manager.stopping()
        _LOG.info("daemon-draining", sessions=self.sessions_in_hand)
        for work in self._work:
            work.stop()
        self._try(lambda: self._row.update("draining"))
        while running := [work for work in self._work if work.is_running]:
            self._manager.alive()
            self._manager.status(f"finishing the shots of {len(running)} sessions")
            running[0].join(_LOOK_S)
        end_s = time.monotonic() + _LAST_WORDS_S
        while not self._try(self._say_last_words) and time.monotonic() < end_s:
            self._manager.alive()
            time.sleep(_LOOK_S)
        _LOG.info("daemon-stopped", passes=self.counts.passes, sessions=self.counts.sessions)

    def _pass(self) -> None:
        self._guard.require()
        now = self._clock.now()
        self._settle_ended()
        self._row.update("running")
        if self._can_believe(now):
            self._do_what_is_due(now)
        for hook in self._hooks:
            self._call(hook, now)

    def _do_what_is_due(self, now: datetime) -> None:
        written = materialise(self._catalogue, now=now, horizon=self._horizon)
        if written:
            _LOG.info("occurrences-expanded", rows=written)
        self._manager.alive()
        reason = self._why_missed()
        # what still runs may have lost its claim; its session says how it ended
        in_hand = {work.claim.uuid for work in self._work}
        for settled in sweep(
            self._catalogue, now=now, by=self._holder, reason_missed=reason, in_hand=in_hand
        ):
            _LOG.warning(
                "occurrence-settled",
                occurrence=settled.uuid,
                schedule=settled.schedule_name,
                state=settled.state,
                reason=settled.reason,
                detail=settled.detail,
            )
        self._swept_at_s, self._since_sweep = self._boot_s(), None
        self._manager.alive()
        # years of rows, a locked catalogue or a sleep may have come before this: look again
        while (
            not self._is_draining
            and self._can_believe(begun_at := self._clock.now())
            and self._begin_next(begun_at)
        ):
            self._manager.alive()

    def _begin_next(self, now: datetime) -> bool:
        claim = claim_next(
            self._catalogue,
            now=now,
            holder=self._holder,
            busy_fixtures={work.claim.fixture for work in self._work if work.is_running},
        )
        if claim is None:
            return False
        work = OccurrenceWork(self._catalogue, claim, self._runner, self._clock.now)
        # a thread that cannot be started would seem to use its fixture for ever
        work.start()
        self._work.append(work)
        self.counts = replace(self.counts, sessions=self.counts.sessions + 1)
        return True

    def _settle_ended(self) -> None:
        """Write down what could not be written when sessions ended, and let go of them."""
        for work in [work for work in self._work if not work.is_running]:
            work.settle()
            self._work.remove(work)

    def _can_believe(self, now: datetime) -> bool:
        if self._watch is None:
            return True
        jump = self._watch.look(now)
        if jump is not None:
            self.counts = replace(self.counts, clock_jumps=self.counts.clock_jumps + 1)
            self._since_sweep = "clock-jumped"
            _LOG.warning("clock-jumped", by_s=jump.by.total_seconds(), detail=str(jump))
        return self._watch.is_steady

    def _why_missed(self) -> MissedReason:
        """Return why what is over by now was not begun, unless its own rows know better."""
        if self._since_sweep is not None:
            return self._since_sweep
        if self._swept_at_s is None or self._boot_s() - self._swept_at_s > _ASLEEP_S:
            return "daemon-down"
        return "equipment-busy"

    def _call(self, hook: Hook, now: datetime) -> None:
        try:
            hook(now)
        except (*OUTAGES, ClockError):
            raise
        except Exception:
            _LOG.exception("hook-failed", hook=getattr(hook, "__qualname__", str(hook)))
        self._manager.alive()

    def _note_failure(self, error: Exception) -> None:
        self.failure = error
        self._backoff.fail()
        self.counts = replace(self.counts, failed_passes=self.counts.failed_passes + 1)
        if self._swept_at_s is not None and isinstance(error, OUTAGES):
            self._since_sweep = self._since_sweep or "catalogue-away"

    def _say_last_words(self) -> None:
        self._guard.require()
        self._settle_ended()
        self._row.update("stopped")

    def _try(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except (*OUTAGES, ClockError) as error:
            _LOG.warning("not-written", error=str(error))
            return False
        return True

    def _in_words(self) -> str:
        if self.failure is not None:
            return f"waiting: {self.failure}"
        if self._watch is not None and not self._watch.is_steady:
            return "waiting until the civil clock is steady"
        names = sorted(work.claim.schedule_name for work in self._work if work.is_running)
        return f"running {', '.join(names)}" if names else "nothing is due"
