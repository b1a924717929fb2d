"""The benchmark of verifying: a small store goes through all sides, each from the disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from benchmarks import verify
from benchmarks.verify import Size, compare, hash_in_memory


def test_every_comparison_is_told() -> None:
    results = compare(Size(megabytes=1, few=3, many=3), 3, 1)
    assert [result.name for result in results][:1] == ["verify-1MB-limit"]
    for result in results:
        assert result.ratio == pytest.approx(result.ours / result.peer)
        assert result.ours > 0 and result.unit == "MB/s"


def test_hashing_in_memory_takes_every_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_CHUNK_BYTES", 10)
    assert hash_in_memory(0) == hashlib.sha256().hexdigest()
    assert len({hash_in_memory(size) for size in (10, 20, 25)}) == 3


def test_a_store_that_is_not_sound_is_no_measurement(tmp_path: Path) -> None:
    from datastore.catalogue import open_catalogue
    from migrations import runner

    url = f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    runner.create(url)
    with open_catalogue(url, tmp_path / "store") as catalogue:
        paths = verify.fill(catalogue, 2, 1000)
        verify.verify_all(catalogue, 2)
        paths[0].unlink()
        with pytest.raises(RuntimeError, match="not sound"):
            verify.verify_all(catalogue, 2)
