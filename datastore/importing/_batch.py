"""A batch of read groups becomes rows, in one transaction with one entry of the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from datastore import audit
from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.frames import Finding
from datastore.importing import _rows
from datastore.importing._facts import CameraIdentity, shot_facts
from datastore.importing._files import printable
from datastore.importing._known import KnownFile, find_by_hash
from datastore.importing._layout import Declared
from datastore.importing._reading import FileReading
from datastore.importing._report import ImportEntry
from datastore.importing._rows import ImportedFile
from datastore.importing._running import ImportSession
from datastore.locks import lock_until_commit
from datastore.metadata import FileMetadata
from datastore.tables import AssetReference, Camera, Shot, Verdict


@dataclass(frozen=True)
class ReadGroup:
    """What came of reading the files of one shutter release, and when that began."""

    declared: Declared
    files: tuple[FileReading, ...]
    begun_at: datetime


class BatchWriter:
    """Writes batches of one import.

    Parameters
    ----------
    catalogue
        Where the rows go.
    folder
        The imported folder, absolute.
    clock
        Dates what is written.
    running
        The import's session; begins with the first new row.
    scene_ids
        Row numbers of the scenes that are declared, by their names.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        folder: Path,
        clock: CivilClock,
        running: ImportSession,
        scene_ids: Mapping[str, int],
    ) -> None:
        self.without_camera = 0
        self.without_time = 0
        self.within_interval = 0
        self.serials: dict[int, str] = {}
        """Serials that files of cameras known by an alias name, by the cameras' row numbers."""
        self._catalogue = catalogue
        self._folder = folder
        self._clock = clock
        self.running = running
        self._scene_ids = scene_ids

    def commit(self, groups: Sequence[ReadGroup]) -> list[ImportEntry]:
        """Write the rows of some groups, and return the entries of their files."""
        at = self._clock.now()
        with self._catalogue.writing() as session:
            # two imports at once must not both find that the other has no such file
            lock_until_commit(session, "import")
            batch = _Batch(self, session, at, _known_files(session, groups))
            # rows of one table are quicker written together
            with session.no_autoflush:
                for group in groups:
                    batch.add(group)
            batch.close()
        # only what is committed counts
        self.running.keep(batch.running)
        self.without_camera += batch.without_camera
        self.without_time += batch.without_time
        self.within_interval += batch.within_interval
        return batch.entries

    @property
    def folder(self) -> Path:
        """The imported folder."""
        return self._folder

    def scene_id(self, declared: Declared) -> int | None:
        """Return the row number of a declared scene, None where none is."""
        scene = declared.options.scene
        return None if scene is None else self._scene_ids[scene]


