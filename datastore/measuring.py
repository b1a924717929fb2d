"""Measuring the frames of which something is not recorded yet: those of earlier programs.

Goes by the assets' row numbers in pages, so that memory stays bounded and what was broken off is
gone on with by the next call. Files are read in processes of their own, as in an import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from sqlalchemy import Select, func, or_, select

from datastore import audit, frame_measures
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.frames import DecodingWorker, FrameError, FrameMeasures
from datastore.metadata import MetadataReader
from datastore.tables import Asset, PerceptualHash
from datastore.tables import FrameMeasures as MeasuresRow

_FRAME_ROLES: Final = ("raw", "jpeg")
_PAGE: Final = 64


@dataclass
class MeasuringReport:
    """What came of measuring.

    Attributes
    ----------
    measured
        Frames with measures now.
    unmeasurable
        Frames of which nothing could be measured, which is recorded, too: damaged files.
    not_here
        Frames whose bytes this computer's store does not have; they are asked for again.
    """

    measured: int = 0
    unmeasurable: int = 0
    not_here: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "measured": self.measured,
            "unmeasurable": self.unmeasurable,
            "not_here": self.not_here,
        }


def measure_missing(
    catalogue: Catalogue,
    *,
    clock: CivilClock,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MeasuringReport:
    """Measure every frame without measures or perceptual hash whose file the local store has.

    Parameters
    ----------
    catalogue
        The catalogue with its store.
    clock
        Dates the rows.
    processes
        How many files are decoded at once; None for as many as there are processors.
    progress
        Called with how many frames are done, of how many.
    """
    count = processes or len(os.sched_getaffinity(0))
    report = MeasuringReport()
    with catalogue.reading() as session:
        total = session.scalar(select(func.count()).select_from(_missing().subquery())) or 0
    done = 0
    with ExitStack() as stack:
        readers: SimpleQueue[_Reader] = SimpleQueue()
        for _ in range(count):
            readers.put(stack.enter_context(_Reader()))
        # ends first: its threads use what the readers end
        threads = stack.enter_context(ThreadPoolExecutor(count, thread_name_prefix="measure"))
        for page in _pages(catalogue):
            if progress is not None:
                progress(done, total)
            paths = [catalogue.store.path(sha256) for _, sha256 in page]
            try:
                results = list(threads.map(lambda path: _measure(readers, path), paths))
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise
            found = {
                asset_id: measures
                for (asset_id, _), measures in zip(page, results, strict=True)
                if measures is not None
            }
            _record(catalogue, clock, found)
            done += len(page)
            report.not_here += len(page) - len(found)
            blank = sum(measures.mean_dn is None for measures in found.values())
            report.unmeasurable += blank
            report.measured += len(found) - blank
    if progress is not None:
        progress(done, max(done, total))
    return report


class _Reader:
    """The two processes that read one file after the other; a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._worker = DecodingWorker()
        self._metadata = MetadataReader()

    def __enter__(self) -> _Reader:
        self._stack.enter_context(self._worker)
        self._stack.enter_context(self._metadata)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def measure(self, path: Path) -> FrameMeasures | None:
        """Return a file's measures, None where it is not there."""
        try:
            measures = self._worker.examine_file(path).measures
        except FrameError:
            return None
        try:
            temperature_c = self._metadata.read(path).camera_temperature_c
        except FrameError:
            temperature_c = None
        return measures.at_temperature(temperature_c)


def _measure(readers: SimpleQueue[_Reader], path: Path) -> FrameMeasures | None:
    reader = readers.get()
    try:
        return reader.measure(path)
    finally:
        readers.put(reader)


def _missing() -> Select[int, str]:
    return (
        select(Asset.id, Asset.sha256)
        .outerjoin(MeasuresRow, MeasuresRow.asset_id == Asset.id)
        .outerjoin(PerceptualHash, PerceptualHash.asset_id == Asset.id)
        .where(
            Asset.role.in_(_FRAME_ROLES),
            or_(MeasuresRow.asset_id.is_(None), PerceptualHash.asset_id.is_(None)),
        )
    )


def _pages(catalogue: Catalogue) -> Iterator[list[tuple[int, str]]]:
    last = 0
    while True:
        with catalogue.reading() as session:
            page = [
                (asset_id, sha256)
                for asset_id, sha256 in session.execute(
                    _missing().where(Asset.id > last).order_by(Asset.id).limit(_PAGE)
                )
            ]
        if not page:
            return
        yield page
        last = page[-1][0]


def _record(catalogue: Catalogue, clock: CivilClock, found: dict[int, FrameMeasures]) -> None:
    if not found:
        return
    at = clock.now()
    with catalogue.writing() as session:
        fresh = frame_measures.record_missing(session, found, at)
        if fresh:
            entry = {"first_asset": fresh[0], "last_asset": fresh[-1], "frames": len(fresh)}
            audit.append(session, "frames.measure", entry, at)
