"""Counts of shots are those that counting in Python finds, by whatever they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datastore.bulk import BulkEvent, BulkShot, BulkVerdict, write_shots
from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock
from datastore.counts import Dimension, ShotCount, count_shots
from datastore.errors import FilterError, TimeslotSchemeError, UnknownCameraError
from datastore.queries import ShotFilter
from datastore.tables import Fixture, FixtureRevision, Scene, SceneRevision, new_uuid
from datastore.timeslots import ExplicitScheme, Span, add_scheme
from tests.support.catalogue_rows import NOW, add_camera, add_session

START = datetime(2024, 1, 1, tzinfo=UTC)
DIMENSIONS: tuple[str, ...] = get_args(Dimension)
SLOTS = ((0, 10), (10, 20), (30, 31), (40, 60))
"""Days between which each timeslot lies: some touch, some leave gaps."""
SCENES = ("bricks", "bricks", "leaves")
"""Names of the scenes of the revisions: the first one has two."""
SERIALS = ("7100001", "7100002")


@dataclass(frozen=True)
class Seen:
    """What a test knows of a shot."""

    scene_revision: int | None
    camera: int | None
    day: float | None
    kind: str
    state: str | None
    verdict: str | None
    session: int


def seen_shots() -> st.SearchStrategy[list[Seen]]:
    return st.lists(
        st.builds(
            Seen,
            scene_revision=st.none() | st.integers(0, len(SCENES) - 1),
            camera=st.none() | st.integers(0, len(SERIALS) - 1),
            # bounds of timeslots above all
            day=st.none()
            | st.sampled_from([-5.0, 0.0, 9.999, 10.0, 20.0, 29.999, 30.0, 31.0, 59.999, 60.0]),
            kind=st.sampled_from(["dark-field", "natural"]),
            state=st.none() | st.sampled_from(["planned", "registered"]),
            verdict=st.none() | st.sampled_from(["accepted", "quarantined"]),
            session=st.integers(0, 1),
        ),
        max_size=25,
    )


@dataclass(frozen=True)
class Filled:
    """A catalogue with surroundings, and the rows in them."""

    catalogue: Catalogue
    scene_revisions: list[int]
    cameras: list[int]
    sessions: list[tuple[int, str]]

    def write(self, shots: list[Seen], first: int) -> None:
        def at(day: float | None) -> datetime | None:
            return None if day is None else START + timedelta(days=day)

        rows = [
            BulkShot(
                uuid=new_uuid(),
                session_id=self.sessions[shot.session][0],
                camera_id=None if shot.camera is None else self.cameras[shot.camera],
                sequence=number,
                kind=shot.kind,
                scene_revision_id=None
                if shot.scene_revision is None
                else self.scene_revisions[shot.scene_revision],
                triggered_at=at(shot.day),
                events=() if shot.state is None else (BulkEvent(shot.state, NOW),),
                verdict=None
                if shot.verdict is None
                else BulkVerdict(shot.verdict, "Because.", "test", NOW),
            )
            for number, shot in enumerate(shots, first)
        ]
        write_shots(self.catalogue, rows, clock=FixedClock(NOW))

    def value(self, name: str, shot: Seen) -> Any:
        if name == "timeslot":
            return next(
                (
                    ordinal
                    for ordinal, (first, end) in enumerate(SLOTS, 1)
                    if shot.day is not None and first <= shot.day < end
                ),
                None,
            )
        values: dict[str, Callable[[], Any]] = {
            "scene": lambda: None if shot.scene_revision is None else SCENES[shot.scene_revision],
            "camera": lambda: None if shot.camera is None else SERIALS[shot.camera],
            "session": lambda: self.sessions[shot.session][1],
        }
        return values[name]() if name in values else getattr(shot, name)


@pytest.fixture
def filled(catalogue: Catalogue) -> Filled:
    with catalogue.writing() as transaction:
        sessions = [add_session(transaction) for _ in range(2)]
        cameras = [add_camera(transaction, serial).id for serial in SERIALS]
        fixture = Fixture(name="box", simulated=True, created_at=NOW)
        transaction.add(fixture)
        transaction.flush()
        revision = FixtureRevision(
            fixture_id=fixture.id, revision=1, content_sha256="0", description={}, created_at=NOW
        )
        scenes = {name: Scene(fixture_id=fixture.id, name=name) for name in dict.fromkeys(SCENES)}
        transaction.add_all([revision, *scenes.values()])
        transaction.flush()
        scene_revisions = [
            SceneRevision(
                scene_id=scenes[name].id,
                revision=number,
                fixture_revision_id=revision.id,
                background="b",
                foreground="f",
                illumination="i",
                content_sha256="0",
            )
            for number, name in enumerate(SCENES, 1)
        ]
        transaction.add_all(scene_revisions)
        transaction.flush()
        found = Filled(
            catalogue,
            [row.id for row in scene_revisions],
            cameras,
            [(session.id, session.uuid) for session in sessions],
        )
    spans = tuple(
        Span(start=START + timedelta(days=first), end=START + timedelta(days=end))
        for first, end in SLOTS
    )
    scheme = ExplicitScheme(name="gaps", division="explicit", timeslots=spans)
    add_scheme(catalogue, scheme, NOW)
    # a scheme beside it changes nothing
    other = ExplicitScheme(name="other", division="explicit", timeslots=spans[:1])
    add_scheme(catalogue, other, NOW)
    return found


def counted(filled: Filled, by: tuple[str, ...], shots: list[Seen]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(filled.value(name, shot) for name in by) for shot in shots)


def as_counter(counts: list[ShotCount]) -> Counter[tuple[Any, ...]]:
    assert len({count.values for count in counts}) == len(counts)
    assert all(count.shots > 0 for count in counts)
    return Counter({count.values: count.shots for count in counts})


@pytest.fixture
def memory() -> list[Seen]:
    """Every shot that was written to the test's catalogue."""
    return []


