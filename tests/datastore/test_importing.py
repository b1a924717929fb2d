"""An import keeps every file, judges it, attributes it, and adds nothing twice."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from datastore import audit
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import FixedClock, HostClock
from datastore.errors import RequestError, StoreFullError
from datastore.importing import import_folder, read_options
from datastore.tables import (
    Camera,
    SessionEvent,
)
from fixtures.exif import body_tags, exif_tags, tiff_header
from tests.support.catalogues import new_sqlite_catalogue, sqlite_url
from tests.support.frame_files import (
    SHARED_DATA,
    dark_mosaic,
    dng,
    facts,
    manifest,
    needs_shared_data,
    real_file,
)
from tests.support.imports import NOW, Imported, describe, jpeg, row_counts, run, shots


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Imported, Catalogue]]:
    with new_sqlite_catalogue(tmp_path_factory.mktemp("real")) as catalogue:
        yield run(catalogue, SHARED_DATA), catalogue


@needs_shared_data
@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_every_real_file_is_imported_with_the_facts_of_the_manifest(
    real: tuple[Imported, Catalogue],
) -> None:
    report, catalogue = real
    by_hash = {shot.assets[0].sha256: shot for shot in shots(catalogue).values()}
    rows = manifest("raw", "jpeg")
    assert len(rows) == 25
    for row in rows:
        shot = by_hash[row["sha256"]]
        (asset,), (settings,), (verdict,) = shot.assets, shot.settings, shot.verdicts
        assert asset.bytes == real_file(row).stat().st_size
        assert asset.role == row["kind"]
        assert asset.exif is not None
        assert asset.metadata_reader == "exiftool"
        made_by = {v for k, v in asset.exif.items() if k.endswith((":Make", ":Model"))}
        assert {row["make"], row["model"]} <= {str(v).strip() for v in made_by}
        if row["serial"]:
            assert shot.camera is not None
            assert (shot.camera.make, shot.camera.model, shot.camera.serial) == (
                row["make"],
                row["model"],
                row["serial"],
            )
        assert settings.taken_at_text == (row["datetime_original"] or None)
        exposure_s = float(row["exposure_s"]) if row["exposure_s"] else None
        assert shot.exposure_s == pytest.approx(exposure_s, rel=1e-9)
        # the manifest has the number in Pentax' own table, the standard tag says 200
        iso = "200" if "PENTAX" in row["make"] else row["iso"]
        assert shot.iso == (int(iso) if iso else None)
        assert (verdict.verdict, shot.kind, shot.events[-1].name) == (
            "accepted",
            "natural",
            "registered",
        )
        # only one of these files names its zone
        if row["model"] == "NIKON D5000":
            assert (shot.triggered_at, shot.time_source) == (
                datetime(2014, 3, 9, 12, 25, 51, tzinfo=UTC),
                "exif",
            )
        else:
            assert (shot.triggered_at, shot.time_source) == (None, None)
    assert report.count("unreadable") == 0


@needs_shared_data
def test_every_damaged_real_file_is_kept_and_quarantined_with_a_reason_of_its_own(
    real: tuple[Imported, Catalogue],
) -> None:
    report, catalogue = real
    by_hash = {shot.assets[0].sha256: shot for shot in shots(catalogue).values()}
    rows = manifest("rawhead")
    assert len(rows) == 8
    for row in rows:
        shot = by_hash[row["sha256"]]
        (verdict,) = shot.verdicts
        assert verdict.verdict == "quarantined"
        assert verdict.numbers
        assert catalogue.store.verify(row["sha256"])
        (entry,) = (entry for entry in report.entries if entry.path == row["path"])
        assert (entry.outcome, entry.reason) == ("quarantined", verdict.reason)
    skipped = [entry.path for entry in report.entries if entry.outcome == "skipped"]
    assert skipped == ["manifest.csv"]
    assert report.count("quarantined") == len(rows)
    assert len(report.entries) == len(manifest("raw", "jpeg", "dark", "rawhead")) + 1


@needs_shared_data
def test_real_dark_frames_become_dark_field_shots_by_their_sidecars(
    catalogue: Catalogue, folder: Path
) -> None:
    pytest.importorskip("astropy", reason="the extra `fits` is not installed")
    shutil.copytree(SHARED_DATA / "dark", folder, dirs_exist_ok=True)
    describe(
        folder / "flea3-d1" / "agetrace-import.yaml",
        kind="dark-field",
        camera={
            "make": "Point Grey",
            "model": "Flea3",
            "alias": "flea3-d1",
            "sensor_type": "Sony ICX655",
            "cfa": "RGGB",
            "pixel_pitch_um": 3.45,
        },
        file_name_pattern=r"dark_(?P<exposure_ms>\d+)ms_(?P<taken_at>[\d-]{17})",
        taken_at_format="%Y-%m-%d-%H%M%S",
        timezone="America/Edmonton",
        temperature_c=47.85,
    )
    describe(
        folder / "sbig-st8" / "agetrace-import.yaml",
        kind="dark-field",
        camera={"make": "SBIG", "alias": "st8-maryland", "pixel_pitch_um": 9.0},
    )

    report = run(catalogue, folder)

    assert report.count("accepted") == len(report.entries) == 18
    assert report.report.without_camera == 0
    found = shots(catalogue)
    flea = {name: shot for name, shot in found.items() if name.endswith(".tif")}
    assert sorted({shot.exposure_s or 0.0 for shot in flea.values()}) == [
        0.025, 0.05, 0.1, 0.25, 0.5, 2.0, 3.916,
    ]  # fmt: skip
    (camera,) = {shot.camera_id: shot.camera for shot in flea.values()}.values()
    assert camera is not None
    assert (camera.serial, camera.identity_source, camera.cfa) == ("flea3-d1", "alias", "RGGB")
    assert (camera.width, camera.height, camera.white_level) == (408, 344, 255)
    assert camera.simulated is False
    one = flea["d1_dark_2000ms_2019-02-08-171233-0003.tif"]
    assert (one.kind, one.exposure, one.time_source) == ("dark-field", "2", "declared")
    assert one.triggered_at == datetime(2019, 2, 9, 0, 12, 33, tzinfo=UTC)
    assert one.settings[0].temperature_c == 47.85

    fits = {name: shot for name, shot in found.items() if name.endswith(".fit")}
    dark = fits["calib-001-d.fit"]
    assert (dark.exposure_s, dark.time_source) == (300.0, "exif")
    assert dark.triggered_at == datetime(2025, 6, 25, 6, 7, 39, tzinfo=UTC)
    assert dark.settings[0].temperature_c == pytest.approx(-0.2318, abs=1e-4)
    assert dark.camera is not None
    assert (dark.camera.model, dark.camera.cfa) == ("SBIG ST-8 3 CCD Camera", "MONO")
    assert fits["calib-001-bi.fit"].exposure_s == 0.0


def test_importing_again_adds_nothing(catalogue: Catalogue, folder: Path) -> None:
    (folder / "a.dng").write_bytes(dng(dark_mosaic(1)))
    (folder / "b.dng").write_bytes(dng(dark_mosaic(2))[:1000])
    (folder / "b.jpg").write_bytes(jpeg())
    first = run(catalogue, folder)
    before = row_counts(catalogue)

    for verify in (False, True):
        second = run(catalogue, folder, verify=verify)

        assert row_counts(catalogue) == before
        assert second.session is None
        assert second.count("already") == len(second.entries) == 3
        assert [e.shot for e in second.entries] == [e.shot for e in first.entries]


def test_a_mosaic_and_a_jpeg_of_one_name_are_one_shot(catalogue: Catalogue, folder: Path) -> None:
    for seed, name in enumerate(("one", "two")):
        (folder / f"{name}.dng").write_bytes(dng(dark_mosaic(seed)))
        (folder / f"{name}.JPG").write_bytes(jpeg(seed))
        (folder / name).mkdir()
        (folder / name / "one.jpg").write_bytes(jpeg(seed + 10))
    run(catalogue, folder)
    found = shots(catalogue)
    assert sorted(found) == ["one.dng", "one.jpg", "two.dng"]  # two are called one.jpg
    assert row_counts(catalogue)[2] == 4
    for name in ("one", "two"):
        assert [a.role for a in found[f"{name}.dng"].assets] == ["raw", "jpeg"]
        assert found[f"{name}.dng"].assets[1].original_name == f"{name}.JPG"


def test_files_of_one_name_that_tell_of_two_releases_are_two_shots(
    catalogue: Catalogue, folder: Path
) -> None:
    later = facts(camera_time=datetime(2024, 5, 6, 7, 8, 10, tzinfo=UTC))
    exif = b"Exif\0\0" + tiff_header(body_tags(later), exif_tags(later))
    app1 = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (folder / "one.dng").write_bytes(dng(dark_mosaic()))
    (folder / "one.jpg").write_bytes(jpeg()[:2] + app1 + jpeg()[2:])
    run(catalogue, folder)
    found = shots(catalogue)
    assert found["one.dng"].triggered_at == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert found["one.jpg"].triggered_at == later.camera_time
    assert found["one.dng"].camera_id == found["one.jpg"].camera_id is not None


def test_a_jpeg_that_comes_later_joins_its_shot(catalogue: Catalogue, folder: Path) -> None:
    (folder / "one.dng").write_bytes(dng(dark_mosaic()))
    run(catalogue, folder)
    (folder / "one.jpg").write_bytes(jpeg()[:-2000])

    report = run(catalogue, folder)

    (shot,) = shots(catalogue).values()
    assert [asset.role for asset in shot.assets] == ["raw", "jpeg"]
    assert [verdict.verdict for verdict in shot.verdicts] == ["accepted", "quarantined"]
    assert [entry.outcome for entry in report.entries] == ["already", "quarantined"]
    assert {entry.shot for entry in report.entries} == {shot.uuid}


BROKEN = {
    "truncated.dng": (dng(dark_mosaic(1))[:100_000], "extent-outside"),
    "half.dng": (dng(dark_mosaic(2))[:100_000] + b"\0" * (len(dng(dark_mosaic(2))) - 100_000),
                 "zero-tail"),
    "zeros.nef": (b"\0" * len(dng(dark_mosaic())), "unknown-format"),
    "text.CR2": (b"just a text\n" * 100, "unknown-format"),
    "empty.dng": (b"", "empty"),
    "cut.jpg": (jpeg()[:9000], "no-end-of-image"),
}  # fmt: skip


def test_damaged_files_are_kept_and_quarantined_each_with_its_reason(
    catalogue: Catalogue, folder: Path
) -> None:
    for name, (content, _) in BROKEN.items():
        (folder / name).write_bytes(content)
    report = run(catalogue, folder)
    assert report.count("quarantined") == len(report.entries) == len(BROKEN)
    found = shots(catalogue)
    for name, (content, rule) in BROKEN.items():
        (verdict,) = found[name].verdicts
        assert verdict.verdict == "quarantined"
        assert verdict.numbers is not None and rule in verdict.numbers
        assert verdict.reason.endswith(".")
        sha256 = hashlib.sha256(content).hexdigest()
        assert catalogue.store.read_bytes(sha256) == content
    assert len({entry.reason for entry in report.entries}) == len(BROKEN) - 1  # two say no format
    with catalogue.reading() as session:
        assert session.scalar(select(func.count()).select_from(Camera)) == 0


def test_what_is_no_image_is_listed_and_left(catalogue: Catalogue, folder: Path) -> None:
    (folder / "notes.txt").write_text("hello")
    (folder / "picture").write_bytes(jpeg())  # an image whatever its name
    (folder / "link.dng").symlink_to("/etc/hostname")
    os.mkfifo(folder / "pipe.dng")
    report = run(catalogue, folder)
    reasons = {entry.path: (entry.outcome, entry.reason) for entry in report.entries}
    assert reasons == {
        "notes.txt": ("skipped", "The file is no image."),
        "link.dng": ("skipped", "The file is a link."),
        "pipe.dng": ("skipped", "The file is no regular file."),
        "picture": ("accepted", None),
    }


def test_the_camera_is_the_serial_and_a_body_of_other_dimensions_is_not_believed(
    catalogue: Catalogue, folder: Path
) -> None:
    (folder / "a.dng").write_bytes(dng(dark_mosaic(1)))
    (folder / "b.dng").write_bytes(dng(dark_mosaic(2)))
    (folder / "c.dng").write_bytes(dng(dark_mosaic(3), about=facts(serial="other")))
    (folder / "d.dng").write_bytes(dng(dark_mosaic(4, (128, 384))))
    run(catalogue, folder)
    found = shots(catalogue)
    assert found["a.dng"].camera_id == found["b.dng"].camera_id == found["d.dng"].camera_id
    assert found["c.dng"].camera_id not in (None, found["a.dng"].camera_id)
    camera = found["a.dng"].camera
    assert camera is not None
    assert (camera.serial, camera.identity_source) == ("7100001", "serial")
    assert (camera.width, camera.height, camera.cfa, camera.white_level) == (384, 256, "RGGB", 4095)
    (verdict,) = found["d.dng"].verdicts
    assert verdict.numbers == {"wrong-dimensions": {"height": 128, "registered_height": 256}}


def test_a_file_of_another_serial_than_declared_is_attributed_to_no_camera(
    catalogue: Catalogue, folder: Path
) -> None:
    (folder / "a.dng").write_bytes(dng(dark_mosaic()))
    describe(folder / "a.dng.yaml", camera={"serial": "1234"}, exposure="1/60")
    run(catalogue, folder)
    (shot,) = shots(catalogue).values()
    assert shot.camera_id is None
    assert shot.verdicts[0].verdict == "quarantined"
    assert set(shot.verdicts[0].numbers or {}) == {"other-serial", "other-exposure"}


def test_pictures_without_a_serial_have_no_camera_unless_an_alias_is_declared(
    catalogue: Catalogue, folder: Path
) -> None:
    about = facts(serial="")
    (folder / "a.dng").write_bytes(dng(dark_mosaic(1), about=about))
    report = run(catalogue, folder)
    assert report.report.without_camera == 1
    assert "no alias was declared" in report.report.summary()
    assert shots(catalogue)["a.dng"].camera_id is None

    (folder / "b.dng").write_bytes(dng(dark_mosaic(2), about=about))
    run(catalogue, folder, read_options(alias="attic"))
    camera = shots(catalogue)["b.dng"].camera
    assert camera is not None
    assert (camera.serial, camera.identity_source) == ("attic", "alias")

    (folder / "c.dng").write_bytes(dng(dark_mosaic(3), about=about))
    run(catalogue, folder, read_options(kind="dark-field"))
    (verdict,) = shots(catalogue)["c.dng"].verdicts
    assert set(verdict.numbers or {}) == {"unknown-camera"}


def test_a_folder_that_is_none_is_refused(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    for wrong in (tmp_path / "gone", tmp_path / "catalogue.sqlite"):
        with pytest.raises(RequestError, match="is no folder"):
            run(sqlite_catalogue, wrong)


def test_names_that_no_text_can_hold_are_imported(catalogue: Catalogue, folder: Path) -> None:
    hostile = [b"\xff\xfe.jpg", b"a\nb.jpg", b"\x1b[2J.jpg", b"-w.jpg", b"'; drop table shot.jpg"]
    for number, name in enumerate(hostile):
        (folder / os.fsdecode(name)).write_bytes(jpeg(number))
    report = run(catalogue, folder)
    assert report.count("accepted") == len(hostile)
    assert all(entry.path.isprintable() for entry in report.entries)
    assert all(name.isprintable() for name in shots(catalogue))


def test_an_import_is_a_session_with_a_beginning_an_end_and_an_audit(
    catalogue: Catalogue, folder: Path
) -> None:
    (folder / "a.jpg").write_bytes(jpeg())
    report = run(catalogue, folder)
    (shot,) = shots(catalogue).values()
    assert shot.session.uuid == report.session
    assert (shot.session.kind, shot.session.started_at) == ("import", NOW)
    assert [event.name for event in shot.session.events] == ["started", "completed"]
    assert shot.assets[0].locations[0].verified_at == NOW
    with catalogue.reading() as session:
        assert audit.verify(session) == []
        assert audit.head(session) != audit.GENESIS_SHA256


def test_progress_is_told_to_the_end(sqlite_catalogue: Catalogue, folder: Path) -> None:
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
    told: list[tuple[int, int]] = []
    import_folder(
        sqlite_catalogue,
        folder,
        read_options(),
        clock=FixedClock(NOW),
        progress=lambda done, total: told.append((done, total)),
        scratch=folder.parent / "scratch",
    )
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert list((folder.parent / "scratch").iterdir()) == []


IMPORT = """
import sys
from pathlib import Path
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock
from datastore.importing import import_folder, read_options

