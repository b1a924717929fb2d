"""The audit's hash chain: it grows in transactions and shows what was tampered with."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta, timezone

import pytest
from sqlalchemy import select, text

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.tables import AuditEntry
from tests.support.catalogue_rows import NOW


@pytest.fixture
def chained(catalogue: Catalogue) -> Catalogue:
    """Catalogue with five audit entries."""
    for number in range(5):
        with catalogue.writing() as session:
            audit.append(session, "test", {"number": number, "words": ["ä", None, 1.5]}, NOW)
    return catalogue


def tamper(catalogue: Catalogue, statement: str) -> None:
    """Do what only somebody who removes the guards can do."""
    with catalogue.writing() as session:
        if catalogue.url.startswith("postgresql"):
            session.execute(text("alter table audit disable trigger user"))
        else:
            session.execute(text("drop trigger append_only_audit_update"))
            session.execute(text("drop trigger append_only_audit_delete"))
        session.execute(text(statement))


def broken_entries(catalogue: Catalogue) -> list[int | None]:
    with catalogue.reading() as session:
        return [found.entry_id for found in audit.verify(session)]


def test_an_empty_and_a_grown_chain_hold(catalogue: Catalogue) -> None:
    with catalogue.reading() as session:
        assert audit.verify(session) == []
        assert audit.head(session) == audit.GENESIS_SHA256
    with catalogue.writing() as session:
        first = audit.append(session, "test", {"b": 1, "a": (2, 3)}, NOW)
        second = audit.append(session, "test", {}, NOW.astimezone(timezone(timedelta(hours=9))))
    assert second.previous_sha256 == first.sha256
    with catalogue.reading() as session:
        assert audit.verify(session) == []
        assert audit.head(session) == second.sha256


def test_a_link_is_the_hash_of_its_canonical_json(chained: Catalogue) -> None:
    with chained.reading() as session:
        link = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()[1]
    content = {
        "action": "test",
        "at": "2026-01-01T12:00:00.000000+00:00",
        "entry": {"number": 1, "words": ["ä", None, 1.5]},
        "previous_sha256": link.previous_sha256,
    }
    text_ = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert link.sha256 == hashlib.sha256(text_.encode()).hexdigest()


def test_what_is_rolled_back_leaves_no_link(chained: Catalogue) -> None:
    with chained.reading() as session:
        before = audit.head(session)

    def append_and_fail() -> None:
        with chained.writing() as session:
            audit.append(session, "test", {}, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        append_and_fail()
    with chained.reading() as session:
        assert audit.head(session) == before


@pytest.mark.parametrize(
    "change",
    [
        """entry = '{"number": 7, "words": ["ä", null, 1.5]}'""",
        "action = 'other'",
        "at = '2026-01-01 12:00:00.000001'",
    ],
)
def test_a_changed_entry_is_found(chained: Catalogue, change: str) -> None:
    tamper(chained, f"update audit set {change} where id = 3")
    assert broken_entries(chained) == [3]


def test_an_entry_that_was_changed_and_hashed_anew_is_found(chained: Catalogue) -> None:
    tamper(chained, f"update audit set sha256 = '{'b' * 64}' where id = 3")
    assert broken_entries(chained) == [3, 4]


def test_a_removed_entry_is_found(chained: Catalogue) -> None:
    tamper(chained, "delete from audit where id = 3")
    assert broken_entries(chained) == [4]


def test_a_cut_tail_is_found_by_a_head_that_was_noted(chained: Catalogue) -> None:
    with chained.reading() as session:
        noted = audit.head(session)
        assert audit.verify(session, known_head=noted) == []
    tamper(chained, "delete from audit where id = 5")
    with chained.reading() as session:
        assert audit.verify(session) == []
        (found,) = audit.verify(session, known_head=noted)
    assert noted in str(found)


def test_what_is_no_json_is_refused(catalogue: Catalogue) -> None:
    with catalogue.writing() as session:
        with pytest.raises(ValueError, match="Out of range"):
            audit.append(session, "test", {"number": float("nan")}, NOW)
        with pytest.raises(ValueError, match="zone"):
            audit.append(session, "test", {}, NOW.replace(tzinfo=None))
    with catalogue.reading() as session:
        assert audit.head(session) == audit.GENESIS_SHA256
