"""The derived status of a shot is that of its newest event and verdict, whoever wrote them."""

from __future__ import annotations

from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.tables import Shot, ShotEvent, ShotStatus, Verdict
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot


def test_status_follows_the_newest_event_and_verdict(catalogue: Catalogue) -> None:
    with catalogue.writing() as transaction:
        camera = add_camera(transaction)
        session = add_session(transaction)
        watched, other = (
            add_shot(transaction, session, camera, sequence=sequence).id for sequence in (1, 2)
        )
    seen = []
    for name in ("planned", "triggered", "failed"):
        with catalogue.writing() as transaction:
            transaction.add(ShotEvent(shot_id=watched, name=name, at=NOW))
        seen.append(status(catalogue, watched)[1])
    for verdict in ("accepted", "quarantined"):
        with catalogue.writing() as transaction:
            transaction.add(
                Verdict(shot_id=watched, verdict=verdict, reason="r", author="a", at=NOW)
            )
        seen.append(status(catalogue, watched)[2])
    assert seen == ["planned", "triggered", "failed", "accepted", "quarantined"]
    with catalogue.reading() as transaction:
        triggered_at = transaction.scalars(
            select(Shot.triggered_at).where(Shot.id == watched)
        ).one()
    assert status(catalogue, watched)[0] == triggered_at
    assert status(catalogue, other)[2] is None


def status(catalogue: Catalogue, shot_id: int) -> tuple[object, ...]:
    with catalogue.reading() as transaction:
        row = transaction.execute(
            select(ShotStatus.triggered_at, ShotStatus.state, ShotStatus.verdict).where(
                ShotStatus.shot_id == shot_id
            )
        ).one()
    return tuple(row)
