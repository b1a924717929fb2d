"""Audits in the catalogue: the whole report as an asset, its verdicts as an append-only row."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select

from datastore import audit
from datastore.assets import register_asset
from datastore.canonical import canonical_json
from datastore.catalogue import Catalogue
from datastore.datasets.auditing.audit import DEFINITION
from datastore.datasets.auditing.report import AuditReport
from datastore.locks import lock_until_commit
from datastore.tables import Asset, DatasetAudit


@dataclass(frozen=True)
class StoredAudit:
    """A recorded audit.

    Attributes
    ----------
    id, uuid
        Of its row, here and everywhere.
    code_version
        Names the rules and statistics behind it.
    created_at
        Civil time of the record.
    report_sha256
        Of the stored report.
    report
        What was found.
    """

    id: int
    uuid: str
    code_version: str
    created_at: datetime
    report_sha256: str
    report: AuditReport


def record_audit(catalogue: Catalogue, report: AuditReport, at: datetime) -> int:
    """Store a report and write its row, with an entry in the catalogue's own audit.

    The report is durable in the store before its row is committed. An audit that is made again
    gives another row, which counts from then on, and the earlier one stays.

    Parameters
    ----------
    catalogue
        An open catalogue.
    report
        What was found.
    at
        Civil time of the record.

    Returns
    -------
    int
        Number of the row of `dataset_audit`.
    """
    rules = {rule.rule: rule.verdict for rule in report.rules}
    stored = catalogue.store.put_bytes(canonical_json(report.to_json()))
    with catalogue.writing() as session:
        # two that audit at once find the same, and its file is one asset
        lock_until_commit(session, "dataset_audit")
        row = DatasetAudit(
            manifest_version=report.manifest_version,
            verdict=report.verdict,
            rules=rules,
            parameters=asdict(report.parameters),
            report_asset_id=register_asset(session, stored, "measurement", at).id,
            code_version=DEFINITION,
            created_at=at,
        )
        session.add(row)
        session.flush()
        entry = {
            "audit": row.uuid,
            "manifest": report.manifest_version,
            "verdict": report.verdict,
            "rules": rules,
            "report_sha256": stored.sha256,
        }
        audit.append(session, "dataset.audit", entry, at)
        return row.id


def newest_audit(catalogue: Catalogue, manifest_version: str) -> StoredAudit | None:
    """Return the audit of a manifest that counts, None where there is none.

    Parameters
    ----------
    catalogue
        An open catalogue.
    manifest_version
        That of the unforced manifest.

    Raises
    ------
    AssetMissingError, AssetCorruptError
        If the store has lost or damaged the report.
    """
    with catalogue.reading() as session:
        found = session.execute(
            select(DatasetAudit, Asset.sha256)
            .join(Asset, DatasetAudit.report_asset_id == Asset.id)
            .where(DatasetAudit.manifest_version == manifest_version)
            .order_by(DatasetAudit.id.desc())
            .limit(1)
        ).one_or_none()
    if found is None:
        return None
    row, sha256 = found
    return StoredAudit(
        id=row.id,
        uuid=row.uuid,
        code_version=row.code_version,
        created_at=row.created_at,
        report_sha256=sha256,
        report=AuditReport.from_json(json.loads(catalogue.store.read_bytes(sha256))),
    )