if __name__ == "__main__":
    url, store, folder = sys.argv[1:]
    with open_catalogue(url, Path(store)) as catalogue:
        import_folder(catalogue, Path(folder), read_options(), clock=HostClock())
"""


def test_an_import_that_is_killed_or_interrupted_goes_on_in_its_session(
    sqlite_catalogue: Catalogue, folder: Path, tmp_path: Path
) -> None:
    count = 90
    for number in range(count):
        (folder / f"{number:02}.dng").write_bytes(dng(dark_mosaic(number)))
    script = tmp_path / "importing.py"
    script.write_text(IMPORT)
    store = str(sqlite_catalogue.store.root)
    command = [sys.executable, str(script), sqlite_url(tmp_path), store, str(folder)]
    for wanted, ending in ((3, signal.SIGKILL), (40, signal.SIGINT)):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while (row_counts(sqlite_catalogue)[2] or 0) < wanted and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(ending)
        assert process.wait() == -ending
    interrupted = row_counts(sqlite_catalogue)[2] or 0
    assert 40 <= interrupted < count

    # they ran on the host's clock: another would begin a session of its own
    report = import_folder(sqlite_catalogue, folder, read_options(), clock=HostClock())

    assert report.count("already") == interrupted
    assert report.count("accepted") == count - interrupted
    found = shots(sqlite_catalogue)
    assert len(found) == count
    ends = {tuple(e.name for e in shot.session.events) for shot in found.values()}
    assert ends == {("started", "resumed", "aborted", "resumed", "completed")}
    assert sorted(shot.sequence for shot in found.values()) == list(range(1, count + 1))
    for shot in found.values():
        (asset,) = shot.assets
        assert (shot.events[-1].name, len(shot.verdicts)) == ("registered", 1)
        sqlite_catalogue.store.verify(asset.sha256)


def test_a_full_disk_stops_the_import_and_keeps_what_was_done(
    sqlite_template: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
    shutil.copy(sqlite_template, tmp_path / "catalogue.sqlite")
    with open_catalogue(sqlite_url(tmp_path), tmp_path / "store") as catalogue:
        flush, calls = os.fsync, 0

        def full(descriptor: int) -> None:
            nonlocal calls
            calls += 1
            if calls > 12:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            flush(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(StoreFullError, match="full"):
                run(catalogue, folder)
        done = row_counts(catalogue)[2] or 0
        assert 0 < done < 4
        with catalogue.reading() as session:
            names = list(session.scalars(select(SessionEvent.name).order_by(SessionEvent.id)))
        assert names == ["started", "aborted"]
        report = run(catalogue, folder)
        assert (report.count("already"), report.count("accepted")) == (done, 4 - done)
