"""The import of a folder: every file ends in the store with a verdict, or in the report.

Owns the order of things: bytes into the store first, rows after, one transaction for each shot. So
an import can be interrupted anywhere and run again, and adds nothing twice.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy.orm import Session as Transaction

from datastore import audit
from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.errors import AssetCorruptError, DatastoreError, RequestError
from datastore.frames import DecodingWorker, ExpectedFile, Finding, FrameError
from datastore.importing import _rows
from datastore.importing._facts import CameraIdentity, shot_facts
from datastore.importing._files import FileGroup, is_jpeg_name, printable, walk
from datastore.importing._options import ImportOptions, file_options, folder_options
from datastore.importing._report import ImportEntry, ImportReport, Outcome
from datastore.importing._rows import ImportedFile
from datastore.metadata import FileMetadata, MetadataReader
from datastore.tables import Session, SessionEvent, Verdict

Progress = Callable[[int, int], None]
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


def import_folder(
    catalogue: Catalogue,
    folder: Path,
    options: ImportOptions,
    *,
    clock: CivilClock,
    progress: Progress | None = None,
    scratch: Path | None = None,
) -> ImportReport:
    """Import every image file of a folder and the folders in it.

    Files that are damaged, or contradict what was declared, are quarantined with the reason and
    kept. Files that the catalogue has already are left alone, so importing again adds nothing.

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
    progress
        Called with the number of groups of files that are done, and of all.
    scratch
        Folder for names under which stored files are decoded; the system's otherwise.

    Raises
    ------
    RequestError
        If there is no such folder, or options or a sidecar are malformed.
    StoreFullError
        If the disk is full; what was imported stays, and importing again goes on from there.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder: name the folder that holds the files")
    groups, entries = walk(folder)
    # a camera is registered with the first file of its own, best one that tells its dimensions
    groups.sort(key=lambda group: is_jpeg_name(group.files[0]))
    group_options = _options_of(folder, groups, options)
    with _Importer(catalogue, folder, clock, scratch) as importer:
        for done, (group, declared) in enumerate(zip(groups, group_options, strict=True)):
            if progress is not None:
                progress(done, len(groups))
            entries += importer.add(group, declared)
        if progress is not None:
            progress(len(groups), len(groups))
        session = importer.complete()
    ordered = tuple(sorted(entries, key=lambda entry: entry.path))
    return ImportReport(session, ordered, importer.without_camera)


def _options_of(
    folder: Path, groups: list[FileGroup], options: ImportOptions
) -> list[ImportOptions]:
    """Return the options of every group; all sidecars are read before any work begins."""
    of_folder: dict[Path, ImportOptions] = {}

    def within(place: Path) -> ImportOptions:
        if place not in of_folder:
            around = options if place == folder else within(place.parent)
            of_folder[place] = folder_options(place, around)
        return of_folder[place]

    return [file_options(group.files[0], within(group.files[0].parent)) for group in groups]


