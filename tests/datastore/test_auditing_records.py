"""Recorded audits come back as they were, the newest counts, and none can be changed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DatabaseError

from datastore import audit
from datastore.canonical import canonical_json
from datastore.catalogue import Catalogue
from datastore.datasets.auditing.audit import DEFINITION, audit_items
from datastore.datasets.auditing.records import newest_audit, record_audit
from datastore.datasets.auditing.report import AuditParameters, AuditReport
from datastore.errors import AssetMissingError
from datastore.tables import Asset, AuditEntry, DatasetAudit
from tests.support.audit_facts import make_facts

AT = datetime(2026, 5, 1, 12, 30, 1, 250_000, tzinfo=UTC)
QUICK = AuditParameters(permutations=99, resamples=99)


@pytest.fixture(scope="module")
def report() -> AuditReport:
    return audit_items(make_facts(1, sessions_per_class=4, test_sessions=2), QUICK)


def test_an_audit_comes_back_as_it_was(catalogue: Catalogue, report: AuditReport) -> None:
    number = record_audit(catalogue, report, AT)
    found = newest_audit(catalogue, report.manifest_version)
    assert found is not None
    assert (found.id, found.code_version, found.created_at) == (number, DEFINITION, AT)
    assert found.report == report
    assert catalogue.store.read_bytes(found.report_sha256) == canonical_json(report.to_json())


def test_its_row_says_what_each_rule_found(catalogue: Catalogue, report: AuditReport) -> None:
    number = record_audit(catalogue, report, AT)
    with catalogue.reading() as session:
        row = session.get_one(DatasetAudit, number)
        asset = session.get_one(Asset, row.report_asset_id)
        entry = session.scalars(select(AuditEntry)).one()
        assert audit.verify(session) == []
    assert row.manifest_version == report.manifest_version
    assert row.verdict == report.verdict
    assert row.rules == {rule.rule: rule.verdict for rule in report.rules}
    assert row.parameters["permutations"] == 99
    assert (asset.role, asset.shot_id) == ("measurement", None)
    assert entry.action == "dataset.audit"
    assert entry.entry["report_sha256"] == asset.sha256
    assert entry.entry["audit"] == row.uuid
    assert json.loads(catalogue.store.read_bytes(asset.sha256))["verdict"] == row.verdict


def test_the_newest_counts_and_the_earlier_one_stays(
    catalogue: Catalogue, report: AuditReport
) -> None:
    first = record_audit(catalogue, report, AT)
    again = record_audit(catalogue, report, AT + timedelta(days=1))
    other = audit_items(make_facts(2, sessions_per_class=4, test_sessions=2), QUICK)
    newest = record_audit(catalogue, other, AT - timedelta(days=1))
    assert first < again < newest
    found = newest_audit(catalogue, report.manifest_version)
    assert found is not None and (found.id, found.report) == (newest, other)
    with catalogue.reading() as session:
        assert len(session.scalars(select(DatasetAudit)).all()) == 3


def test_two_may_record_the_same_at_once(catalogue: Catalogue, report: AuditReport) -> None:
    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(lambda _: record_audit(catalogue, report, AT), range(4)))
    assert len(set(numbers)) == 4
    with catalogue.reading() as session:
        assert len(session.scalars(select(Asset)).all()) == 1
        assert audit.verify(session) == []


def test_there_may_be_none(catalogue: Catalogue, report: AuditReport) -> None:
    record_audit(catalogue, report, AT)
    assert newest_audit(catalogue, "f" * 64) is None


def test_no_audit_is_rewritten_or_deleted(catalogue: Catalogue, report: AuditReport) -> None:
    number = record_audit(catalogue, report, AT)
    for statement in (update(DatasetAudit).values(verdict="pass"), delete(DatasetAudit)):
        with pytest.raises(DatabaseError, match="append-only"), catalogue.writing() as session:
            session.execute(statement)
    found = newest_audit(catalogue, report.manifest_version)
    assert found is not None and (found.id, found.report) == (number, report)


def test_a_lost_report_is_an_error(catalogue: Catalogue, report: AuditReport) -> None:
    record_audit(catalogue, report, AT)
    found = newest_audit(catalogue, report.manifest_version)
    assert found is not None
    catalogue.store.path(found.report_sha256).unlink()
    with pytest.raises(AssetMissingError):
        newest_audit(catalogue, report.manifest_version)
