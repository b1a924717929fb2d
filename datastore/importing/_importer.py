"""The import of a folder: every file ends in the store with a verdict, or in the report.

Owns the order of things: bytes into the store first, rows after, one transaction for a batch of
shots. So an import can be interrupted anywhere and run again: it goes on in the same session, and
adds nothing twice.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from datastore.assets import find_asset_ids
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock, Deadline
from datastore.errors import DatastoreError, RequestError
from datastore.importing._batch import BatchWriter, ReadGroup, known_entry
from datastore.importing._files import printable
from datastore.importing._known import KnownFile, find_by_place
from datastore.importing._layout import open_layout
from datastore.importing._mapping import Mapping
from datastore.importing._options import ImportOptions
from datastore.importing._plan import Plan, PlannedGroup, require_listed_files
from datastore.importing._reading import GroupReader, GroupReaders, Readers, processors
from datastore.importing._report import SETTLED, ImportEntry, ImportReport, Outcome
from datastore.importing._running import ImportSession
from datastore.importing._schemes import add_missing_scheme, find_scenes, timeslots_of

Progress = Callable[[int, int], None]
EachEntry = Callable[[ImportEntry], None]

_BATCH_GROUPS = 32
_BATCH_S = 2.0
_LOOKED_UP_AT_ONCE = 64
_MOST_READERS = 8


@dataclass(frozen=True)
class _Step:
    """One group on its way, or the entries of what need not be read.

    Attributes
    ----------
    groups
        How far it brings the import, in groups.
    planned, begun_at
        What is to be read, and when that was decided.
    read
        The same after reading.
    entries
        What is settled without reading.
    """

    groups: int
    planned: PlannedGroup | None = None
    begun_at: datetime | None = None
    read: ReadGroup | None = None
    entries: tuple[ImportEntry, ...] = ()


def import_folder(
    catalogue: Catalogue,
    folder: Path,
    options: ImportOptions,
    *,
    clock: CivilClock,
    mapping: Mapping | None = None,
    facts: Path | None = None,
    verify: bool = False,
    processes: int | None = None,
    progress: Progress | None = None,
    each: EachEntry | None = None,
    scratch: Path | None = None,
) -> ImportReport:
    """Import every image file of a folder and the folders in it.

    Files that are damaged, or contradict what was declared, are quarantined with the reason and
    kept. Bytes that the catalogue has already are left alone but for a reference to the place where
    they lie; a file that is declared to be of another camera, kind or timeslot than the same bytes
    were before is refused, and their shot quarantined.

    Parameters
    ----------
    catalogue
        Where the shots go.
    folder
        The folder; links in it are not followed.
    options
        What is declared of all files; sidecars in the folders and beside the files say more.
    clock
        Dates the session and its events.
    mapping
        Layout of a published data set; its timeslot scheme is added if the catalogue has none of
        this name. Files that do not fit it are skipped.
    facts
        CSV of facts about files; they count before everything else declared.
    verify
        Read every file, also those that were imported from this place before and have neither
        another size nor a later time of change.
    processes
        How many files are decoded at once; one for each processor, at most eight, otherwise.
    progress
        Called with the number of groups of files that are done, and of all.
    each
        Called with the entry of every file, once what it says is committed.
    scratch
        Folder for names under which stored files are decoded; the system's otherwise.

    Raises
    ------
    RequestError
        If there is no such folder, or options, a sidecar, the mapping or a table are malformed or
        contradict the catalogue; nothing was changed.
    StoreFullError
        If the disk is full; what was imported stays, and importing again goes on from there.
    """
    folder = _existing(folder)
    layout = open_layout(mapping, timeslots_of(catalogue, mapping), facts)
    require_listed_files(folder, layout)
    plan = Plan(folder, options, layout)
    scenes: set[str] = set()
    total = 0
    for found in plan.everything():
        if isinstance(found, PlannedGroup):
            total += 1
            if found.declared.options.scene is not None:
                scenes.add(found.declared.options.scene)
    scene_ids = find_scenes(catalogue, scenes)
    add_missing_scheme(catalogue, mapping, clock.now())
    session = ImportSession(catalogue, folder, clock, _lineage(plan, mapping, facts))
    writer = BatchWriter(catalogue, folder, clock, session, scene_ids)
    importing = _Importing(catalogue, plan, writer, clock, verify=verify, each=each)
    count = processes or min(processors(), _MOST_READERS)
    with ExitStack() as resources:
        readers = _open_readers(catalogue, count, scratch, resources)
        importing.run(readers, count, progress, total)
    return importing.report()


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder: name the folder that holds the files")
    return folder.resolve()


def _lineage(plan: Plan, mapping: Mapping | None, facts: Path | None) -> dict[str, object]:
    """Return what the session's first event tells of how the folder was read."""
    lineage: dict[str, object] = {"folder": printable(plan.folder)}
    if mapping is not None:
        lineage |= {"mapping": mapping.name, "mapping_sha256": mapping.sha256}
    if facts is not None:
        lineage["facts"] = printable(facts)
    return lineage


