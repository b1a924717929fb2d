"""Frames that stay mapped while many patches are cut from them; knows no item."""

from __future__ import annotations

import resource
import threading
from collections import OrderedDict
from collections.abc import Callable

from training.patches.inputs import CachedFrame

_MOST_FRAMES = 1024
_SHARE_OF_DESCRIPTORS = 4
_SHARE_OF_QUOTA = 4


class MappedFrames:
    """The frames used last, by their number; safe to use from several threads.

    A mapped frame holds a descriptor, of which a process has few, and is not evicted from the
    disk: at most a quarter of both is used.

    Parameters
    ----------
    load
        Opens the frame of a number.
    quota_bytes
        The most that frames take on the disk, where it is bounded.
    """

    def __init__(self, load: Callable[[int], CachedFrame], quota_bytes: int | None) -> None:
        self._load = load
        self._frames: OrderedDict[int, CachedFrame] = OrderedDict()
        self._bytes = 0
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most_frames = max(min(_MOST_FRAMES, descriptors // _SHARE_OF_DESCRIPTORS), 1)
        self._most_bytes = None if quota_bytes is None else quota_bytes // _SHARE_OF_QUOTA
        self._lock = threading.Lock()

    def __getitem__(self, number: int) -> CachedFrame:
        """Return a frame, opened where it is not mapped."""
        with self._lock:
            found = self._frames.get(number)
            if found is not None:
                self._frames.move_to_end(number)
                return found
        frame = self._load(number)
        with self._lock:
            if number not in self._frames:
                self._frames[number] = frame
                self._bytes += frame.pixels.nbytes
            while len(self._frames) > 1 and self._is_too_much():
                _, oldest = self._frames.popitem(last=False)
                self._bytes -= oldest.pixels.nbytes
        return frame

    def _is_too_much(self) -> bool:
        return len(self._frames) > self._most_frames or (
            self._most_bytes is not None and self._bytes > self._most_bytes
        )
