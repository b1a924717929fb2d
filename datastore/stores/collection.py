"""Collecting garbage: files that no row names, and that nobody touched for long, are set aside.

Nothing is deleted but what killed processes left unfinished, which never had a name. A file comes
before its row: what is young may belong to a session or an import that is running, and whoever puts
the bytes of an old file again makes it young.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from datastore import audit
from datastore.assets import find_asset_ids
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.errors import AssetMissingError, GarbageError
from datastore.store import LocalStore
from datastore.stores._comparison import OrphanFile, compare, orphans
from datastore.stores._locations import (
    count_locations,
    find_location,
    find_store_id,
    note_problem,
)
from datastore.stores.protocol import AssetStore, StoredName
from datastore.tables import Asset

_BATCH: Final = 100


@dataclass
class CollectionReport:
    """What was set aside, or would be.

    Attributes
    ----------
    store
        Name of the store.
    collected, collected_bytes
        The files that no row names and that are old enough, and their size together.
    younger
        Files that no row names and that are not.
    unfinished
        Files that killed processes left unfinished, and that were removed.
    came_back
        Of those that were set aside, the hashes of which a row came meanwhile: `agetrace store
        repair` brings them back.
    """

    store: str
    collected: list[OrphanFile] = field(default_factory=list)
    younger: int = 0
    unfinished: int = 0
    came_back: list[str] = field(default_factory=list)

    @property
    def collected_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.collected)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "store": self.store,
            "collected": [file.to_json() for file in self.collected],
            "collected_bytes": self.collected_bytes,
            "younger": self.younger,
            "unfinished": self.unfinished,
            "came_back": self.came_back,
        }


def collect_garbage(
    catalogue: Catalogue,
    store: AssetStore,
    *,
    clock: CivilClock,
    older_than: timedelta,
    at_most: int,
    spared: Collection[str] = (),
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> CollectionReport:
    """Set files of a store aside that no row names.

    Copies of known assets that lack only their row are left alone: `agetrace store reconcile
    --adopt` gives them one.

    Parameters
    ----------
    catalogue, store
        The rows and the files.
    clock
        Tells the age of files, and dates the audit's entries.
    older_than
        Files that were put, or put again, since so long ago or less stay.
    at_most
        Set nothing aside where there would be more files than that: they tell of a catalogue that
        is older than the store, or not its own.
    spared
        Hashes of files that stay although no row names them.
    dry_run
        Change nothing; tell what would be set aside.
    progress
        Called with rows done and rows in all.

    Raises
    ------
    GarbageError
        If there are more than `at_most`; nothing was changed.
    StoreUnavailableError
        If the store cannot be reached.
    """
    report = CollectionReport(store.name)
    untouched_since = clock.now() - older_than
    with catalogue.reading() as session:
        store_id = find_store_id(session, store.name)
        total = 0 if store_id is None else count_locations(session, store_id)
    alone = _files_without_row(catalogue, store, progress, total)
    for file in orphans(catalogue, store.name, alone):
        if file.is_copy or file.sha256 in spared:
            continue
        if file.modified_at >= untouched_since:
            report.younger += 1
            continue
        report.collected.append(file)
        if len(report.collected) > at_most:
            raise GarbageError(
                f"the asset store {store.name} has more than {at_most} files that no row names;"
                " nothing was changed. Is this the store's own catalogue, and as new as the store?"
                " Look with `agetrace store reconcile`, and say --at-most if it is garbage"
            )
    if isinstance(store, LocalStore):
        report.unfinished = len(store.unfinished(older_than.total_seconds()))
    if not dry_run:
        if isinstance(store, LocalStore):
            report.unfinished = store.discard_unfinished(older_than.total_seconds())
        _set_aside_all(catalogue, store, report, untouched_since, clock)
    return report


def _files_without_row(
    catalogue: Catalogue,
    store: AssetStore,
    progress: Callable[[int, int], None] | None,
    total: int,
) -> Iterator[StoredName]:
    done = 0
    for file, row in compare(catalogue, store):
        if row is None and file is not None:
            yield file
        done += row is not None
        if progress is not None and row is not None:
            progress(min(done, total), total)


def _set_aside_all(
    catalogue: Catalogue,
    store: AssetStore,
    report: CollectionReport,
    untouched_since: datetime,
    clock: CivilClock,
) -> None:
    found, report.collected = report.collected, []
    for start in range(0, len(found), _BATCH):
        kept: dict[str, str] = {}
        try:
            for file in found[start : start + _BATCH]:
                place = _set_aside(catalogue, store, file.sha256, untouched_since)
                if place is None:
                    report.younger += 1
                else:
                    kept[file.sha256] = place
                    report.collected.append(file)
        finally:
            if kept:
                report.came_back += _note(catalogue, store, kept, clock.now())


def _set_aside(
    catalogue: Catalogue, store: AssetStore, sha256: str, untouched_since: datetime
) -> str | None:
    """Set a file aside unless somebody wants it by now; None where it stays."""
    if _is_named(catalogue, sha256):
        return None
    if not isinstance(store, LocalStore):
        try:
            return store.set_aside(sha256)
        except AssetMissingError:
            return None
    kept = store.set_aside_unused(sha256, untouched_since)
    if kept is not None and _is_named(catalogue, sha256):
        # whoever put it so long ago has written its row only now
        store.put_file(Path(kept), sha256=sha256)
        return None
    return kept


def _is_named(catalogue: Catalogue, sha256: str) -> bool:
    with catalogue.reading() as session:
        return session.scalar(select(Asset.id).where(Asset.sha256 == sha256)) is not None


def _note(
    catalogue: Catalogue, store: AssetStore, kept: Mapping[str, str], at: datetime
) -> list[str]:
    """Note what was set aside, and return the hashes of which a row came meanwhile."""
    came_back = []
    with catalogue.writing() as session:
        audit.append(session, "store.gc", {"store": store.name, "kept": dict(kept)}, at)
        for sha256, asset_id in find_asset_ids(session, list(kept)).items():
            location = find_location(session, asset_id, store.name)
            if location is not None:
                note_problem(session, location, "missing", at)
                came_back.append(sha256)
    return came_back