@settings(
    max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)
@given(added=seen_shots())
def test_counts_are_those_of_python(filled: Filled, added: list[Seen], memory: list[Seen]) -> None:
    filled.write(added, first=len(memory))
    memory += added
    for size in (1, 2, 3):
        for by in combinations(DIMENSIONS, size):
            counts = count_shots(filled.catalogue, by, scheme="gaps")
            assert as_counter(counts) == counted(filled, by, memory), by


SHOTS = [
    Seen(0, 0, 1.0, "dark-field", "registered", "accepted", 0),
    Seen(0, 0, 2.0, "dark-field", "registered", "quarantined", 0),
    Seen(1, 0, 2.0, "dark-field", "registered", "accepted", 1),
    Seen(2, 1, 30.5, "dark-field", "planned", None, 1),
    Seen(None, 1, 25.0, "natural", "registered", "accepted", 1),
    Seen(None, None, None, "natural", "registered", "accepted", 1),
]


def test_counts_come_in_order_with_what_is_unknown_last(filled: Filled) -> None:
    filled.write(SHOTS, first=0)
    assert count_shots(filled.catalogue, scheme="gaps") == [
        ShotCount((1, "bricks", "7100001"), 3),
        ShotCount((3, "leaves", "7100002"), 1),
        ShotCount((None, None, "7100002"), 1),
        ShotCount((None, None, None), 1),
    ]
    assert count_shots(filled.catalogue, ("camera", "timeslot"), scheme="other") == [
        ShotCount(("7100001", 1), 3),
        ShotCount(("7100002", None), 2),
        ShotCount((None, None), 1),
    ]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (ShotFilter(cameras=("7100001",)), [((1, "bricks"), 3)]),
        (ShotFilter(kinds=("natural",)), [((None, None), 2)]),
        (ShotFilter(verdicts=("quarantined",)), [((1, "bricks"), 1)]),
        (ShotFilter(scenes=("bricks@1",), timeslots=(1, 3)), [((1, "bricks"), 2)]),
        (ShotFilter(states=("planned",)), [((3, "leaves"), 1)]),
        (ShotFilter(isos=(100,)), []),
    ],
)
def test_only_what_is_wanted_counts(
    filled: Filled, chosen: ShotFilter, expected: list[tuple[Any, int]]
) -> None:
    filled.write(SHOTS, first=0)
    counts = count_shots(filled.catalogue, ("timeslot", "scene"), where=chosen, scheme="gaps")
    assert counts == [ShotCount(*pair) for pair in expected]


def test_an_empty_catalogue_has_no_counts(filled: Filled) -> None:
    assert count_shots(filled.catalogue, scheme="gaps") == []
    assert count_shots(filled.catalogue, ("verdict",)) == []


def test_requests_that_cannot_be_are_refused(filled: Filled) -> None:
    catalogue = filled.catalogue
    with pytest.raises(FilterError, match="'colour': use timeslot, scene"):
        count_shots(catalogue, ("colour",))
    with pytest.raises(FilterError, match="each once"):
        count_shots(catalogue, ("camera", "camera"))
    with pytest.raises(FilterError, match="each once"):
        count_shots(catalogue, ())
    with pytest.raises(FilterError, match="name the scheme"):
        count_shots(catalogue)
    with pytest.raises(TimeslotSchemeError, match="'moons'"):
        count_shots(catalogue, scheme="moons")
    with pytest.raises(UnknownCameraError):
        count_shots(catalogue, ("kind",), where=ShotFilter(cameras=("1",)))