def _open_readers(
    catalogue: Catalogue, count: int, scratch: Path | None, resources: ExitStack
) -> GroupReaders:
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
    place = resources.enter_context(tempfile.TemporaryDirectory(prefix="import-", dir=scratch))

    def is_known(sha256: str) -> bool:
        with catalogue.reading() as session:
            return bool(find_asset_ids(session, [sha256]))

    readers = []
    for number in range(count):
        names = Path(place) / str(number)
        names.mkdir()
        readers.append(GroupReader(catalogue.store, is_known, names))
    pool = GroupReaders(readers)
    resources.callback(pool.close)
    return pool


class _Importing:
    """One run of an import."""

    def __init__(
        self,
        catalogue: Catalogue,
        plan: Plan,
        writer: BatchWriter,
        clock: CivilClock,
        *,
        verify: bool,
        each: EachEntry | None,
    ) -> None:
        self._catalogue = catalogue
        self._plan = plan
        self._writer = writer
        self._clock = clock
        self._verify = verify
        self._each = each
        self._counts: Counter[Outcome] = Counter()
        self._refused: list[ImportEntry] = []
        self._session: str | None = None

    def run(self, readers: GroupReaders, count: int, progress: Progress | None, total: int) -> None:
        """Import everything that the plan names."""

        def read(step: _Step) -> _Step:
            if step.planned is None or step.begun_at is None:
                return step
            files = tuple(readers.read(step.planned))
            return replace(step, read=ReadGroup(step.planned.declared, files, step.begun_at))

        threads: Readers[_Step, _Step] = Readers(read, count)
        pending: list[ReadGroup] = []
        done = 0
        try:
            _tell(progress, done, total)
            due = Deadline.after(_BATCH_S)
            for step in threads.results(self._steps()):
                self._settle(step.entries)
                if step.read is not None:
                    pending.append(step.read)
                if len(pending) >= _BATCH_GROUPS or (pending and due.remaining() <= 0):
                    self._commit(pending)
                    due = Deadline.after(_BATCH_S)
                if step.groups:
                    done += step.groups
                    _tell(progress, done, max(done, total))
            self._commit(pending)
            self._session = self._writer.running.complete()
        except BaseException as error:
            # a full disk, which may be the reason, also refuses these rows
            with suppress(DatastoreError):
                self._commit(pending)
                self._writer.running.abort(str(error) or type(error).__name__)
            raise
        finally:
            threads.close()

    def report(self) -> ImportReport:
        """Return what became of the files."""
        refused = tuple(sorted(self._refused, key=lambda entry: entry.path))
        return ImportReport(
            self._session,
            dict(self._counts),
            refused,
            self._writer.without_camera,
            self._writer.without_time,
            self._writer.within_interval,
        )

    def _steps(self) -> Iterator[_Step]:
        """Give what is to be done; what was imported from its place before needs no reading."""
        stream = self._plan.in_order()
        while chunk := list(islice(stream, _LOOKED_UP_AT_ONCE)):
            known = {} if self._verify else self._known_places(chunk)
            for found in chunk:
                if isinstance(found, ImportEntry):
                    yield _Step(0, entries=(found,))
                    continue
                entries = self._unchanged(found, known)
                if entries is None:
                    yield _Step(1, planned=found, begun_at=self._clock.now())
                else:
                    yield _Step(1, entries=entries)

    def _known_places(self, chunk: list[PlannedGroup | ImportEntry]) -> dict[str, list[KnownFile]]:
        paths = [
            self._name(path)
            for group in chunk
            if isinstance(group, PlannedGroup)
            for path in group.files
        ]
        with self._catalogue.reading() as session:
            return find_by_place(session, printable(self._plan.folder), paths)

    def _unchanged(
        self, group: PlannedGroup, known: dict[str, list[KnownFile]]
    ) -> tuple[ImportEntry, ...] | None:
        """Return the entries of a group whose files were all imported from their places before."""
        entries = []
        for path in group.files:
            name = self._name(path)
            same = [file for file in known.get(name, ()) if _is_unchanged(path, file)]
            if len(same) != 1:
                return None
            entries.append(known_entry(name, same[0], group.declared, is_here=True))
        return tuple(entries)

    def _name(self, path: Path) -> str:
        return printable(path.relative_to(self._plan.folder))

    def _commit(self, pending: list[ReadGroup]) -> None:
        """Commit what was read, and leave nothing pending."""
        if pending:
            entries = self._writer.commit(pending)
            pending.clear()
            self._settle(entries)

    def _settle(self, entries: Sequence[ImportEntry]) -> None:
        for entry in entries:
            self._counts[entry.outcome] += 1
            if entry.outcome not in SETTLED:
                self._refused.append(entry)
            if self._each is not None:
                self._each(entry)


def _is_unchanged(path: Path, known: KnownFile) -> bool:
    """Return whether a file is as it was when it was imported, by its size and time of change.

    The time is the one that no program can set back: that of the last change of content or name.
    """
    try:
        found = path.lstat()
    except OSError:
        return False
    changed_at = datetime.fromtimestamp(found.st_ctime, UTC)
    return (
        found.st_size == known.bytes
        and known.referred_at is not None
        and changed_at < known.referred_at
    )


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)