class _Batch:
    """The rows of one transaction."""

    def __init__(
        self,
        writer: BatchWriter,
        session: Transaction,
        at: datetime,
        known: dict[str, KnownFile],
    ) -> None:
        self.entries: list[ImportEntry] = []
        self.running: tuple[int, str] | None = None
        self.without_camera = 0
        self.without_time = 0
        self.within_interval = 0
        self._writer = writer
        self._session = session
        self._at = at
        self._known = known
        self._cameras: dict[CameraIdentity, Camera] = {}
        self._sequence = 0
        self._shots = 0
        self._references = 0
        self._added: set[str] = set()

    def add(self, group: ReadGroup) -> None:
        """Add what is new of a group."""
        new: list[ImportedFile] = []
        twins: list[FileReading] = []
        shot: KnownFile | None = None
        against: tuple[Finding, ...] = ()
        for file in group.files:
            if file.problem is not None:
                entry = ImportEntry(self._name(file.path), "unreadable", file.problem)
                self.entries.append(entry)
            elif (known := self._find(file.sha256)) is not None:
                shot = known
                against += self._add_known(file, shot, group)
            elif any(other.stored.sha256 == file.sha256 for other in new):
                twins.append(file)
            else:
                # a file that was known while it was read is known now: rows are never deleted
                assert file.imported is not None
                new.append(file.imported)
        if new and shot is not None:
            self._add_to_shot(shot, new, group, against)
        elif len(new) == 2 and not _same_release(new[0].metadata, new[1].metadata):
            self._add_shot(new[:1], group)
            self._add_shot(new[1:], group)
        elif new:
            self._add_shot(new, group)
        for file in twins:
            added = self._find(file.sha256)
            assert added is not None
            self._add_known(file, added, group)

    def close(self) -> None:
        """Add the batch to the audit, if there is anything new."""
        if self.running is None:
            return
        entry = {
            "session": self.running[1],
            "shots": self._shots,
            "references": self._references,
            "assets_sha256": content_sha256(sorted(self._added)),
        }
        audit.append(self._session, "import.batch", entry, self._at)

    def _find(self, sha256: str | None) -> KnownFile | None:
        """Return what the catalogue has of these bytes, since before or since this batch."""
        assert sha256 is not None
        if sha256 in self._added:
            self._session.flush()
            return find_by_hash(self._session, [sha256])[sha256]
        return self._known.get(sha256)

    def _find_camera(self, identity: CameraIdentity | None) -> Camera | None:
        if identity is None:
            return None
        if identity not in self._cameras:
            camera = _rows.find_camera(self._session, identity)
            if camera is None:
                return None
            self._cameras[identity] = camera
        return self._cameras[identity]

    def _add_known(
        self, file: FileReading, known: KnownFile, group: ReadGroup
    ) -> tuple[Finding, ...]:
        """Refer to the place of bytes that are known, and return what their two places contradict.

        A place that is known too adds nothing.
        """
        name = self._name(file.path)
        folder = printable(self._writer.folder)
        referred = select(AssetReference.id).where(
            AssetReference.asset_id == known.asset_id,
            AssetReference.folder == folder,
            AssetReference.path == name,
        )
        is_here = self._session.scalar(referred) is not None
        entry = known_entry(name, known, group.declared, is_here=is_here)
        self.entries.append(entry)
        if is_here:
            return ()
        self._refer(known.asset_id, name, group)
        if entry.outcome != "refused" or not known.is_imported or known.shot_id is None:
            return ()
        here = f"{folder}/{name}"
        against = "; ".join(known.contradictions(group.declared))
        finding = Finding(
            "other-place",
            {"here": here, "there": known.place},
            f"The same bytes lie in {known.place} and in {here}: {against}.",
        )
        self._session.add(_rows.verdict_on(known.shot_id, (), (finding,), self._at))
        return (finding,)

    def _add_shot(self, files: list[ImportedFile], group: ReadGroup) -> None:
        session_id, _ = self._start()
        declared = group.declared
        facts = shot_facts(files[0].metadata, declared, files[0].path.name)
        camera = self._find_camera(facts.camera)
        other_body = self._other_body(camera, files[0])
        if other_body is not None:
            camera = None
            facts = replace(facts, camera=None, findings=(*facts.findings, other_body))
        judged = tuple(_rows.judged_by_camera(file, camera) for file in files)
        if camera is None:
            camera = _rows.register_camera(
                self._session, facts, declared.options, judged[0], self._at
            )
        self._sequence += 1
        place = _rows.Place(
            session_id,
            self._sequence,
            None if camera is None else camera.id,
            self._writer.scene_id(declared),
            self._writer.folder,
        )
        shot = _rows.add_shot(self._session, place, judged, facts, declared, self._at)
        for file in judged:
            self._add_file(shot.id, file, group)
        verdict = _rows.verdict_on(
            shot.id, judged, facts.findings, self._at, resized=_rows.resized_files(judged, camera)
        )
        self._session.add(verdict)
        self._shots += 1
        self.without_camera += camera is None and verdict.verdict == "accepted"
        self.without_time += facts.triggered_at is None
        self.within_interval += facts.time_uncertainty_s is not None
        self._tell(judged, verdict, shot.uuid, facts.time_uncertainty_s)

    def _other_body(self, camera: Camera | None, file: ImportedFile) -> Finding | None:
        """Return what is wrong with a file that names another serial than others of its alias."""
        serial = file.metadata.serial
        if camera is None or camera.identity_source != "alias" or serial is None or file.findings:
            return None
        serials = self._writer.serials
        if camera.id not in serials:
            serials[camera.id] = _rows.serial_of_alias(self._session, camera.id) or serial
        if serials[camera.id] == serial:
            return None
        numbers: dict[str, int | float | str] = {
            "serial": serial,
            "earlier_serial": serials[camera.id],
        }
        sentence = (
            f"The file names the serial {serial}, earlier files of {camera.serial} name"
            f" {serials[camera.id]}: they are of two bodies."
        )
        return Finding("other-serial", numbers, sentence)

    def _add_to_shot(
        self,
        shot: KnownFile,
        files: list[ImportedFile],
        group: ReadGroup,
        against: tuple[Finding, ...],
    ) -> None:
        """Add the other file of a shot that was imported before."""
        self._start()
        if shot.shot_id is None or shot.shot_uuid is None:
            self._add_shot(files, group)
            return
        camera = _rows.camera_of_shot(self._session, shot.shot_id)
        judged = tuple(_rows.judged_by_camera(file, camera) for file in files)
        for file in judged:
            self._add_file(shot.shot_id, file, group)
        verdict = _rows.verdict_on(shot.shot_id, judged, against, self._at)
        if verdict.verdict != "accepted":
            # a sound file is no reason to lift an earlier quarantine
            self._session.add(verdict)
        self._tell(judged, verdict, shot.shot_uuid, shot.time_uncertainty_s)

    def _add_file(self, shot_id: int, file: ImportedFile, group: ReadGroup) -> None:
        asset = _rows.add_file(self._session, shot_id, file, self._at)
        self._added.add(file.stored.sha256)
        self._refer(asset.id, self._name(file.path), group)

    def _refer(self, asset_id: int, name: str, group: ReadGroup) -> None:
        session_id, _ = self._start()
        self._session.add(
            AssetReference(
                asset_id=asset_id,
                session_id=session_id,
                folder=printable(self._writer.folder),
                path=name,
                # a file that changes from now on has a later time of change
                at=group.begun_at,
            )
        )
        self._references += 1

    def _start(self) -> tuple[int, str]:
        if self.running is None:
            self.running = self._writer.running.begin(self._session, self._at)
            newest = select(func.max(Shot.sequence)).where(Shot.session_id == self.running[0])
            self._sequence = self._session.scalar(newest) or 0
        return self.running

    def _tell(
        self,
        files: Sequence[ImportedFile],
        verdict: Verdict,
        shot: str,
        time_uncertainty_s: float | None,
    ) -> None:
        is_accepted = verdict.verdict == "accepted"
        self.entries += [
            ImportEntry(
                self._name(file.path),
                "accepted" if is_accepted else "quarantined",
                None if is_accepted else verdict.reason,
                shot,
                time_uncertainty_s,
            )
            for file in files
        ]

    def _name(self, path: Path) -> str:
        return printable(path.relative_to(self._writer.folder))


def _known_files(session: Transaction, groups: Sequence[ReadGroup]) -> dict[str, KnownFile]:
    hashes = {file.sha256 for group in groups for file in group.files if file.sha256 is not None}
    return find_by_hash(session, sorted(hashes))


def known_entry(name: str, known: KnownFile, declared: Declared, *, is_here: bool) -> ImportEntry:
    """Return the entry of a file whose bytes the catalogue has.

    Parameters
    ----------
    name
        Of the file, below the imported folder.
    known
        What the catalogue has.
    declared
        What is declared of the file here.
    is_here
        Whether the catalogue has it from this very place.
    """
    contradictions = known.contradictions(declared)
    place = "this place" if is_here else known.place
    if contradictions:
        reason = f"The catalogue has its bytes from {place}: {'; '.join(contradictions)}."
        return ImportEntry(name, "refused", reason, known.shot_uuid, known.time_uncertainty_s)
    reason = f"The catalogue has it already, from {place}."
    return ImportEntry(name, "already", reason, known.shot_uuid, known.time_uncertainty_s)


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
