"""Rows of what frames show as a whole; the measures themselves are `datastore.frames`'."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy.orm import Session

from datastore.frames.measures import DEFINITION, FrameMeasures
from datastore.tables import FrameMeasures as MeasuresRow


def record(session: Session, asset_id: int, measures: FrameMeasures | None, at: datetime) -> None:
    """Write what was measured on an asset's frame, once and for ever.

    Parameters
    ----------
    session
        A writing transaction, that of the asset's own row where it is new.
    asset_id
        The asset, which has no such row yet.
    measures
        What was measured; None, of files that are no frames, writes no row. A frame of which
        nothing could be measured has a row of NULLs, so that nobody tries again and again.
    at
        Civil time of the measurement.
    """
    if measures is None:
        return
    session.add(
        MeasuresRow(asset_id=asset_id, code_version=DEFINITION, measured_at=at, **asdict(measures))
    )
