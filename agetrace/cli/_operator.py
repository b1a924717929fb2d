"""The operator at this terminal: shows a session's prompts and writes the answers.

One front end of several: a prompt that is answered elsewhere goes away here, too.
"""

from __future__ import annotations

import select
import sys
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
        from capture.attendance import answer_prompt, open_prompts
        from capture.errors import PromptAnsweredError

        shown: str | None = None
        while not self._end.wait(0 if shown else _LOOK_S):
            if self._session_uuid is None:
                continue
            with self._catalogue.reading() as transaction:
                prompts = open_prompts(transaction, self._session_uuid)
            if not prompts:
                shown = None
                continue
            prompt = prompts[0]
            if prompt.uuid != shown:
                shown = prompt.uuid
                say(f"{prompt.text}, then press Enter; n refuses.")
            if not select.select([sys.stdin], [], [], _LOOK_S)[0]:
                continue
            line = sys.stdin.readline()
            if not line:
                return
            is_refused = line.strip().lower() in _REFUSALS
            try:
                answer_prompt(
                    self._catalogue,
                    prompt.uuid,
                    "refused" if is_refused else "done",
                    operator=self._name,
                    at=self._now(),
                )
            except PromptAnsweredError as error:
                say(str(error))
