"""Rows of shots: planned before the shutter opens, settled by what came of it.

Every function writes inside a transaction of its caller. Moves no bytes and touches no camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.orm import Session as Transaction

from capture import checks
from capture.cameras.protocol import ReadBack
from capture.examination import ExaminedShot
from capture.recipes import ShotSpec
from datastore import audit
from datastore.assets import register_asset
from datastore.frames import Finding
from datastore.shot_settings import exif_settings
from datastore.store import StoredFile
from datastore.tables import Asset, Shot, ShotEvent, ShotSettings, Verdict

REGISTERED: Final = "registered"
FAILED: Final = "failed"
DARK_LEVEL: Final = "dark-level"


@dataclass(frozen=True)
class PlannedShot:
    """A shot whose row is committed."""

    shot_id: int
    uuid: str
    planned_at: datetime


@dataclass(frozen=True)
class Settled:
    """What became of a shot: `accepted`, `quarantined` or `failed`, and why."""

    outcome: str
    reason: str


def plan_shot(
    transaction: Transaction,
    session_id: int,
    camera_id: int,
    scene_revision_id: int | None,
    spec: ShotSpec,
    attempt: int,
    at: datetime,
    *,
    since_opened_s: float | None = None,
    since_last_shot_s: float | None = None,
) -> PlannedShot:
    """Write the row of a shot and its `planned` event, before the shutter opens."""
    shot = Shot(
        session_id=session_id,
        camera_id=camera_id,
        sequence=spec.sequence,
        attempt=attempt,
        kind=spec.kind,
        scene_revision_id=scene_revision_id,
        triggered_at=at,
        time_source="civil",
        exposure=str(spec.exposure),
        exposure_s=float(spec.exposure),
        iso=spec.iso,
        f_number=spec.f_number,
        image_quality=spec.image_quality,
        warm_up=spec.warm_up,
        since_opened_s=since_opened_s,
        since_last_shot_s=since_last_shot_s,
    )
    transaction.add(shot)
    transaction.flush()
    add_events(transaction, shot.id, [("planned", at, None)])
    return PlannedShot(shot.id, shot.uuid, at)


def register_shot(
    transaction: Transaction,
    shot: PlannedShot,
    examined: ExaminedShot,
    read_back: ReadBack | None,
    released_after_s: float | None,
    at: datetime,
    source: str,
) -> Settled:
    """Write everything that is known of a shot whose files the store holds.

    Files that belong to another shot, by their own facts or because the catalogue has them
    already, fail the shot instead.

    Parameters
    ----------
    transaction
        A writing transaction.
    shot
        The planned shot.
    examined
        Its files.
    read_back
        Settings as the camera showed them, None where that is not known any more.
    released_after_s
        Time from the plan's civil time to the release, None where that is not known any more.
    at
        Civil time now.
    source
        Where the files came from: `camera`, `spool` or `card`.
    """
    foreign = [*examined.foreign, *_known_files(transaction, examined)]
    if foreign:
        return fail_shot(
            transaction,
            shot,
            checks.sentences(foreign),
            at,
            was_triggered=True,
            numbers=checks.numbers(foreign),
        )
    files = [
        {
            "name": file.spooled.camera_name,
            "role": file.spooled.role,
            "bytes": file.spooled.bytes,
            "sha256": file.spooled.sha256,
        }
        for file in examined.files
    ]
    add_events(
        transaction,
        shot.shot_id,
        [
            ("triggered", shot.planned_at, {"released_after_s": released_after_s}),
            ("downloaded", at, {"source": source, "files": files}),
            ("verified", at, _verification(examined)),
            (REGISTERED, at, None),
        ],
    )
    for file in examined.files:
        register_asset(
            transaction,
            StoredFile(file.spooled.sha256, file.spooled.bytes),
            file.spooled.role,
            at,
            shot_id=shot.shot_id,
            original_name=file.spooled.camera_name,
            width=file.examination.width,
            height=file.examination.height,
            exif=file.metadata.verbatim,
            metadata_reader=file.metadata.reader,
            measures=file.examination.measures.at_temperature(file.metadata.camera_temperature_c),
        )
    metadata = examined.main_metadata
    transaction.add(
        exif_settings(shot.shot_id, metadata, temperature_c=metadata.camera_temperature_c)
    )
    if read_back is not None:
        transaction.add(_read_back_settings(shot.shot_id, read_back))
    failures = _failures(examined)
    verdict = "quarantined" if failures else "accepted"
    reason = _reason(examined)
    transaction.add(
        Verdict(
            shot_id=shot.shot_id,
            verdict=verdict,
            reason=reason,
            numbers=failures or None,
            author=checks.AUTHOR,
            at=at,
        )
    )
    return Settled(verdict, reason)


def are_intact(transaction: Transaction, shot_uuids: Sequence[str]) -> set[str]:
    """Return those of some registered shots whose files passed their verification."""
    rows = transaction.execute(
        select(Shot.uuid, ShotEvent.detail)
        .join(Shot, ShotEvent.shot_id == Shot.id)
        .where(Shot.uuid.in_(shot_uuids), ShotEvent.name == "verified")
    )
    return {uuid for uuid, detail in rows if (detail or {}).get("intact")}


def _verification(examined: ExaminedShot) -> dict[str, Any]:
    return {
        "intact": examined.is_intact,
        "damage": checks.numbers(examined.damage),
        "checks": [asdict(result) for result in examined.checks],
    }


def _reason(examined: ExaminedShot) -> str:
    """Return a verdict in words: what was wrong, or that nothing was as far as could be seen."""
    failed = examined.failed_checks
    # where light falls in, what else is wrong with a dark field follows from it
    failed = [result for result in failed if result.name == DARK_LEVEL] or failed
    if examined.damage or failed:
        sentences = [finding.sentence for finding in examined.damage]
        return " ".join([*sentences, *(result.sentence for result in failed)])
    unmeasured = [result.name for result in examined.checks if result.value is None]
    if unmeasured:
        return f"Every check passed that could be made; not measurable: {', '.join(unmeasured)}."
    return "Every check passed."


def _failures(examined: ExaminedShot) -> dict[str, Any]:
    """Return the numbers of what a shot did not pass, by the name of the check."""
    return {
        **checks.numbers(examined.damage),
        **{
            result.name: {
                "value": result.value,
                "threshold": result.threshold,
                "unit": result.unit,
                **result.numbers,
            }
            for result in examined.failed_checks
        },
    }


def fail_shot(
    transaction: Transaction,
    shot: PlannedShot,
    reason: str,
    at: datetime,
    *,
    was_triggered: bool = False,
    numbers: Mapping[str, Any] | None = None,
) -> Settled:
    """Write that a shot failed, and why; its row stays as the record of the attempt."""
    events: list[tuple[str, datetime, dict[str, Any] | None]] = []
    if was_triggered:
        events.append(("triggered", shot.planned_at, None))
    detail: dict[str, Any] = {"reason": reason}
    if numbers:
        detail["numbers"] = dict(numbers)
    add_events(transaction, shot.shot_id, [*events, (FAILED, at, detail)])
    return Settled(FAILED, reason)


def audit_settled(
    transaction: Transaction,
    session_uuid: str,
    settled: Mapping[str, Settled],
    at: datetime,
) -> None:
    """Link what became of a batch of shots (by UUID) to the audit."""
    entry = {
        "session": session_uuid,
        "shots": {uuid: result.outcome for uuid, result in settled.items()},
    }
    audit.append(transaction, "shots.settle", entry, at)


def add_events(
    transaction: Transaction,
    shot_id: int,
    events: Sequence[tuple[str, datetime, dict[str, Any] | None]],
) -> None:
    """Write events of a shot, in order: name, civil time, detail."""
    transaction.execute(
        insert(ShotEvent),
        [
            {"shot_id": shot_id, "name": name, "at": at, "detail": detail}
            for name, at, detail in events
        ],
    )


def _known_files(transaction: Transaction, examined: ExaminedShot) -> list[Finding]:
    hashes = [file.spooled.sha256 for file in examined.files]
    known = transaction.scalars(select(Asset.sha256).where(Asset.sha256.in_(hashes)))
    return [
        Finding(
            "delivered-before",
            {"sha256": sha256},
            "The camera delivered the bytes of an earlier shot again.",
        )
        for sha256 in known
    ]


def _read_back_settings(shot_id: int, read_back: ReadBack) -> ShotSettings:
    return ShotSettings(
        shot_id=shot_id,
        source="read-back",
        exposure_s=read_back.exposure_s,
        iso=read_back.iso,
        f_number=read_back.f_number,
        image_quality=read_back.image_quality,
        long_exposure_noise_reduction=read_back.long_exposure_noise_reduction,
        raw_values=dict(read_back.values),
    )
