"""Whatever lies in a folder: every file is accounted for, and the import comes to its end."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.tables import Asset, AssetReference
from tests.support.frame_files import SHARED_DATA
from tests.support.import_damage import fill
from tests.support.imports import Imported, row_counts, run, shots

_SMALL_BYTES = 2_000_000


def originals() -> list[Path]:
    """Real files that are small enough to be damaged many times; none where they are not here."""
    return sorted(
        path
        for path in SHARED_DATA.rglob("*")
        if path.is_file() and path.suffix != ".csv" and path.stat().st_size <= _SMALL_BYTES
    )


def files_below(folder: Path) -> list[Path]:
    return [Path(place) / name for place, _, names in os.walk(folder) for name in names]


def assert_accounted_for(catalogue: Catalogue, folder: Path, report: Imported) -> None:
    """Hold the report, the rows and the store against what lies in the folder."""
    told = Counter(entry.path for entry in report.entries)
    assert max(told.values()) == 1
    present = files_below(folder)
    # as root a folder that nobody may read can be read
    unread = {"closed"} & told.keys()
    assert len(told) == len(present) + len(unread)
    assert all(entry.reason for entry in report.entries if entry.outcome != "accepted")
    stored = {asset.sha256: asset for shot in shots(catalogue).values() for asset in shot.assets}
    with catalogue.reading() as session:
        query = select(AssetReference).options(joinedload(AssetReference.asset))
        references = {row.path: row.asset.sha256 for row in session.scalars(query)}
        assert audit.verify(session) == []
        hashes = set(session.scalars(select(Asset.sha256)))
    taken = {entry.path for entry in report.entries if entry.shot is not None}
    assert references.keys() == taken
    by_hash = Counter(references.values())
    assert by_hash.keys() == hashes >= stored.keys()
    for path in present:
        name = path.relative_to(folder).as_posix()
        if name in references:
            content = path.read_bytes()
            assert references[name] == hashlib.sha256(content).hexdigest()
            assert catalogue.store.read_bytes(references[name]) == content
    assert not list((catalogue.store.root / "unfinished").iterdir())


def bring_in(catalogue: Catalogue, folder: Path, seed: int, count: int) -> Imported:
    folder.mkdir()
    fill(folder, np.random.default_rng(seed), count, originals())
    try:
        report = run(catalogue, folder)
        assert_accounted_for(catalogue, folder, report)
        before = row_counts(catalogue)
        again = run(catalogue, folder)
    finally:
        (folder / "closed").chmod(0o700)
    assert row_counts(catalogue) == before
    assert again.session is None
    assert {entry.outcome for entry in again.entries} <= {"already", "skipped", "unreadable"}
    return report


def test_hostile_files_are_accounted_for_one_by_one(catalogue: Catalogue, tmp_path: Path) -> None:
    report = bring_in(catalogue, tmp_path / "files", seed=1, count=16)
    strange = {
        entry.path.removeprefix("strange/"): entry
        for entry in report.entries
        if entry.path.startswith("strange/")
    }
    for name in ("archive.dng", "archive.jpg", "huge.tif", "huge.jpg", "empty.dng", "loop.tif"):
        assert strange[name].outcome == "quarantined", name
    for name in ("to-nowhere.jpg", "to-itself.jpg", "to-a-secret.dng"):
        assert (strange[name].outcome, strange[name].reason) == ("skipped", "The file is a link.")
    assert strange["pipe.tif"].reason == "The file is no regular file."
    assert all(entry.path.isprintable() for entry in report.entries)


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(100, 103))
def test_fuzzed_files_never_end_the_import(
    catalogue: Catalogue,
    seed: int,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Hundreds of damaged and hostile files: each has its outcome, its bytes and its reason."""
    report = bring_in(catalogue, tmp_path / "files", seed=seed, count=250)
    record_property("files", len(report.entries))
    for outcome, count in sorted(report.report.counts.items()):
        record_property(outcome, count)
