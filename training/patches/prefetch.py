"""Preparing the next items in a thread while the present one is used; knows nothing of patches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


def prefetched(
    items: Iterable[Item], load: Callable[[Item], Loaded], ahead: int = 1
) -> Iterator[Loaded]:
    """Yield ``load(item)`` for each item while one thread prepares the next ones.

    Memory stays bounded by ``ahead`` + 1 loaded items, whatever the number of items.

    Parameters
    ----------
    items
        What to load; asked for in the thread of the caller.
    load
        Loads one item; called in one thread, in the items' order.
    ahead
        How many items are prepared while one is used: more than one evens out how long each takes.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="patches") as executor:
        pending: deque[Future[Loaded]] = deque()
        try:
            for item in items:
                pending.append(executor.submit(load, item))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
