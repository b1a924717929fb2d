"""Queries of shots: the right ones, in the order of time, page by page, by the indexes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.engine import Engine

from datastore import timeslots
from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.equipment import FixtureDescription, add_fixture, list_scenes, revise_fixture
from datastore.errors import (
    FilterError,
    RequestError,
    TimeslotSchemeError,
    UnknownCameraError,
    UnknownSceneError,
    UnknownSessionError,
)
from datastore.queries import ShotFilter, ShotRecord, iterate_shots
from datastore.store import StoredFile
from datastore.tables import Camera, Session, Shot, ShotEvent, Verdict
from datastore.verdicts import add_verdict
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot

START = datetime(2024, 1, 1, tzinfo=UTC)
FIXTURE: dict[str, Any] = {
    "name": "north",
    "simulated": True,
    "cameras": [
        {"serial": serial, "make": "Virtual", "model": "V1", "address": f"ptpip:{serial}"}
        for serial in ("1", "2")
    ],
    "scenes": [
        {"name": name, "background": name, "foreground": "bottle", "illumination": "daylight"}
        for name in ("brick", "cork")
    ],
}


def add_months(catalogue: Catalogue, end: datetime) -> None:
    scheme = timeslots.MonthlyScheme(name="months", division="monthly", start=START, end=end)
    timeslots.add_scheme(catalogue, scheme, NOW)


@pytest.fixture
def made_up(catalogue: Catalogue) -> tuple[Catalogue, list[ShotRecord]]:
    """Catalogue of 300 random shots, and what its records should be, in order."""
    add_months(catalogue, datetime(2024, 11, 1, tzinfo=UTC))
    add_fixture(catalogue, FixtureDescription.model_validate(FIXTURE), NOW)
    changed = FIXTURE | {"scenes": [FIXTURE["scenes"][0] | {"illumination": "LED"}]}
    with catalogue.reading() as transaction:
        scenes = list_scenes(transaction)
    revise_fixture(catalogue, FixtureDescription.model_validate(changed), NOW)
    with catalogue.reading() as transaction:
        scenes += list_scenes(transaction)
        cameras = transaction.scalars(select(Camera)).all()
    generator = np.random.default_rng(11)
    with catalogue.writing() as transaction:
        sessions = [add_session(transaction) for _ in range(3)]
        expected = [
            _add_random_shot(transaction, sequence, generator, sessions, cameras, scenes)
            for sequence in range(300)
        ]
    timed = [record for record in expected if record.triggered_at is not None]
    timed.sort(key=lambda record: record.triggered_at or NOW)  # stable: equal times keep order
    return catalogue, timed + [record for record in expected if record.triggered_at is None]


def _add_random_shot(
    transaction: Any,
    sequence: int,
    generator: np.random.Generator,
    sessions: list[Session],
    cameras: Any,
    scenes: Any,
) -> ShotRecord:
    session = sessions[generator.integers(3)]
    camera = None if generator.random() < 0.1 else cameras[generator.integers(2)]
    scene = None if generator.random() < 0.3 else scenes[generator.integers(len(scenes))]
    # few distinct times, so that pages are cut within equal ones; some lie behind the scheme
    triggered_at = (
        None
        if generator.random() < 0.1
        else START + timedelta(days=int(generator.integers(0, 60)) * 6)
    )
    shot = Shot(
        session_id=session.id,
        camera_id=None if camera is None else camera.id,
        sequence=sequence,
        kind=str(generator.choice(["dark-field", "flat-field", "fixed-background", "natural"])),
        scene_revision_id=None if scene is None else scene.id,
        triggered_at=triggered_at,
        exposure_s=[None, 1 / 30, 4.0][generator.integers(3)],
        iso=[None, 100, 800][generator.integers(3)],
        f_number=5.6,
    )
    transaction.add(shot)
    transaction.flush()
    states = ["planned", "triggered", "registered", "failed"][: generator.integers(0, 5)]
    transaction.add_all(ShotEvent(shot_id=shot.id, name=name, at=NOW) for name in states)
    verdicts = list(generator.choice(["accepted", "rejected"], size=generator.integers(0, 3)))
    for verdict in verdicts:
        transaction.add(
            Verdict(shot_id=shot.id, verdict=str(verdict), reason="-", author="a", at=NOW)
        )
        transaction.flush()
    for role in ["raw", "jpeg"][: generator.integers(0, 3)]:
        stored = StoredFile(hashlib.sha256(f"{sequence} {role}".encode()).hexdigest(), 1)
        register_asset(transaction, stored, role, NOW, shot_id=shot.id)
    month = None if triggered_at is None or triggered_at.month > 10 else triggered_at.month
    return ShotRecord(
        id=shot.uuid,
        camera_serial=None if camera is None else camera.serial,
        kind=shot.kind,
        scene=None if scene is None else scene.scene.name,
        scene_revision=None if scene is None else scene.revision,
        timeslot=month,
        session_id=session.uuid,
        triggered_at=triggered_at,
        exposure_s=shot.exposure_s,
        iso=shot.iso,
        f_number=5.6,
        state=states[-1] if states else None,
        verdict=str(verdicts[-1]) if verdicts else None,
        assets=(),
    )


def passes(record: ShotRecord, chosen: ShotFilter, roles: set[str]) -> bool:
    """Say in plain Python what the filter says in SQL."""
    at = record.triggered_at
    scene_names = {record.scene, f"{record.scene}@{record.scene_revision}"}
    return (
        (not chosen.cameras or record.camera_serial in chosen.cameras)
        and (not chosen.kinds or record.kind in chosen.kinds)
        and (not chosen.scenes or bool(scene_names & set(chosen.scenes)))
        and (not chosen.timeslots or record.timeslot in chosen.timeslots)
        and (chosen.session is None or record.session_id == chosen.session)
        and (chosen.since is None or (at is not None and at >= chosen.since))
        and (chosen.until is None or (at is not None and at < chosen.until))
        and (not chosen.isos or record.iso in chosen.isos)
        and (not chosen.exposures_s or record.exposure_s in chosen.exposures_s)
        and (not chosen.states or record.state in chosen.states)
        and (not chosen.verdicts or record.verdict in chosen.verdicts)
        and (chosen.role is None or chosen.role in roles)
    )


FILTERS = [
    ShotFilter(),
    ShotFilter(cameras=("1",)),
    ShotFilter(cameras=("1", "2"), kinds=("dark-field", "natural")),
    ShotFilter(scenes=("brick",)),
    ShotFilter(scenes=("brick@2", "cork")),
    ShotFilter(timeslots=(3,)),
    ShotFilter(timeslots=(1, 4, 10), cameras=("2",)),
    ShotFilter(since=datetime(2024, 3, 1, tzinfo=UTC), until=datetime(2024, 6, 29, tzinfo=UTC)),
    ShotFilter(isos=(100,), exposures_s=(1 / 30,)),
    ShotFilter(states=("registered", "failed")),
    ShotFilter(verdicts=("rejected",)),
    ShotFilter(role="jpeg"),
]


@pytest.mark.parametrize("page_size", [7, 500])
def test_a_filter_finds_what_it_says_in_the_order_of_time(
    made_up: tuple[Catalogue, list[ShotRecord]], page_size: int
) -> None:
    catalogue, expected = made_up
    everything = list(iterate_shots(catalogue, ShotFilter(), "months", page_size))
    roles = {record.id: {asset.role for asset in record.assets} for record in everything}
    a_session = everything[0].session_id
    for chosen in [*FILTERS, ShotFilter(session=a_session, kinds=("natural",))]:
        wanted = [record for record in expected if passes(record, chosen, roles[record.id])]
        found = list(iterate_shots(catalogue, chosen, "months", page_size))
        assert [replace(record, assets=()) for record in found] == wanted, chosen
        assert len(wanted) > 0
        if chosen.role is not None:
            assert {asset.role for record in found for asset in record.assets} == {chosen.role}


def test_a_line_has_exactly_the_promised_keys(catalogue: Catalogue) -> None:
    with catalogue.writing() as transaction:
        session = add_session(transaction)
        shot = add_shot(transaction, session, add_camera(transaction), 1)
        stored = catalogue.store.put_bytes(b"frame")
        register_asset(transaction, stored, "raw", NOW, shot_id=shot.id)
    add_verdict(catalogue, shot.uuid, "accepted", "sharp", None, "ada", NOW)
    (record,) = iterate_shots(catalogue, ShotFilter())
    line = json.loads(json.dumps(record.to_json()))
    assert line == {
        "id": shot.uuid,
        "camera_serial": "7100001",
        "kind": "dark-field",
        "scene": None,
        "timeslot": None,
        "session_id": session.uuid,
        "triggered_at": "2026-01-01T12:00:00+00:00",
        "exposure_s": 4.0,
        "iso": 800,
        "f_number": None,
        "state": "registered",
        "verdict": "accepted",
        "assets": [
            {
                "role": "raw",
                "sha256": stored.sha256,
                "bytes": 5,
                "path": str(catalogue.store.path(stored.sha256)),
            }
        ],
    }


def test_pages_neither_repeat_nor_hide_a_shot_while_others_are_added(
    catalogue: Catalogue,
) -> None:
    with catalogue.writing() as transaction:
        session, camera = add_session(transaction), add_camera(transaction)
        there = {
            add_shot(transaction, session, camera, number, NOW + timedelta(minutes=number % 7)).uuid
            for number in range(40)
        }
    found: list[str] = []
    shots: Iterator[ShotRecord] = iterate_shots(catalogue, ShotFilter(), page_size=4)
    for number, record in enumerate(shots):
        found.append(record.id)
        if number < 60:
            with catalogue.writing() as transaction:
                at = NOW + timedelta(minutes=number % 7 - 1)
                add_shot(transaction, session, camera, 1000 + number, at)
    assert len(found) == len(set(found))
    assert there <= set(found)


@pytest.mark.parametrize(
    ("chosen", "error", "message"),
    [
        ({"cameras": ("9",)}, UnknownCameraError, "the catalogue has 7100001"),
        ({"scenes": ("moon",)}, UnknownSceneError, "agetrace scene list"),
        ({"scenes": ("brick@two",)}, FilterError, "is a number"),
        ({"session": "9"}, UnknownSessionError, "'9'"),
        ({"timeslots": (99,)}, FilterError, "it has 1 to 10"),
        ({"kinds": ("dark",)}, FilterError, "dark-field, flat-field"),
        ({"states": ("done",)}, FilterError, "registered"),
        ({"verdicts": ("good",)}, FilterError, "accepted"),
        ({"role": "negative"}, FilterError, "raw, jpeg"),
        ({"since": datetime(2024, 1, 1)}, FilterError, "needs a zone"),  # noqa: DTZ001
    ],
)
def test_a_filter_that_cannot_be_is_refused_at_once(
    catalogue: Catalogue, chosen: dict[str, Any], error: type[RequestError], message: str
) -> None:
    add_months(catalogue, datetime(2024, 11, 1, tzinfo=UTC))
    with catalogue.writing() as transaction:
        add_camera(transaction)
    with pytest.raises(error, match=message):
        iterate_shots(catalogue, ShotFilter(**chosen), "months")


def test_timeslots_need_a_scheme_that_exists(catalogue: Catalogue) -> None:
    with pytest.raises(FilterError, match="name the scheme"):
        iterate_shots(catalogue, ShotFilter(timeslots=(1,)))
    with pytest.raises(TimeslotSchemeError, match="timeslot scheme add"):
        iterate_shots(catalogue, ShotFilter(), "months")


def test_a_filter_is_not_its_result() -> None:
    with pytest.raises(TypeError, match="iterate_shots"):
        bool(ShotFilter())


@pytest.fixture
def large(catalogue: Catalogue) -> Catalogue:
    """Catalogue of 20,000 shots by twenty cameras."""
    with catalogue.writing() as transaction:
        session = add_session(transaction)
        cameras = [add_camera(transaction, serial) for serial in map(str, range(20))]
        transaction.execute(
            insert(Shot),
            [
                {
                    "uuid": f"shot-{number}",
                    "session_id": session.id,
                    "camera_id": cameras[number % 20].id,
                    "sequence": number,
                    "kind": ("dark-field", "flat-field", "fixed-background")[number % 3],
                    "triggered_at": START + timedelta(minutes=number),
                }
                for number in range(20_000)
            ],
        )
        transaction.execute(
            text(
                "insert into shot_event (shot_id, name, at)"
                " select id, 'registered', triggered_at from shot"
            )
        )
        transaction.execute(text("analyze"))
    return catalogue


def test_many_shots_are_read_with_two_statements_per_page(large: Catalogue) -> None:
    statements: list[str] = []

    def remember(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lower().startswith("select"):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", remember)
    try:
        found = list(iterate_shots(large, ShotFilter(states=("registered",)), page_size=2000))
    finally:
        event.remove(Engine, "before_cursor_execute", remember)
    assert len(found) == 20_000
    assert all(record.state == "registered" for record in found)
    # behind the last full page come none of known and none of unknown time, and no files of theirs
    assert len(statements) == 2 * 10 + 2
