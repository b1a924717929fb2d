"""Whether a dark session comes from the body it claims: compared with the one before it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.tables import Asset, DefectExtraction, DefectObservation, Session
from training.defects.dark_pattern import (
    hot_pixel_overlap,
    pattern_correlation,
    same_dark_pattern,
)
from training.defects.extraction import Extraction
from training.defects.maps import open_maps

_OFFSET = 1  # the filter for offsets shows the fixed pattern


def compare_with_earlier(
    catalogue: Catalogue, camera_id: int, at: datetime, measured: Extraction
) -> dict[str, Any] | None:
    """Compare a session's hot pixels and fixed pattern with those of the camera's session before.

    A session that was found to be of another body is passed over.

    Returns
    -------
    dict or None
        JSON values: `verdict` (``same-body``, ``another-body``, ``cannot-tell``), `compared_with`
        (UUID of the session), the numbers and the `reason`. None where there is no earlier session
        of the same sensor size.
    """
    shape = measured.maps.significance.shape[1:]
    with catalogue.reading() as transaction:
        earlier = [
            row
            for row in transaction.execute(
                select(DefectExtraction, Session.uuid, Asset.sha256)
                .join(Session, Session.id == DefectExtraction.session_id)
                .join(Asset, Asset.id == DefectExtraction.maps_asset_id)
                .where(
                    DefectExtraction.camera_id == camera_id,
                    DefectExtraction.started_at < at,
                )
                .order_by(DefectExtraction.started_at.desc(), DefectExtraction.id.desc())
            )
            if (row[0].summary["rows"], row[0].summary["columns"]) == shape
            and is_of_this_body(row[0].summary)
        ]
        if not earlier:
            return None
        extraction, uuid, sha256 = earlier[0]
        places = transaction.execute(
            select(DefectObservation.row, DefectObservation.column).where(
                DefectObservation.extraction_id == extraction.id
            )
        ).all()
    catalogue.store.verify(sha256)
    before = open_maps(catalogue.store.path(sha256))
    columns = shape[1]
    overlap = hot_pixel_overlap(
        [row * columns + column for row, column in places],
        measured.row * columns + measured.column,
        shape[0] * columns,
    )
    correlation = pattern_correlation(
        before.significance[_OFFSET].astype(np.float32),
        measured.maps.significance[_OFFSET].astype(np.float32),
        measured.cfa,
    )
    found = asdict(same_dark_pattern(overlap, correlation))
    return {**found, "compared_with": uuid}


def is_of_this_body(summary: dict[str, Any]) -> bool:
    """Return whether an extraction's summary does not say that another body took the frames."""
    body = summary.get("body")
    return body is None or body["verdict"] != "another-body"
