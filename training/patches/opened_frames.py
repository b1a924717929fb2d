"""Decoded frames of dataset items as a sequence; knows no experiment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from datastore.catalogue import Catalogue
from datastore.datasets.items import Item
from training.patches.cache import FrameCache
from training.patches.inputs import CachedFrame, Variation
from training.patches.mapped import MappedFrames


class OpenedFrames(Sequence[CachedFrame]):
    """The frames of items, decoded once, each mapped only while it is used.

    Parameters
    ----------
    items
        Whose frames.
    catalogue, cache
        Where their files and their decoded frames are.
    variations
        By a camera's serial, a change of its mosaics.
    """

    def __init__(
        self,
        items: Sequence[Item],
        catalogue: Catalogue,
        cache: FrameCache,
        variations: Mapping[str, Variation],
    ) -> None:
        self._items = items
        self._catalogue = catalogue
        self._cache = cache
        self._variations = variations
        self._frames = MappedFrames(self._open, cache.quota_bytes)

    def _open(self, number: int) -> CachedFrame:
        item = self._items[number]
        return self._cache.frame(
            item.sha256,
            self._catalogue.store.path(item.sha256),
            self._variations.get(item.camera.serial),
        )

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._items)

    def __getitem__(self, number: int) -> CachedFrame:  # type: ignore[override]
        """Return a frame, opened where it is not mapped."""
        if not 0 <= number < len(self._items):
            raise IndexError(number)
        return self._frames[number]

    def __iter__(self) -> Iterator[CachedFrame]:
        """Open the frames one after the other."""
        return (self._frames[number] for number in range(len(self._items)))


def decode_items(
    items: Sequence[tuple[Item, Variation | None]],
    catalogue: Catalogue,
    cache: FrameCache,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Decode the frames that a cache does not hold, and check all of them.

    Parameters
    ----------
    items
        Whose frames, each with a change of its mosaic or None.
    catalogue, cache
        Where their files are, and where their decoded frames go.
    progress
        Called with the frames done and their total.

    Raises
    ------
    PatchError
        When a file is damaged or gone.
    """

    def decode(wanted: tuple[Item, Variation | None]) -> None:
        item, change = wanted
        cache.frame(item.sha256, catalogue.store.path(item.sha256), change)

    executor = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="decode")
    try:
        for done, _ in enumerate(executor.map(decode, items), start=1):
            if progress is not None:
                progress(done, len(items))
    finally:
        executor.shutdown(cancel_futures=True)
