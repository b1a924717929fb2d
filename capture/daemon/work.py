"""A session that the daemon runs: its thread, its claim's heartbeat, and how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from capture.daemon.executor import (
    OUTAGES,
    Ending,
    SessionRunner,
    ending_of_error,
    execute,
    newest_session,
)
from capture.errors import ClockError
from capture.logs import get_logger
from capture.schedules.occurrences import ClaimedOccurrence
from datastore.catalogue import Catalogue
from datastore.errors import LeaseLostError

RENEWED_EVERY_S: Final = 20.0
"""How often a claim is renewed while its session runs."""


class OccurrenceWork:
    """The session of a claimed occurrence, run in a thread of its own.

    Parameters
    ----------
    catalogue
        Where the claim's history is read.
    claim
        The occurrence.
    runner
        Runs its session.
    now
        Returns the civil time.
    renewed_every_s
        How often the claim is renewed.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        claim: ClaimedOccurrence,
        runner: SessionRunner,
        now: Callable[[], datetime],
        *,
        renewed_every_s: float = RENEWED_EVERY_S,
    ) -> None:
        self.claim = claim
        self._catalogue = catalogue
        self._runner = runner
        self._now = now
        self._renewed_every_s = renewed_every_s
        self._stop = threading.Event()
        self._ended = threading.Event()
        # an interrupted join of a thread marks it as ended though it runs: a fault of Python 3.11
        self._is_over = threading.Event()
        self._ending: Ending | None = None
        self._thread = threading.Thread(target=self._work, name=f"session of {claim.uuid}")
        self._log = get_logger(
            __name__, schedule=claim.schedule_name, occurrence=claim.uuid, fixture=claim.fixture
        )

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Have the session end after the shot in hand."""
        self._stop.set()

    @property
    def is_running(self) -> bool:
        """Whether the session still uses its fixture."""
        return not self._is_over.is_set()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until the session has ended, for some seconds at most."""
        self._is_over.wait(timeout_s)

    def settle(self) -> None:
        """Write down how it ended, unless that is done.

        Raises
        ------
        datastore.errors.DatastoreError, capture.errors.ClockError
            If it cannot be written now; nothing is lost, it can be tried again.
        """
        ending = self._ending
        if ending is None:
            return
        try:
            state = ending.apply(self.claim, self._now())
        except LeaseLostError as error:
            # whoever claims it next finds the session's rows and goes on from them
            self._log.warning("claim-lost", error=str(error))
        except (*OUTAGES, ClockError):
            raise
        except Exception:
            # its claim runs out; its rows say what becomes of it
            self._log.exception("ending-refused", reason=ending.reason, detail=ending.detail)
        else:
            self._log.info(
                "occurrence-put-back" if state == "pending" else "occurrence-ended",
                state=state,
                reason=ending.reason,
                detail=ending.detail,
            )
        self._ending = None

    def _work(self) -> None:
        self._log.info("occurrence-begins", attempt=self.claim.attempt)
        heart = threading.Thread(target=self._keep_claim, name=f"claim of {self.claim.uuid}")
        try:
            heart.start()
            self._ending = self._execute()
            self.settle()
        except (*OUTAGES, ClockError) as error:
            self._log.warning("ending-kept", error=str(error))
        finally:
            self._ended.set()
            if heart.ident is not None:
                heart.join()
            self._is_over.set()

    def _execute(self) -> Ending:
        try:
            earlier = newest_session(self._catalogue, self.claim)
        except Exception as error:
            ending = ending_of_error(error)
        else:
            ending = execute(self.claim, self._runner, earlier, stop=self._stop)
        if ending.reason == "internal-error":
            self._log.error("session-failed", exc_info=ending.error)
        return ending

    def _keep_claim(self) -> None:
        """Renew the claim while the session runs; a lost one stops the session."""
        while not self._ended.wait(self._renewed_every_s):
            try:
                self.claim.renew()
            except LeaseLostError as error:
                self._log.warning("claim-lost", error=str(error))
                self._stop.set()
                return
            except OUTAGES as error:
                self._log.warning("claim-not-renewed", error=str(error))
