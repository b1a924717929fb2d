"""Log lines of a session: what its rows say, for people who watch; writes no row.

A line is written after the commit that it speaks of. Where nobody asked for lines, each call costs
some microseconds.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from capture.logs import get_logger, log_committed
from datastore.tables import Occurrence, OccurrenceSession, Schedule, Session

if TYPE_CHECKING:
    from capture.cameras.protocol import Release
    from capture.examination import ExaminedShot
    from capture.flight import Attempt
    from capture.registration import Settled
    from capture.stations import Station
    from capture.steps import Step

_LOG = get_logger(__name__)
_BAD: Final = frozenset(
    {"camera-failed", "camera-lost", "clock-jumped", "partial", "aborted", "failed"}
)


def log_session_event(
    transaction: Transaction, session_id: int, name: str, detail: Mapping[str, Any]
) -> None:
    """Tell of an event of a session once its transaction is committed.

    The first line of a session that a schedule called for names the schedule and the occurrence.
    """
    if not _is_on():
        return
    uuid = transaction.scalar(select(Session.uuid).where(Session.id == session_id))
    log = _LOG.bind(session=uuid)
    if name == "started":
        found = transaction.execute(
            select(Schedule.name, Occurrence.uuid)
            .join(Occurrence, Occurrence.schedule_id == Schedule.id)
            .join(OccurrenceSession, OccurrenceSession.occurrence_id == Occurrence.id)
            .where(OccurrenceSession.session_id == session_id)
        ).one_or_none()
        if found is not None:
            log = log.bind(schedule=found[0], occurrence=found[1])
    line = name if "-" in name else f"session-{name}"
    said = {key: value for key, value in detail.items() if value is not None}
    log_committed(transaction, log, line, said, is_bad=name in _BAD)


def log_planned(
    session_uuid: str, step: Step[Station], attempts: Mapping[Station, Attempt]
) -> None:
    """Tell of shots whose rows are committed."""
    if not _is_on():
        return
    spec = step.spec
    for station, attempt in attempts.items():
        _shot_log(session_uuid, station, attempt).info(
            "shot-planned",
            sequence=spec.sequence,
            tries_before=step.tries,
            kind=spec.kind,
            scene=spec.scene,
            exposure_s=float(spec.exposure),
            iso=spec.iso,
            f_number=spec.f_number,
        )


def log_triggered(session_uuid: str, station: Station, attempt: Attempt, release: Release) -> None:
    """Tell of a shutter that was released, once its camera is free again."""
    if _is_on():
        _shot_log(session_uuid, station, attempt).info(
            "shot-triggered", released_after_s=release.released_after_s
        )


def log_settled(
    session_uuid: str,
    attempts: Mapping[Station, Attempt],
    examined: Mapping[Station, ExaminedShot],
    settled: Mapping[Station, Settled],
) -> None:
    """Tell what became of shots, with what was measured."""
    if not _is_on():
        return
    for station, result in settled.items():
        log = _shot_log(session_uuid, station, attempts[station])
        found = examined.get(station)
        measured = {} if found is None else {c.name: c.value for c in found.checks}
        damage = [] if found is None else [finding.name for finding in found.damage]
        if result.outcome == "accepted":
            log.info("shot-registered", measured=measured)
        else:
            log.warning(
                f"shot-{result.outcome}", reason=result.reason, measured=measured, damage=damage
            )


def log_reconciled(session_uuid: str, serial: str, shot_uuid: str, settled: Settled) -> None:
    """Tell what became of a shot that an interrupted session had left open."""
    name = "registered" if settled.outcome == "accepted" else settled.outcome
    log = _LOG.bind(session=session_uuid, camera=serial, shot=shot_uuid)
    log.info(f"shot-{name}", reason=settled.reason, is_reconciled=True)


def log_prompt(session_uuid: str, prompt_uuid: str, name: str, text: str) -> None:
    """Tell of a prompt to an operator that was `asked`, or of what became of it."""
    _LOG.info(f"prompt-{name}", session=session_uuid, prompt=prompt_uuid, text=text)


def _shot_log(session_uuid: str, station: Station, attempt: Attempt) -> Any:
    assert attempt.planned is not None
    return _LOG.bind(session=session_uuid, camera=station.facts.serial, shot=attempt.planned.uuid)


def _is_on() -> bool:
    return _LOG.isEnabledFor(logging.INFO)
