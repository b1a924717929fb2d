"""Reconciling: what a store holds against what the catalogue says it holds, both ways.

Rows without a sound file say so from then on. A file without a row is never given a shot: nothing
tells which one made it. It is reported, and can be exported to be imported like any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import select

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.durable import FULL_DISK_ERRORS
from datastore.errors import AssetMissingError, RequestError, StoreFullError
from datastore.locks import lock_until_commit
from datastore.stores._comparison import NamedFile, OrphanFile, compare, orphans
from datastore.stores._examination import Examined, Pace, examine
from datastore.stores._export import export_file
from datastore.stores._locations import (
    MOST_LISTED,
    count_locations,
    find_location,
    find_store_id,
    note_adopted,
)
from datastore.stores.protocol import AssetStore, StoredName
from datastore.stores.registry import register_store
from datastore.stores.verification import Finding, Notes, require_present
from datastore.tables import Asset, LocationProblem

IN_WORK: Final = timedelta(hours=1)
"""Age up to which a file without a row may belong to a session or an import that is running."""

OrphanOutcome = Literal["in-work", "explained", "unrecorded", "orphan", "adopted", "exported"]


@dataclass(frozen=True)
class Orphan:
    """A file without a row, with what is known of it or was done about it.

    Attributes
    ----------
    file
        The file.
    outcome
        `in-work`: it is so young that its row may still come. `explained`: somebody else knows it.
        `unrecorded`: a copy of an asset that lacks only its row; `adopted`: it has one now.
        `orphan`: nobody knows it; `exported`: it lies in the folder now.
    detail
        The explanation, where it was exported to, or why it was not adopted or exported.
    """

    file: OrphanFile
    outcome: OrphanOutcome
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"outcome": self.outcome, **self.file.to_json(), "detail": self.detail}


@dataclass
class ReconciliationReport:
    """What a reconciliation found.

    Attributes
    ----------
    store
        Name of the store.
    matched
        Rows whose file is there, with as many bytes as they say.
    sound_again
        Rows with a problem whose file was read and is sound.
    counts, findings
        Rows without a sound file by what is wrong, and the first ten thousand of them.
    orphan_counts, orphan_bytes, orphans
        Files without a row by their outcome, their size, and the first ten thousand of them.
    """

    store: str
    matched: int = 0
    sound_again: int = 0
    counts: Counter[LocationProblem] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    orphan_counts: Counter[OrphanOutcome] = field(default_factory=Counter)
    orphan_bytes: int = 0
    orphans: list[Orphan] = field(default_factory=list)

    def add_finding(self, finding: Finding) -> None:
        """Add a row without a sound file."""
        self.counts[finding.problem] += 1
        if len(self.findings) < MOST_LISTED:
            self.findings.append(finding)

    def add_orphan(self, orphan: Orphan) -> None:
        """Add a file without a row."""
        self.orphan_counts[orphan.outcome] += 1
        self.orphan_bytes += orphan.file.bytes
        if len(self.orphans) < MOST_LISTED:
            self.orphans.append(orphan)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "store": self.store,
            "matched": self.matched,
            "sound_again": self.sound_again,
            "problems": dict(self.counts),
            "findings": [finding.to_json() for finding in self.findings],
            "without_row": dict(self.orphan_counts),
            "without_row_bytes": self.orphan_bytes,
            "orphans": [orphan.to_json() for orphan in self.orphans],
        }


def reconcile(
    catalogue: Catalogue,
    store: AssetStore,
    *,
    clock: CivilClock,
    adopt: bool = False,
    export_folder: Path | None = None,
    explanations: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ReconciliationReport:
    """Compare what a store lists with the rows that speak of it, both ways.

    Files are read only where their size is not what the row says, or something was wrong already.

    Parameters
    ----------
    catalogue, store
        What is compared.
    clock
        Dates what is noted, and tells the age of files.
    adopt
        Give copies of known assets the row that they lack, after their bytes were read.
    export_folder
        Folder into which the files that nobody knows are copied, so that they can be imported.
    explanations
        What others know of files, in a sentence by hash; those are left to them.
    progress
        Called with rows done and rows in all.

    Raises
    ------
    RequestError
        If the folder cannot be made.
    StoreFullError
        If the folder's disk is full; what was exported stays.
    StoreUnavailableError
        If the store cannot be reached.
    """
    if export_folder is not None:
        try:
            export_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RequestError(f"{export_folder}: {error.strerror}: name a folder") from None
    with catalogue.reading() as session:
        store_id = find_store_id(session, store.name)
        total = 0 if store_id is None else count_locations(session, store_id)
    if total:
        require_present(store)
    run = _Reconciliation(catalogue, store, clock, explanations or {}, adopt, export_folder)
    try:
        for orphan in orphans(catalogue, store.name, run.files_without_row(progress, total)):
            run.report.add_orphan(run.settled(orphan))
    finally:
        run.notes.commit()
    return run.report


class _Reconciliation:
    """One run: rows are judged while files pass by, files without a row one by one."""

    def __init__(
        self,
        catalogue: Catalogue,
        store: AssetStore,
        clock: CivilClock,
        explanations: Mapping[str, str],
        adopt: bool,
        export_folder: Path | None,
    ) -> None:
        self.report = ReconciliationReport(store.name)
        self.notes = Notes(catalogue, store, clock)
        self._catalogue = catalogue
        self._store = store
        self._clock = clock
        self._explanations = explanations
        self._adopt = adopt
        self._export_folder = export_folder

    def files_without_row(
        self, progress: Callable[[int, int], None] | None, total: int
    ) -> Iterator[StoredName]:
        """Yield the files that stand alone, and judge the rows on the way."""
        done = 0
        for file, row in compare(self._catalogue, self._store):
            if row is not None:
                self._judge(file, row)
                done += 1
                if progress is not None:
                    progress(min(done, total), total)
            elif file is not None:
                yield file

    def settled(self, file: OrphanFile) -> Orphan:
        """Do with a file without a row what was asked for."""
        if file.is_copy:
            return self._adopted(file) if self._adopt else Orphan(file, "unrecorded")
        if file.sha256 in self._explanations:
            return Orphan(file, "explained", self._explanations[file.sha256])
        if self._clock.now() - file.modified_at < IN_WORK:
            return Orphan(file, "in-work")
        if self._export_folder is None:
            return Orphan(file, "orphan")
        try:
            exported = export_file(self._store, file.sha256, self._export_folder)
        except AssetMissingError:
            return Orphan(file, "orphan", "It was taken away meanwhile.")
        except OSError as error:
            if error.errno in FULL_DISK_ERRORS:
                raise StoreFullError(f"{self._export_folder} is full: free some space") from None
            return Orphan(file, "orphan", f"It cannot be copied: {error.strerror or error}.")
        if exported is None:
            return Orphan(file, "orphan", "Its bytes are not those that its name claims.")
        return Orphan(file, "exported", str(exported))

    def _judge(self, file: StoredName | None, row: NamedFile) -> None:
        if file is not None and file.bytes == row.bytes and not row.has_problem:
            self.report.matched += 1
            return
        with self._catalogue.reading() as session:
            location = find_location(session, row.asset_id, self._store.name)
        if location is None:
            return
        if file is not None:
            examined = examine(self._store, row.sha256, Pace())
        elif self._store.contains(row.sha256):
            # it came after its folder was listed
            self.report.matched += 1
            return
        else:
            examined = Examined("missing", f"It is not in {self._store.place}.")
        finding = self.notes.take(location, examined)
        if finding is not None:
            self.report.add_finding(finding)
        else:
            self.report.matched += 1
            self.report.sound_again += location.problem is not None

    def _adopted(self, file: OrphanFile) -> Orphan:
        examined = examine(self._store, file.sha256, Pace())
        if examined.problem is not None:
            return Orphan(file, "unrecorded", examined.detail)
        at = self._clock.now()
        with self._catalogue.writing() as session:
            store_id = register_store(session, self._store, at)
            # a replication into this store may write the same row
            lock_until_commit(session, f"store {store_id}")
            asset_id = session.scalars(select(Asset.id).where(Asset.sha256 == file.sha256)).one()
            if find_location(session, asset_id, self._store.name) is None:
                note_adopted(session, asset_id, store_id, at)
                entry = {"store": self._store.name, "sha256": file.sha256}
                audit.append(session, "asset.adopt", entry, at)
        return Orphan(file, "adopted")
