"""Published data sets: paths and tables become cameras, kinds and times, and nothing is made up."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.equipment import FixtureDescription, add_fixture
from datastore.errors import UnknownSceneError
from datastore.importing import (
    Mapping,
    MappingError,
    check_folder,
    read_mapping,
    read_options,
    ready_mapping_paths,
)
from datastore.importing._times import DeclaredTime, parse_written
from datastore.tables import Camera, Scene, SceneRevision, Shot, TimeslotScheme
from datastore.timeslots import find_scheme, timeslot_of
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot
from tests.support.frame_files import dark_mosaic, dng, facts
from tests.support.imports import camera_jpeg, describe, jpeg, row_counts, run, shots

SLOTS = {
    "name": "slots",
    "division": "explicit",
    "timeslots": [
        {"start": "2014-10-06T00:00:00Z", "end": "2014-10-13T00:00:00Z"},
        {"start": "2014-10-13T00:00:00Z", "end": "2014-10-27T00:00:00Z"},
    ],
}
IXUS = {"make": "Canon", "model": "IXUS 115 HS", "sensor_type": "CMOS"}
SET: dict[str, Any] = {
    "name": "set",
    "pattern": r"^(?P<camera>c\d)/(?P<timeslot>\w+)/",
    "timezone": "Europe/London",
    "cameras": {
        "c1": {**IXUS, "alias": "set-c1", "width": 384, "height": 256, "pixel_pitch_um": 1.5},
        "c2": {**IXUS, "alias": "set-c2", "width": 1000, "height": 750},
    },
    "timeslots": {"scheme": SLOTS, "names": {"second": 2}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "set"
    made.mkdir()
    return made


def mapping_of(folder: Path, **changes: Any) -> Mapping:
    path = folder.parent / "mapping.yaml"
    describe(path, **{**SET, **changes})
    return read_mapping(path)


def put(folder: Path, path: str, content: bytes) -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_paths_tell_camera_and_timeslot_and_a_time_is_no_more_exact_than_it_is(
    catalogue: Catalogue, folder: Path
) -> None:
    put(folder, "c1/1/with.jpg", camera_jpeg(1))
    put(folder, "c1/2/without.jpg", jpeg(2))
    put(folder, "c2/second/stripped.jpg", jpeg(3))
    put(folder, "c9/1/a.jpg", jpeg(4))
    put(folder, "other/1/b.jpg", jpeg(5))
    put(folder, "c1/7/c.jpg", jpeg(6))

    report = run(catalogue, folder, mapping=mapping_of(folder))

    found = shots(catalogue)
    assert set(found) == {"with.jpg", "without.jpg", "stripped.jpg"}
    # London was at UTC+1 until 26 October
    exact, unknown = found["with.jpg"], found["without.jpg"]
    assert exact.triggered_at == datetime(2014, 10, 8, 11, 30, tzinfo=UTC)
    assert (exact.time_source, exact.time_uncertainty_s) == ("declared", None)
    assert unknown.triggered_at == datetime(2014, 10, 20, tzinfo=UTC)
    assert (unknown.time_source, unknown.time_uncertainty_s) == ("declared", 7 * 86_400.0)
    with catalogue.reading() as session:
        scheme = find_scheme(session, "slots")
        ordinals = {
            name: slot and slot.ordinal
            for name, shot in found.items()
            for slot in [timeslot_of(shot.triggered_at, scheme)]
        }
    assert ordinals == {"with.jpg": 1, "without.jpg": 2, "stripped.jpg": 2}
    assert exact.camera is not None and found["stripped.jpg"].camera is not None
    assert (exact.camera.make, exact.camera.model, exact.camera.serial) == (
        "Canon", "IXUS 115 HS", "set-c1",
    )  # fmt: skip
    assert (exact.camera.identity_source, exact.camera.width, exact.camera.pixel_pitch_um) == (
        "alias", 384, 1.5,
    )  # fmt: skip
    assert found["stripped.jpg"].camera.serial == "set-c2"
    left = {entry.path: entry.reason for entry in report.report.refused}
    assert left == {
        "c9/1/a.jpg": "The mapping knows no camera 'c9'.",
        "other/1/b.jpg": "The mapping's pattern does not match its path.",
        "c1/7/c.jpg": "The scheme slots has no timeslot '7'.",
    }
    assert report.report.within_interval == 2
    assert "time_uncertainty_s" in report.report.summary()
    assert report.entry("c1/2/without.jpg").time_uncertainty_s == 7 * 86_400.0
    declared = (unknown.settings[0].raw_values or {})["declared"]
    assert declared["timeslot"]["ordinal"] == 2
    assert declared["mapping"] == "set"
    detail = unknown.session.events[0].detail or {}
    assert detail["mapping_sha256"] == declared["mapping_sha256"]


@pytest.mark.parametrize(
    ("zone", "believed", "doubted"),
    [
        (
            "Europe/London",
            ["2014:10:08 12:30:00", "2014:10:13 23:00:00"],  # within the tolerance of a day
            ["2014:10:15 12:30:00", "2000:01:01 00:00:00"],  # a clock that nobody set
        ),
        # some zone makes it the 13th
        (None, ["2014:10:14 10:00:00"], ["2014:10:15 12:30:00"]),
    ],
)
def test_a_time_outside_of_its_declared_timeslot_is_quarantined_with_both(
    sqlite_catalogue: Catalogue,
    folder: Path,
    zone: str | None,
    believed: list[str],
    doubted: list[str],
) -> None:
    for number, taken_at in enumerate([*believed, *doubted]):
        put(folder, f"c1/1/{taken_at}.jpg", camera_jpeg(number, taken_at=taken_at))
    run(sqlite_catalogue, folder, mapping=mapping_of(folder, timezone=zone))
    found = {name.removesuffix(".jpg"): shot for name, shot in shots(sqlite_catalogue).items()}
    assert len(found) == len(believed) + len(doubted)
    for taken_at in believed:
        assert found[taken_at].verdicts[0].verdict == "accepted"
    for taken_at in doubted:
        (verdict,) = found[taken_at].verdicts
        numbers = (verdict.numbers or {})["outside-timeslot"]
        assert (verdict.verdict, numbers["timeslot"]) == ("quarantined", 1)
        assert numbers["taken_at"][:4] == taken_at[:4]
        assert numbers["starts_at"].startswith("2014-10-06")
    # a time without a zone is no time; the declared timeslot stays the best that is known
    expected = 3.5 * 86_400 if zone is None else None
    assert {shot.time_uncertainty_s for shot in found.values()} == {expected}


@pytest.mark.parametrize(
    ("text", "written_as", "at", "uncertainty_s"),
    [
        ("20140305", "%Y%m%d", datetime(2014, 3, 5, 11, tzinfo=UTC), 43_200.0),
        # the day on which clocks were put forward has 23 hours
        ("20140330", "%Y%m%d", datetime(2014, 3, 30, 10, 30, tzinfo=UTC), 41_400.0),
        ("2014031215", "%Y%m%d%H", datetime(2014, 3, 12, 14, 30, tzinfo=UTC), 1800.0),
        ("201402", "%Y%m", datetime(2014, 2, 14, 23, tzinfo=UTC), 14 * 86_400.0),
        ("2014", "%Y", datetime(2014, 7, 2, 11, tzinfo=UTC), 182.5 * 86_400),
        ("20140305121500", "%Y%m%d%H%M%S", datetime(2014, 3, 5, 11, 15, tzinfo=UTC), None),
    ],
)
def test_a_text_that_tells_no_time_of_day_stands_for_the_whole_day_and_so_on(
    text: str, written_as: str, at: datetime, uncertainty_s: float | None
) -> None:
    assert parse_written(text, written_as, "Europe/Vienna") == DeclaredTime(at, uncertainty_s)
    if uncertainty_s is not None:
        assert parse_written(text, written_as, None) is None


def test_a_date_in_a_name_dates_a_shot_to_half_a_day(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    put(folder, "IMG_20140305_7.jpg", jpeg())
    describe(
        folder / "agetrace-import.yaml",
        file_name_pattern=r"_(?P<taken_at>\d{8})_",
        taken_at_format="%Y%m%d",
        timezone="Europe/Vienna",
    )
    report = run(sqlite_catalogue, folder)
    (shot,) = shots(sqlite_catalogue).values()
    assert shot.triggered_at == datetime(2014, 3, 5, 11, tzinfo=UTC)
    assert shot.time_uncertainty_s == 43_200
    assert report.report.within_interval == 1


def test_a_picture_that_the_camera_made_smaller_is_told_of_and_kept(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    put(folder, "c1/1/whole.jpg", jpeg(1))
    put(folder, "c2/1/smaller.jpg", jpeg(2))
    run(sqlite_catalogue, folder, mapping=mapping_of(folder))
    found = shots(sqlite_catalogue)
    (whole,), (smaller,) = found["whole.jpg"].verdicts, found["smaller.jpg"].verdicts
    assert (whole.verdict, whole.numbers) == ("accepted", None)
    assert smaller.verdict == "accepted"
    assert smaller.numbers == {
        "resized": {"width": 384, "height": 256, "sensor_width": 1000, "sensor_height": 750}
    }
    assert "no defect has a place of its own" in smaller.reason


def test_a_file_of_another_model_than_its_folder_says_is_attributed_to_no_camera(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    put(folder, "c1/1/a.jpg", camera_jpeg(1, make="NIKON", model="COOLPIX L330"))
    run(sqlite_catalogue, folder, mapping=mapping_of(folder))
    (shot,) = shots(sqlite_catalogue).values()
    assert shot.camera_id is None
    assert set(shot.verdicts[0].numbers or {}) == {"other-model"}


def test_one_alias_stands_for_one_body_whatever_its_files_are_called(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    for number, serial in enumerate(("7100001", "7100001", "7100002")):
        put(folder, f"c1/1/{number}.dng", dng(dark_mosaic(number), about=facts(serial=serial)))
    virtual = {"make": "Agetrace", "model": "Fixture 1", "alias": "set-c1"}
    mapping = mapping_of(folder, cameras={"c1": virtual}, timeslots=None, pattern="^(?P<camera>c1)")
    run(sqlite_catalogue, folder, mapping=mapping)
    # the next import knows it too
    put(folder, "c1/1/3.dng", dng(dark_mosaic(3), about=facts(serial="7100002")))
    put(folder, "c1/1/4.dng", dng(dark_mosaic(4), about=facts(serial="7100001")))
    run(sqlite_catalogue, folder, mapping=mapping)
    found = shots(sqlite_catalogue)
    for number, is_same in enumerate((True, True, False, False, True)):
        shot = found[f"{number}.dng"]
        (verdict,) = shot.verdicts
        if is_same:
            assert shot.camera is not None and shot.camera.serial == "set-c1"
            assert verdict.verdict == "accepted"
        else:
            assert shot.camera_id is None
            assert (verdict.numbers or {})["other-serial"] == {
                "serial": "7100002", "earlier_serial": "7100001",
            }  # fmt: skip


def test_a_captured_shot_is_not_doubted_for_what_is_declared_of_a_copy(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    content = jpeg(1)
    put(folder, "c1/1/copy.jpg", content)
    stored = sqlite_catalogue.store.put_bytes(content)
    with sqlite_catalogue.writing() as session:
        camera, capture = add_camera(session), add_session(session)
        shot = add_shot(session, capture, camera, 1)
        register_asset(session, stored, "jpeg", shot.triggered_at or NOW, shot_id=shot.id)
    report = run(sqlite_catalogue, folder, mapping=mapping_of(folder))
    entry = report.entry("c1/1/copy.jpg")
    assert entry.outcome == "refused"
    assert "from a capture: its camera is 7100001 there" in (entry.reason or "")
    (found,) = shots(sqlite_catalogue).values()
    assert found.verdicts == []


def test_a_scene_of_the_catalogue_may_be_declared(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    brick = {"background": "brick", "foreground": "bottle", "illumination": "daylight"}
    body = {"serial": "0071", "make": "Nikon", "model": "Z 30", "address": "ptpip:127.0.0.2:15740"}
    description = {
        "name": "north",
        "simulated": True,
        "cameras": [{**body, "profile": None, "sensor": None}],
        "scenes": [{"name": "brick", **brick}],
    }
    add_fixture(sqlite_catalogue, FixtureDescription.model_validate(description), NOW)
    put(folder, "c1/brick/a.jpg", jpeg(1))
    put(folder, "c2/brick@1/a.jpg", jpeg(2))
    pattern = "^(?P<camera>c.)/(?P<scene>[^/]+)/"
    mapping = mapping_of(folder, pattern=pattern, timeslots=None)
    run(sqlite_catalogue, folder, mapping=mapping)
    with sqlite_catalogue.reading() as session:
        found = session.execute(
            select(Shot.kind, Scene.name, SceneRevision.revision)
            .join(SceneRevision, SceneRevision.id == Shot.scene_revision_id)
            .join(Scene)
        ).all()
    assert [tuple(row) for row in found] == [("fixed-background", "brick", 1)] * 2
    put(folder, "c1/brick@2/a.jpg", jpeg(3))
    before = row_counts(sqlite_catalogue)
    with pytest.raises(UnknownSceneError, match="brick@2"):
        run(sqlite_catalogue, folder, mapping=mapping)
    assert row_counts(sqlite_catalogue) == before


def test_the_same_bytes_in_two_places_are_one_shot_with_two_references(
    catalogue: Catalogue, folder: Path
) -> None:
    first = put(folder, "c1/1/a.jpg", jpeg(1))
    mapping = mapping_of(folder)
    run(catalogue, folder, mapping=mapping)
    before = row_counts(catalogue)
    put(folder, "c1/1/again/b.jpg", first.read_bytes())
    put(folder, "c1/1/again/c.jpg", first.read_bytes())

    report = run(catalogue, folder, mapping=mapping)

    after = row_counts(catalogue)
    # a session with its two events, and two references
    assert [(now or 0) - (then or 0) for now, then in zip(after, before, strict=True)] == [
        1, 2, 0, 0, 0, 0, 0, 0, 2,
    ]  # fmt: skip
    reason = report.entry("c1/1/again/b.jpg").reason or ""
    assert f"from {folder.resolve()}/c1/1/a.jpg" in reason
    run(catalogue, folder, mapping=mapping)
    assert row_counts(catalogue) == after


@pytest.mark.parametrize(
    ("place", "what"), [("c2/1/b.jpg", "camera"), ("c1/2/b.jpg", "time"), ("c1/second/b.jpg", "")]
)
def test_the_same_bytes_of_two_cameras_or_timeslots_are_refused_and_quarantined(
    catalogue: Catalogue, folder: Path, place: str, what: str
) -> None:
    content = jpeg(1)
    put(folder, "c1/1/a.jpg", content)
    put(folder, place, content)
    mapping = mapping_of(folder)

    report = run(catalogue, folder, mapping=mapping)

    (shot,) = shots(catalogue).values()
    assert [verdict.verdict for verdict in shot.verdicts] == ["accepted", "quarantined"]
    numbers = (shot.verdicts[-1].numbers or {})["other-place"]
    root = folder.resolve()
    assert numbers == {"here": f"{root}/{place}", "there": f"{root}/c1/1/a.jpg"}
    entry = report.entry(place)
    assert entry.outcome == "refused" and what in (entry.reason or "")
    # it says so each time, and adds nothing
    before = row_counts(catalogue)
    for verify in (False, True):
        again = run(catalogue, folder, mapping=mapping, verify=verify)
        assert again.entry(place).outcome == "refused"
        assert again.session is None
    assert row_counts(catalogue) == before


def test_what_is_declared_otherwise_later_is_refused_and_changes_nothing(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    put(folder, "c1/1/a.jpg", jpeg(1))
    mapping = mapping_of(folder)
    run(sqlite_catalogue, folder, mapping=mapping)
    before = row_counts(sqlite_catalogue)
    swapped = {"c1": SET["cameras"]["c2"], "c2": SET["cameras"]["c1"]}
    report = run(sqlite_catalogue, folder, mapping=mapping_of(folder, cameras=swapped))
    entry = report.entry("c1/1/a.jpg")
    assert entry.outcome == "refused"
    assert "its camera is set-c1 there, and set-c2 here" in (entry.reason or "")
    assert row_counts(sqlite_catalogue) == before


def test_a_scheme_is_added_once_and_another_of_its_name_is_refused(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    put(folder, "c1/1/a.jpg", jpeg(1))
    run(sqlite_catalogue, folder, mapping=mapping_of(folder))
    run(sqlite_catalogue, folder, mapping=mapping_of(folder))
    with sqlite_catalogue.reading() as session:
        query = select(TimeslotScheme).options(selectinload(TimeslotScheme.timeslots))
        (scheme,) = session.scalars(query)
    assert [slot.ordinal for slot in scheme.timeslots] == [1, 2]
    before = row_counts(sqlite_catalogue)
    shorter = {**SLOTS, "timeslots": SLOTS["timeslots"][:1]}
    with pytest.raises(MappingError, match="other timeslots than the scheme slots"):
        run(sqlite_catalogue, folder, mapping=mapping_of(folder, timeslots={"scheme": shorter}))
    # a scheme may also be named alone
    run(sqlite_catalogue, folder, mapping=mapping_of(folder, timeslots={"scheme": "slots"}))
    assert row_counts(sqlite_catalogue) == before


def test_a_check_tells_what_would_match_and_writes_nothing(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    for number in range(3):
        put(folder, f"c1/1/{number}.jpg", jpeg(number))
    put(folder, "c2/2/a.jpg", jpeg(9))
    put(folder, "c1/3/b.jpg", jpeg(10))
    put(folder, "notes.txt", b"hello")
    before = row_counts(sqlite_catalogue)
    report = check_folder(sqlite_catalogue, folder, read_options(), mapping=mapping_of(folder))
    assert row_counts(sqlite_catalogue) == before
    counts = [(count.camera, count.kind, count.timeslot, count.files) for count in report.counts]
    assert counts == [("set-c1", "natural", 1, 3), ("set-c2", "natural", 2, 1)]
    assert report.passed_over == {
        "The scheme slots has no timeslot '3'.": 1,
        "The file is no image.": 1,
    }
    with sqlite_catalogue.reading() as session:
        assert session.scalar(select(TimeslotScheme.id)) is None


def test_a_table_may_name_the_files_instead_of_a_pattern(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    put(folder, "x/1.jpg", jpeg(1))
    put(folder, "x/2.jpg", jpeg(2))
    put(folder, "x/3.jpg", jpeg(3))
    table = folder.parent / "files.csv"
    table.write_text(
        "path,camera,taken_at,kind,exposure,iso\n"
        "x/1.jpg,c1,2014-10-08,dark,1/4,800\n"
        "x/2.jpg,c2,2014-10-09T12:00:00+02:00,,,\n"
    )
    mapping = mapping_of(
        folder, pattern=None, table="files.csv", timeslots=None, kinds={"dark": "dark-field"}
    )
    report = run(sqlite_catalogue, folder, mapping=mapping)
    found = shots(sqlite_catalogue)
    dark, other = found["1.jpg"], found["2.jpg"]
    assert (dark.kind, dark.exposure, dark.iso) == ("dark-field", "1/4", 800)
    assert dark.triggered_at == datetime(2014, 10, 8, 11, tzinfo=UTC)
    assert dark.time_uncertainty_s == 43_200
    assert (other.kind, other.time_uncertainty_s) == ("natural", None)
    assert other.triggered_at == datetime(2014, 10, 9, 10, tzinfo=UTC)
    assert report.entry("x/3.jpg").outcome == "skipped"


def test_a_table_of_facts_counts_before_everything_declared(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    put(folder, "a.jpg", jpeg(1))
    put(folder, "b.jpg", jpeg(2))
    put(folder, "late.jpg", camera_jpeg(3, taken_at="2014:10:20 12:00:00"))
    describe(folder / "agetrace-import.yaml", iso=100, timezone="UTC")
    table = folder.parent / "facts.csv"
    table.write_text(
        "path,iso,make,model,camera,taken_at\n"
        "a.jpg,400,Example,One,attic,\n"
        "late.jpg,,,,,2014-10-08T12:00:00Z\n"
    )
    run(sqlite_catalogue, folder, facts=table)
    found = shots(sqlite_catalogue)
    assert {name: shot.iso for name, shot in found.items()} == {
        "a.jpg": 400, "b.jpg": 100, "late.jpg": 100,
    }  # fmt: skip
    camera = found["a.jpg"].camera
    assert camera is not None and camera.serial == "attic"
    # what a file says of itself comes first, and is held against what was declared
    assert found["late.jpg"].triggered_at == datetime(2014, 10, 20, 12, tzinfo=UTC)
    (verdict,) = found["late.jpg"].verdicts
    assert (verdict.numbers or {})["other-time"]["apart_s"] == timedelta(days=12).total_seconds()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,colour\na.jpg,red\n", "row 1: no column is called 'colour'"),
        ("iso\n100\n", "row 1: it needs a column path"),
        ("path,iso\na.jpg,100\na.jpg,200\n", "row 3, column path: a.jpg is in row 2 too"),
        ("path,iso\na.jpg,many\n", "row 2, column iso: 'many' is no number"),
        ("path,iso\na.jpg,-1\n", "row 2: .*iso: must be greater than 0"),
        ("path,kind\na.jpg,bright\n", "row 2: .*kind"),
        ("path,taken_at\na.jpg,yesterday\n", "row 2: taken_at: 'yesterday' is no time"),
        ("path,timezone\na.jpg,Vienna\n", "row 2: .*IANA"),
        ("path,timeslot\na.jpg,1\n", "row 2: .*no mapping says what timeslots"),
        ("path\ngone.jpg\n", "row 2, column path: .* has no file gone.jpg"),
        ("path\n../a.jpg\n", "row 2, column path: write the path below"),
        ("path,iso\na.jpg,1,2\n", "row 2: it has not as many fields"),
        ('path\n"a.jpg\n', "is no CSV"),
        ("path,scene\na.jpg,nowhere\n", "no scene 'nowhere'"),
    ],
)
def test_an_error_of_a_table_names_row_and_column_before_anything_is_written(
    sqlite_catalogue: Catalogue, folder: Path, text: str, message: str
) -> None:
    put(folder, "a.jpg", jpeg(1))
    table = folder.parent / "facts.csv"
    table.write_text(text)
    before = row_counts(sqlite_catalogue)
    with pytest.raises(Exception, match=message) as caught:
        run(sqlite_catalogue, folder, facts=table)
    assert getattr(caught.value, "exit_code", None) == 2
    assert row_counts(sqlite_catalogue) == before
    assert not sqlite_catalogue.store.root.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pattern": "("}, "regular expression"),
        ({"pattern": "(?P<colour>.)"}, "named groups out of"),
        ({"pattern": None}, "either a pattern or a table"),
        ({"pattern": "x"}, "fits a single camera only"),
        ({"timeslots": None}, "needs timeslots"),
        ({"cameras": {"c1": IXUS}}, "needs a serial, or an alias"),
        ({"cameras": {n: {**IXUS, "alias": "one"} for n in ("c1", "c2")}}, "same body"),
        ({"timezone": "London"}, "IANA"),
        ({"kind": "bright"}, "kind"),
        ({"timeslots": {"scheme": {**SLOTS, "timeslots": []}}}, "at least 1"),
        ({"colour": "red"}, "colour: no such field"),
    ],
    ids=str,
)
def test_a_malformed_mapping_is_refused_with_its_field(
    folder: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(MappingError, match=message) as caught:
        mapping_of(folder, **changes)
    assert "mapping.yaml" in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_mapping_names_those_that_are_ready() -> None:
    with pytest.raises(MappingError, match="NTIF, PLUS"):
        read_mapping(Path("DRESDEN"))


# what science.md and its sources say of the published sets
PUBLISHED = {
    "NTIF": {
        ("canon", 4000, 3000, "CMOS"),
        ("fujifilm", 4288, 3216, "CCD"),
        ("nikon", 5152, 3864, "CCD"),
        ("panasonic", 4320, 3240, "CMOS"),
        ("samsung", 4320, 3240, "CCD"),
    },
    "PLUS": {
        ("nikon", 3072, 2304, "CCD"),
        ("canon", 3264, 2448, "CCD"),
        ("pentax", 4950, 3284, "CMOS"),
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_ready_mappings_hold_the_published_cameras_and_take_only_their_folders(
    sqlite_catalogue: Catalogue, folder: Path, name: str
) -> None:
    assert set(ready_mapping_paths()) == set(PUBLISHED)
    mapping = read_mapping(Path(name))
    facts = {
        (key.removeprefix(f"{name}-").rstrip("0123456789"), c.width, c.height, c.sensor_type)
        for key, c in mapping.cameras.items()
    }
    assert facts == PUBLISHED[name]
    assert len(mapping.cameras) == {"NTIF": 10, "PLUS": 4}[name]
    assert all(camera.alias == key for key, camera in mapping.cameras.items())
    for number, key in enumerate(mapping.cameras):
        put(folder, f"somewhere/{key}/deep/{number}.jpg", jpeg(number))
    put(folder, "somewhere/else/a.jpg", jpeg(99))
    report = run(sqlite_catalogue, folder, mapping=mapping)
    assert report.count("accepted") == len(mapping.cameras)
    assert report.entry("somewhere/else/a.jpg").outcome == "skipped"
    with sqlite_catalogue.reading() as session:
        assert set(session.scalars(select(Camera.serial))) == set(mapping.cameras)


def test_a_changed_file_is_read_again_and_others_are_not(
    sqlite_catalogue: Catalogue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from datastore.clocks import HostClock
    from datastore.importing import import_folder

    for number in range(3):
        put(folder, f"{number}.jpg", jpeg(number))
    import_folder(sqlite_catalogue, folder, read_options(), clock=HostClock())
    content = bytearray((folder / "1.jpg").read_bytes())
    content[-30] ^= 1
    (folder / "1.jpg").write_bytes(content)
    (folder / "2.jpg").touch()
    shutil.copystat(folder / "0.jpg", folder / "1.jpg")
    opened: list[str] = []
    really_open = os.open

    def noted_open(path: Any, *arguments: Any, **keywords: Any) -> int:
        opened.append(Path(os.fsdecode(path)).name)
        return really_open(path, *arguments, **keywords)

    monkeypatch.setattr(os, "open", noted_open)
    report = import_folder(sqlite_catalogue, folder, read_options(), clock=HostClock())
    read = {name for name in opened if name.endswith(".jpg")}
    # one has other bytes under its old size and date, one only a new date
    assert read == {"1.jpg", "2.jpg"}
    assert (report.count("accepted"), report.count("already")) == (1, 2)
    opened.clear()
    import_folder(sqlite_catalogue, folder, read_options(), clock=HostClock(), verify=True)
    assert {name for name in opened if name.endswith(".jpg")} == {"0.jpg", "1.jpg", "2.jpg"}
