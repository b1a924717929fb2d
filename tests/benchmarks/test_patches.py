"""The benchmark of patches: both sides read the same patches, and every comparison is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import patches
from benchmarks.patches import Sizes

# WebDataset leaves its shards for the garbage collector to close
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

SMALL = Sizes(frames=2, patches_per_frame=6, repeats=1)


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "ROWS", 300)
    monkeypatch.setattr(patches, "COLUMNS", 400)


def test_every_comparison_is_told() -> None:
    results = {result.name: result for result in patches.compare(SMALL)}
    assert list(results) == [
        "patches-naive",
        "patches-webdataset",
        "patches-limit",
        "patches-cold",
        "patches-first-epoch",
    ]
    assert results["patches-naive"].goal == 20.0
    assert results["patches-limit"].goal == 0.7
    for result in results.values():
        assert result.ratio == pytest.approx(result.ours / result.peer)


def test_all_sides_show_the_same_patches(tmp_path: Path) -> None:
    paths = patches.write_pictures(tmp_path / "pictures", 2)
    source = patches.open_source(tmp_path / "cache", paths, 6)
    numbers = np.random.default_rng(0).permutation(12)
    ours = torch.from_numpy(source.batch(numbers).pixels)
    file = patches.cut_beforehand(source, tmp_path / "patches.npy")
    (gathered,) = patches.gathered_batches(file, numbers)
    assert torch.equal(ours, gathered)
    (naive,) = patches.naive_batches(paths, source)
    assert torch.equal(ours[: len(naive)], naive)
    shards = patches.write_shards(source, tmp_path / "patches.tar")
    read = torch.cat(list(patches.webdataset_batches(shards)))

    def in_some_order(batch: torch.Tensor) -> list[bytes]:
        return sorted(patch.numpy().tobytes() for patch in batch)

    assert in_some_order(read) == in_some_order(ours)
