"""The operator at this terminal: shows a session's prompts and writes the answers.

One front end of several: a prompt that is answered elsewhere goes away here, too.
"""

from __future__ import annotations

import select
import sys
import termios
import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from agetrace.cli._shared import say

if TYPE_CHECKING:
    from datastore.catalogue import Catalogue

_LOOK_S = 0.3
_REFUSALS = ("n", "no", "refuse")


class TerminalOperator:
    """Attends the sessions that this process runs, if somebody is at the terminal.

    Parameters
    ----------
    catalogue
        Of the sessions.
    now
        Returns the civil time.
    name
        Who answers.
    """

    def __init__(self, catalogue: Catalogue, now: Callable[[], datetime], name: str | None) -> None:
        self._catalogue = catalogue
        self._now = now
        self._name = name
        self._session_uuid: str | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._attend, daemon=True)

    def attend(self, session_uuid: str) -> None:
        """Show the prompts of this session from now on."""
        self._session_uuid = session_uuid

    def __enter__(self) -> Self:
        """Begin to attend."""
        if sys.stdin is not None and sys.stdin.isatty():
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop attending."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _attend(self) -> None:
        from capture.errors import CaptureError
        from datastore.errors import DatastoreError

        shown: str | None = None
        while not self._end.wait(0 if shown else _LOOK_S):
            try:
                shown = self._look(shown)
            except (CaptureError, DatastoreError) as error:
                # the prompt stays open: it is shown again, and can be answered elsewhere
                say(str(error))
                shown = None
            except EOFError:
                return

    def _look(self, shown: str | None) -> str | None:
        """Show the open prompt if it is new, take an answer if there is one; return its UUID."""
        from capture.attendance import answer_prompt, open_prompts

        if self._session_uuid is None:
            return None
        with self._catalogue.reading() as transaction:
            prompts = open_prompts(transaction, self._session_uuid)
        if not prompts:
            return None
        prompt = prompts[0]
        if prompt.uuid != shown:
            # what was typed before the prompt was there is no answer to it
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
            say(f"{prompt.text}, then press Enter; n refuses.")
        if not select.select([sys.stdin], [], [], _LOOK_S)[0]:
            return prompt.uuid
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        answer_prompt(
            self._catalogue,
            prompt.uuid,
            "refused" if line.strip().lower() in _REFUSALS else "done",
            operator=self._name,
            at=self._now(),
        )
        return prompt.uuid
