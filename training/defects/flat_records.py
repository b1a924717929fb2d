"""Flat fields in the catalogue: which to measure, and the rows of what came out.

As with dark fields, nothing is changed or removed. The first flat fields of a camera make its
fingerprint, and all later ones are compared with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from io import BytesIO
from typing import Any

import numpy as np
from sqlalchemy import func, select

from datastore import audit
from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock, HostClock
from datastore.frames import DecodingWorker, Frame
from datastore.tables import (
    Asset,
    CameraFingerprint,
    DefectExtraction,
    DustSpot,
    FlatExtraction,
    FlatObservation,
    Session,
)
from training.code_version import code_version
from training.defects.dark_shots import DarkShot, dark_shots, time_of
from training.defects.dust import DustSpots, compare_dust
from training.defects.errors import DarkFrameError
from training.defects.fingerprint import Fingerprint, read_fingerprint, write_fingerprint
from training.defects.flat_fields import FlatFields, Progress, measure_flats
from training.defects.parameters import FlatParameters
from training.defects.pending import Pending, extract_each, extraction_identity


def extract_flats(
    catalogue: Catalogue,
    session_id: int,
    camera_id: int,
    parameters: FlatParameters | None = None,
    progress: Progress | None = None,
    clock: CivilClock | None = None,
) -> int:
    """Measure the flat fields of one camera in one session; return the extraction's row number.

    Of several settings the one with the most frames is measured. If the same frames were measured
    with the same parameters and code, that extraction is returned.

    Parameters
    ----------
    catalogue
        Where the shots are.
    session_id, camera_id
        Row numbers.
    parameters
        Thresholds; the defaults where None.
    progress
        Called with frames decoded and frames in all.
    clock
        Civil clock of the new rows; the host's where None.

    Raises
    ------
    DarkFrameError
        If there is no usable flat field, no dark session tells the black level, or the frames
        cannot be measured.
    """
    parameters = parameters or FlatParameters()
    clock = clock or HostClock()
    every = dark_shots(catalogue, session_id, camera_id, "flat-field")
    with catalogue.reading() as transaction:
        session = transaction.get_one(Session, session_id)
        uuid, began = session.uuid, session.started_at
    if not every:
        raise DarkFrameError(f"session {uuid} has no usable flat field of camera {camera_id}")
    setting, shots = _of_most_frames(every)
    version = code_version()
    inputs = [shot.sha256 for shot in shots]
    identity = extraction_identity(parameters, version, inputs)
    with catalogue.reading() as transaction:
        existing = transaction.scalar(
            select(FlatExtraction.id).where(
                FlatExtraction.session_id == session_id,
                FlatExtraction.camera_id == camera_id,
                FlatExtraction.parameters_sha256 == identity,
            )
        )
    if existing is not None:
        return existing
    fingerprint = _newest_fingerprint(catalogue, camera_id)
    with DecodingWorker() as worker:
        measured = measure_flats(
            [(shot.sha256, _reader(catalogue, worker, shot)) for shot in shots],
            _black_of(catalogue, camera_id),
            fingerprint,
            parameters,
            progress=progress,
        )
    stored = None
    if measured.fingerprint is not None:
        stored = catalogue.store.put_bytes(write_fingerprint(measured.fingerprint))
    started_at = time_of(shots) or began
    summary = {
        **_summary_of(measured),
        "setting": setting,
        "frames": len(shots),
        "frames_of_other_settings": len(every) - len(shots),
        "dust_change": _dust_change(catalogue, camera_id, session_id, measured.dust),
    }
    now = clock.now()
    with catalogue.writing() as transaction:
        row = FlatExtraction(
            session_id=session_id,
            camera_id=camera_id,
            code_version=version,
            parameters=asdict(parameters),
            parameters_sha256=identity,
            inputs=inputs,
            summary=summary,
            started_at=started_at,
            created_at=now,
        )
        transaction.add(row)
        transaction.flush()
        transaction.add_all(_rows_of(row.id, measured))
        if stored is not None:
            transaction.add(
                CameraFingerprint(
                    camera_id=camera_id,
                    code_version=version,
                    inputs=inputs,
                    fingerprint_asset_id=register_asset(transaction, stored, "measurement", now).id,
                    created_at=now,
                )
            )
        entry = {"session": uuid, "camera": camera_id, "extraction": identity}
        audit.append(transaction, "defects.extract-flats", entry, now)
        return row.id


def extract_pending_flats(
    catalogue: Catalogue,
    camera_ids: Sequence[int] | None = None,
    parameters: FlatParameters | None = None,
    progress: Progress | None = None,
    clock: CivilClock | None = None,
) -> Pending:
    """Measure every session with flat fields that has no extraction of this kind yet.

    Parameters as for `training.defects.records.extract_pending`. Cameras without a dark session
    wait: their black level is not known.
    """
    with catalogue.reading() as transaction:
        before = set(transaction.scalars(select(FlatExtraction.id)))
        dark = set(transaction.scalars(select(DefectExtraction.camera_id).distinct()))
    wanted = sorted(dark if camera_ids is None else dark & set(camera_ids))

    def extract_one(session_id: int, camera_id: int) -> int | None:
        if not dark_shots(catalogue, session_id, camera_id, "flat-field"):
            return None
        return extract_flats(catalogue, session_id, camera_id, parameters, clock=clock)

    return extract_each(catalogue, "flat-field", wanted, before, extract_one, progress)


def read_flats(catalogue: Catalogue, camera_id: int) -> list[dict[str, Any]]:
    """Return what the newest extraction of each session with flat fields found, by time.

    Returns
    -------
    list of dict
        JSON values: `session_id`, `started_at`, the summary, and the weak `photosites`.
    """
    newest = (
        select(func.max(FlatExtraction.id))
        .where(FlatExtraction.camera_id == camera_id)
        .group_by(FlatExtraction.session_id)
    )
    with catalogue.reading() as transaction:
        rows = transaction.execute(
            select(FlatExtraction, Session.uuid)
            .join(Session, Session.id == FlatExtraction.session_id)
            .where(FlatExtraction.id.in_(newest))
            .order_by(FlatExtraction.started_at, FlatExtraction.id)
        ).all()
        found = []
        for row, uuid in rows:
            weak = transaction.scalars(
                select(FlatObservation)
                .where(FlatObservation.extraction_id == row.id)
                .order_by(FlatObservation.row, FlatObservation.column)
            )
            found.append(
                {
                    "session_id": uuid,
                    "started_at": row.started_at.isoformat(),
                    **row.summary,
                    "photosites": [
                        {
                            "row": one.row,
                            "column": one.column,
                            "kind": one.kind,
                            "response": one.response,
                            "response_error": one.response_error,
                            "significance": one.significance,
                            "under_dust": one.under_dust,
                        }
                        for one in weak
                    ],
                }
            )
    return found


def _of_most_frames(shots: Sequence[DarkShot]) -> tuple[dict[str, Any], list[DarkShot]]:
    """Return the setting with the most frames, of several the darkest aperture, and its frames."""
    counted = Counter((shot.exposure_s, shot.iso, shot.f_number) for shot in shots)
    exposure_s, iso, f_number = max(counted, key=lambda one: (counted[one], one[2] or 0.0))
    chosen = [
        shot
        for shot in shots
        if (shot.exposure_s, shot.iso, shot.f_number) == (exposure_s, iso, f_number)
    ]
    return {"exposure_s": exposure_s, "iso": iso, "f_number": f_number}, chosen


def _reader(catalogue: Catalogue, worker: DecodingWorker, shot: DarkShot) -> Callable[[], Frame]:
    return lambda: worker.read_frame(catalogue.store.path(shot.sha256))


def _black_of(catalogue: Catalogue, camera_id: int) -> tuple[float, ...]:
    """Return the black level of each plane from the camera's newest dark session."""
    with catalogue.reading() as transaction:
        summary = transaction.scalar(
            select(DefectExtraction.summary)
            .where(DefectExtraction.camera_id == camera_id)
            .order_by(DefectExtraction.started_at.desc(), DefectExtraction.id.desc())
            .limit(1)
        )
    if summary is None:
        raise DarkFrameError(
            f"camera {camera_id} has no dark session that tells its black level: extract one first"
        )
    levels = [one["black_dn"] for one in summary["diagnostics"]]
    return tuple(np.median(levels, axis=0).tolist())


