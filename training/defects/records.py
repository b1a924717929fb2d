"""Extractions in the catalogue: which dark shots to measure, and the rows of what came out.

Nothing is changed or removed: the same frames, parameters and code give the extraction that is
there already, anything else adds a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from sqlalchemy import select

from datastore import audit
from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock, HostClock
from datastore.frames import DecodingWorker
from datastore.tables import DefectExtraction, DefectObservation, Session
from training.code_version import code_version
from training.defects.bodies import compare_with_earlier
from training.defects.dark_shots import dark_frames, dark_shots, time_of
from training.defects.errors import DarkFrameError
from training.defects.extraction import Extraction, Progress, extract
from training.defects.maps import write_maps
from training.defects.measurements import summary_of
from training.defects.parameters import ExtractionParameters
from training.defects.pending import Pending, extract_each, extraction_identity
from training.defects.photosites import KINDS


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
    inputs = [shot.sha256 for shot in shots]
    identity = extraction_identity(parameters, version, inputs)
    existing = _existing(catalogue, found.id, camera_id, identity)
    if existing is not None:
        return existing
    with DecodingWorker() as worker:
        measured = extract(dark_frames(catalogue, worker, shots), parameters, progress=progress)
    started_at = time_of(shots) or found.started_at
    body = compare_with_earlier(catalogue, camera_id, started_at, measured)
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
            inputs=inputs,
            summary={**summary_of(measured), "body": body},
            maps_asset_id=maps.id,
            started_at=started_at,
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
) -> Pending:
    """Measure every session that has dark fields and no extraction of this kind yet.

    A session that cannot be measured is told and stops no other.

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
    """
    with catalogue.reading() as transaction:
        before = set(transaction.scalars(select(DefectExtraction.id)))

    def extract_one(session_id: int, camera_id: int) -> int | None:
        if not dark_shots(catalogue, session_id, camera_id):
            return None
        return extract_session(catalogue, session_id, camera_id, parameters, clock=clock)

    return extract_each(catalogue, "dark-field", camera_ids, before, extract_one, progress)


def _existing(catalogue: Catalogue, session_id: int, camera_id: int, identity: str) -> int | None:
    with catalogue.reading() as transaction:
        return transaction.scalar(
            select(DefectExtraction.id).where(
                DefectExtraction.session_id == session_id,
                DefectExtraction.camera_id == camera_id,
                DefectExtraction.parameters_sha256 == identity,
            )
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
