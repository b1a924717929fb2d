"""Shuffled patches as float batches, from the cache of decoded frames against other ways.

Every side ends in the same: a float32 tensor of 64 patches of 256 x 256, scaled, ready for a
network. The limit is what plain numpy does where all patches were cut beforehand and lie in one
mapped file in memory: it gathers a batch at once and scales it into memory that it uses again. It
needs the patches to be known, and once more the room of the frames.
"""

import io
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmarks._result import Result, machine
from datastore.datasets.items import CameraIdentity, Item, TimeslotBounds
from datastore.datasets.patch_spec import PatchSpec
from training.patches.cache import FrameCache
from training.patches.dataset import PatchDataset, PatchLoader
from training.patches.inputs import RGB
from training.patches.source import PatchSource, SensorFacts

ROWS, COLUMNS, SIDE, BATCH = 3000, 4000, 256, 64
NAIVE_PATCHES = 12
_SCALE = np.float32(1 / 256)

NOTES = """
Patches: 256 x 256 x 3 of 12-megapixel JPEG files, as float32 tensors of 64 patches. The limit
gathers from patches that were cut beforehand. Cold: both sides begin with files that are on the
disk alone, ours reads whole frames and compares them with their checksums before it trusts them.
First epoch: nothing is decoded yet.
"""


@dataclass(frozen=True)
class Sizes:
    """How much is read."""

    frames: int
    patches_per_frame: int
    repeats: int


QUICK = Sizes(frames=8, patches_per_frame=128, repeats=5)
FULL = Sizes(frames=48, patches_per_frame=128, repeats=11)


def run(full: bool) -> list[Result]:
    return compare(FULL if full else QUICK)


def compare(sizes: Sizes) -> list[Result]:
    """Time all sides in turn, warm and cold."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_pictures(folder / "pictures", sizes.frames)
        rates = warm_rates(folder, paths, sizes)
        cold_rates = rates_from_disk(folder, paths, sizes)
        first_rate = rate_of_first_epoch(folder, paths, sizes)
    peers = (
        ("naive", "Pillow: open the JPEG, crop, for every patch", 20.0, 10.0),
        ("webdataset", "WebDataset of patches cut beforehand, as .npy", 2.0, 1.0),
        ("limit", "batched gather from a numpy memmap of patches cut beforehand", 0.7, 0.4),
    )
    results = [
        result(f"patches-{peer}", rates["ours"], rates[peer], words, goal, limit, sizes.repeats)
        for peer, words, goal, limit in peers
    ]
    words = "batched gather from a numpy memmap on the disk"
    ours, peer = cold_rates["ours"], cold_rates["limit"]
    results.append(result("patches-cold", ours, peer, words, 0.5, 0.2, sizes.repeats))
    ours, words = first_rate, "Pillow: open the JPEG, crop, for every patch"
    return [*results, result("patches-first-epoch", ours, rates["naive"], words, 10.0, 5.0, 1)]


def warm_rates(folder: Path, paths: list[Path], sizes: Sizes) -> dict[str, float]:
    """Return the rates of all sides with files that lie in memory."""
    source = open_source(folder / "cache", paths, sizes.patches_per_frame)
    patches_file = cut_beforehand(source, folder / "patches.npy")
    shards = write_shards(source, folder / "patches.tar")
    numbers = np.random.default_rng(0).permutation(len(source))
    loader = PatchLoader(PatchDataset(source), BATCH)
    actions: dict[str, Callable[[], int]] = {
        "ours": lambda: consume(batch.pixels for batch in loader),
        "naive": lambda: consume(naive_batches(paths, source)),
        "webdataset": lambda: consume(webdataset_batches(shards)),
        "limit": lambda: consume(gathered_batches(patches_file, numbers)),
    }
    return patches_per_second(actions, sizes.repeats)


def rates_from_disk(folder: Path, paths: list[Path], sizes: Sizes) -> dict[str, float]:
    """Return the rates of what `warm_rates` left, with files that are on the disk alone."""
    files = [*(folder / "cache").rglob("*.frame"), folder / "patches.npy"]
    numbers = np.random.default_rng(0).permutation(sizes.frames * sizes.patches_per_frame)

    def ours() -> int:
        source = open_source(folder / "cache", paths, sizes.patches_per_frame)
        return consume(batch.pixels for batch in PatchLoader(PatchDataset(source), BATCH))

    actions: dict[str, Callable[[], int]] = {
        "ours": ours,
        "limit": lambda: consume(gathered_batches(folder / "patches.npy", numbers)),
    }
    return patches_per_second(actions, sizes.repeats, before=lambda: forget(files))


def rate_of_first_epoch(folder: Path, paths: list[Path], sizes: Sizes) -> float:
    """Return the rate of an epoch that finds nothing decoded."""
    start = time.perf_counter()
    source = open_source(folder / "new-cache", paths, sizes.patches_per_frame)
    patches = consume(batch.pixels for batch in PatchLoader(PatchDataset(source), BATCH))
    return patches / (time.perf_counter() - start)


def result(
    name: str, ours: float, peer: float, peer_name: str, goal: float, limit: float, repeats: int
) -> Result:
    return Result(
        name=name,
        ours=ours,
        peer=peer,
        peer_name=peer_name,
        unit="patches/s",
        ratio=ours / peer,
        goal=goal,
        limit=limit,
        repeats=repeats,
        machine=machine(),
    )


def write_pictures(folder: Path, count: int) -> list[Path]:
    """Write 12-megapixel JPEG files with structure and noise, each named by its hash."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    rows, columns = np.ogrid[:ROWS, :COLUMNS]
    paths = []
    for number in range(count):
        waves = np.sin(rows / (40 + number)) + np.cos(columns / (90 - number))
        shades = np.stack([waves * shade for shade in (30, 25, 20)], axis=-1) + 128
        noise = generator.normal(0, 4, (ROWS, COLUMNS, 1))
        pixels = np.clip(shades + noise, 0, 255).astype(np.uint8)
        data = simplejpeg.encode_jpeg(pixels, quality=92)
        path = folder / sha256(data).hexdigest()
        path.write_bytes(data)
        paths.append(path)
    return paths