def _newest_fingerprint(catalogue: Catalogue, camera_id: int) -> Fingerprint | None:
    with catalogue.reading() as transaction:
        sha256 = transaction.scalar(
            select(Asset.sha256)
            .join(CameraFingerprint, CameraFingerprint.fingerprint_asset_id == Asset.id)
            .where(CameraFingerprint.camera_id == camera_id)
            .order_by(CameraFingerprint.id.desc())
            .limit(1)
        )
    if sha256 is None:
        return None
    return read_fingerprint(BytesIO(catalogue.store.read_bytes(sha256)))


def _dust_change(
    catalogue: Catalogue, camera_id: int, session_id: int, later: DustSpots
) -> dict[str, int] | None:
    """Compare dust with that of the camera's newest other session; None without one."""
    with catalogue.reading() as transaction:
        earlier = transaction.scalar(
            select(FlatExtraction.id)
            .where(FlatExtraction.camera_id == camera_id, FlatExtraction.session_id != session_id)
            .order_by(FlatExtraction.started_at.desc(), FlatExtraction.id.desc())
            .limit(1)
        )
        if earlier is None:
            return None
        rows = transaction.execute(
            select(
                DustSpot.row,
                DustSpot.column,
                DustSpot.radius_photosites,
                DustSpot.depth,
                DustSpot.depth_error,
                DustSpot.significance,
            ).where(DustSpot.extraction_id == earlier)
        ).all()
    table = np.array([tuple(row) for row in rows], float).reshape(-1, 6)
    change = compare_dust(DustSpots(*table.T), later)
    return {"stayed": len(change.stayed), "went": len(change.went), "came": len(change.came)}


def _summary_of(measured: FlatFields) -> dict[str, Any]:
    rows, columns = measured.shape
    return {
        "rows": rows,
        "columns": columns,
        "dead": int(measured.weak.dead.sum()),
        "low_response": int((~measured.weak.dead).sum()),
        "dust": len(measured.dust.row),
        "fingerprint": "taken" if measured.fingerprint is not None else None,
        "bodies": [asdict(one) for one in measured.verdicts],
    }


def _rows_of(extraction_id: int, measured: FlatFields) -> list[FlatObservation | DustSpot]:
    weak, dust = measured.weak, measured.dust
    observations = [
        FlatObservation(
            extraction_id=extraction_id,
            row=int(weak.row[place]),
            column=int(weak.column[place]),
            kind=str(weak.kind[place]),
            response=float(weak.response[place]),
            response_error=float(weak.response_error[place]),
            significance=-float(weak.z[place]),
            under_dust=bool(measured.under_dust[place]),
        )
        for place in range(len(weak.row))
    ]
    spots = [
        DustSpot(
            extraction_id=extraction_id,
            number=number,
            row=float(dust.row[number]),
            column=float(dust.column[number]),
            radius_photosites=float(dust.radius[number]),
            depth=float(dust.depth[number]),
            depth_error=float(dust.depth_error[number]),
            significance=float(dust.z[number]),
        )
        for number in range(len(dust.row))
    ]
    return [*observations, *spots]
