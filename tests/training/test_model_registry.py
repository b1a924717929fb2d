"""One model of a line is in service at most, whoever changes it, and every change is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from datastore.catalogue import Catalogue, open_catalogue
from datastore.revision import EXPECTED_REVISION
from datastore.tables import AuditEntry, Experiment, ModelEvent, RegisteredModel
from tests.support.catalogues import new_database, postgresql_server, sqlite_url
from tests.support.stored_catalogues import fill
from training.retraining.errors import RegistryError
from training.retraining.lineage import view_model
from training.retraining.registry import (
    find_model,
    in_service,
    promote,
    register,
    reject,
    roll_back,
    state_of,
)

AT = datetime(2026, 5, 1, tzinfo=UTC)
LINE = "weekly"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalogue]:
    """Open a catalogue with an experiment, to which further ones are added."""
    if request.param == "sqlite":
        fill(sqlite_url(tmp_path), EXPECTED_REVISION)
        opened = open_catalogue(sqlite_url(tmp_path), tmp_path / "store")
        yield opened
        opened.close()
        return
    with postgresql_server() as server:
        url = new_database(server)
        fill(url, EXPECTED_REVISION)
        opened = open_catalogue(url, tmp_path / "store")
        yield opened
        opened.close()


def _models(catalogue: Catalogue, count: int) -> list[int]:
    with catalogue.writing() as session:
        first = session.scalars(select(Experiment)).first()
        assert first is not None
        # rows were written with numbers of their own, which PostgreSQL's counters do not know
        if session.get_bind().dialect.name == "postgresql":
            for table in ("experiment", "registered_model", "model_event"):
                session.execute(
                    text(
                        f"select setval(pg_get_serial_sequence('{table}', 'id'),"
                        f" (select max(id) from {table}))"
                    )
                )
        made = []
        for number in range(count):
            experiment = Experiment(
                name=f"experiment {number}",
                dataset_id=first.dataset_id,
                specification={},
                content_sha256=f"{number:064d}",
                code_version="1",
                created_at=AT,
            )
            session.add(experiment)
            session.flush()
            made.append(register(session, LINE, experiment.id, AT, "a test").id)
            assert register(session, LINE, experiment.id, AT, "again").id == made[-1]
    return made


def _promote(catalogue: Catalogue, model_id: int, operator: str | None = "Ana") -> None:
    with catalogue.writing() as session:
        model = session.get_one(RegisteredModel, model_id)
        promote(session, model, AT, operator=operator, reason="better", numbers={"a": 1})


def _serving(catalogue: Catalogue) -> int | None:
    with catalogue.reading() as session:
        found = in_service(session, LINE)
        return None if found is None else found.id


def _states(catalogue: Catalogue, ids: list[int]) -> list[str]:
    with catalogue.reading() as session:
        return [state_of(session, session.get_one(RegisteredModel, one)) for one in ids]


def test_models_are_promoted_retired_and_rolled_back_to(catalogue: Catalogue) -> None:
    ids = _models(catalogue, 4)
    assert _serving(catalogue) is None
    with catalogue.writing() as session, pytest.raises(RegistryError, match="nothing to roll back"):
        roll_back(session, LINE, AT, operator=None, reason="x")
    for number in range(3):
        _promote(catalogue, ids[number])
    assert _states(catalogue, ids) == ["retired", "retired", "in-service", "candidate"]
    with catalogue.writing() as session:
        assert roll_back(session, LINE, AT, operator="Ben", reason="drifts").id == ids[1]
    assert _states(catalogue, ids) == ["retired", "in-service", "retired", "candidate"]
    with catalogue.writing() as session:
        assert roll_back(session, LINE, AT, operator="Ben", reason="drifts").id == ids[0]
        with pytest.raises(RegistryError, match="weekly@1 replaced none"):
            roll_back(session, LINE, AT, operator="Ben", reason="drifts")
    _promote(catalogue, ids[2])
    assert _states(catalogue, ids) == ["retired", "retired", "in-service", "candidate"]
    with catalogue.reading() as session:
        third = session.get_one(RegisteredModel, ids[2])
        assert (third.name, third.version) == (LINE, 3)
        history = view_model(session, third).history
        actions = session.scalars(
            select(AuditEntry.action).where(AuditEntry.action.like("model %"))
        ).all()
    assert [one["state"] for one in history] == ["candidate", "in-service", "retired", "in-service"]
    assert history[2]["operator"] == "Ben"
    assert history[2]["reason"] == "replaced by version 2: rolled back: drifts"
    assert actions.count("model in-service") == 6


def test_a_rollback_undoes_the_newest_promotion_of_an_older_model_too(
    catalogue: Catalogue,
) -> None:
    ids = _models(catalogue, 2)
    for number in (0, 1, 0):
        _promote(catalogue, ids[number])
    with catalogue.writing() as session:
        assert roll_back(session, LINE, AT, operator=None, reason="x").id == ids[1]
        assert roll_back(session, LINE, AT, operator=None, reason="x").id == ids[0]
        with pytest.raises(RegistryError, match="replaced none"):
            roll_back(session, LINE, AT, operator=None, reason="x")


def test_what_cannot_be_is_refused_and_changes_nothing(catalogue: Catalogue) -> None:
    ids = _models(catalogue, 2)
    _promote(catalogue, ids[0])
    with pytest.raises(RegistryError, match="weekly@1 is in service already"):
        _promote(catalogue, ids[0])
    with catalogue.writing() as session:
        second = session.get_one(RegisteredModel, ids[1])
        reject(session, second, AT, operator=None, reason="no better")
        with pytest.raises(RegistryError, match="weekly@2 is rejected, and only candidates"):
            reject(session, second, AT, operator=None, reason="no better")
    assert _states(catalogue, ids) == ["in-service", "rejected"]
    _promote(catalogue, ids[1], operator=None)
    assert _states(catalogue, ids) == ["retired", "in-service"]
    with pytest.raises(DBAPIError, match="append-only"), catalogue.writing() as session:
        session.execute(ModelEvent.__table__.delete())  # type: ignore[attr-defined]


def test_models_are_found_by_every_name_they_have(catalogue: Catalogue) -> None:
    ids = _models(catalogue, 2)
    _promote(catalogue, ids[1])
    with catalogue.reading() as session:
        second = session.get_one(RegisteredModel, ids[1])
        for reference in (LINE, f"{LINE}@2", second.uuid):
            assert find_model(session, reference).id == ids[1]
        assert find_model(session, f"{LINE}@1").id == ids[0]
        # the line that was there before
        assert find_model(session, "monthly").version == 1
        for unknown in ("nothing", f"{LINE}@3", "daily@1"):
            with pytest.raises(RegistryError, match=f"no model {unknown}"):
                find_model(session, unknown)


def test_two_who_promote_at_once_leave_one_in_service(catalogue: Catalogue) -> None:
    ids = _models(catalogue, 6)
    failures: list[Exception] = []
    begin = threading.Barrier(len(ids))

    def work(model_id: int) -> None:
        begin.wait()
        try:
            _promote(catalogue, model_id)
        except Exception as error:  # told below, in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    states = _states(catalogue, ids)
    assert sorted(states) == ["in-service", *["retired"] * 5]
    assert ids[states.index("in-service")] == _serving(catalogue)
