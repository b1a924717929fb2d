"""Scrubbing: reads the files of the local store again, those first that were longest unread.

A file whose bytes have another hash is moved into the store's quarantine, never deleted. Every row
that was found sound is dated anew, so that a scrub that is broken off is gone on with by the next.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Final, Literal

from sqlalchemy import ColumnElement, func, select, tuple_, update

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.errors import AssetMissingError
from datastore.store import LOCAL_STORE, LocalStore
from datastore.tables import Asset, AssetLocation, Shot, Store

_PAGE: Final = 1000
_COMMIT_FILES: Final = 200
_COMMIT_S: Final = 5.0
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Finding:
    """A file that is not what its row says.

    Attributes
    ----------
    problem
        `damaged`: its bytes have another hash; it was quarantined. `unreadable`: the disk does not
        give its bytes; it was left where it is. `missing`: it is not there.
    sha256, bytes, role, original_name
        Of the asset, as the catalogue knows it.
    shot_uuid
        The shot that made it; None where no shutter did.
    detail
        What was found, in a sentence.
    """

    problem: Literal["damaged", "unreadable", "missing"]
    sha256: str
    bytes: int
    role: str
    original_name: str | None
    shot_uuid: str | None
    detail: str

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON."""
        return {
            "problem": self.problem,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "role": self.role,
            "original_name": self.original_name,
            "shot_id": self.shot_uuid,
            "detail": self.detail,
        }


@dataclass
class ScrubReport:
    """What a scrub found.

    Attributes
    ----------
    verified, verified_bytes
        Files that are sound, and their size together.
    findings
        Those that are not.
    """

    verified: int = 0
    verified_bytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    def count(self, problem: str) -> int:
        """Return how many findings are of a kind."""
        return sum(finding.problem == problem for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "verified": self.verified,
            "verified_bytes": self.verified_bytes,
            "damaged": self.count("damaged"),
            "unreadable": self.count("unreadable"),
            "missing": self.count("missing"),
            "findings": [finding.to_json() for finding in self.findings],
        }


