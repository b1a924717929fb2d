"""Ledgers in the catalogue: built from the newest extraction of each session, and read back.

A ledger is a new row each time its inputs, parameters or code differ; none is changed or removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

import numpy as np
from sqlalchemy import select

from datastore import audit
from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock, HostClock
from datastore.tables import (
    Asset,
    Camera,
    DefectExtraction,
    DefectLedger,
    DefectObservation,
    LedgerDefect,
    LedgerHistory,
    Session,
)
from training.code_version import code_version
from training.defects import ledger as ledgers
from training.defects.bodies import is_of_this_body
from training.defects.detectability import detectable_shares
from training.defects.errors import LedgerError
from training.defects.growth import growth_of
from training.defects.ledger import Ledger, LedgerEntry
from training.defects.mapping_events import PRESENT
from training.defects.maps import open_maps
from training.defects.parameters import LedgerParameters
from training.defects.series import AmplitudeSeries, read_series, write_series
from training.defects.thermometer import DoublingFit, doubling_fit


@dataclass(frozen=True)
class RecordedHistory:
    """Amplitudes of a ledger's defects over time, and the mapping events as JSON values."""

    series: AmplitudeSeries
    mapping_events: list[dict[str, Any]]


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
        measured = _newest_extractions(transaction, camera_id)
        previous = newest_ledger(transaction, camera_id)
    newest = [row for row in measured if is_of_this_body(row.summary)]
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
    sessions = [_dark_session(catalogue, row) for row in newest]
    built = ledgers.build(sessions, parameters)
    shares = detectable_shares(sessions, built.entries, parameters)
    stored = catalogue.store.put_bytes(write_series(built.series))
    now = clock.now()
    with catalogue.writing() as transaction:
        row = DefectLedger(
            camera_id=camera_id,
            code_version=version,
            parameters=asdict(parameters),
            inputs=inputs,
            summary={
                **_summary_of(built),
                "detectable_shares": list(shares),
                "of_another_body": len(measured) - len(newest),
                "doubling": asdict(_doubling(built.series, newest)),
            },
            created_at=now,
        )
        transaction.add(row)
        transaction.flush()
        transaction.add_all(
            LedgerDefect(ledger_id=row.id, **(vars(entry) | {"flags": list(entry.flags)}))
            for entry in built.entries
        )
        transaction.add(
            LedgerHistory(
                ledger_id=row.id,
                series_asset_id=register_asset(transaction, stored, "measurement", now).id,
                mapping_events=_mapping_events(built),
            )
        )
        audit.append(
            transaction,
            "defects.ledger",
            {"ledger": row.uuid, "camera": camera_id, "defects": len(built.entries)},
            now,
        )
        return row.id


def _summary_of(built: Ledger) -> dict[str, Any]:
    entries = built.entries
    return {
        "sessions": len(built.series.sessions),
        "defects": len(entries),
        "pre_existing": sum(entry.pre_existing for entry in entries),
        "blinking": sum(entry.blinking for entry in entries),
        "annealed": sum(entry.annealed for entry in entries),
        "mapped_out": sum(bool(entry.mapped_out) for entry in entries),
        "epochs": len(built.epochs.starts),
    }


def _doubling(series: AmplitudeSeries, extractions: Sequence[DefectExtraction]) -> DoublingFit:
    """Fit the kelvins that double the dark current to sessions of known temperature."""
    temperature_c = np.array([np.nan if one is None else one for one in series.temperature_c])
    assumed = [
        2.0
        ** (
            (temperature - row.parameters["reference_temperature_c"])
            / row.parameters["doubling_temperature_c"]
        )
        for temperature, row in zip(temperature_c, extractions, strict=True)
    ]
    # as they were at the sessions' own temperatures, before any doubling was assumed
    shown = (series.state == PRESENT) & ~series.offset_like[:, None]
    return doubling_fit(
        np.where(shown, series.amplitude * assumed, np.nan),
        np.where(shown, series.error * assumed, np.nan),
        temperature_c,
    )


def _mapping_events(built: Ledger) -> list[dict[str, Any]]:
    """Return the mapping events as JSON, sessions by their UUIDs."""
    series = built.series
    return [
        {
            "session": series.sessions[event.session],
            "at": series.at[event.session].isoformat(),
            "after": series.at[event.after].isoformat(),
            "vanished": event.vanished,
            "at_risk": event.at_risk,
            "expected": event.expected,
            "p": event.p,
            "confirmed": event.confirmed,
        }
        for event in built.epochs.events
    ]


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
        newest = newest_ledger(transaction, camera_id)
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


def read_history(catalogue: Catalogue, camera_id: int) -> RecordedHistory | None:
    """Return what a camera's newest ledger tells of the time; None where none was built.

    Ledgers of before amplitudes were kept have none either: build them anew.
    """
    with catalogue.reading() as transaction:
        newest = newest_ledger(transaction, camera_id)
        history = None if newest is None else transaction.get(LedgerHistory, newest.id)
        if history is None:
            return None
        sha256 = transaction.scalars(
            select(Asset.sha256).where(Asset.id == history.series_asset_id)
        ).one()
        events = list(history.mapping_events)
    return RecordedHistory(read_series(BytesIO(catalogue.store.read_bytes(sha256))), events)


def dark_session_times(catalogue: Catalogue, camera_id: int) -> list[datetime]:
    """Return the times of the dark sessions that the camera's newest ledger was built from."""
    with catalogue.reading() as transaction:
        newest = newest_ledger(transaction, camera_id)
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


def _newest_extractions(transaction: Any, camera_id: int) -> list[DefectExtraction]:
    """Return the newest extraction of each session, in the order of the sessions' times."""
    rows = transaction.scalars(
        select(DefectExtraction)
        .where(DefectExtraction.camera_id == camera_id)
        .order_by(DefectExtraction.id)
    )
    by_session = {row.session_id: row for row in rows}
    return sorted(by_session.values(), key=lambda row: (row.started_at, row.id))


def require_ledger(transaction: Any, camera: Camera) -> DefectLedger:
    """Return the newest ledger of a camera.

    Raises
    ------
    LedgerError
        If there is none.
    """
    found = newest_ledger(transaction, camera.id)
    if found is None:
        raise LedgerError(
            f"camera {camera.serial} has no ledger yet: run `agetrace defects extract`"
        )
    return found


def newest_ledger(transaction: Any, camera_id: int) -> DefectLedger | None:
    """Return the newest ledger of a camera; None without one."""
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
    catalogue.store.verify(sha256)
    maps = open_maps(catalogue.store.path(sha256))

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
        temperature_c=extraction.summary.get("temperature_c"),
    )
