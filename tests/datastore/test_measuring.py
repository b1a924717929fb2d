"""Frames that were registered without measures get them later, once, whatever interrupts that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from sqlalchemy import select

from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock
from datastore.frames import likeness, read_frame
from datastore.measuring import MeasuringReport, measure_missing
from datastore.tables import Asset, AuditEntry, FrameMeasures, PerceptualHash
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot
from tests.support.frame_files import dark_mosaic, dng
from tests.support.imports import run


def scene_dng() -> bytes:
    """Return a frame of a wall of bright and dark stones."""
    stones = np.random.default_rng(1).integers(0, 3000, (16, 24), dtype=np.uint16)
    return dng(dark_mosaic(1) + np.kron(stones, np.ones((16, 16), np.uint16)))


def register(catalogue: Catalogue, folder: Path, *files: tuple[str, bytes]) -> list[int]:
    """Register files as programs without measures did, each with a shot of its own."""
    ids = []
    with catalogue.writing() as transaction:
        session, camera = add_session(transaction), add_camera(transaction)
        for sequence, (role, data) in enumerate(files, start=1):
            path = folder / f"file-{sequence}"
            path.write_bytes(data)
            shot = add_shot(transaction, session, camera, sequence)
            stored = catalogue.store.put_file(path)
            ids.append(register_asset(transaction, stored, role, NOW, shot_id=shot.id).id)
    return ids


def measures_of(catalogue: Catalogue) -> dict[int, FrameMeasures]:
    with catalogue.reading() as transaction:
        return {row.asset_id: row for row in transaction.scalars(select(FrameMeasures))}


def hashes_of(catalogue: Catalogue) -> dict[int, str | None]:
    with catalogue.reading() as transaction:
        rows = transaction.scalars(select(PerceptualHash)).all()
    assert {row.code_version for row in rows} <= {likeness.DEFINITION}
    return {row.asset_id: row.hash for row in rows}


def test_missing_measures_are_taken_once(catalogue: Catalogue, tmp_path: Path) -> None:
    mosaics = [dark_mosaic(seed) for seed in range(3)]
    stones = np.random.default_rng(3).integers(0, 256, (15, 20, 3), dtype=np.uint8)
    picture = np.repeat(np.repeat(stones, 32, axis=0), 32, axis=1)
    raws = [("raw", dng(mosaic)) for mosaic in mosaics]
    jpeg = ("jpeg", simplejpeg.encode_jpeg(picture))
    broken = ("raw", dng(mosaics[0])[:5000])
    sidecar = ("sidecar", b"<x/>")
    ids = register(catalogue, tmp_path, *raws, jpeg, broken, sidecar)
    assert measures_of(catalogue) == {}

    told: list[tuple[int, int]] = []
    report = measure_missing(
        catalogue,
        clock=FixedClock(NOW),
        processes=2,
        progress=lambda done, total: told.append((done, total)),
    )
    assert report == MeasuringReport(measured=4, unmeasurable=1)
    assert told[0] == (0, 5) and told[-1] == (5, 5)
    measures = measures_of(catalogue)
    assert set(measures) == set(ids[:5])
    for asset_id, mosaic in zip(ids, mosaics, strict=False):
        assert measures[asset_id].mean_dn == pytest.approx(mosaic.mean())
        assert measures[asset_id].black_level_dn == 512
        assert measures[asset_id].temperature_c == 21.5
        assert measures[asset_id].measured_at == NOW
    hashes = hashes_of(catalogue)
    assert set(hashes) == set(ids[:5])
    assert [asset_id for asset_id in ids if hashes.get(asset_id)] == [ids[3]]
    blank = measures[ids[4]]
    assert (blank.mean_dn, blank.black_level_dn, blank.clipped_share) == (None, None, None)
    with catalogue.reading() as transaction:
        audited = transaction.scalars(
            select(AuditEntry).where(AuditEntry.action == "frames.measure")
        ).all()
    assert [entry.entry["frames"] for entry in audited] == [5]
    again = measure_missing(catalogue, clock=FixedClock(NOW), processes=1)
    assert again == MeasuringReport()


def test_frames_with_measures_alone_get_their_hash_and_keep_their_measures(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    data = scene_dng()
    (asset_id,) = register(catalogue, tmp_path, ("raw", data))
    with catalogue.writing() as transaction:
        transaction.add(
            FrameMeasures(asset_id=asset_id, code_version="old", measured_at=NOW, mean_dn=7.0)
        )
    report = measure_missing(catalogue, clock=FixedClock(NOW), processes=1)
    assert report == MeasuringReport(measured=1)
    (measures,) = measures_of(catalogue).values()
    assert (measures.code_version, measures.mean_dn) == ("old", 7.0)
    (found,) = hashes_of(catalogue).values()
    (tmp_path / "again.dng").write_bytes(data)
    assert found == likeness.perceptual_hash(read_frame(tmp_path / "again.dng")) is not None
    assert measure_missing(catalogue, clock=FixedClock(NOW), processes=1) == MeasuringReport()


def test_frames_whose_files_are_elsewhere_are_asked_for_again(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    (asset_id,) = register(sqlite_catalogue, tmp_path, ("raw", dng(dark_mosaic())))
    with sqlite_catalogue.reading() as transaction:
        path = sqlite_catalogue.store.path(transaction.scalars(select(Asset.sha256)).one())
    data = path.read_bytes()
    path.unlink()
    absent = measure_missing(sqlite_catalogue, clock=FixedClock(NOW), processes=1)
    assert absent == MeasuringReport(not_here=1)
    path.write_bytes(data)
    present = measure_missing(sqlite_catalogue, clock=FixedClock(NOW), processes=1)
    assert present == MeasuringReport(measured=1)
    assert set(measures_of(sqlite_catalogue)) == {asset_id}


def test_an_interruption_keeps_what_was_measured(
    sqlite_catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datastore.measuring._PAGE", 2)
    files = [("raw", dng(dark_mosaic(seed))) for seed in range(5)]
    ids = register(sqlite_catalogue, tmp_path, *files)

    def interrupt(done: int, _total: int) -> None:
        if done >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_missing(sqlite_catalogue, clock=FixedClock(NOW), processes=1, progress=interrupt)
    assert set(measures_of(sqlite_catalogue)) == set(ids[:2])
    rest = measure_missing(sqlite_catalogue, clock=FixedClock(NOW), processes=1)
    assert rest == MeasuringReport(measured=3)
    assert set(measures_of(sqlite_catalogue)) == set(ids)


def test_imported_frames_have_their_measures_at_once(catalogue: Catalogue, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    mosaic = dark_mosaic(4)
    (folder / "sound.dng").write_bytes(dng(mosaic))
    (folder / "cut.dng").write_bytes(dng(dark_mosaic(5))[:60_000])
    (folder / "bright.dng").write_bytes(scene_dng())
    run(catalogue, folder)
    with catalogue.reading() as transaction:
        rows = transaction.execute(
            select(Asset.original_name, FrameMeasures).join(
                FrameMeasures, FrameMeasures.asset_id == Asset.id
            )
        )
        measures = {str(name): row for name, row in rows}
    assert measures["sound.dng"].mean_dn == pytest.approx(mosaic.mean())
    assert measures["sound.dng"].temperature_c == 21.5
    assert measures["cut.dng"].mean_dn is None
    hashes = hashes_of(catalogue)
    assert hashes[measures["bright.dng"].asset_id] and not hashes[measures["cut.dng"].asset_id]
    assert len(hashes) == len(measures) == 3
    assert measure_missing(catalogue, clock=FixedClock(NOW), processes=1) == MeasuringReport()
