"""Settling what an interruption left open: from the spool, else from the camera's card.

A shot is open while its newest event is neither `registered` nor `failed`. A complete sealed shot
in the spool is registered. Otherwise the card is searched for files that say of themselves that
they are the shot's; if it has none the shot failed. A camera that cannot be reached leaves its
shots open. Files are never discarded: what has no owner goes to the folder `unclaimed` or stays
on the card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from capture import checks
from capture.attendance import ENDS, session_state
from capture.cameras.gphoto2_camera import Gphoto2Camera
from capture.cameras.protocol import CardFile, ReadBack
from capture.checks import CheckThresholds
from capture.errors import CaptureError, SpoolError, UnknownCameraError
from capture.examination import ShotFacts
from capture.knowledge import SessionKnowledge, load_knowledge
from capture.leasing import lease_equipment
from capture.log_lines import log_reconciled
from capture.open_shots import OpenShot, open_shots
from capture.registration import (
    FAILED,
    REGISTERED,
    Settled,
    are_intact,
    audit_settled,
    fail_shot,
    register_shot,
)
from capture.session_rows import BegunSession, FixtureFacts, end_session, load_fixture
from capture.spool import Spool, SpooledShot, role_of
from capture.stations import CAMERA_PATIENCE_S, CameraFactory, Station, Stations
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.metadata import FileMetadata
from datastore.tables import (
    Asset,
    FixtureRevision,
    Session,
    Shot,
    ShotEvent,
    new_uuid,
)

_NEWEST_CARD_FILES: Final = 40


@dataclass
class Reconciled:
    """What became of open shots.

    Attributes
    ----------
    settled
        By the shot's UUID.
    left_open
        Reasons, by the UUID of shots whose camera could not be asked.
    unsettled_sessions
        UUIDs of the sessions of those shots.
    sessions_closed
        UUIDs of sessions that had ended without saying so.
    """

    settled: dict[str, Settled] = field(default_factory=dict)
    left_open: dict[str, str] = field(default_factory=dict)
    unsettled_sessions: set[str] = field(default_factory=set)
    sessions_closed: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "settled": {
                uuid: {"outcome": result.outcome, "reason": result.reason}
                for uuid, result in self.settled.items()
            },
            "left_open": self.left_open,
            "sessions_closed": self.sessions_closed,
        }

    def summary(self) -> str:
        """Return the result as a sentence or two."""
        if not (self.settled or self.left_open or self.sessions_closed):
            return "nothing was left open"
        failed = sum(result.outcome == FAILED for result in self.settled.values())
        text = (
            f"{len(self.settled) - failed} shots were recovered, {failed} failed;"
            f" {len(self.sessions_closed)} sessions were closed"
        )
        if self.left_open:
            reasons = " ".join(dict.fromkeys(self.left_open.values()))
            text += f"; {len(self.left_open)} shots stay open: {reasons}"
        return text


def reconcile(
    catalogue: Catalogue,
    fixture_name: str,
    *,
    clock: CivilClock,
    spool_folder: Path,
    camera_factory: CameraFactory = Gphoto2Camera,
    camera_patience_s: float = CAMERA_PATIENCE_S,
) -> Reconciled:
    """Settle the open shots of a fixture; its cameras are opened only where a card is needed.

    Raises
    ------
    datastore.errors.DatastoreError
        If the fixture is unknown or leased to a running session.
    """
    with catalogue.reading() as transaction:
        fixture = load_fixture(transaction, fixture_name)
    lease = lease_equipment(catalogue, fixture.resources)
    try:
        with Stations(fixture.cameras, spool_folder, camera_factory, camera_patience_s) as stations:
            return reconcile_stations(catalogue, fixture, clock, Spool(spool_folder), stations)
    finally:
        lease.release()


def reconcile_stations(
    catalogue: Catalogue,
    fixture: FixtureFacts,
    clock: CivilClock,
    spool: Spool,
    stations: Stations,
) -> Reconciled:
    """Settle the open shots of a fixture whose lease is held."""
    result = Reconciled()
    by_camera = {station.facts.camera_id: station for station in stations.all}
    with catalogue.reading() as transaction:
        shots = open_shots(transaction, fixture)
    knowledge = load_knowledge(catalogue, fixture, CheckThresholds(), use_references=bool(shots))
    for shot in shots:
        try:
            station = by_camera.get(shot.camera_id)
            if station is None:
                raise UnknownCameraError(
                    f"camera {shot.serial}, which took a shot that is not settled, does not take"
                    " part: mount it (`agetrace fixture revise`) and run `agetrace session"
                    " reconcile`"
                )
            settled = _settle(catalogue, clock, spool, station, shot, shots, knowledge)
        except CaptureError as error:
            result.left_open[shot.planned.uuid] = str(error)
            result.unsettled_sessions.add(shot.session_uuid)
            continue
        result.settled[shot.planned.uuid] = settled
        log_reconciled(shot.session_uuid, shot.serial, shot.planned.uuid, settled)
    _tidy_spool(catalogue, clock, spool, by_camera, result)
    result.sessions_closed.extend(_close_sessions(catalogue, fixture, clock.now()))
    return result


def _settle(
    catalogue: Catalogue,
    clock: CivilClock,
    spool: Spool,
    station: Station,
    shot: OpenShot,
    shots: Sequence[OpenShot],
    knowledge: SessionKnowledge,
) -> Settled:
    """Register a shot from spool or card, or fail it.

    Raises
    ------
    CaptureError
        If the camera cannot be asked.
    """
    spooled = _sound_in_spool(spool, shot)
    source = "spool"
    if spooled is None:
        if not station.camera.is_open:
            station.open(clock)
        files = _find_on_card(catalogue, spool, station, shot, shots)
        if files:
            station.camera.files.fetch(shot.planned.uuid, files)
            spooled, source = spool.read(shot.planned.uuid), "card"
    now = clock.now()
    if spooled is None:
        reason = (
            "The session was interrupted and neither the spool nor the camera's card holds the"
            " shot's files; whether the shutter opened is not known."
        )
        with catalogue.writing() as transaction:
            settled = fail_shot(transaction, shot.planned, reason, now)
            audit_settled(transaction, shot.session_uuid, {shot.planned.uuid: settled}, now)
        return settled
    return _register(catalogue, station, shot, spooled, source, now, knowledge)


def _register(
    catalogue: Catalogue,
    station: Station,
    shot: OpenShot,
    spooled: SpooledShot,
    source: str,
    now: datetime,
    knowledge: SessionKnowledge,
) -> Settled:
    read_back = _read_back(spooled) if source == "spool" else None
    facts = ShotFacts(
        kind=shot.kind,
        requested=shot.settings,
        read_back=read_back,
        earliest=None,
        latest=None,
        skew=None,
        thresholds=shot.thresholds,
        scene=knowledge.of(shot.camera_id, shot.scene),
    )
    examined = station.examiners.examine(spooled.files, station.facts, facts)
    if not examined.foreign:
        for file in spooled.files:
            catalogue.store.put_file(file.path, sha256=file.sha256, keep_source=False)
    released = spooled.facts.get("released_after_s") if source == "spool" else None
    with catalogue.writing() as transaction:
        settled = register_shot(
            transaction, shot.planned, examined, read_back, released, now, source
        )
        audit_settled(transaction, shot.session_uuid, {shot.planned.uuid: settled}, now)
    return settled


def _sound_in_spool(spool: Spool, shot: OpenShot) -> SpooledShot | None:
    """Return a shot that the spool holds completely; set a damaged one aside."""
    try:
        spooled = spool.read(shot.planned.uuid)
        if spooled is not None:
            spool.verify(spooled.files)
    except SpoolError:
        spool.set_aside(shot.planned.uuid)
        return None
    if spooled is not None and not spooled.facts.get("read_back"):
        # sealed by a search of the card that was interrupted before it had decided
        return None
    return spooled


def _read_back(spooled: SpooledShot) -> ReadBack | None:
    try:
        return ReadBack(**spooled.facts["read_back"])
    except (KeyError, TypeError):
        return None


def _find_on_card(
    catalogue: Catalogue,
    spool: Spool,
    station: Station,
    shot: OpenShot,
    shots: Sequence[OpenShot],
) -> list[CardFile]:
    """Return the card's files that are a shot's, all of them or none."""
    rivals = [other for other in shots if other.camera_id == shot.camera_id]
    found: dict[str, list[CardFile]] = {}
    for file in station.camera.files.list_card()[-_NEWEST_CARD_FILES:]:
        metadata = _peek(catalogue, spool, station, file)
        if metadata is None:
            continue
        owners = [other for other in rivals if _may_own(other, metadata, station)]
        if owners == [shot]:
            found.setdefault(role_of(file.name), []).append(file)
    roles = shot.settings.image_quality.split("+")
    if any(len(found.get(role, [])) != 1 for role in roles):
        return []
    return [found[role][0] for role in roles]


def _peek(
    catalogue: Catalogue, spool: Spool, station: Station, file: CardFile
) -> FileMetadata | None:
    """Return what a file of the card says of itself, None if its bytes are in the store already."""
    scratch = new_uuid()
    try:
        copy = station.camera.files.fetch(scratch, [file]).files[0]
        with catalogue.reading() as transaction:
            is_known = transaction.scalar(select(Asset.id).where(Asset.sha256 == copy.sha256))
        if is_known is not None and catalogue.store.contains(copy.sha256):
            return None
        return station.examiners.read_metadata(copy.path)
    finally:
        spool.clear(scratch)


def _may_own(shot: OpenShot, metadata: FileMetadata, station: Station) -> bool:
    """Tell whether a file's own time, settings and body are those of a shot."""
    if checks.wall_time(metadata) is None or station.skew is None:
        return False
    return (
        checks.foreign_body(metadata, station.facts.serial) is None
        and checks.foreign_time(metadata, shot.planned.planned_at, shot.latest, station.skew)
        is None
        and not checks.check_settings(shot.settings, None, metadata)
    )


