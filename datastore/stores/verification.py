"""Verifying: reads the files of a store again, those first that were longest unread.

A file whose bytes have another hash is set aside, never deleted. Every row whose file was found
sound is dated anew, so that what is broken off is gone on with by the next verification; rows of
files that are not sound say what is wrong until they are found sound again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.errors import AssetMissingError, StoreUnavailableError
from datastore.store import LocalStore
from datastore.stores._examination import Examined, Pace, examine_each
from datastore.stores._locations import (
    MOST_LISTED,
    Location,
    count_locations,
    find_store_id,
    longest_unread,
    note_problem,
    note_quarantine,
    note_sound,
    with_problem,
)
from datastore.stores.mounted import MountedStore
from datastore.stores.protocol import AssetStore
from datastore.tables import LocationProblem

_COMMIT_FILES: Final = 200
_COMMIT_S: Final = 5.0


@dataclass(frozen=True)
class Finding:
    """A file that is not what its row says.

    Attributes
    ----------
    problem
        `damaged`: its bytes have another hash; it was set aside. `unreadable`: the disk does not
        give its bytes; it was left where it is. `missing`: it is not there.
    location
        The row.
    detail
        What was found, in a sentence or two.
    """

    problem: LocationProblem
    location: Location
    detail: str

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON."""
        return {"problem": self.problem, **self.location.to_json(), "detail": self.detail}


@dataclass
class VerificationReport:
    """What a verification found.

    Attributes
    ----------
    store
        Name of the store.
    verified, verified_bytes
        Files that are sound, and their size together.
    sound_again
        Those of them whose rows said until now that something was wrong.
    counts
        Files that are not sound, by what is wrong with them.
    findings
        Those one by one, the first ten thousand of them.
    """

    store: str
    verified: int = 0
    verified_bytes: int = 0
    sound_again: int = 0
    counts: Counter[LocationProblem] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Add a file that is not sound."""
        self.counts[finding.problem] += 1
        if len(self.findings) < MOST_LISTED:
            self.findings.append(finding)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "store": self.store,
            "verified": self.verified,
            "verified_bytes": self.verified_bytes,
            "sound_again": self.sound_again,
            "damaged": self.counts["damaged"],
            "unreadable": self.counts["unreadable"],
            "missing": self.counts["missing"],
            "findings": [finding.to_json() for finding in self.findings],
        }


def verify(
    catalogue: Catalogue,
    store: AssetStore,
    *,
    clock: CivilClock,
    limit: int | None = None,
    bytes_per_s: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> VerificationReport:
    """Read files of a store anew and compare them with their rows.

    Files with which something was wrong come first, then those that were longest unread.

    Parameters
    ----------
    catalogue
        With the rows.
    store
        The store, under the name that it has in the catalogue.
    clock
        Dates what is verified.
    limit
        Read at most so many files; None reads all. Missing files take nothing of it, nor do those
        that still have the problem that is known of them.
    bytes_per_s
        Read no faster; None for as fast as it goes.
    progress
        Called with files done and files in all.

    Raises
    ------
    StoreUnavailableError
        If the store cannot be reached; what was verified until then counts.
    """
    report = VerificationReport(store.name)
    with catalogue.reading() as session:
        store_id = find_store_id(session, store.name)
        total = 0 if store_id is None else count_locations(session, store_id)
    if store_id is None or not total:
        return report
    require_present(store)
    total = total if limit is None else min(limit, total)
    notes = Notes(catalogue, store, clock)
    locations = chain(
        with_problem(catalogue, store_id), longest_unread(catalogue, store_id, clock.now())
    )
    pace = Pace(bytes_per_s)
    results = examine_each(store, locations, pace, limit=limit, costs=_costs)
    try:
        for location, examined in results:
            finding = notes.take(location, examined)
            if finding is None:
                report.verified += 1
                report.verified_bytes += location.bytes
                report.sound_again += location.problem is not None
            else:
                report.add(finding)
            if progress is not None:
                progress(min(report.verified + report.counts.total(), total), total)
    finally:
        results.close()
        notes.commit()
    return report


def require_present(store: AssetStore) -> None:
    """Refuse to judge files of a home's own store that is not there, as where no disk is mounted.

    Other local stores have a sign of their own.

    Raises
    ------
    StoreUnavailableError
        If the store has not even the folder that holds its files.
    """
    if not isinstance(store, LocalStore) or isinstance(store, MountedStore):
        return
    folder = store.root / "sha256"
    if not folder.is_dir():
        raise StoreUnavailableError(
            f"the asset store {store.name} has no folder {folder} although the catalogue names"
            " files there: mount its disk; or if they are lost, make that folder, verify the store,"
            " and have `agetrace store repair` fill it anew"
        )


class Notes:
    """What was found of files and awaits the next commit: one for many, as each waits for a disk.

    Damaged files are set aside, and noted at once.

    Parameters
    ----------
    catalogue, store
        Where the rows and files are.
    clock
        Dates what is noted.
    """

    def __init__(self, catalogue: Catalogue, store: AssetStore, clock: CivilClock) -> None:
        self._catalogue = catalogue
        self._store = store
        self._clock = clock
        self._sound: list[Location] = []
        self._findings: list[Finding] = []
        self._since_s = time.monotonic()

    def take(self, location: Location, examined: Examined) -> Finding | None:
        """Note what reading a file showed, and return what is wrong with it, if anything is."""
        finding = None
        if examined.problem is None:
            self._sound.append(location)
        else:
            finding = self._settled(location, examined.problem, examined.detail)
        is_late = time.monotonic() - self._since_s > _COMMIT_S
        if is_late or len(self._sound) + len(self._findings) >= _COMMIT_FILES:
            self.commit()
        return finding

    def commit(self) -> None:
        """Write down what awaits it."""
        sound, findings = self._sound, self._findings
        self._sound, self._findings, self._since_s = [], [], time.monotonic()
        if not sound and not findings:
            return
        at = self._clock.now()
        with self._catalogue.writing() as session:
            note_sound(session, sound, at)
            again = [location.sha256 for location in sound if location.problem is not None]
            if again:
                entry = {"store": self._store.name, "sha256": again}
                audit.append(session, "asset.sound-again", entry, at)
            new = [
                {"sha256": finding.location.sha256, "problem": finding.problem}
                for finding in findings
                if note_problem(session, finding.location, finding.problem, at)
            ]
            if new:
                audit.append(
                    session, "asset.problem", {"store": self._store.name, "files": new}, at
                )

    def _settled(self, location: Location, problem: LocationProblem, detail: str) -> Finding:
        if problem == "damaged":
            try:
                kept = self._store.set_aside(location.sha256)
            except AssetMissingError:
                problem, detail = "missing", f"{detail} It was taken away meanwhile."
            except OSError as error:
                detail += f" It could not be moved to the quarantine: {error.strerror or error}."
            else:
                finding = Finding(problem, location, f"{detail} It was moved to {kept}.")
                with self._catalogue.writing() as session:
                    at = self._clock.now()
                    note_quarantine(session, location, self._store.name, finding.detail, at)
                return finding
        if problem == "missing" and isinstance(self._store, LocalStore):
            earlier = self._store.set_aside_before(location.sha256)
            if earlier:
                detail += f" A damaged copy is kept at {earlier[-1]}."
        finding = Finding(problem, location, detail)
        self._findings.append(finding)
        return finding


def _costs(location: Location, examined: Examined) -> bool:
    is_known = location.problem is not None
    return examined.problem is None or (examined.problem != "missing" and not is_known)
