"""Features of a dataset's items from their files, each decoded once for good."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datastore.catalogue import Catalogue
from datastore.datasets.auditing.facts import BaselineFeatures
from datastore.datasets.items import Item
from datastore.errors import DatastoreError
from datastore.frames import read_frame, read_jpeg_rgb
from training.baselines.features import (
    BASELINES,
    DEFINITION,
    Grid,
    features_of,
    grids_of_frame,
    grids_of_jpeg,
)
from training.files import write_atomically

_SHAPE = (4, 32, 32)
_AT_ONCE = 64


def pixel_features(
    catalogue: Catalogue,
    items: Sequence[Item],
    *,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cache_folder: Path | None = None,
) -> tuple[BaselineFeatures, ...]:
    """Return what the pixel baselines see of a dataset's items.

    A file that is damaged or not in this computer's store is not known. What was decoded lies in
    the cache under the file's hash, so that what was broken off is gone on with.

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
    cache_folder
        Where decoded grids are kept, 16 KB each; nowhere by default.
    """
    folder = None if cache_folder is None else cache_folder / DEFINITION
    count = processes or len(os.sched_getaffinity(0))
    rows: dict[str, list[NDArray[np.float64] | None]] = {name: [] for name in BASELINES}

    def grids(item: Item) -> Grid | None:
        return _cached(catalogue, item, folder)

    with ThreadPoolExecutor(count, thread_name_prefix="baselines") as threads:
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
    if progress is not None:
        progress(len(items), len(items))
    return tuple(_column(name, rows[name]) for name in BASELINES)


def _column(name: str, rows: Sequence[NDArray[np.float64] | None]) -> BaselineFeatures:
    known = np.array([row is not None for row in rows], np.bool_)
    width = next((len(row) for row in rows if row is not None), 0)
    values = np.zeros((len(rows), width))
    for place, row in enumerate(rows):
        if row is not None:
            values[place] = row
    return BaselineFeatures(name, values, known)


def _cached(catalogue: Catalogue, item: Item, folder: Path | None) -> Grid | None:
    file = None if folder is None else folder / item.sha256[:2] / f"{item.sha256}.npy"
    if file is not None:
        try:
            known = np.load(file, allow_pickle=False)
        except (OSError, ValueError):
            known = None  # not there, or cut off by what could not finish it
        if known is not None and known.shape == _SHAPE:
            return known.astype(np.float64)
    grids = _decoded(catalogue.store.path(item.sha256), item)
    if grids is not None and file is not None:
        content = grids.astype(np.float32)
        write_atomically(file, lambda opened: np.save(opened, content, allow_pickle=False))
        return content.astype(np.float64)
    return grids


def _decoded(path: Path, item: Item) -> Grid | None:
    try:
        if item.role == "jpeg":
            return grids_of_jpeg(read_jpeg_rgb(path))
        return grids_of_frame(read_frame(path))
    except (DatastoreError, OSError):
        return None