def _tidy_spool(
    catalogue: Catalogue,
    clock: CivilClock,
    spool: Spool,
    by_camera: Mapping[int, Station],
    result: Reconciled,
) -> None:
    """Let go of registered shots, on the card too; set aside what belongs to failed ones."""
    waiting = list(spool.shots())
    if not waiting:
        return
    with catalogue.reading() as transaction:
        states = _states(transaction, waiting)
        intact = are_intact(transaction, waiting)
    for uuid, (camera_id, state) in states.items():
        station = by_camera.get(camera_id)
        if state == REGISTERED and station is not None:
            try:
                # a damaged file's copy on the card may be better than what came
                if uuid in intact:
                    _delete_from_card(catalogue, clock, spool, station, uuid)
            except CaptureError:
                # the camera cannot be asked: the spool remembers it for the next time
                continue
            spool.clear(uuid)
        elif state == FAILED and station is not None:
            spool.set_aside(uuid)


def _delete_from_card(
    catalogue: Catalogue, clock: CivilClock, spool: Spool, station: Station, uuid: str
) -> None:
    """Delete the card's copies of a registered shot, if they still are its copies."""
    spooled = spool.read(uuid)
    if spooled is None:
        return
    if not station.camera.is_open:
        station.open(clock)
    names = {(file.camera_folder, file.camera_name) for file in spooled.files}
    for file in station.camera.files.list_card():
        # a camera may have used the name again: only the bytes tell
        if (file.folder, file.name) in names and _peek(catalogue, spool, station, file) is None:
            station.camera.files.delete(file.folder, file.name)