def open_source(cache_folder: Path, paths: list[Path], per_frame: int) -> PatchSource:
    """Open random patches of the pictures, as items of one camera."""
    at = datetime(2024, 1, 1, tzinfo=UTC)
    camera = CameraIdentity(make="Benchmark", model="12 MP", serial="1", simulated=True)
    slot = TimeslotBounds(
        scheme="years", ordinal=1, starts_at=at, ends_at=datetime(2025, 1, 1, tzinfo=UTC)
    )
    items = [
        Item(
            sha256=path.name,
            role="jpeg",
            kind="natural",
            camera=camera,
            firmware=None,
            fixture=None,
            scene=None,
            session="session",
            session_started_at=at,
            triggered_at=at,
            iso=None,
            exposure=None,
            f_number=None,
            temperature_millidegrees=None,
            verdict=None,
            class_name="early",
            timeslot=slot,
            block="train",
        )
        for path in paths
    ]
    source = PatchSource(
        items,
        ["early"],
        spec=PatchSpec(kind="random", size=SIDE, count=per_frame),
        input_name="jpeg-rgb",
        cache=FrameCache(cache_folder, RGB),
        path_of=lambda found: paths[0].with_name(found),
        sensors={camera: SensorFacts()},
    )
    source.prepare()
    return source


def cut_beforehand(source: PatchSource, path: Path) -> Path:
    """Write all patches of an epoch into one file, uint8 of shape (patches, 3, side, side)."""
    patches = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.uint8, shape=(len(source), 3, SIDE, SIDE)
    )
    for start in range(0, len(source), BATCH):
        part = np.arange(start, min(start + BATCH, len(source)))
        patches[part] = source.batch(part).pixels * 256
    patches.flush()
    return path


def write_shards(source: PatchSource, path: Path) -> str:
    """Write the patches as WebDataset has them."""
    import webdataset  # type: ignore[import-untyped]

    with webdataset.TarWriter(str(path)) as writer:
        for number in range(len(source)):
            pixels = (source.batch(np.array([number])).pixels[0] * 256).astype(np.uint8)
            buffer = io.BytesIO()
            np.save(buffer, pixels)
            writer.write({"__key__": f"{number:08d}", "npy": buffer.getvalue(), "cls": b"0"})
    return str(path)


def naive_batches(paths: list[Path], source: PatchSource) -> Iterator[Tensor]:
    """Open and crop a picture for each patch."""
    numbers = np.random.default_rng(0).permutation(len(source))[:NAIVE_PATCHES]
    arrays = source.batch(numbers)
    crops = []
    for item, (row, column) in zip(arrays.items.tolist(), arrays.origins.tolist(), strict=True):
        with Image.open(paths[item]) as picture:
            crops.append(np.asarray(picture.crop((column, row, column + SIDE, row + SIDE))))
    yield torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float().mul_(float(_SCALE))


def webdataset_batches(shards: str) -> Iterator[Tensor]:
    """Read shuffled patches with WebDataset."""
    import webdataset

    dataset = webdataset.WebDataset(shards, shardshuffle=False, empty_check=False)
    for pixels, _ in dataset.shuffle(1000).decode().to_tuple("npy", "cls").batched(BATCH):
        yield torch.from_numpy(np.asarray(pixels)).float().mul_(float(_SCALE))


def gathered_batches(path: Path, numbers: NDArray[np.int64]) -> Iterator[Tensor]:
    """Gather batches of patches that were cut beforehand."""
    patches = np.load(path, mmap_mode="r")
    raw = np.empty((BATCH, 3, SIDE, SIDE), np.uint8)
    batch = np.empty(raw.shape, np.float32)
    for start in range(0, len(numbers), BATCH):
        part = numbers[start : start + BATCH]
        np.take(patches, part, axis=0, out=raw[: len(part)], mode="clip")
        # in two steps, which is faster than one that converts while it multiplies
        np.copyto(batch[: len(part)], raw[: len(part)])
        np.multiply(batch[: len(part)], _SCALE, out=batch[: len(part)])
        yield torch.from_numpy(batch[: len(part)])


def consume(batches: Iterator[Tensor]) -> int:
    """Take all batches, look at one value of each, and return how many patches they held."""
    patches = 0
    for batch in batches:
        if not 0 <= batch[0, 0, 0, 0].item() <= 1 or batch.dtype != torch.float32:
            raise RuntimeError("no batch of scaled patches")
        patches += len(batch)
    return patches


def forget(paths: list[Path]) -> None:
    """Have the operating system drop its copies of files that are on the disk."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def patches_per_second(
    actions: dict[str, Callable[[], int]],
    repeats: int,
    before: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Return the median rates of actions in turn, each run once beforehand to warm up."""
    rates: dict[str, list[float]] = {name: [] for name in actions}
    for _, (name, action) in itertools.product(range(repeats + 1), actions.items()):
        before()
        start = time.perf_counter()
        patches = action()
        rates[name].append(patches / (time.perf_counter() - start))
    return {name: statistics.median(found[1:]) for name, found in rates.items()}
