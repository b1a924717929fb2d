"""Features of a dataset's items from their files, each decoded once for good."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from datastore.catalogue import Catalogue
from datastore.datasets.auditing.facts import BaselineFeatures
from datastore.datasets.items import Item
from datastore.frames import DecodingStoppedError, FrameError
from training.baselines.cache import GridCache
from training.baselines.features import BASELINES, Grid, features_of
from training.baselines.looking import GridReader

_AT_ONCE = 64


def pixel_features(
    catalogue: Catalogue,
    items: Sequence[Item],
    *,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cache: GridCache | None = None,
) -> tuple[BaselineFeatures, ...]:
    """Return what the pixel baselines see of a dataset's items.

    Files are decoded in processes of their own, under a deadline and a memory limit. A file that is
    damaged or not in this computer's store is not known. What was decoded lies in the cache under
    the file's hash, so that what was broken off is gone on with, and so does why a file cannot be
    read. One whose decoder had to be stopped is tried again the next time, and so is one that no
    longer has the bytes of its hash.

    Parameters
    ----------
    catalogue
        The catalogue with its store.
    items
        In the order of the features' rows.
    processes
        How many frames are decoded at once; as many as there are processors by default.
    progress
        Called with the items done and their total.
    cache
        Where decoded grids are kept; nowhere by default.
    """
    count = processes or len(os.sched_getaffinity(0))
    rows: dict[str, list[NDArray[np.float64] | None]] = {name: [] for name in BASELINES}
    with ExitStack() as stack:
        readers: SimpleQueue[GridReader] = SimpleQueue()
        for _ in range(count):
            readers.put(stack.enter_context(GridReader()))
        # ends first: its threads use what the readers end
        threads = stack.enter_context(ThreadPoolExecutor(count, thread_name_prefix="baselines"))

        def grids(item: Item) -> Grid | None:
            return _grids(catalogue.store.path(item.sha256), item, readers, cache)

        for start in range(0, len(items), _AT_ONCE):
            if progress is not None:
                progress(start, len(items))
            try:
                found = list(threads.map(grids, items[start : start + _AT_ONCE]))
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise
            for one in found:
                features = None if one is None else features_of(one)
                for name in BASELINES:
                    rows[name].append(None if features is None else features[name])
    if cache is not None:
        cache.trim()
    if progress is not None:
        progress(len(items), len(items))
    return tuple(_column(name, rows[name]) for name in BASELINES)


def _grids(
    path: Path, item: Item, readers: SimpleQueue[GridReader], cache: GridCache | None
) -> Grid | None:
    """Return an item's grids, from the cache or else from its file; None where it is unreadable."""
    kept = None if cache is None else cache.get(item.sha256)
    if kept is not None:
        return None if isinstance(kept, str) else kept
    if not path.is_file():
        return None
    found: Grid | str
    reader = readers.get()
    try:
        found = reader.read(path, item.role)
    except DecodingStoppedError:
        return None
    except FrameError as error:
        if not _has_hash(path, item.sha256):
            return None  # the store's copy is damaged, and may be replaced by a sound one
        found = str(error)
    finally:
        readers.put(reader)
    if cache is not None:
        found = cache.put(item.sha256, found)
    return None if isinstance(found, str) else found


def _has_hash(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _column(name: str, rows: Sequence[NDArray[np.float64] | None]) -> BaselineFeatures:
    known = np.array([row is not None for row in rows], np.bool_)
    width = next((len(row) for row in rows if row is not None), 0)
    values = np.zeros((len(rows), width))
    for place, row in enumerate(rows):
        if row is not None:
            values[place] = row
    return BaselineFeatures(name, values, known)