def _states(transaction: Transaction, uuids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return camera and newest event of shots by UUID; others than captured shots are left out."""
    newest = (
        select(func.max(ShotEvent.id))
        .join(Shot, ShotEvent.shot_id == Shot.id)
        .where(Shot.uuid.in_(uuids))
        .group_by(ShotEvent.shot_id)
    )
    rows = transaction.execute(
        select(Shot.uuid, Shot.camera_id, ShotEvent.name)
        .join(Shot, ShotEvent.shot_id == Shot.id)
        .where(ShotEvent.id.in_(newest))
    )
    return {uuid: (camera_id, name) for uuid, camera_id, name in rows if camera_id is not None}


def _close_sessions(catalogue: Catalogue, fixture: FixtureFacts, at: datetime) -> list[str]:
    """End the fixture's sessions whose process died; its lease says that none of them runs."""
    with catalogue.reading() as transaction:
        unended = transaction.execute(
            select(Session.id, Session.uuid)
            .join(FixtureRevision, Session.fixture_revision_id == FixtureRevision.id)
            .where(
                Session.kind == "capture",
                FixtureRevision.fixture_id == fixture.fixture_id,
                session_state().not_in(ENDS),
            )
        ).all()
    if unended:
        with catalogue.writing() as transaction:
            for session_id, uuid in unended:
                detail = {
                    "exit_reason": "process-died",
                    "reason": "The process that ran it ended without closing it.",
                }
                end_session(transaction, BegunSession(session_id, uuid), "aborted", at, detail)
    return [uuid for _, uuid in unended]
