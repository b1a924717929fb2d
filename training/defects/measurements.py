"""What an extraction says of its session in a few numbers: written to its row, and read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy import func, select

from datastore.catalogue import Catalogue
from datastore.tables import Camera, DefectExtraction, Session
from training.defects.extraction import Extraction
from training.defects.linearity import Linearity


def summary_of(measured: Extraction) -> dict[str, Any]:
    """Return the summary of an extraction as JSON values."""
    rows, columns = measured.maps.significance.shape[1:]
    return {
        "rows": rows,
        "columns": columns,
        "defects": len(measured.row),
        "threshold_z": measured.threshold_z,
        "detection_limit_dn": list(measured.detection_limit_dn),
        "temperature_c": measured.temperature_c,
        "temperatures_c": list(measured.temperatures_c),
        "photon_gain": measured.photon_gain,
        "cells": [
            {"exposure_s": cell.exposure_s, "iso": cell.iso, "frames": len(cell.members)}
            for cell in measured.cells
        ],
        "linearity": _linearity_summary(measured),
        "judgements": [asdict(one) for one in measured.judgements],
        "stability": asdict(measured.stability),
        "diagnostics": [asdict(one) for one in measured.diagnostics],
    }


def linearity_of(summary: dict[str, Any]) -> Linearity | None:
    """Return the linearity that an extraction's summary holds; None where it could not be told."""
    # measurements of earlier versions did not record it
    stored = summary.get("linearity")
    if stored is None:
        return None
    return Linearity(
        seconds=np.array(stored["reference_seconds"]),
        signal_dn=np.array([one["signal_dn"] for one in stored["strongest"]]),
        r_squared=np.array([one["r_squared"] for one in stored["strongest"]]),
        plateau=np.array([one["plateau"] for one in stored["strongest"]], bool),
    )


def read_measurements(catalogue: Catalogue, camera_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return what the newest extraction of each session and camera found, by time.

    Returns
    -------
    list of dict
        JSON values: `session_id`, `camera_serial`, `started_at`, `frames`, `defects`,
        `temperature_c`, and `linearity` of the strongest photosites in the exposure: `photosites`
        judged, `r_squared_median` and `r_squared_lowest` of straight lines, `plateaus` among them,
        each one under `strongest`, and the exposures as `reference_seconds`, at ISO 100 and the
        reference temperature. `linearity` is None with fewer than three exposures. `judgements` say
        whether the camera seems to take defects away, `stability` how its temperature went, `body`
        whether hot pixels and fixed pattern are those of the session before; None in extractions
        of before they were judged.
    """
    newest = (
        select(func.max(DefectExtraction.id))
        .where(DefectExtraction.camera_id.in_(camera_ids))
        .group_by(DefectExtraction.session_id, DefectExtraction.camera_id)
    )
    with catalogue.reading() as transaction:
        rows = transaction.execute(
            select(DefectExtraction, Session.uuid, Camera.serial)
            .join(Session, Session.id == DefectExtraction.session_id)
            .join(Camera, Camera.id == DefectExtraction.camera_id)
            .where(DefectExtraction.id.in_(newest))
            .order_by(DefectExtraction.started_at, DefectExtraction.id)
        ).all()
    return [
        {
            "session_id": uuid,
            "camera_serial": serial,
            "started_at": row.started_at.isoformat(),
            "frames": len(row.inputs),
            "defects": row.summary["defects"],
            "temperature_c": row.summary["temperature_c"],
            "linearity": row.summary.get("linearity"),
            "judgements": row.summary.get("judgements"),
            "stability": row.summary.get("stability"),
            "body": row.summary.get("body"),
        }
        for row, uuid, serial in rows
    ]


def _linearity_summary(measured: Extraction) -> dict[str, Any] | None:
    report = measured.linearity
    if report is None:
        return None
    return {
        "photosites": len(report.r_squared),
        "r_squared_median": float(np.median(report.r_squared)),
        "r_squared_lowest": float(report.r_squared.min()),
        "plateaus": int(report.plateau.sum()),
        "reference_seconds": report.seconds.tolist(),
        "strongest": [
            {
                "row": int(measured.row[place]),
                "column": int(measured.column[place]),
                "r_squared": float(r_squared),
                "plateau": bool(plateau),
                "signal_dn": signal_dn.tolist(),
            }
            for place, r_squared, plateau, signal_dn in zip(
                measured.strongest,
                report.r_squared,
                report.plateau,
                report.signal_dn,
                strict=True,
            )
        ],
    }
