"""Verdicts in the catalogue: every line and finding as an asset, the verdict as a row."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from datastore import audit
from datastore.assets import register_asset
from datastore.canonical import canonical_json
from datastore.catalogue import Catalogue
from datastore.tables import Asset, EvidenceReport, Experiment
from training.code_version import code_version


@dataclass(frozen=True)
class StoredReport:
    """A recorded verdict.

    Attributes
    ----------
    uuid
        Of its row.
    verdict, reason
        In a word and in a sentence.
    parameters
        What it was asked with.
    code_version
        By which it was found.
    created_at
        Civil time of the record.
    document
        Every line and finding.
    """

    uuid: str
    verdict: str
    reason: str
    parameters: dict[str, Any]
    code_version: str
    created_at: datetime
    document: dict[str, Any]


def record_report(
    catalogue: Catalogue,
    experiment_uuid: str,
    document: dict[str, Any],
    parameters: dict[str, Any],
    at: datetime,
    files: Iterable[Path] = (),
) -> str:
    """Store a verdict with all that it rests on; return the identifier of its row.

    Parameters
    ----------
    catalogue
        The catalogue that holds the experiment.
    experiment_uuid
        Whose verdict.
    document
        With `judgement` and `findings`.
    parameters
        What it was asked with: seed, placebos, known cases.
    at
        Civil time of the record.
    files
        What the document names by its hash, such as maps; stored with it.
    """
    attached = [catalogue.store.put_file(path) for path in files]
    stored = catalogue.store.put_bytes(canonical_json(document))
    judgement = document["judgement"]
    with catalogue.writing() as session:
        row = EvidenceReport(
            experiment_id=session.scalars(
                select(Experiment.id).where(Experiment.uuid == experiment_uuid)
            ).one(),
            verdict=judgement["verdict"],
            reason=judgement["reason"],
            parameters=parameters,
            report_asset_id=register_asset(session, stored, "measurement", at).id,
            code_version=code_version(),
            created_at=at,
        )
        session.add(row)
        for one in attached:
            register_asset(session, one, "measurement", at)
        session.flush()
        entry = {
            "report": row.uuid,
            "experiment": experiment_uuid,
            "verdict": row.verdict,
            "report_sha256": stored.sha256,
        }
        audit.append(session, "evidence.report", entry, at)
        return row.uuid


def newest_report(catalogue: Catalogue, experiment_uuid: str) -> StoredReport | None:
    """Return the verdict on an experiment that counts, None where there is none.

    Raises
    ------
    AssetMissingError, AssetCorruptError
        If the store has lost or damaged the report.
    """
    with catalogue.reading() as session:
        found = session.execute(
            select(EvidenceReport, Asset.sha256)
            .join(Asset, Asset.id == EvidenceReport.report_asset_id)
            .join(Experiment, Experiment.id == EvidenceReport.experiment_id)
            .where(Experiment.uuid == experiment_uuid)
            .order_by(EvidenceReport.id.desc())
            .limit(1)
        ).one_or_none()
        if found is None:
            return None
        row, sha256 = found
        return StoredReport(
            uuid=row.uuid,
            verdict=row.verdict,
            reason=row.reason,
            parameters=row.parameters,
            code_version=row.code_version,
            created_at=row.created_at,
            document=json.loads(catalogue.store.read_bytes(sha256)),
        )
