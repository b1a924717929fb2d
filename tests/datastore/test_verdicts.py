"""Verdicts: the newest counts, none is changed, each is in the audit."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.errors import RequestError, UnknownShotError, VerdictError
from datastore.queries import ShotFilter, iterate_shots
from datastore.tables import AuditEntry, Shot, Verdict
from datastore.verdicts import add_verdict
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot


@pytest.fixture
def shot(catalogue: Catalogue) -> Shot:
    with catalogue.writing() as session:
        return add_shot(session, add_session(session), add_camera(session), 1)


def newest(catalogue: Catalogue) -> str | None:
    (record,) = iterate_shots(catalogue, ShotFilter())
    return record.verdict


def test_the_newest_verdict_counts_and_all_are_kept(catalogue: Catalogue, shot: Shot) -> None:
    assert newest(catalogue) is None
    add_verdict(catalogue, shot.uuid, "quarantined", "light leak", {"level": 12.5}, "check", NOW)
    assert newest(catalogue) == "quarantined"
    add_verdict(catalogue, shot.id, "accepted", "the lamp was reflected", None, "ada", NOW)
    assert newest(catalogue) == "accepted"
    with catalogue.reading() as session:
        kept = session.scalars(select(Verdict).order_by(Verdict.id)).all()
        assert [(row.verdict, row.numbers) for row in kept] == [
            ("quarantined", {"level": 12.5}),
            ("accepted", None),
        ]
        entries = session.scalars(select(AuditEntry.entry).order_by(AuditEntry.id)).all()
        assert [entry["shot"] for entry in entries] == [shot.uuid, shot.uuid]
        assert audit.verify(session) == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"shot": "no-such-shot"}, UnknownShotError),
        ({"shot": 99}, UnknownShotError),
        ({"verdict": "maybe"}, VerdictError),
        ({"reason": " "}, VerdictError),
        ({"author": ""}, VerdictError),
    ],
)
def test_a_malformed_verdict_is_refused_and_changes_nothing(
    catalogue: Catalogue, shot: Shot, change: dict[str, Any], error: type[RequestError]
) -> None:
    arguments: dict[str, Any] = {
        "shot": shot.uuid,
        "verdict": "accepted",
        "reason": "sharp",
        "numbers": None,
        "author": "ada",
        "at": NOW,
    }
    with pytest.raises(error):
        add_verdict(catalogue, **(arguments | change))
    assert newest(catalogue) is None
    with catalogue.reading() as session:
        assert audit.head(session) == audit.GENESIS_SHA256
