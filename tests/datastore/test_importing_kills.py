"""Kill -9 anywhere in an import: run again, it ends as if nothing had happened."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from datastore import audit
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import HostClock
from datastore.importing import import_folder, read_options
from datastore.tables import (
    Asset,
    AssetReference,
    Camera,
    Session,
    SessionEvent,
    Shot,
    ShotEvent,
    ShotSettings,
    Verdict,
)
from tests.support.catalogues import sqlite_url
from tests.support.frame_files import dark_mosaic, dng
from tests.support.imports import jpeg, shots

IMPORT = """
import sys
from pathlib import Path
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock
from datastore.importing import import_folder, read_options

url, store, folder = sys.argv[1:]
with open_catalogue(url, Path(store)) as catalogue:
    print("begun", flush=True)
    import_folder(catalogue, Path(folder), read_options(), clock=HostClock())
"""
TABLES = (Asset, AssetReference, Camera, Session, Shot, ShotEvent, ShotSettings, Verdict)
KILLS = 12
FILES = 60


def fill(folder: Path) -> None:
    folder.mkdir()
    for number in range(FILES):
        place = folder / f"{number % 3}"
        place.mkdir(exist_ok=True)
        if number % 4 == 0:
            (place / f"{number:03}.dng").write_bytes(dng(dark_mosaic(number)))
        (place / f"{number:03}.jpg").write_bytes(jpeg(number))
    shutil.copy(folder / "0" / "003.jpg", folder / "2" / "twin.jpg")
    (folder / "1" / "cut.dng").write_bytes(dng(dark_mosaic(999))[:50_000])


def end_state(catalogue: Catalogue) -> dict[str, Any]:
    """Everything that an import leaves, but for identifiers, times, and how often it began."""
    with catalogue.reading() as session:
        counts = {
            table.__tablename__: session.scalar(select(func.count()).select_from(table))
            for table in (
                Asset,
                AssetReference,
                Camera,
                Session,
                Shot,
                ShotEvent,
                ShotSettings,
                Verdict,
            )
        }
        query = select(AssetReference).options(joinedload(AssetReference.asset))
        references = sorted((row.path, row.asset.sha256) for row in session.scalars(query))
        ends = list(session.scalars(select(SessionEvent.name).order_by(SessionEvent.id)))
        assert audit.verify(session) == []
    found = {}
    for shot in shots(catalogue).values():
        files = tuple(asset.sha256 for asset in shot.assets)
        assert shot.events[-1].name == "registered"
        found[files] = (
            shot.kind,
            None if shot.camera is None else shot.camera.serial,
            [verdict.verdict for verdict in shot.verdicts],
            [(asset.role, len(asset.locations)) for asset in shot.assets],
        )
    root = catalogue.store.root
    stored = sorted(path.name for path in (root / "sha256").rglob("*") if path.is_file())
    for sha256 in stored:
        catalogue.store.verify(sha256)
    return {
        "counts": counts,
        "references": references,
        "shots": found,
        "stored": stored,
        "last": ends[-1],
    }


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(4))
def test_a_killed_import_ends_as_an_undisturbed_one(
    seed: int,
    sqlite_template: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Kill -9 at random points of an import, again and again: rows and store end up the same."""
    rng = np.random.default_rng(seed)
    fill(tmp_path / "files")
    homes = {}
    for name in ("calm", "killed"):
        homes[name] = tmp_path / name
        homes[name].mkdir()
        shutil.copy(sqlite_template, homes[name] / "catalogue.sqlite")
    with open_catalogue(sqlite_url(homes["calm"]), homes["calm"] / "store") as catalogue:
        begun = time.monotonic()
        import_folder(catalogue, tmp_path / "files", read_options(), clock=HostClock())
        calm_s = time.monotonic() - begun
        expected = end_state(catalogue)

    script = tmp_path / "importing.py"
    script.write_text(IMPORT)
    home = homes["killed"]
    command = [sys.executable, str(script), sqlite_url(home), str(home / "store")]
    kills = 0
    for _ in range(KILLS):
        with subprocess.Popen(
            [*command, str(tmp_path / "files")], stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(float(rng.uniform(0, 1.1 * calm_s)))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                kills += 1
    with open_catalogue(sqlite_url(home), home / "store") as catalogue:
        report = import_folder(catalogue, tmp_path / "files", read_options(), clock=HostClock())
        catalogue.store.discard_unfinished(0)
        assert end_state(catalogue) == expected
        again = import_folder(catalogue, tmp_path / "files", read_options(), clock=HostClock())
        assert again.session is None
        assert end_state(catalogue) == expected
    record_property("kills", kills)
    record_property("files", sum(report.counts.values()))
    record_property("files left for the last run", report.count("accepted"))
