"""Defects in the catalogue: which dark shots to measure, and the rows of what came out.

Nothing is changed or removed: the same frames, parameters and code give the extraction that is
there already, anything else adds a new one, and a ledger is a new row each time its inputs differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from datastore import audit
from datastore.assets import register_asset
from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock, HostClock
from datastore.frames import DecodingWorker
from datastore.tables import (
    Asset,
    Camera,
    DefectExtraction,
    DefectLedger,
    DefectObservation,
    LedgerDefect,
    Session,
    Shot,
)
from training.code_version import code_version
from training.defects import ledger as ledgers
from training.defects.dark_shots import DarkShot, dark_frames, dark_shots
from training.defects.errors import DarkFrameError, LedgerError
from training.defects.extraction import KINDS, Extraction, Progress, extract
from training.defects.growth import growth_of
from training.defects.ledger import LedgerEntry
from training.defects.maps import read_maps, write_maps
from training.defects.measurements import linearity_of, summary_of
from training.defects.parameters import ExtractionParameters, LedgerParameters


def extract_session(
    catalogue: Catalogue,
    session: str | int,
    camera_id: int,
    parameters: ExtractionParameters | None = None,
    progress: Progress | None = None,
    clock: CivilClock | None = None,
) -> int:
    """Measure the defects of one camera in one session; return the extraction's row number.

    Registered dark fields count, without warm-up shots and those quarantined or rejected. If the
    same frames were measured with the same parameters and code, that extraction is returned.

    Parameters
    ----------
    catalogue
        Where the shots are.
    session
        UUID or row number of the session.
    camera_id
        Row number of the camera.
    parameters
        Of the extraction; the defaults where None.
    progress
        Called with frames decoded and frames in all.
    clock
        Civil clock of the new rows; the host's where None.

    Raises
    ------
    DarkFrameError
        If the session has no usable dark field of this camera, or they cannot be measured.
    """
    parameters = parameters or ExtractionParameters()
    clock = clock or HostClock()
    with catalogue.reading() as transaction:
        is_session = Session.id == session if isinstance(session, int) else Session.uuid == session
        found = transaction.execute(
            select(Session.id, Session.uuid, Session.started_at).where(is_session)
        ).one_or_none()
        if found is None:
            raise DarkFrameError(f"no session is called {session}: see `agetrace shots`")
    shots = dark_shots(catalogue, found.id, camera_id)
    if not shots:
        raise DarkFrameError(f"session {found.uuid} has no usable dark field of camera {camera_id}")
    version = code_version()
    identity = content_sha256(
        {
            "parameters": asdict(parameters),
            "code_version": version,
            "inputs": [shot.sha256 for shot in shots],
        }
    )
    existing = _existing(catalogue, found.id, camera_id, identity)
    if existing is not None:
        return existing
    with DecodingWorker() as worker:
        measured = extract(dark_frames(catalogue, worker, shots), parameters, progress=progress)
    stored = catalogue.store.put_bytes(write_maps(measured.maps))
    now = clock.now()
    with catalogue.writing() as transaction:
        maps = register_asset(transaction, stored, "measurement", now)
        row = DefectExtraction(
            session_id=found.id,
            camera_id=camera_id,
            code_version=version,
            parameters=asdict(parameters),
            parameters_sha256=identity,
            inputs=[shot.sha256 for shot in shots],
            summary=summary_of(measured),
            maps_asset_id=maps.id,
            started_at=_time_of(shots) or found.started_at,
            created_at=now,
        )
        transaction.add(row)
        transaction.flush()
        transaction.add_all(_observations(row.id, measured))
        audit.append(
            transaction,
            "defects.extract",
            {"session": found.uuid, "camera": camera_id, "extraction": identity},
            now,
        )
        return row.id


def extract_pending(
    catalogue: Catalogue,
    camera_ids: Sequence[int] | None = None,
    parameters: ExtractionParameters | None = None,
    progress: Progress | None = None,
    clock: CivilClock | None = None,
) -> list[int]:
    """Measure every session that has dark fields and no extraction of this kind yet.

    Parameters
    ----------
    catalogue
        Where the shots are.
    camera_ids
        Row numbers of the cameras; all where None.
    parameters, clock
        As for `extract_session`.
    progress
        Called with sessions done and sessions in all.

    Returns
    -------
    list of int
        Row numbers of the extractions that were added.
    """
    with catalogue.reading() as transaction:
        statement = (
            select(Shot.session_id, Shot.camera_id)
            .join(Session, Session.id == Shot.session_id)
            .where(Shot.kind == "dark-field", Shot.camera_id.is_not(None))
            .group_by(Shot.session_id, Shot.camera_id, Session.started_at)
            .order_by(Session.started_at, Shot.session_id, Shot.camera_id)
        )
        if camera_ids is not None:
            statement = statement.where(Shot.camera_id.in_(camera_ids))
        pairs = [
            (session, camera)
            for session, camera in transaction.execute(statement)
            if camera is not None
        ]
        before = set(transaction.scalars(select(DefectExtraction.id)))
    added = []
    for number, (session_id, camera_id) in enumerate(pairs):
        if dark_shots(catalogue, session_id, camera_id):
            found = extract_session(catalogue, session_id, camera_id, parameters, clock=clock)
            if found not in before:
                added.append(found)
        if progress is not None:
            progress(number + 1, len(pairs))
    return added


def build_ledger(
    catalogue: Catalogue,
    camera_id: int,
    parameters: LedgerParameters | None = None,
    clock: CivilClock | None = None,
) -> int:
    """Build the ledger of a camera from the newest extraction of each session.

    Returns
    -------
    int
        Row number of the ledger; that of the newest one if it has the same inputs, parameters
        and code.

    Raises
    ------
    LedgerError
        If the camera has no extraction.
    """
    parameters = parameters or LedgerParameters()
    clock = clock or HostClock()
    version = code_version()
    with catalogue.reading() as transaction:
        newest = _newest_extractions(transaction, camera_id)
        previous = _newest_ledger(transaction, camera_id)
    if not newest:
        raise LedgerError(
            f"camera {camera_id} has no extraction yet: run `agetrace defects extract`"
        )
    inputs = [row.id for row in newest]
    same = previous is not None and (
        previous.inputs == inputs
        and previous.code_version == version
        and previous.parameters == asdict(parameters)
    )
    if previous is not None and same:
        return previous.id
    entries = ledgers.build([_dark_session(catalogue, row) for row in newest], parameters)
    now = clock.now()
    with catalogue.writing() as transaction:
        row = DefectLedger(
            camera_id=camera_id,
            code_version=version,
            parameters=asdict(parameters),
            inputs=inputs,
            summary={
                "sessions": len(newest),
                "defects": len(entries),
                "pre_existing": sum(entry.pre_existing for entry in entries),
                "blinking": sum(entry.blinking for entry in entries),
                "annealed": sum(entry.annealed for entry in entries),
            },
            created_at=now,
        )
        transaction.add(row)
        transaction.flush()
        transaction.add_all(
            LedgerDefect(ledger_id=row.id, **(vars(entry) | {"flags": list(entry.flags)}))
            for entry in entries
        )
        audit.append(
            transaction,
            "defects.ledger",
            {"ledger": row.uuid, "camera": camera_id, "defects": len(entries)},
            now,
        )
        return row.id


def build_ledgers(
    catalogue: Catalogue,
    camera_ids: Sequence[int],
    parameters: LedgerParameters | None = None,
    clock: CivilClock | None = None,
) -> list[int]:
    """Build the ledgers of those cameras that have an extraction; return their row numbers."""
    with catalogue.reading() as transaction:
        measured = set(transaction.scalars(select(DefectExtraction.camera_id).distinct()))
    return [
        build_ledger(catalogue, camera_id, parameters, clock)
        for camera_id in camera_ids
        if camera_id in measured
    ]


def read_ledger(catalogue: Catalogue, camera_id: int) -> list[LedgerEntry]:
    """Return the defects of a camera's newest ledger, by row and column; none without one."""
    with catalogue.reading() as transaction:
        newest = _newest_ledger(transaction, camera_id)
        if newest is None:
            return []
        rows = transaction.scalars(
            select(LedgerDefect)
            .where(LedgerDefect.ledger_id == newest.id)
            .order_by(LedgerDefect.row, LedgerDefect.column)
        ).all()
    names = LedgerEntry.__dataclass_fields__
    return [
        LedgerEntry(
            **{name: getattr(row, name) for name in names if name != "flags"},
            flags=tuple(row.flags),
        )
        for row in rows
    ]


