"""How long to leave alone what fails; by the monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

FIRST_S: Final = 5.0
LONGEST_S: Final = 60.0


class Backoff:
    """A wait that doubles with every failure, up to the longest.

    Parameters
    ----------
    first_s, longest_s
        Wait after the first failure in a row, and the longest.
    monotonic_s
        Returns the monotonic time.
    """

    def __init__(
        self,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._monotonic_s = monotonic_s
        self._until_s = float("-inf")
        self.wait_s = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether it is too early for another try."""
        return self._monotonic_s() < self._until_s

    def fail(self) -> None:
        """Wait, longer than the last time."""
        self.wait_s = min(max(self._first_s, 2 * self.wait_s), self._longest_s)
        self._until_s = self._monotonic_s() + self.wait_s

    def reset(self) -> None:
        """Forget the failures."""
        self.wait_s = 0.0
        self._until_s = float("-inf")
