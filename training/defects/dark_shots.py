"""The dark or flat shots of a session in the catalogue, as frames to measure; writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.frames import DecodingWorker, Frame
from datastore.queries import newest_state, newest_verdict
from datastore.tables import Asset, FrameKind, Shot, ShotSettings
from training.defects.errors import DarkFrameError
from training.defects.frames import DarkFrame

_FACTS = ("exposure_s", "iso", "temperature_c", "long_exposure_noise_reduction")


@dataclass(frozen=True)
class DarkShot:
    """A registered dark shot whose newest verdict does not exclude it."""

    sha256: str
    exposure_s: float
    iso: int | None
    temperature_c: float | None
    triggered_at: datetime | None
    long_exposure_noise_reduction: bool | None = None
    f_number: float | None = None


def dark_shots(
    catalogue: Catalogue, session_id: int, camera_id: int, kind: FrameKind = "dark-field"
) -> list[DarkShot]:
    """Return the usable dark shots of one camera in one session, in the order they were taken.

    Parameters
    ----------
    catalogue
        Where they are.
    session_id, camera_id
        Row numbers.
    kind
        ``dark-field`` or ``flat-field``.

    Raises
    ------
    DarkFrameError
        If the exposure of one is unknown.
    """
    state, verdict = newest_state(), newest_verdict()
    with catalogue.reading() as transaction:
        rows = transaction.execute(
            select(
                Shot.id,
                Asset.sha256,
                Shot.exposure_s,
                Shot.iso,
                Shot.f_number,
                Shot.triggered_at,
            )
            .join(Asset, Asset.shot_id == Shot.id)
            .where(
                Shot.session_id == session_id,
                Shot.camera_id == camera_id,
                Shot.kind == kind,
                Shot.warm_up.is_(False),
                Asset.role == "raw",
                state == "registered",
                (verdict.is_(None)) | (verdict == "accepted"),
            )
            .order_by(Shot.sequence, Shot.attempt, Asset.id)
        ).all()
        settings = transaction.scalars(
            select(ShotSettings)
            .where(ShotSettings.shot_id.in_([row.id for row in rows]))
            .order_by(ShotSettings.source.desc())
        ).all()
    known: dict[int, dict[str, Any]] = {}
    for one in settings:
        facts = known.setdefault(one.shot_id, {})
        for name in _FACTS:
            # what was read back comes first, then what the file says
            if facts.get(name) is None:
                facts[name] = getattr(one, name)
    shots = []
    for row in rows:
        facts = known.get(row.id, {})
        exposure_s = row.exposure_s if row.exposure_s is not None else facts.get("exposure_s")
        if exposure_s is None:
            raise DarkFrameError(
                f"the exposure of the {kind} {row.sha256} is unknown: declare it on import"
            )
        iso = row.iso if row.iso is not None else facts.get("iso")
        shots.append(
            DarkShot(
                sha256=row.sha256,
                exposure_s=exposure_s,
                iso=iso,
                temperature_c=facts.get("temperature_c"),
                triggered_at=row.triggered_at,
                long_exposure_noise_reduction=facts.get("long_exposure_noise_reduction"),
                f_number=row.f_number,
            )
        )
    return shots


def dark_frames(
    catalogue: Catalogue, worker: DecodingWorker, shots: Sequence[DarkShot]
) -> list[DarkFrame]:
    """Return the frames of shots; the first is decoded at once for the facts that all share."""
    first = worker.read_frame(catalogue.store.path(shots[0].sha256))

    def reader(shot: DarkShot) -> DarkFrame:
        def read() -> NDArray[np.uint16]:
            frame: Frame = worker.read_frame(catalogue.store.path(shot.sha256))
            if frame.cfa != first.cfa:
                raise DarkFrameError(
                    f"{shot.sha256} has the filters {frame.cfa}, the first frame {first.cfa}"
                )
            return frame.mosaic

        return DarkFrame(
            read=read,
            exposure_s=shot.exposure_s,
            iso=shot.iso,
            temperature_c=shot.temperature_c,
            cfa=first.cfa,
            white_level=first.white_level,
            identifier=shot.sha256,
            taken_at=shot.triggered_at,
            long_exposure_noise_reduction=shot.long_exposure_noise_reduction,
        )

    return [reader(shot) for shot in shots]


def time_of(shots: Sequence[DarkShot]) -> datetime | None:
    """Return when the first of the shots was taken, which an import's own time says nothing of.

    None where the time of one is unknown.
    """
    times = [shot.triggered_at for shot in shots if shot.triggered_at is not None]
    return min(times) if len(times) == len(shots) else None