def scrub(
    catalogue: Catalogue,
    *,
    clock: CivilClock,
    limit: int | None = None,
    bytes_per_s: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ScrubReport:
    """Read files of the local store from the disk and compare them with their rows.

    Parameters
    ----------
    catalogue
        With the store.
    clock
        Dates what is verified.
    limit
        Read at most so many files; None reads all. Missing files take nothing of it.
    bytes_per_s
        Read no faster; None for as fast as it goes.
    progress
        Called with files done and files in all.
    """
    started_at = clock.now()
    pace = _Pace(bytes_per_s)
    report = ScrubReport()
    dated = _Dated(catalogue, clock)
    total, store_id = _extent(catalogue)
    total = total if limit is None else min(limit, total)
    read = 0
    try:
        for row in _longest_unread(catalogue, store_id, started_at):
            if limit is not None and read >= limit:
                break
            finding = _examine(catalogue.store, row, pace)
            if finding is None:
                report.verified += 1
                report.verified_bytes += row.bytes
                dated.add(store_id, row.asset_id)
            else:
                report.findings.append(finding)
                if finding.problem == "damaged":
                    _record_quarantine(catalogue, finding, clock.now())
            read += finding is None or finding.problem != "missing"
            if progress is not None:
                progress(min(report.verified + len(report.findings), total), total)
    finally:
        dated.commit()
    return report


@dataclass(frozen=True)
class _Location:
    """A file of the store, as the catalogue knows it."""

    asset_id: int
    sha256: str
    bytes: int
    role: str
    original_name: str | None
    shot_uuid: str | None
    verified_at: datetime


class _Dated:
    """Rows that were verified and await the next commit: one for many, as each waits for a disk."""

    def __init__(self, catalogue: Catalogue, clock: CivilClock) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._store_id = 0
        self._asset_ids: list[int] = []
        self._since_s = time.monotonic()

    def add(self, store_id: int, asset_id: int) -> None:
        self._store_id = store_id
        self._asset_ids.append(asset_id)
        is_late = time.monotonic() - self._since_s > _COMMIT_S
        if is_late or len(self._asset_ids) >= _COMMIT_FILES:
            self.commit()

    def commit(self) -> None:
        if self._asset_ids:
            with self._catalogue.writing() as session:
                session.execute(
                    update(AssetLocation)
                    .where(
                        AssetLocation.store_id == self._store_id,
                        AssetLocation.asset_id.in_(self._asset_ids),
                    )
                    .values(verified_at=self._clock.now())
                )
        self._asset_ids = []
        self._since_s = time.monotonic()


class _Pace:
    """Keeps a rate of reading, from the moment on that it was made."""

    def __init__(self, bytes_per_s: float | None) -> None:
        self._bytes_per_s = bytes_per_s
        self._due_s = time.monotonic()

    def take(self, count: int) -> None:
        """Wait until so many more bytes are within the rate."""
        if self._bytes_per_s is None:
            return
        now_s = time.monotonic()
        # what was not used while something else took its time is not made up for
        self._due_s = max(self._due_s, now_s - 1.0) + count / self._bytes_per_s
        if self._due_s > now_s:
            time.sleep(self._due_s - now_s)


def _extent(catalogue: Catalogue) -> tuple[int, int]:
    """Return how many files the local store has by its rows, and its row number."""
    with catalogue.reading() as session:
        store_id = session.scalar(select(Store.id).where(Store.name == LOCAL_STORE)) or 0
        count = select(func.count()).where(AssetLocation.store_id == store_id)
        return session.scalar(count) or 0, store_id


def _longest_unread(
    catalogue: Catalogue, store_id: int, started_at: datetime
) -> Iterator[_Location]:
    """Yield rows by the time of their last verification, in pages.

    No transaction stays open meanwhile: on SQLite its snapshot would let the log grow for hours.
    """
    # a date in the future is a clock's mistake, and says nothing of when it was verified
    for is_wanted in (
        AssetLocation.verified_at > started_at,
        AssetLocation.verified_at <= started_at,
    ):
        last: tuple[datetime, int] | None = None
        while page := _page(catalogue, store_id, is_wanted, last):
            yield from page
            last = page[-1].verified_at, page[-1].asset_id


def _page(
    catalogue: Catalogue,
    store_id: int,
    is_wanted: ColumnElement[bool],
    last: tuple[datetime, int] | None,
) -> list[_Location]:
    key = tuple_(AssetLocation.verified_at, AssetLocation.asset_id)
    query = (
        select(
            Asset.id,
            Asset.sha256,
            Asset.bytes,
            Asset.role,
            Asset.original_name,
            Shot.uuid.label("shot_uuid"),
            AssetLocation.verified_at,
        )
        .join(Asset, AssetLocation.asset_id == Asset.id)
        .outerjoin(Shot, Asset.shot_id == Shot.id)
        .where(AssetLocation.store_id == store_id, is_wanted)
        .order_by(AssetLocation.verified_at, AssetLocation.asset_id)
        .limit(_PAGE)
    )
    if last is not None:
        query = query.where(key > last)
    with catalogue.reading() as session:
        return [_Location(*row) for row in session.execute(query)]


def _examine(store: LocalStore, location: _Location, pace: _Pace) -> Finding | None:
    sha256 = location.sha256
    path = store.path(sha256)
    problem: Literal["damaged", "unreadable", "missing"]
    try:
        with store.open(sha256) as file:
            found = _sha256_on_disk(file, pace)
            if found == sha256:
                return None
            is_there_still = os.path.samestat(os.fstat(file.fileno()), path.stat())
        if not is_there_still:
            # somebody brought the same file again meanwhile, and the store took it for the damaged
            return _examine(store, location, pace)
        kept = store.set_aside(sha256)
        problem, detail = "damaged", f"Its sha256 is {found}; it was moved to {kept}."
    except (AssetMissingError, FileNotFoundError):
        problem, detail = "missing", f"It is not at {path}."
        earlier = store.set_aside_before(sha256)
        if earlier:
            detail += f" A damaged copy is kept at {earlier[-1]}."
    except OSError as error:
        problem, detail = "unreadable", f"{path} cannot be read: {error.strerror}."
    return Finding(
        problem=problem,
        sha256=sha256,
        bytes=location.bytes,
        role=location.role,
        original_name=location.original_name,
        shot_uuid=location.shot_uuid,
        detail=detail,
    )


def _sha256_on_disk(file: BinaryIO, pace: _Pace) -> str:
    digest = hashlib.sha256()
    _forget_cached(file)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        pace.take(len(chunk))
    # what is read once must not drive out what others work with
    _forget_cached(file)
    return digest.hexdigest()


def _forget_cached(file: BinaryIO) -> None:
    # memory may still have the sound bytes of a file that the disk has lost
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _record_quarantine(catalogue: Catalogue, finding: Finding, at: datetime) -> None:
    with catalogue.writing() as session:
        entry = {"sha256": finding.sha256, "store": LOCAL_STORE, "detail": finding.detail}
        audit.append(session, "asset.quarantine", entry, at)