def dark_session_times(catalogue: Catalogue, camera_id: int) -> list[datetime]:
    """Return the times of the dark sessions that the camera's newest ledger was built from."""
    with catalogue.reading() as transaction:
        newest = _newest_ledger(transaction, camera_id)
        if newest is None:
            return []
        return list(
            transaction.scalars(
                select(DefectExtraction.started_at)
                .where(DefectExtraction.id.in_(newest.inputs))
                .order_by(DefectExtraction.started_at)
            )
        )


def growth_sentence(defects: Sequence[LedgerEntry], sessions: Sequence[datetime]) -> str:
    """Say how fast defects arose, with the interval, in a few words."""
    if len(set(sessions)) < 2:
        return "unknown: fewer than two dark sessions"
    growth = growth_of(defects, sessions)
    return (
        f"{growth.rate_per_year:.3g} a year"
        f" ({growth.confidence:.0%} interval {growth.low_per_year:.3g} to"
        f" {growth.high_per_year:.3g}; {growth.count} in {growth.years:.2f} years)"
    )


def plot_ledger(catalogue: Catalogue, camera_id: int, folder: Path) -> list[Path]:
    """Draw the defects of a camera into a folder and return the files: map, growth, linearity.

    The linearity is that of the newest session, where its exposures tell.

    Raises
    ------
    LedgerError
        If the camera has no ledger.
    """
    from training.defects import plots

    defects = read_ledger(catalogue, camera_id)
    sessions = dark_session_times(catalogue, camera_id)
    with catalogue.reading() as transaction:
        camera = transaction.get_one(Camera, camera_id)
        newest = _newest_ledger(transaction, camera_id)
        if newest is None:
            raise LedgerError(
                f"camera {camera.serial} has no ledger yet: run `agetrace defects extract`"
            )
        summary = transaction.get_one(DefectExtraction, newest.inputs[-1]).summary
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "defect-map": plots.defect_map(defects, (summary["rows"], summary["columns"])),
        "growth": plots.growth_curve(defects, sessions),
    }
    judged = linearity_of(summary)
    if judged is not None:
        figures["linearity"] = plots.response_curves(judged)
    paths = []
    for name, figure in figures.items():
        path = folder / f"camera-{camera_id}-{name}.png"
        figure.savefig(path, dpi=150)
        paths.append(path)
    return paths


