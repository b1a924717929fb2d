"""Exports that are disturbed: damaged files, interrupts, folders that are taken."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import HostClock
from datastore.errors import AssetCorruptError, AssetMissingError, ExportRefusedError
from datastore.exporting import (
    CsvExport,
    HuggingFaceExport,
    SelectionSource,
    TreeExport,
    WebDatasetExport,
    export,
)
from datastore.exporting._run import Format
from datastore.verdicts import add_verdict
from tests.support.catalogues import sqlite_url
from tests.support.exported import FROZEN_AT, copied_catalogue, export_shots, fill_with_jpegs

FORMS: list[Format] = [
    TreeExport("{sha256}.{suffix}"),
    TreeExport("{sha256}.{suffix}", link=True),
    WebDatasetExport(shard_items=10),
    HuggingFaceExport("jpeg", shard_bytes=4000),
]


@pytest.fixture(scope="module")
def folder(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a filled SQLite catalogue and its store."""
    made = tmp_path_factory.mktemp("filled")
    (made / "catalogue.sqlite").write_bytes(sqlite_template.read_bytes())
    with open_catalogue(sqlite_url(made), made / "store") as opened:
        fill_with_jpegs(opened)
    return made


@pytest.fixture
def catalogue(folder: Path, tmp_path: Path) -> Iterator[Catalogue]:
    with copied_catalogue(folder, tmp_path / "copy") as opened:
        yield opened


def source_of(catalogue: Catalogue) -> SelectionSource:
    return SelectionSource(catalogue.shots, ("jpeg",))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != "export.json"
    }


def interrupt_after(items: int) -> Callable[[int, int], None]:
    def advance(done: int, _: int) -> None:
        if done >= items:
            raise KeyboardInterrupt

    return advance


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_damaged_file_is_named_and_never_exported(
    form: Format, catalogue: Catalogue, tmp_path: Path
) -> None:
    sha256 = list(source_of(catalogue).items())[25].sha256
    stored = catalogue.store.path(sha256)
    sound = stored.read_bytes()
    damaged = bytearray(sound)
    damaged[len(sound) // 2] ^= 1
    for bad, error in ((bytes(damaged), AssetCorruptError), (None, AssetMissingError)):
        stored.unlink()
        if bad is not None:
            stored.write_bytes(bad)
        with pytest.raises(error, match=sha256):
            export_shots(catalogue, form, tmp_path / "out", source_of(catalogue))
        exported = contents(tmp_path / "out")
        assert not any(sha256 in name for name in exported)
        assert not any(bytes(damaged) in content for content in exported.values())
        assert not (tmp_path / "out" / "export.json").exists()
        stored.write_bytes(sound)
    report = export_shots(catalogue, form, tmp_path / "out", source_of(catalogue))
    assert report.document["items"] == 48
    whole = export_shots(catalogue, form, tmp_path / "whole", source_of(catalogue))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert whole.document["files"] == report.document["files"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_an_interrupted_export_goes_on_with_what_it_began(
    form: Format, catalogue: Catalogue, tmp_path: Path
) -> None:
    export_shots(catalogue, form, tmp_path / "whole", source_of(catalogue))
    out = tmp_path / "out"
    for items in (5, 20, 35):
        with pytest.raises(KeyboardInterrupt):
            export(
                catalogue,
                source_of(catalogue),
                form,
                out,
                clock=HostClock(),
                progress=interrupt_after(items),
            )
        done = {
            path: path.stat().st_ino for path in out.rglob("*") if ".unfinished" not in str(path)
        }
    # what happens to the catalogue meanwhile is not part of it
    shot = catalogue.shots.first()
    assert shot is not None
    add_verdict(catalogue, shot.id, "quarantined", "late", None, "test", FROZEN_AT)
    export_shots(catalogue, form, out, source_of(catalogue))
    assert contents(out) == contents(tmp_path / "whole")
    assert {path: path.stat().st_ino for path in done} == done


def test_folders_that_hold_something_else_are_refused(catalogue: Catalogue, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("do not touch")
    with pytest.raises(ExportRefusedError, match="holds other files"):
        export_shots(catalogue, CsvExport(), foreign)
    assert contents(foreign) == {"thesis.tex": b"do not touch"}
    with pytest.raises(ExportRefusedError, match="is no folder"):
        export_shots(catalogue, CsvExport(), foreign / "thesis.tex")
    finished = tmp_path / "finished"
    export_shots(catalogue, CsvExport(), finished)
    with pytest.raises(ExportRefusedError, match="finished export"):
        export_shots(catalogue, CsvExport(), finished)


def test_another_request_does_not_finish_an_unfinished_export(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    form = TreeExport("{sha256}.{suffix}")
    interrupted = interrupt_after(5)
    source = source_of(catalogue)
    with pytest.raises(KeyboardInterrupt):
        export(catalogue, source, form, out, clock=HostClock(), progress=interrupted)
    with pytest.raises(ExportRefusedError, match="something else"):
        export_shots(catalogue, form, out, SelectionSource(catalogue.shots.where(iso=800)))
    with pytest.raises(ExportRefusedError, match="something else"):
        export_shots(catalogue, CsvExport(), out, source)


def test_two_exports_do_not_share_a_folder(catalogue: Catalogue, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    descriptor = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(ExportRefusedError, match="another process"):
            export_shots(catalogue, CsvExport(), out)
    finally:
        os.close(descriptor)
    assert export_shots(catalogue, CsvExport(), out).document["items"] == 48


def test_what_a_killed_run_linked_is_not_written_into(catalogue: Catalogue, tmp_path: Path) -> None:
    out = tmp_path / "out"
    form = TreeExport("{sha256}.{suffix}", link=True)
    with pytest.raises(KeyboardInterrupt):
        export(
            catalogue,
            source_of(catalogue),
            form,
            out,
            clock=HostClock(),
            progress=interrupt_after(48),
        )
    sha256 = next(iter(source_of(catalogue).items())).sha256
    # killed between making the link and giving it its name
    os.link(catalogue.store.path(sha256), out / ".unfinished" / "partial")
    export_shots(catalogue, form, out, source_of(catalogue))
    for item in source_of(catalogue).items():
        assert catalogue.store.verify(item.sha256).bytes == item.bytes
