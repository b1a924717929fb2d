"""Preparing the next item in a thread while the present one is used; knows nothing of patches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


def prefetched(items: Iterable[Item], load: Callable[[Item], Loaded]) -> Iterator[Loaded]:
    """Yield ``load(item)`` for each item while one thread prepares the next.

    Memory stays bounded by two loaded items, whatever the number of items.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="patches") as executor:
        pending = None
        for item in items:
            following = executor.submit(load, item)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()
