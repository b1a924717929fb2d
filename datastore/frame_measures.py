"""Rows of what frames show and look like as a whole; the measures are `datastore.frames`'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.frames import likeness
from datastore.frames.measures import DEFINITION, FrameMeasures
from datastore.locks import lock_until_commit
from datastore.tables import FrameMeasures as MeasuresRow
from datastore.tables import PerceptualHash


def record(session: Session, asset_id: int, measures: FrameMeasures | None, at: datetime) -> None:
    """Write what was measured on an asset's frame, once and for ever.

    Parameters
    ----------
    session
        A writing transaction, that of the asset's own row where it is new.
    asset_id
        The asset, which has no such rows yet.
    measures
        What was measured; None, of files that are no frames, writes no row. A frame of which
        nothing could be measured has rows of NULLs, so that nobody tries again and again.
    at
        Civil time of the measurement.
    """
    if measures is None:
        return
    session.add_all([_measures_row(asset_id, measures, at), _hash_row(asset_id, measures, at)])


def record_missing(
    session: Session, measures: Mapping[int, FrameMeasures], at: datetime
) -> list[int]:
    """Write what was measured on frames that lack measures, or a perceptual hash alone.

    Parameters
    ----------
    session
        A writing transaction; others that do the same wait until it ends.
    measures
        What was measured, by asset.
    at
        Civil time of the measurement.

    Returns
    -------
    list of int
        The assets that got a row.
    """
    # somebody else may measure the same frames
    lock_until_commit(session, "frame_measures")
    measured, hashed = (
        set(session.scalars(select(column).where(column.in_(measures))))
        for column in (MeasuresRow.asset_id, PerceptualHash.asset_id)
    )
    session.add_all(
        _measures_row(asset_id, found, at)
        for asset_id, found in measures.items()
        if asset_id not in measured
    )
    session.add_all(
        _hash_row(asset_id, found, at)
        for asset_id, found in measures.items()
        if asset_id not in hashed
    )
    return [asset_id for asset_id in measures if asset_id not in measured & hashed]


def _measures_row(asset_id: int, measures: FrameMeasures, at: datetime) -> MeasuresRow:
    values = asdict(measures)
    del values["perceptual_hash"]
    return MeasuresRow(asset_id=asset_id, code_version=DEFINITION, measured_at=at, **values)


def _hash_row(asset_id: int, measures: FrameMeasures, at: datetime) -> PerceptualHash:
    return PerceptualHash(
        asset_id=asset_id,
        hash=measures.perceptual_hash,
        code_version=likeness.DEFINITION,
        measured_at=at,
    )
