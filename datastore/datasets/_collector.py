"""Python's garbage collector, held off while many small objects are made; knows no dataset."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_off() -> Iterator[None]:
    """Make objects without the collector looking through all of them again and again.

    A hundred thousand frames without cycles cost it a fifth of a freeze's time. What another thread
    switched off already is left to it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
