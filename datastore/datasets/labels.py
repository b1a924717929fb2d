"""From times to labels: the class and timeslot that hold a frame; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from datastore.datasets.columns import Codes
from datastore.datasets.items import Block, Frame, Item, TimeslotBounds
from datastore.datasets.manifest import ClassBounds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


class Labels:
    """Look-up of a time's class and timeslot."""

    def __init__(self, classes: Sequence[ClassBounds]) -> None:
        found = sorted(
            (
                (_microseconds(slot.starts_at), _microseconds(slot.ends_at), code, slot)
                for code, one in enumerate(classes)
                for slot in one.timeslots
            ),
            key=lambda entry: entry[0],
        )
        self._starts = np.array([entry[0] for entry in found], np.int64)
        self._ends = np.array([entry[1] for entry in found], np.int64)
        self._codes = np.array([entry[2] for entry in found], np.int64)
        self._timeslots: list[TimeslotBounds] = [entry[3] for entry in found]
        self.names = [one.name for one in classes]

    def find(self, frames: Sequence[Frame]) -> tuple[Codes, Codes]:
        """Return the class code and the number of the timeslot of each frame, -1 where none."""
        times = np.fromiter(
            (_microseconds(frame.triggered_at) for frame in frames), np.int64, len(frames)
        )
        places = np.searchsorted(self._starts, times, side="right") - 1
        inside = (places >= 0) & (times < self._ends[places])
        return np.where(inside, self._codes[places], -1), np.where(inside, places, -1)

    def item(self, frame: Frame, code: int, place: int, block: Block, age_s: int | None) -> Item:
        """Return a frame as an item, its class and timeslot being known."""
        return Item.of(
            frame,
            class_name=self.names[code],
            timeslot=self._timeslots[place],
            block=block,
            age_s=age_s,
        )
