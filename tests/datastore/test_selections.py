"""Selections hold what they say, as a person who reads every shot would find."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import datastore
from datastore.catalogue import Catalogue
from datastore.errors import (
    CatalogueReadOnlyError,
    FilterError,
    UnknownCameraError,
    UnknownSceneError,
    UnknownSelectionError,
    UnknownSessionError,
)
from datastore.selections import (
    All,
    Condition,
    DefectWithin,
    Known,
    Not,
    OneOf,
    Selection,
    Within,
    find_saved,
    list_saved,
    parse,
    save,
)
from datastore.selections import Any as AnyOf
from datastore.tables import (
    Asset,
    Camera,
    DefectLedger,
    FrameMeasures,
    LedgerDefect,
    Session,
    Shot,
    ShotEvent,
    ShotSettings,
    Timeslot,
    TimeslotScheme,
    Verdict,
)
from tests.support.catalogue_rows import NOW, add_camera, add_session

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CAMERAS = ("7100001", "7100002", None)
KINDS = ("dark-field", "flat-field")
ISOS = (100, 200, None)
EXPOSURES = ("1/30", "4", None)
VERDICTS = ("accepted", "quarantined", None)
TEMPERATURES = (20.5, 31.0, None)
SHOTS = 120
LEDGER = (
    (14, 29, False, START),
    (10, 20, False, START + 20 * DAY),
    (2, 2, True, START + 40 * DAY),
    (12, 25, True, START + 30 * DAY),
)
"""Two ledgers of either camera, each with one defect: row, column, pre-existing, onset."""


@dataclasses.dataclass(repr=False)
class Written:
    """A shot as it was written, beside the catalogue."""

    uuid: str
    camera: str | None
    kind: str
    iso: int | None
    exposure_s: float | None
    at: datetime | None
    verdict: str | None
    temperature_c: float | None
    roles: tuple[str, ...]
    session: str
    warm_up: bool


@dataclasses.dataclass(repr=False)
class Filled:
    """A catalogue and what was written to it."""

    catalogue: Catalogue
    written: list[Written]


@pytest.fixture
def filled(catalogue: Catalogue) -> Filled:
    """Fill a catalogue with shots of all sorts."""
    return Filled(catalogue, fill(catalogue))


@pytest.fixture
def written(filled: Filled) -> list[Written]:
    """Return what the shots of a filled catalogue are."""
    return filled.written


def fill(catalogue: Catalogue) -> list[Written]:
    known = []
    with catalogue.writing() as transaction:
        cameras: dict[str | None, Camera | None] = {
            serial: None if serial is None else add_camera(transaction, serial)
            for serial in CAMERAS
        }
        sessions = [add_session(transaction, START + n * DAY) for n in range(3)]
        scheme = TimeslotScheme(name="tens", created_at=NOW)
        transaction.add(scheme)
        transaction.flush()
        for ordinal in range(1, 5):
            begins = START + 10 * (ordinal - 1) * DAY
            transaction.add(
                Timeslot(
                    scheme_id=scheme.id,
                    ordinal=ordinal,
                    starts_at=begins,
                    ends_at=begins + 10 * DAY,
                )
            )
        for number in range(SHOTS):
            known.append(_add(transaction, number, cameras, sessions))
        for number, (row, column, pre_existing, onset_before) in enumerate(LEDGER):
            defective = cameras[CAMERAS[number // 2] or ""]
            assert defective is not None
            ledger = DefectLedger(
                camera_id=defective.id,
                code_version="0",
                parameters={},
                inputs=[],
                summary={},
                created_at=NOW,
            )
            transaction.add(ledger)
            transaction.flush()
            transaction.add(
                LedgerDefect(
                    ledger_id=ledger.id, row=row, column=column, kind="hot",
                    pre_existing=pre_existing, onset_after=None if pre_existing else START,
                    onset_before=onset_before, last_seen=START + 30 * DAY, amplitude_dn=9.0,
                    significance=9.0, blinking=False, annealed=False, flags=[],
                )
            )  # fmt: skip
    return known


def _add(
    transaction: Any, number: int, cameras: dict[str | None, Camera | None], sessions: list[Session]
) -> Written:
    serial = CAMERAS[number % 3]
    camera = cameras[serial]
    exposure = EXPOSURES[number // 2 % 3]
    at = None if number % 7 == 0 else START + (number * 37 % 50) * DAY / 1.1
    session = sessions[number % len(sessions)]
    shot = Shot(
        session_id=session.id,
        camera_id=None if camera is None else camera.id,
        sequence=number,
        kind=KINDS[number // 3 % 2],
        triggered_at=at,
        exposure=exposure,
        exposure_s=None if exposure is None else float(Fraction(exposure)),
        iso=ISOS[number // 5 % 3],
        warm_up=number % 11 == 0,
    )
    transaction.add(shot)
    transaction.flush()
    transaction.add(ShotEvent(shot_id=shot.id, name="planned", at=NOW))
    transaction.add(ShotEvent(shot_id=shot.id, name="registered", at=NOW))
    verdict = VERDICTS[number // 4 % 3]
    if verdict is not None:
        transaction.add(
            Verdict(shot_id=shot.id, verdict="accepted", reason="r", author="a", at=NOW)
        )
        transaction.add(Verdict(shot_id=shot.id, verdict=verdict, reason="r", author="a", at=NOW))
    roles = ((), ("raw",), ("raw", "jpeg"))[number // 2 % 3]
    temperature_c = TEMPERATURES[number // 6 % 3]
    for role in roles:
        asset = Asset(
            sha256=f"{number:060x}{roles.index(role):04x}",
            bytes=1,
            role=role,
            shot_id=shot.id,
            created_at=NOW,
        )
        transaction.add(asset)
        transaction.flush()
        if role == "raw" and temperature_c is not None:
            transaction.add(
                FrameMeasures(
                    asset_id=asset.id, temperature_c=temperature_c, code_version="0",
                    measured_at=NOW,
                )
            )  # fmt: skip
    if not roles and temperature_c is not None:
        transaction.add(ShotSettings(shot_id=shot.id, source="exif", temperature_c=temperature_c))
    return Written(
        shot.uuid, serial, shot.kind, shot.iso, shot.exposure_s, at, verdict, temperature_c,
        roles, session.uuid, shot.warm_up,
    )  # fmt: skip


def holds(condition: Condition, shot: Written) -> bool:
    """Say by plain reading whether a condition holds of a shot."""
    match condition:
        case All():
            return all(holds(each, shot) for each in condition.conditions)
        case AnyOf():
            return any(holds(each, shot) for each in condition.conditions)
        case Not():
            return not holds(condition.condition, shot)
        case DefectWithin():
            if shot.camera is None or shot.at is None:
                return False
            (top, bottom), (left, right) = condition.rows, condition.columns
            row, column, pre_existing, onset = LEDGER[2 * CAMERAS.index(shot.camera) + 1]
            is_inside = top <= row <= bottom and left <= column <= right
            return is_inside and (pre_existing or onset <= shot.at)
        case OneOf() | Within() | Known():
            values = _values(condition.field, shot)
            if isinstance(condition, Known):
                return bool(values)
            if isinstance(condition, OneOf):
                return any(_same(value, wanted) for value in values for wanted in condition.values)
            return any(_lies(value, condition) for value in values)
    raise AssertionError(condition)


def _values(field: str, shot: Written) -> list[Any]:
    if field == "role":
        return list(shot.roles)
    if field == "timeslot":
        days = None if shot.at is None else (shot.at - START) / DAY
        return [] if days is None or not 0 <= days < 40 else [int(days // 10) + 1]
    if field == "simulated":
        return [] if shot.camera is None else [True]
    name = {"time": "at"}.get(field, field)
    value = getattr(shot, name)
    return [] if value is None else [value]


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, (float, Fraction)):
        return abs(float(value) - float(wanted)) <= 1e-6 * abs(float(wanted))
    return bool(value == wanted)


def _lies(value: Any, bounds: Within) -> bool:
    lowest: Any = bounds.lowest
    highest: Any = bounds.highest
    lowest = float(lowest) if isinstance(lowest, Fraction) else lowest
    highest = float(highest) if isinstance(highest, Fraction) else highest
    above = lowest is None or value > lowest or (bounds.with_lowest and value == lowest)
    below = highest is None or value < highest or (bounds.with_highest and value == highest)
    return bool(above and below)


def comparisons() -> st.SearchStrategy[Condition]:
    times = st.integers(-5, 55).map(lambda days: START + days * DAY)

    def one_of(field: str, *values: Any) -> st.SearchStrategy[Condition]:
        chosen = st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)
        return chosen.map(lambda found: OneOf(field, tuple(found)))

    def within(field: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Condition]:
        bounds = st.tuples(st.none() | values, st.none() | values, st.booleans(), st.booleans())
        return bounds.filter(lambda b: b[:2] != (None, None)).map(lambda b: Within(field, *b))

    return st.one_of(
        one_of("camera", "7100001", "7100002"),
        one_of("kind", *KINDS, "natural"),
        one_of("iso", 100, 200, 400),
        one_of("exposure_s", Fraction(1, 30), 4.0, 4.0000001),
        one_of("verdict", "accepted", "quarantined", "rejected"),
        one_of("state", "registered", "failed").filter(lambda c: "failed" not in str(c)),
        one_of("role", "raw", "jpeg", "preview"),
        one_of("temperature_c", 20.5, 31.0),
        one_of("timeslot", 1, 2, 4),
        one_of("warm_up", True, False),
        one_of("simulated", True, False),
        within("iso", st.integers(50, 300)),
        within("time", times),
        within("timeslot", st.integers(0, 6)),
        within("temperature_c", st.sampled_from([10.0, 20.5, 25.0, 40.0])),
        within("exposure_s", st.sampled_from([Fraction(1, 60), Fraction(1, 2), 10.0])),
        st.sampled_from(
            ["camera", "iso", "exposure_s", "time", "verdict", "role", "temperature_c", "timeslot"]
        ).map(Known),
        st.just(DefectWithin((0, 15), (20, 30))),
        st.just(DefectWithin((11, 15), (20, 30))),
        st.just(DefectWithin((0, 10), (0, 20))),
        st.just(DefectWithin((0, 5), (0, 5))),
    ).filter(lambda c: not (isinstance(c, OneOf) and c.field == "state"))


def expressions() -> st.SearchStrategy[Condition]:
    return st.recursive(
        comparisons(),
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=2, max_size=3).map(lambda c: All(tuple(c))),
            st.lists(inner, min_size=2, max_size=3).map(lambda c: AnyOf(tuple(c))),
        ),
        max_leaves=6,
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=expressions())
def test_a_selection_has_the_shots_of_which_its_condition_holds(
    filled: Filled, condition: Condition
) -> None:
    selection = filled.catalogue.shots.labelled("tens").where(condition)
    expected = {shot.uuid for shot in filled.written if holds(condition, shot)}
    assert {shot.id for shot in selection} == expected
    assert selection.count() == len(expected)


@given(condition=expressions())
def test_what_is_written_down_reads_back_as_the_same(condition: Condition) -> None:
    text = str(parse(str(condition)))
    assert str(parse(text)) == text
    for shot in (
        Written("u", "7100001", "dark-field", 100, 4.0, START + 21 * DAY, None, 20.5, ("raw",), "s",
               False),
        Written("u", None, "flat-field", None, None, None, "accepted", None, (), "s", True),
    ):  # fmt: skip
        assert holds(parse(text), shot) == holds(condition, shot)


def test_pages_follow_one_another_without_gap_or_repetition(
    catalogue: Catalogue, written: list[Written]
) -> None:
    found: list[str] = []
    after: str | None = None
    while True:
        page = catalogue.shots.page(7, after)
        found += [record.id for record in page.records]
        assert len(page.records) <= 7
        after = page.after
        if after is None:
            break
    assert len(found) == SHOTS and set(found) == {shot.uuid for shot in written}
    times = [record.triggered_at for record in catalogue.shots]
    timed = [at for at in times if at is not None]
    assert timed == sorted(timed)
    assert times[len(timed) :] == [None] * (SHOTS - len(timed))
    with pytest.raises(FilterError, match="where a page ended"):
        catalogue.shots.page(7, "nonsense")


def test_keywords_and_expressions_select_alike(
    catalogue: Catalogue, written: list[Written]
) -> None:
    shots = catalogue.shots.labelled("tens")
    by_keywords = shots.where(
        camera="7100001", iso=[100, 200], timeslot=range(1, 4), since=START, until=START + 25 * DAY
    )
    by_text = shots.where(
        "camera = 7100001 and iso in (100, 200) and timeslot between 1 and 3"
        " and time >= 2026-01-01T00:00Z and time < 2026-01-26T00:00Z"
    )
    ids = {record.id for record in by_keywords}
    assert ids and ids == {record.id for record in by_text}
    unknown = {record.id for record in shots.where(iso=None)}
    assert unknown == {shot.uuid for shot in written if shot.iso is None}


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("colour = red", "column 1: shots are not selected by 'colour': use camera, kind"),
        ("iso = many", "column 1: iso takes a whole number, not 'many'"),
        ("kind = dark", "column 1: kind takes dark-field, flat-field"),
        ("iso = 100 and", "column 14: a field was expected, not the end"),
        ("iso 100", "column 5: =, !=, <"),
        ("iso in (100, 200", "column 17: `\\)` was expected, not the end"),
        ("camera = 'A", "column 10: a quote is not closed"),
        ("camera = ;", "column 10: ';' needs quotes"),
        ("time >= 2026-01-01", "column 1: time takes an ISO 8601 time with a zone"),
        ("camera > 3", "column 1: camera has no order"),
        ("iso = 100 iso = 200", "column 11: `and`, `or` or the end was expected, not 'iso'"),
        ("defect within rows 9 to 3 columns 1 to 2", "column 8: rows of a region"),
        ("(" * 200, "nested too deeply"),
        ("not " * 5000 + "iso = 1", "`not` is repeated too often"),
        ("exposure_s = 1e999999999", "column 1: exposure_s takes seconds"),
        ("mean_dn > 1e400", "column 1: mean_dn takes a number"),
        ("iso = 99999999999999999999", "column 1: iso takes a whole number"),
        ("time > 0001-01-01T00:00+14:00", "column 1: time takes an ISO 8601 time"),
    ],
)
def test_an_expression_that_cannot_be_read_is_told_with_its_column(
    expression: str, problem: str
) -> None:
    with pytest.raises(FilterError, match=problem):
        parse(expression)


def test_what_the_catalogue_does_not_have_is_told_at_once(
    catalogue: Catalogue, written: list[Written]
) -> None:
    shots = catalogue.shots
    with pytest.raises(UnknownCameraError, match="the catalogue has 7100001, 7100002"):
        shots.where(camera="1")
    with pytest.raises(UnknownSceneError):
        shots.where(scene="bricks")
    with pytest.raises(UnknownSessionError):
        shots.where(session="none")
    with pytest.raises(FilterError, match="name the scheme too"):
        shots.where(timeslot=1)
    with pytest.raises(FilterError, match="has no timeslot 9, it has 1 to 4"):
        shots.labelled("tens").where(timeslot=9)


def test_what_no_statement_holds_is_refused(catalogue: Catalogue) -> None:
    shots = catalogue.shots
    for condition in (
        " or ".join(f"iso = {value}" for value in range(1000)),
        " and ".join(f"iso != {value}" for value in range(1000)),
        OneOf("attempt", tuple(range(20_000))),
    ):
        with pytest.raises(FilterError, match="at most 500 comparisons"):
            shots.where(condition)
    with pytest.raises(FilterError, match="Within"):
        shots.where(attempt=range(10**12))
    assert shots.where(" or ".join(f"iso = {value}" for value in range(500))).count() == 0
    assert shots.where(OneOf("attempt", tuple(range(10_000)))).count() == 0


@pytest.mark.parametrize(
    "token",
    [
        "nonsense", "", "é", "WzEsMl0=",  # [1, 2]
        "W251bGwsIDFlOTldCg==",  # [null, 1e99]
        "W251bGwsIDk5OTk5OTk5OTk5OTk5OTk5OTk5OTldCg==",  # a number that no column holds
        "W251bGwsIHRydWVdCg==",  # [null, true]
        "Ww==" * 100,
    ],
)  # fmt: skip
def test_what_no_page_gave_is_refused(catalogue: Catalogue, token: str) -> None:
    with pytest.raises(FilterError, match="where a page ended"):
        catalogue.shots.page(7, token)


def test_a_selection_is_not_taken_for_its_result(catalogue: Catalogue) -> None:
    with pytest.raises(TypeError, match="count"):
        bool(catalogue.shots)
    with pytest.raises(TypeError, match="compose"):
        _ = parse("iso = 100") and parse("iso = 200")


def test_tables_have_types_and_the_same_rows(catalogue: Catalogue, written: list[Written]) -> None:
    polars = pytest.importorskip("polars")
    selection = catalogue.shots.labelled("tens").where(kind="dark-field")
    by_uuid = {shot.uuid: shot for shot in written}
    frame = selection.to_pandas()
    assert str(frame["triggered_at"].dtype) == "datetime64[us, UTC]"
    assert str(frame["iso"].dtype) == "Int64"
    table = selection.to_arrow()
    assert table.num_rows == len(frame) == selection.to_polars().height == selection.count()
    assert selection.to_polars()["triggered_at"].dtype == polars.Datetime("us", "UTC")
    for row in table.to_pylist():
        shot = by_uuid[row["id"]]
        assert (row["camera_serial"], row["iso"], row["verdict"], row["triggered_at"]) == (
            shot.camera, shot.iso, shot.verdict, shot.at,
        )  # fmt: skip
        assert [asset["role"] for asset in row["assets"]] == list(shot.roles)
        if shot.roles:
            assert row["temperature_c"] == shot.temperature_c
    sizes = [batch.num_rows for batch in catalogue.shots.batches(50)]
    assert sizes == [50, 50, 20]


def test_a_notebook_shows_hostile_texts_as_texts(catalogue: Catalogue) -> None:
    with catalogue.writing() as transaction:
        camera = add_camera(transaction, "<script>alert(1)</script>")
        session = add_session(transaction)
        transaction.add(
            Shot(session_id=session.id, camera_id=camera.id, sequence=1, kind="natural")
        )
    shown = catalogue.shots._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown
    assert "<b>1 shots</b>" in shown


def test_a_notebook_shows_thumbnails_of_what_can_be_shown(sqlite_catalogue: Catalogue) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (600, 900, 3), np.uint8)
    encoded = cv2.imencode(".jpg", picture)[1].tobytes()
    contents = [encoded, encoded[: len(encoded) // 3], b"no image", b""]
    with sqlite_catalogue.writing() as transaction:
        session = add_session(transaction)
        for number, content in enumerate([*contents, None]):
            shot = Shot(session_id=session.id, sequence=number, kind="natural")
            transaction.add(shot)
            transaction.flush()
            sha256 = f"{number:064x}"
            if content is not None:
                sha256 = sqlite_catalogue.store.put_bytes(content).sha256
            transaction.add(
                Asset(sha256=sha256, bytes=1, role="jpeg", shot_id=shot.id, created_at=NOW)
            )
    shown = sqlite_catalogue.shots._repr_html_()
    assert shown.count("<tr title=") == len(contents) + 1
    thumbnails = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', shown)
    assert 1 <= len(thumbnails) <= 2
    for thumbnail in thumbnails:
        data = np.frombuffer(base64.b64decode(thumbnail), np.uint8)
        shrunk = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert shrunk is not None
        height, width = shrunk.shape[:2]
        assert width <= 120 and round(width / height, 1) == 1.5


def test_pages_go_on_while_shots_are_added(catalogue: Catalogue, written: list[Written]) -> None:
    seen: list[str] = []
    for number, records in enumerate(catalogue.shots.pages(10)):
        seen += [record.id for record in records]
        if number < 3:
            with catalogue.writing() as transaction:
                session = add_session(transaction)
                for at in (START - DAY, START + 90 * DAY):
                    transaction.add(
                        Shot(session_id=session.id, sequence=1 + (at > START), kind="natural",
                             triggered_at=at)
                    )  # fmt: skip
    assert len(seen) == len(set(seen))
    assert {shot.uuid for shot in written} < set(seen)
    # what lies behind where the reading was is seen, what lies before is not
    assert len(seen) == SHOTS + 3


def test_explain_shows_statement_values_and_plan(
    catalogue: Catalogue, written: list[Written]
) -> None:
    text = catalogue.shots.where(kind="dark-field", camera="7100001").explain()
    assert "condition: kind = dark-field and camera = 7100001" in text
    assert "'dark-field'" in text and "plan:" in text
    assert "ix_shot" in text if catalogue.url.startswith("sqlite") else "Scan" in text


def test_the_newest_of_a_name_is_the_saved_selection(
    catalogue: Catalogue, written: list[Written]
) -> None:
    save(catalogue.shots.where(iso=100), "low", operator="ada", at=NOW)
    save(catalogue.shots.where("iso <= 200"), "low", operator="ada", at=NOW)
    with catalogue.reading() as transaction:
        assert find_saved(transaction, "low").expression == "iso <= 200"
        assert [saved.name for saved in list_saved(transaction)] == ["low"]
        with pytest.raises(UnknownSelectionError, match="the catalogue has low"):
            find_saved(transaction, "high")
    with pytest.raises(FilterError, match="is no name"):
        save(catalogue.shots, "../x", operator=None, at=NOW)


@pytest.fixture
def read_only(sqlite_catalogue: Catalogue, tmp_path: Path) -> Iterator[Catalogue]:
    fill(sqlite_catalogue)
    with datastore.open(tmp_path / "catalogue.sqlite") as opened:
        yield opened


def test_reading_only_writes_nothing_and_follows_who_writes(
    read_only: Catalogue, sqlite_catalogue: Catalogue
) -> None:
    assert isinstance(read_only.shots, Selection)
    assert read_only.shots.count() == SHOTS
    with pytest.raises(CatalogueReadOnlyError, match="read_only=False"), read_only.writing():
        pass
    with sqlite_catalogue.writing() as transaction:
        session = add_session(transaction)
        transaction.add(Shot(session_id=session.id, sequence=1, kind="natural"))
    assert read_only.shots.count() == SHOTS + 1
