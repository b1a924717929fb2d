"""The reduction of dark frames against a second implementation in plain numpy and scipy.

It holds all frames in memory, knows no bands, no threads, no compiled loops, and works photosite by
photosite as the description says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import ndimage, stats
from scipy.interpolate import RegularGridInterpolator

from tests.support.simulated_darks import dark_frames, make_sensor
from training.defects.extraction import Extraction, extract
from training.defects.frames import DarkFrame
from training.defects.parameters import ExtractionParameters

PARAMETERS = ExtractionParameters()


def black_of(values: np.ndarray) -> float:
    """Mean of the values within three robust standard deviations of the median."""
    median = np.sort(values, axis=None)[(values.size - 1) // 2]
    distance = np.abs(values.astype(float) - median)
    deviation = np.sort(distance, axis=None)[(values.size - 1) // 2]
    kept = distance <= max(3 * 1.4826 * float(deviation), 1.0)
    return float(np.mean(values[kept]))


def noise_of(plane: np.ndarray) -> float:
    """Standard deviation from trimmed differences of neighbours, at least that of rounding."""
    stride = max(1, plane.size // 100_000)
    differences = np.diff(plane[::stride].astype(np.float32), axis=1)
    scale = max(1.4826 * float(np.median(np.abs(differences))), 1.0)
    kept = differences[np.abs(differences) <= 4 * scale]
    return float(max(float(np.std(kept)) / np.sqrt(2), 1 / np.sqrt(12)))


def without_transient(stack: np.ndarray, limit: float) -> np.ndarray:
    """Mean over frames, the largest left out where it stands out from the others."""
    count = len(stack)
    mean = stack.mean(axis=0)
    if count == 1:
        return np.asarray(mean)
    ordered = np.sort(stack, axis=0)
    rest, spread = ordered[:-1].mean(axis=0), ordered[:-1].var(axis=0)
    excess = ordered[-1] - rest
    transient = (excess > limit) & (excess**2 > PARAMETERS.transient_sigmas**2 * spread)
    return np.asarray(np.where(transient, rest, mean))


def sampled(size: int, sample: int) -> list[int]:
    """All places, or as many as the sample, spread out by Knuth's multiplicative hashing."""
    if size <= sample:
        return list(range(size))
    return [2_654_435_761 * number % size for number in range(sample)]


def quantile_spread(values: np.ndarray, sample: int) -> float:
    ordered = np.sort(np.abs(values.ravel()[sampled(values.size, sample)]))
    # one of 25 is the median that was taken off, and is zero
    share = (0.95 - 1 / 25) / (1 - 1 / 25)
    sigmas = stats.norm.ppf((1 + share) / 2)
    return float(ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)] / sigmas)


def spread_everywhere(values: np.ndarray, tiles: tuple[int, int]) -> np.ndarray:
    """Robust spread of each tile, median of its neighbourhood, linear between the middles."""
    edges = [np.linspace(0, size, n + 1).astype(int) for size, n in zip(values.shape, tiles)]  # noqa: B905
    height, width = (int(np.diff(one).min()) for one in edges)
    sample = 1024 if tiles != (1, 1) else values.size
    grid = np.array(
        [
            [quantile_spread(values[top : top + height, left : left + width], sample)
             for left in edges[1][:-1]]
            for top in edges[0][:-1]
        ]
    )  # fmt: skip
    smooth = ndimage.median_filter(grid, size=3, mode="nearest")
    if tiles == (1, 1):
        return np.full(values.shape, smooth[0, 0])
    middles = [(np.arange(n) + 0.5) * size / n - 0.5 for size, n in zip(values.shape, tiles)]  # noqa: B905
    along = RegularGridInterpolator(middles, smooth, bounds_error=False, fill_value=None)
    places = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), axis=-1)
    return np.asarray(np.maximum(along(places), smooth.min() / 2))


