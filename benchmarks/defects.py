"""Finding defects in a stack of dark frames, against what astronomers and photographers use."""

import importlib.util
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import rawpy
import rawpy.enhance
from numpy.typing import NDArray

from benchmarks._result import Result, machine, median_seconds
from datastore.frames import DecodingWorker
from fixtures.dng import RawLevels, dng_bytes
from fixtures.exif import ShotFacts
from training.defects.extraction import Extraction, extract
from training.defects.frames import DarkFrame

NOTES = """
Defects: twenty dark frames with a read noise of 6 DN and 5,600 photosites raised by 8 to 1024 DN.
Ours measures everything that a ledger needs (black, noise, two filters, significances of all
photosites, fits, diagnostics) and has to find what is raised by 24 DN and more without exception,
with at most two false ones in a hundred. The peers give a mask. find_bad_pixels of rawpy finds
those raised by 128 DN and more; its time is less that of decoding the same files. ccdmask of
ccdproc works on the median of the stack, which counts as well (its line is there where the extra
`peers` is installed). In `defects-decoding` ours reads the uncompressed DNG files too, through the
process that decodes untrusted files; the peer is one and a half times that decoding alone.
"""

BLACK_DN, NOISE_DN, WHITE_DN = 512, 6.0, 16_383
LEVELS_DN = (8, 12, 24, 128, 256, 512, 1024)
A_LEVEL = 800

Mosaic = NDArray[np.uint16]


@dataclass(frozen=True)
class Sizes:
    """Photosites of a frame, frames, and how often both sides are timed."""

    rows: int
    columns: int
    frames: int
    repeats: int


QUICK = Sizes(rows=1000, columns=1500, frames=8, repeats=1)
FULL = Sizes(rows=4000, columns=6000, frames=20, repeats=3)


def run(full: bool) -> list[Result]:
    sizes = FULL if full else QUICK
    stack, raised = _stack(sizes)
    with tempfile.TemporaryDirectory() as place:
        files = [_write(Path(place) / f"{number}.dng", one) for number, one in enumerate(stack)]
        results = [_against_rawpy(sizes, stack, raised, files), _decoding(sizes, files)]
        if importlib.util.find_spec("ccdproc") is not None:
            results.append(_against_ccdmask(sizes, stack))
        return results


def _stack(sizes: Sizes) -> tuple[list[Mosaic], NDArray[np.int64]]:
    """Return frames, and the amplitude of every photosite in digital numbers."""
    generator = np.random.default_rng(20)
    size = sizes.rows * sizes.columns
    each = A_LEVEL * size // (FULL.rows * FULL.columns)
    raised = np.zeros(size, np.int64)
    places = generator.choice(size, each * len(LEVELS_DN), replace=False)
    raised[places] = np.repeat(LEVELS_DN, each)
    frames = []
    for _ in range(sizes.frames):
        noise = generator.standard_normal(size, np.float32) * np.float32(NOISE_DN)
        frames.append((noise + np.float32(BLACK_DN + 0.5) + raised).astype(np.uint16))
    return [one.reshape(sizes.rows, sizes.columns) for one in frames], raised


def _write(path: Path, mosaic: Mosaic) -> Path:
    facts = ShotFacts(
        make="Simulated",
        model="Bench",
        firmware="1.0",
        serial="1",
        camera_time=datetime(2026, 1, 1, tzinfo=UTC),
        exposure=Fraction(4),
        iso=800,
        f_number=8.0,
        temperature_c=20.0,
        width=mosaic.shape[1],
        height=mosaic.shape[0],
        noise_reduced=False,
    )
    levels = RawLevels(BLACK_DN, WHITE_DN, (1.0, 1.0, 1.0))
    path.write_bytes(dng_bytes(mosaic, "RGGB", levels, facts))
    return path


def _dark(read: Callable[[], Mosaic], name: str) -> DarkFrame:
    return DarkFrame(
        read=read,
        exposure_s=4.0,
        iso=800,
        temperature_c=20.0,
        cfa="RGGB",
        white_level=WHITE_DN,
        identifier=name,
    )


def _require_right(found: Extraction, raised: NDArray[np.int64], columns: int) -> None:
    """Refuse to time what does not find the defects."""
    places = found.row * columns + found.column
    precision = float((raised[places] > 0).mean())
    clear = np.flatnonzero(raised >= 24)
    recall = float(np.isin(clear, places).mean())
    assert precision >= 0.98 and recall >= 0.999, (precision, recall)


def _against_rawpy(
    sizes: Sizes, stack: list[Mosaic], raised: NDArray[np.int64], files: list[Path]
) -> Result:
    frames = [_dark(lambda one=one: one, str(n)) for n, one in enumerate(stack)]  # type: ignore[misc]
    _require_right(extract(frames), raised, sizes.columns)
    names = [str(file) for file in files]
    ours, peer = median_seconds(
        lambda: extract(frames), lambda: rawpy.enhance.find_bad_pixels(names), sizes.repeats
    )
    peer -= _seconds(lambda: _decode_with_rawpy(files), sizes.repeats)
    return Result(
        name=f"defects-{sizes.frames}x{round(stack[0].size / 1e6, 1):g}MP",
        ours=ours,
        peer=peer,
        peer_name="rawpy.enhance.find_bad_pixels, without its decoding",
        unit="s",
        ratio=peer / ours,
        goal=20.0,
        limit=10.0 if sizes is FULL else 2.0,
        repeats=sizes.repeats,
        machine=machine(),
    )


def _against_ccdmask(sizes: Sizes, stack: list[Mosaic]) -> Result:
    from ccdproc import ccdmask

    frames = [_dark(lambda one=one: one, str(n)) for n, one in enumerate(stack)]  # type: ignore[misc]
    ours = _seconds(lambda: extract(frames), sizes.repeats)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ccdmask(np.median(stack, axis=0), findbadcolumns=False)
    peer = time.perf_counter() - began
    return Result(
        name=f"defects-ccdmask-{sizes.frames}x{round(stack[0].size / 1e6, 1):g}MP",
        ours=ours,
        peer=peer,
        peer_name="ccdproc.ccdmask on the median",
        unit="s",
        ratio=peer / ours,
        goal=100.0,
        limit=50.0 if sizes is FULL else 5.0,
        repeats=sizes.repeats,
        machine=machine(),
    )


def _decoding(sizes: Sizes, files: list[Path]) -> Result:
    with DecodingWorker() as worker:

        def reader(file: Path) -> Callable[[], Mosaic]:
            return lambda: worker.read_frame(file).mosaic

        frames = [_dark(reader(file), file.name) for file in files]
        ours, alone = median_seconds(
            lambda: extract(frames), lambda: [frame.read() for frame in frames], sizes.repeats
        )
    return Result(
        name=f"defects-decoding-{sizes.frames}x{round(sizes.rows * sizes.columns / 1e6, 1):g}MP",
        ours=ours,
        peer=1.5 * alone,
        peer_name="1.5 x decoding alone",
        unit="s",
        ratio=1.5 * alone / ours,
        goal=1.0,
        limit=0.5,
        repeats=sizes.repeats,
        machine=machine(),
    )


def _decode_with_rawpy(files: list[Path]) -> None:
    for file in files:
        with rawpy.imread(str(file)) as raw, nullcontext(raw.raw_image_visible):
            pass


def _seconds(action: Callable[[], object], repeats: int) -> float:
    durations = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        durations.append(time.perf_counter() - began)
    return sorted(durations)[len(durations) // 2]
