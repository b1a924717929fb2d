"""Which patch comes when is decided by numbers alone; a stopped run goes on bit by bit."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from datastore.datasets.patch_spec import PatchSpec
from tests.support.patch_files import Decoder, made_up_mosaic
from tests.support.patch_items import CLASSES, made_up_source
from training.patches.cache import FrameCache
from training.patches.dataset import PatchBatch, PatchDataset, PatchLoader
from training.patches.entries import entry_bytes
from training.patches.errors import PatchError
from training.patches.inputs import Decoded
from training.patches.order import drawn_numbers, epoch_order
from training.patches.source import PatchSource, SensorFacts

RANDOM = PatchSpec(kind="random", size=16, count=5)
GRID = PatchSpec(kind="grid", size=16)


@given(
    patches=st.integers(1, 200),
    seed=st.integers(0, 2**32),
    epoch=st.integers(0, 1000),
    world=st.integers(1, 9),
)
def test_each_patch_comes_once_an_epoch_in_one_of_the_processes(
    patches: int, seed: int, epoch: int, world: int
) -> None:
    dealt = [epoch_order(patches, seed, epoch, rank, world) for rank in range(world)]
    assert sorted(np.concatenate(dealt).tolist()) == list(range(patches))
    lengths = [len(part) for part in dealt]
    assert max(lengths) - min(lengths) <= 1
    np.testing.assert_array_equal(dealt[-1], epoch_order(patches, seed, epoch, world - 1, world))


def test_orders_of_epochs_and_seeds_differ_and_draw_on_nothing_else() -> None:
    np.random.seed(1)
    orders = [epoch_order(1000, seed, epoch) for seed in range(3) for epoch in range(3)]
    np.random.seed(2)
    np.testing.assert_array_equal(orders[0], epoch_order(1000, 0, 0))
    assert len({order.tobytes() for order in orders}) == 9
    assert len({order.tobytes() for order in map(np.sort, orders)}) == 1
    with pytest.raises(PatchError, match="rank 2 of 2"):
        epoch_order(10, 0, 0, 2, 2)


def test_drawn_numbers_belong_to_their_patch_whoever_asks_and_are_uniform() -> None:
    patches = np.arange(40_000)
    counts = np.tile([7, 1000], (40_000, 1))
    drawn = drawn_numbers(patches, counts, seed=3, epoch=5)
    some = np.random.default_rng(0).permutation(40_000)[:100]
    np.testing.assert_array_equal(drawn_numbers(some, counts[some], 3, 5), drawn[some])
    assert not np.array_equal(drawn, drawn_numbers(patches, counts, 3, 6))
    assert not np.array_equal(drawn, drawn_numbers(patches, counts, 4, 5))
    for axis, values in ((0, 7), (1, 1000)):
        seen = np.bincount(drawn[:, axis], minlength=values)
        assert len(seen) == values
        assert stats.chisquare(seen).pvalue > 0.001
    table = np.histogram2d(drawn[:, 0], drawn[:, 1], bins=(7, 10))[0]
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_patches_are_numbered_frame_by_frame(tmp_path: Path) -> None:
    source = made_up_source(tmp_path, GRID)
    assert len(source) == 6 * 4 * 6
    arrays = source.batch(np.arange(len(source)))
    np.testing.assert_array_equal(arrays.items, np.repeat(np.arange(6), 24))
    np.testing.assert_array_equal(arrays.labels, np.repeat([0, 1] * 3, 24))
    assert np.isnan(arrays.ages_s).all()
    np.testing.assert_array_equal(arrays.origins[:24], arrays.origins[24:48])
    for number in (0, 23, 24, 100, 143):
        mosaic = made_up_mosaic(f"frame {number // 24}".encode())
        row, column = arrays.origins[number]
        black = np.tile([[512, 513], [514, 515]], (8, 8))
        expected = (mosaic[row:, column:][:16, :16].astype(int) - black) / 16384
        np.testing.assert_array_equal(arrays.pixels[number, 0], expected.astype(np.float32))
    with pytest.raises(IndexError, match="0 to 143"):
        source.batch(np.array([144]))


def test_ages_are_those_of_the_items(tmp_path: Path) -> None:
    plain = made_up_source(tmp_path, GRID)
    plain.prepare()
    aged = PatchSource(
        [replace(item, age_s=86_400 * number) for number, item in enumerate(plain.items)],
        CLASSES,
        spec=GRID,
        input_name="raw-mosaic",
        cache=FrameCache(tmp_path / "cache", Decoder().content),
        path_of=Path,
        sensors={plain.items[0].camera: SensorFacts()},
    )
    assert aged.batch(np.array([0, 24, 143])).ages_s.tolist() == [0, 86_400, 5 * 86_400]


def test_any_split_into_batches_gives_the_same_patches(tmp_path: Path) -> None:
    source = made_up_source(tmp_path, RANDOM)
    whole = source.batch(np.arange(30), epoch=2)
    for number in range(30):
        one = source.batch(np.array([number]), epoch=2)
        assert one.pixels.tobytes() == whole.pixels[number : number + 1].tobytes()
        np.testing.assert_array_equal(one.origins[0], whole.origins[number])
    assert not np.array_equal(whole.origins, source.batch(np.arange(30), epoch=3).origins)
    assert not (whole.origins % 2).any()


@pytest.mark.parametrize("kind", ["five-crop", "tiles", "grid", "random", "defect-centred"])
def test_cameras_of_any_number_are_laid_out_apart(tmp_path: Path, kind: str) -> None:
    count = {"random": 3, "grid": 7, "defect-centred": 8}.get(kind)
    spec = PatchSpec.model_validate({"kind": kind, "size": 16, "count": count})
    defects = np.random.default_rng(0).integers(0, 60, (12, 2))
    source = made_up_source(
        tmp_path, spec, frames=12, cameras=("6001", "6002"), sensor=SensorFacts((0, 0), defects)
    )
    arrays = source.batch(np.arange(len(source)))
    per_frame = len(source) // 12
    assert per_frame == (count or {"five-crop": 5, "tiles": 24}[kind])
    assert Counter(arrays.items.tolist()) == dict.fromkeys(range(12), per_frame)
    assert len({source.items[item].camera.serial for item in arrays.items}) == 2


def test_around_defects_the_place_tells_nothing_of_the_class(tmp_path: Path) -> None:
    defects = np.random.default_rng(1).integers(0, 60, (9, 2))
    spec = PatchSpec(kind="defect-centred", size=16)
    source = made_up_source(tmp_path, spec, sensor=SensorFacts((0, 0), defects))
    arrays = source.batch(np.arange(len(source)))
    places = [
        sorted(map(tuple, arrays.origins[arrays.labels == label].tolist())) for label in (0, 1)
    ]
    assert places[0] == places[1]
    for label in (0, 1):
        assert arrays.has_defect[arrays.labels == label].mean() == 0.5


def test_defect_centred_patches_need_to_know_the_defects(tmp_path: Path) -> None:
    spec = PatchSpec(kind="defect-centred", size=16)
    with pytest.raises(PatchError, match=r"6001.*no defect ledger.*defects extract"):
        made_up_source(tmp_path, spec)
    defects = np.array([[20, 20]])
    with pytest.raises(PatchError, match=r"6001.*resized"):
        made_up_source(tmp_path, spec, sensor=SensorFacts(None, defects, "it was resized"))


def test_a_frame_of_another_size_is_named(tmp_path: Path) -> None:
    source = made_up_source(tmp_path, GRID)
    source.prepare()
    other = source.items[3].sha256
    entry = tmp_path / "cache" / "entries"
    key = FrameCache(tmp_path / "cache", Decoder().content).key(other)
    (entry / key[:2] / f"{key}.frame").unlink()
    changed = made_up_source(tmp_path, GRID, decoder=Decoder((64, 94)))
    with pytest.raises(PatchError, match=f"item {other} of camera .*64 x 94.*64 x 96"):
        changed.prepare()


def test_preparing_decodes_everything_once_and_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    decoder = Decoder()
    source = made_up_source(tmp_path, GRID, decoder=decoder)
    source.prepare(threads=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]
    source.batch(np.arange(len(source)))
    assert len(decoder.asked) == 6


def test_under_a_quota_smaller_than_the_dataset_patches_stay_right(tmp_path: Path) -> None:
    frame = Decoded(made_up_mosaic(b""), (0.0,) * 4, 1, (0, 0, 64, 96))
    small = made_up_source(tmp_path, RANDOM, quota_bytes=2 * entry_bytes(frame))
    (tmp_path / "other").mkdir()
    large = made_up_source(tmp_path / "other", RANDOM)
    for numbers in np.array_split(np.random.default_rng(0).permutation(30), 5):
        assert small.batch(numbers).pixels.tobytes() == large.batch(numbers).pixels.tobytes()


class TestLoader:
    @pytest.fixture
    def source(self, tmp_path: Path) -> PatchSource:
        return made_up_source(tmp_path, RANDOM)

    def loader(self, source: PatchSource, rank: int = 0, world: int = 1) -> PatchLoader:
        return PatchLoader(PatchDataset(source), 4, seed=9, rank=rank, world=world)

    def test_it_yields_each_patch_once_and_goes_on_to_the_next_epoch(
        self, source: PatchSource
    ) -> None:
        loader = self.loader(source)
        assert len(loader) == 8
        first, second = list(loader), list(loader)
        assert [len(batch.labels) for batch in first] == [4] * 7 + [2]
        assert loader.epoch == 2
        for epoch in (first, second):
            items = torch.cat([batch.items for batch in epoch])
            assert Counter(items.tolist()) == dict.fromkeys(range(6), 5)
        places = [
            torch.cat([batch.origins for batch in epoch]).tolist() for epoch in (first, second)
        ]
        assert sorted(map(tuple, places[0])) != sorted(map(tuple, places[1]))

    @pytest.mark.parametrize("stopped_after", [0, 1, 5, 7, 8, 11, 16])
    def test_a_stopped_run_goes_on_bit_by_bit(
        self, tmp_path: Path, source: PatchSource, stopped_after: int
    ) -> None:
        whole = self.batches(self.loader(source), 20)
        stopped = self.loader(source)
        seen = self.batches(stopped, stopped_after)
        text = json.dumps(stopped.state())
        resumed = self.loader(made_up_source(tmp_path, RANDOM))
        resumed.restore(json.loads(text))
        seen += self.batches(resumed, 20 - stopped_after)
        assert seen == whole

    def batches(self, loader: PatchLoader, count: int) -> list[tuple[bytes, ...]]:
        """Take so many batches, however many epochs that takes; breaks off in the middle."""
        found: list[tuple[bytes, ...]] = []
        while len(found) < count:
            for batch in loader:
                found.append(self.bits(batch))
                if len(found) == count:
                    break
        return found

    def bits(self, batch: PatchBatch) -> tuple[bytes, ...]:
        values = (batch.pixels, batch.labels, batch.items, batch.origins)
        return tuple(value.numpy().tobytes() for value in values)

    def test_processes_deal_out_an_epoch(self, source: PatchSource) -> None:
        seen: Counter[tuple[int, ...]] = Counter()
        for rank in range(4):
            for batch in self.loader(source, rank, 4):
                rows = torch.cat([batch.items[:, None], batch.origins], dim=1)
                seen.update(tuple(row) for row in rows.tolist())
        alone: Counter[tuple[int, ...]] = Counter()
        for batch in self.loader(source):
            rows = torch.cat([batch.items[:, None], batch.origins], dim=1)
            alone.update(tuple(row) for row in rows.tolist())
        assert seen == alone
        assert sum(seen.values()) == 30

    def test_a_state_of_something_else_is_refused(
        self, tmp_path: Path, source: PatchSource
    ) -> None:
        state = self.loader(source).state()
        (tmp_path / "fewer").mkdir()
        others = [
            self.loader(source, 1, 2),
            PatchLoader(PatchDataset(source), 5, seed=9),
            PatchLoader(PatchDataset(source), 4, seed=8),
            self.loader(made_up_source(tmp_path / "fewer", RANDOM, frames=4)),
            self.loader(made_up_source(tmp_path, RANDOM, seed=1)),
            self.loader(made_up_source(tmp_path, GRID)),
        ]
        for other in others:
            with pytest.raises(PatchError, match="of other patches or of another order"):
                other.restore(state)
        with pytest.raises(PatchError, match="at least 1"):
            PatchLoader(PatchDataset(source), 0)

    def test_batches_that_are_kept_stay_as_they_were(self, source: PatchSource) -> None:
        kept = [(batch.pixels, batch.pixels.clone()) for batch in self.loader(source)]
        assert all(torch.equal(pixels, copy) for pixels, copy in kept)

    def test_nothing_is_drawn_from_global_random_states(self, source: PatchSource) -> None:
        before = torch.random.get_rng_state()
        list(self.loader(source))
        assert torch.equal(before, torch.random.get_rng_state())


def test_pytorchs_own_loader_takes_the_dataset(tmp_path: Path) -> None:
    dataset = PatchDataset(made_up_source(tmp_path, GRID))
    assert len(dataset) == 144
    pixels, label = dataset[30]
    assert (pixels.shape, pixels.dtype, int(label)) == ((1, 16, 16), torch.float32, 1)
    loader = torch.utils.data.DataLoader(dataset, batch_size=10)
    seen = list(loader)
    assert [len(labels) for _, labels in seen] == [10] * 14 + [4]
    whole = dataset.batch(np.arange(144))
    assert torch.equal(torch.cat([pixels for pixels, _ in seen]), whole.pixels)
    assert torch.equal(torch.cat([labels for _, labels in seen]), whole.labels)


def test_planes_are_the_places_of_the_colour_cell(tmp_path: Path) -> None:
    mosaics = made_up_source(tmp_path, GRID).batch(np.arange(30))
    source = made_up_source(tmp_path, GRID, input_name="raw-planes", decoder=(decoder := Decoder()))
    planes = source.batch(np.arange(30))
    assert planes.pixels.shape == (30, 4, 8, 8)
    for plane in range(4):
        expected = mosaics.pixels[:, 0, plane // 2 :: 2, plane % 2 :: 2]
        np.testing.assert_array_equal(planes.pixels[:, plane], expected)
    assert decoder.asked == []