def significances(frames: Sequence[DarkFrame]) -> np.ndarray:
    """Significances of both filters, shape (2, rows, columns)."""
    mosaics = [frame.read().astype(float) for frame in frames]
    period = 1 if frames[0].cfa == "MONO" else 2
    shape = mosaics[0].shape
    planes = [
        (slice(top, None, period), slice(left, None, period))
        for top in range(period)
        for left in range(period)
    ]
    cells: dict[tuple[float, int | None], list[int]] = {}
    for number, frame in enumerate(frames):
        cells.setdefault((frame.exposure_s, frame.iso), []).append(number)
    factor = 2.0 ** (
        (frames[0].temperature_c - PARAMETERS.reference_temperature_c)  # type: ignore[operator]
        / PARAMETERS.doubling_temperature_c
    )
    noise = {
        cell: [float(np.mean([noise_of(mosaics[one][plane]) for one in of])) for plane in planes]
        for cell, of in cells.items()
    }
    gain = {cell: (cell[1] or 100) / 100 for cell in cells}
    design = {cell: (gain[cell] * cell[0] * factor, gain[cell]) for cell in cells}
    result = np.zeros((2, *shape))
    for place, plane in enumerate(planes):
        means = {}
        for cell, of in cells.items():
            stack = np.stack([mosaics[one][plane] - black_of(mosaics[one][plane]) for one in of])
            limit = PARAMETERS.transient_sigmas * noise[cell][place]
            means[cell] = without_transient(stack, limit * np.sqrt(1 + 1 / max(len(of) - 1, 1)))
        for index in range(2):
            weights = {
                cell: len(of) / np.mean(noise[cell]) ** 2 * design[cell][index]
                for cell, of in cells.items()
            }
            total = np.sum([weights[cell] * means[cell] for cell in cells], axis=0)
            rows, columns = total.shape
            # of an even number of photosites the upper one of the two in the middle
            across, down = sampled(columns, 500), sampled(rows, 500)
            total = total - np.sort(total[:, across], axis=1)[:, [len(across) // 2]]
            total = total - np.sort(total[down], axis=0)[len(down) // 2]
            total = total - ndimage.median_filter(total, size=5, mode="nearest")
            whole = -(-shape[0] // period), -(-shape[1] // period)
            tiles = tuple(max(1, round(side / 64)) for side in whole)
            expected = np.sqrt(
                sum(
                    weights[cell] ** 2 * min(noise[cell][place], 1.0) ** 2 / len(of)
                    for cell, of in cells.items()
                )
            )
            spread = np.maximum(spread_everywhere(total, tiles), 0.8 * expected)
            result[index][plane] = total / spread
    return result


def discovered(z: np.ndarray) -> np.ndarray:
    """Places that pass Benjamini and Hochberg's procedure over all photosites and both filters."""
    best = z.max(axis=0).ravel()
    order = np.argsort(-best)
    allowed = PARAMETERS.false_discovery_rate * np.arange(1, best.size + 1) / (2 * best.size)
    passed = np.flatnonzero(stats.norm.sf(best[order]) <= allowed)
    return np.sort(order[: passed[-1] + 1]) if len(passed) else np.empty(0, np.int64)


def places(found: Extraction, columns: int) -> np.ndarray:
    return np.asarray(found.row * columns + found.column)


@pytest.mark.parametrize(
    ("cfa", "shape", "grid", "repeats", "glow"),
    [
        ("RGGB", (96, 128), ((0.25, 800), (1.0, 800), (4.0, 800)), 4, 0.0),
        ("MONO", (97, 131), ((1.0, 100), (1.0, 800), (4.0, 800)), 3, 0.0),
        ("GBRG", (95, 127), ((4.0, 800),), 5, 0.0),
        ("RGGB", (96, 128), ((1.0, 800), (4.0, 800)), 1, 0.0),
        ("MONO", (270, 400), ((1.0, 800), (4.0, 800)), 3, 60.0),
        ("RGGB", (260, 1300), ((1.0, 800), (4.0, 800)), 3, 60.0),
    ],
    ids=[
        "colours",
        "monochrome-odd",
        "one-exposure-odd",
        "one-repeat",
        "tiles-and-glow",
        "sampled-lines",
    ],
)
def test_both_implementations_agree(
    cfa: str,
    shape: tuple[int, int],
    grid: Sequence[tuple[float, int]],
    repeats: int,
    glow: float,
) -> None:
    generator = np.random.default_rng(7)
    sensor = make_sensor(generator, shape, defects=shape[0] * shape[1] // 250)
    frames = dark_frames(
        generator,
        sensor,
        grid=grid,
        repeats=repeats,
        cfa=cfa,
        cosmic_rays=10,
        row_noise_e=0.5,
        glow_e_per_s=glow,
    )
    found = extract(frames)
    expected = significances(frames)
    got = found.maps.significance.astype(float)
    # 16-bit floats keep eleven bits, and sums in 32 bits err in their last
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=5e-3)
    np.testing.assert_array_equal(places(found, shape[1]), discovered(expected))
    assert len(found.row) > 20