class _Importer:
    """One run of an import; its session's row is written with the first new shot."""

    def __init__(
        self, catalogue: Catalogue, folder: Path, clock: CivilClock, scratch: Path | None
    ) -> None:
        self.without_camera = 0
        self._catalogue = catalogue
        self._folder = folder
        self._clock = clock
        self._scratch = scratch
        self._resources = ExitStack()
        self._session: tuple[int, str] | None = None
        self._sequence = 0
        self._added: list[str] = []

    def __enter__(self) -> Self:
        if self._scratch is not None:
            self._scratch.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix="import-", dir=self._scratch)
        self._names = Path(self._resources.enter_context(place))
        self._worker = self._resources.enter_context(DecodingWorker())
        self._reader = self._resources.enter_context(MetadataReader())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.close()
        if error is not None and self._session is not None:
            # a full disk, which may be the reason, also refuses this row
            with suppress(DatastoreError):
                self._end("aborted", {"reason": str(error) or type(error).__name__})

    def add(self, group: FileGroup, options: ImportOptions) -> list[ImportEntry]:
        """Import the files of one group that are not known yet."""
        entries: list[ImportEntry] = []
        new: list[ImportedFile] = []
        shot: tuple[int, str] | None = None
        for path in group.files:
            try:
                sha256 = _sha256(path)
                known = self._find_shot(sha256)
                if known is not None:
                    shot = known
                    reason = "The catalogue has it already."
                    entries.append(self._entry(path, "already", reason, known[1]))
                elif all(file.stored.sha256 != sha256 for file in new):
                    new.append(self._examined(path, sha256, options))
            except (OSError, AssetCorruptError) as error:
                reason = f"The file cannot be read, or changed meanwhile: {error}"
                entries.append(self._entry(path, "unreadable", reason))
        if not new:
            return entries
        if shot is not None:
            return entries + self._add_to_shot(shot, tuple(new))
        if len(new) == 2 and not _same_release(new[0].metadata, new[1].metadata):
            return entries + self._add_shot((new[0],), options) + self._add_shot((new[1],), options)
        return entries + self._add_shot(tuple(new), options)

    def complete(self) -> str | None:
        """End the session, if there is one, and return its UUID."""
        if self._session is None:
            return None
        self._end("completed", {"shots": self._sequence})
        return self._session[1]

    def _end(self, name: str, detail: dict[str, object]) -> None:
        assert self._session is not None
        session_id, uuid = self._session
        at = self._clock.now()
        with self._catalogue.writing() as session:
            session.add(SessionEvent(session_id=session_id, name=name, at=at, detail=detail))
            entry = {
                "session": uuid,
                "end": name,
                "shots": self._sequence,
                "assets_sha256": content_sha256(sorted(self._added)),
            }
            audit.append(session, "import.folder", entry, at)

    def _find_shot(self, sha256: str) -> tuple[int, str] | None:
        with self._catalogue.reading() as session:
            return _rows.find_shot(session, sha256)

    def _examined(self, path: Path, sha256: str, options: ImportOptions) -> ImportedFile:
        """Store a file, then look into the store's copy, which nobody changes any more."""
        stored = self._catalogue.store.put_file(path, sha256=sha256)
        # under a name of our own: nothing that a stranger wrote reaches a decoder's command line
        suffix = path.suffix.lower()
        name = self._names / f"file{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        name.symlink_to(self._catalogue.store.path(sha256).absolute())
        try:
            findings: list[Finding] = []
            try:
                metadata = self._reader.read(name)
            except FrameError as error:
                metadata = FileMetadata(reader="none")
                sentence = f"Its metadata cannot be read: {error}."
                findings.append(Finding("unreadable-metadata", {}, sentence))
            facts = shot_facts(metadata, options, path.name)
            examination = self._worker.examine_file(name, self._expected(facts.camera))
        finally:
            name.unlink()
        return ImportedFile(path, stored, metadata, examination, (*examination.findings, *findings))

    def _expected(self, identity: CameraIdentity | None) -> ExpectedFile:
        if identity is None:
            return ExpectedFile()
        with self._catalogue.reading() as session:
            camera = _rows.find_camera(session, identity)
            return (
                ExpectedFile()
                if camera is None
                else ExpectedFile(width=camera.width, height=camera.height)
            )

    def _add_shot(
        self, files: tuple[ImportedFile, ...], options: ImportOptions
    ) -> list[ImportEntry]:
        facts = shot_facts(files[0].metadata, options, files[0].path.name)
        at = self._clock.now()
        with self._catalogue.writing() as session:
            session_id, uuid = self._session or self._start_session(session)
            camera_id = _rows.camera_of(session, facts, options, files[0], at)
            shot = _rows.add_shot(
                session,
                _rows.Place(session_id, self._sequence + 1, camera_id, self._folder),
                files,
                facts,
                options,
                at,
            )
            verdict = _rows.add_verdict(session, shot.id, files, facts.findings, at)
        self._session = session_id, uuid
        self._sequence += 1
        self.without_camera += camera_id is None and verdict.verdict == "accepted"
        return self._new_entries(files, verdict, shot.uuid)

    def _add_to_shot(
        self, shot: tuple[int, str], files: tuple[ImportedFile, ...]
    ) -> list[ImportEntry]:
        """Add the other file of a shot that was imported before."""
        shot_id, shot_uuid = shot
        at = self._clock.now()
        with self._catalogue.writing() as session:
            running = self._session or self._start_session(session)
            for file in files:
                _rows.add_file(session, shot_id, file, at)
            verdict = _rows.verdict_on(shot_id, files, (), at)
            if verdict.verdict != "accepted":
                # a sound file is no reason to lift an earlier quarantine
                session.add(verdict)
        self._session = running
        return self._new_entries(files, verdict, shot_uuid)

    def _start_session(self, session: Transaction) -> tuple[int, str]:
        at = self._clock.now()
        row = Session(
            kind="import",
            clock_source=self._clock.source,
            started_at=at,
            note=f"import of {printable(self._folder)}",
        )
        session.add(row)
        session.flush()
        session.add(SessionEvent(session_id=row.id, name="started", at=at))
        return row.id, row.uuid

    def _new_entries(
        self, files: tuple[ImportedFile, ...], verdict: Verdict, shot: str
    ) -> list[ImportEntry]:
        self._added += [file.stored.sha256 for file in files]
        if verdict.verdict == "accepted":
            return [self._entry(file.path, "accepted", None, shot) for file in files]
        return [self._entry(file.path, "quarantined", verdict.reason, shot) for file in files]

    def _entry(
        self, path: Path, outcome: Outcome, reason: str | None, shot: str | None = None
    ) -> ImportEntry:
        return ImportEntry(printable(path.relative_to(self._folder)), outcome, reason, shot)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same_release(mosaic: FileMetadata, jpeg: FileMetadata) -> bool:
    """Return whether two files of one name tell of one release, as far as both tell anything."""
    return all(
        one is None or other is None or one == other
        for one, other in (
            (mosaic.taken_at_local, jpeg.taken_at_local),
            (mosaic.model, jpeg.model),
            (mosaic.serial, jpeg.serial),
        )
    )