def _time_of(shots: Sequence[DarkShot]) -> datetime | None:
    """Return when the first of the shots was taken, which an import's own time says nothing of."""
    times = [shot.triggered_at for shot in shots if shot.triggered_at is not None]
    return min(times) if len(times) == len(shots) else None


def _existing(catalogue: Catalogue, session_id: int, camera_id: int, identity: str) -> int | None:
    with catalogue.reading() as transaction:
        return transaction.scalar(
            select(DefectExtraction.id).where(
                DefectExtraction.session_id == session_id,
                DefectExtraction.camera_id == camera_id,
                DefectExtraction.parameters_sha256 == identity,
            )
        )


def _newest_extractions(transaction: Any, camera_id: int) -> list[DefectExtraction]:
    """Return the newest extraction of each session, in the order of the sessions' times."""
    rows = transaction.scalars(
        select(DefectExtraction)
        .where(DefectExtraction.camera_id == camera_id)
        .order_by(DefectExtraction.id)
    )
    by_session = {row.session_id: row for row in rows}
    return sorted(by_session.values(), key=lambda row: (row.started_at, row.id))


def _newest_ledger(transaction: Any, camera_id: int) -> DefectLedger | None:
    found: DefectLedger | None = transaction.scalar(
        select(DefectLedger)
        .where(DefectLedger.camera_id == camera_id)
        .order_by(DefectLedger.id.desc())
        .limit(1)
    )
    return found


def _dark_session(catalogue: Catalogue, extraction: DefectExtraction) -> ledgers.DarkSession:
    with catalogue.reading() as transaction:
        rows = transaction.scalars(
            select(DefectObservation).where(DefectObservation.extraction_id == extraction.id)
        ).all()
        sha256 = transaction.scalars(
            select(Asset.sha256).where(Asset.id == extraction.maps_asset_id)
        ).one()
        uuid = transaction.scalars(
            select(Session.uuid).where(Session.id == extraction.session_id)
        ).one()
    with catalogue.store.open(sha256) as file:
        maps = read_maps(file)

    def number(value: float | None) -> float:
        return np.nan if value is None else value

    return ledgers.DarkSession(
        identifier=uuid,
        at=extraction.started_at,
        maps=maps,
        observations={
            (row.row, row.column): ledgers.Observation(
                kind=row.kind,
                dark_rate_dn_per_s=number(row.dark_rate_dn_per_s),
                dark_rate_error=number(row.dark_rate_error_dn_per_s),
                offset_dn=number(row.offset_dn),
                offset_error=number(row.offset_error_dn),
                significance=row.significance,
                flags=tuple(row.flags),
            )
            for row in rows
        },
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _observations(extraction_id: int, measured: Extraction) -> list[DefectObservation]:
    return [
        DefectObservation(
            extraction_id=extraction_id,
            row=int(measured.row[index]),
            column=int(measured.column[index]),
            kind=KINDS[measured.kind[index]],
            dark_rate_dn_per_s=_known(measured.dark_rate_dn_per_s[index]),
            dark_rate_error_dn_per_s=_known(measured.dark_rate_error[index]),
            offset_dn=_known(measured.offset_dn[index]),
            offset_error_dn=_known(measured.offset_error[index]),
            amplitude_dn=float(measured.amplitude_dn[index]),
            significance=float(measured.z[index]),
            flags=list(measured.flags[index]),
        )
        for index in range(len(measured.row))
    ]
