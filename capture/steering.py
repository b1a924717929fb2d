"""What reaches a running session from outside: requests, interrupts, answers to its prompts.

Owns waiting, during which the lease is renewed. Knows no camera and takes no shot.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from capture.attendance import (
    Request,
    add_prompt,
    read_prompt,
    requests_since,
)
from capture.errors import PromptUnansweredError
from capture.leasing import EquipmentLease
from capture.log_lines import log_prompt
from capture.outcome import SessionStoppedError
from capture.session_log import last_failures
from capture.session_rows import BegunSession, add_session_event
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock, Deadline
from datastore.tables import PromptKind

PATIENCE_S: Final = 3600.0
"""How long a session waits for the answer to a prompt unless the home's settings say otherwise."""

_LOOK_S: Final = 0.2


@dataclass
class Steering:
    """The ear of a session.

    Attributes
    ----------
    catalogue, session, clock, lease
        Of the session.
    stop
        Set by an interrupt.
    patience_s
        How long a prompt may stay without an answer.
    """

    catalogue: Catalogue
    session: BegunSession
    clock: CivilClock
    lease: EquipmentLease
    stop: threading.Event
    patience_s: float = PATIENCE_S
    _seen_id: int = field(init=False)
    _pause: Request | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Leave aside what was asked of the session before it was gone on with."""
        self._seen_id = self.session.requests_seen

    def obey(self, rest: Callable[[], None]) -> None:
        """Do what was asked since the last time: go on, wait while paused, or stop.

        Parameters
        ----------
        rest
            Called at the beginning of a pause, to finish work in hand and let the cameras cool.

        Raises
        ------
        SessionStoppedError
            If the session was asked to end.
        """
        request = self._listen() or self._pause
        self._pause = None
        if request is None or request.name != "pause":
            return
        rest()
        self._note("paused", request)
        while True:
            self.lease.hold(_LOOK_S)
            self.stop.wait(_LOOK_S)
            answer = self._listen()
            if answer is not None and answer.name == "resume":
                self._note("resumed", answer)
                return

    def ask(
        self, kind: PromptKind, text: str, *, scene: str | None = None, is_dark: bool = False
    ) -> None:
        """Ask an operator for something and return once it is done.

        Where the session's last frames of that scene, or its last dark fields, were of no use, the
        prompt says why: an operator who did not know would do the same again.

        Raises
        ------
        PromptUnansweredError
            If nobody answers in time, or somebody refuses.
        SessionStoppedError
            If the session was asked to end meanwhile.
        """
        with self.catalogue.writing() as transaction:
            at = self.clock.now()
            if scene is not None or is_dark:
                failures = last_failures(transaction, self.session.session_id, scene)
                text = f"{text} ({'; '.join(failures)})" if failures else text
            uuid = add_prompt(transaction, self.session.session_id, kind, text, at)
        log_prompt(self.session.uuid, uuid, "asked", text)
        deadline = Deadline.after(self.patience_s)
        while True:
            self.lease.hold(_LOOK_S)
            with self.catalogue.reading() as transaction:
                answer = read_prompt(transaction, uuid).answer
            if answer is not None:
                log_prompt(self.session.uuid, uuid, answer, text)
            if answer == "done":
                return
            if answer == "refused":
                raise PromptUnansweredError(f"an operator refused: {text}")
            if deadline.expired:
                raise PromptUnansweredError(
                    f"nobody answered within {self.patience_s:g} s: {text}; answer prompts with"
                    " `agetrace session answer`, or name an actuator in the home's settings"
                )
            request = self._listen()
            if request is not None:
                # it takes effect once the operator has answered
                self._pause = request if request.name == "pause" else None
            self.stop.wait(_LOOK_S)

    def _listen(self) -> Request | None:
        if self.stop.is_set():
            raise SessionStoppedError("aborted", "interrupted", "It was interrupted.")
        with self.catalogue.reading() as transaction:
            requests = requests_since(transaction, self.session.session_id, self._seen_id)
        for request in requests:
            self._seen_id = request.request_id
            by = f" by {request.operator}" if request.operator else ""
            if request.name == "abort":
                raise SessionStoppedError("aborted", "aborted-by-operator", f"It was aborted{by}.")
            if request.name == "finish":
                raise SessionStoppedError(
                    "partial", "finished-by-operator", f"It was ended before its last shot{by}."
                )
        return requests[-1] if requests else None

    def _note(self, event: str, request: Request) -> None:
        with self.catalogue.writing() as transaction:
            add_session_event(
                transaction,
                self.session.session_id,
                event,
                self.clock.now(),
                {"operator": request.operator},
            )
