"""From decoded frames to the significance of every photosite, in bands of rows.

Two matched filters over the exposure x ISO grid ask every photosite for a pure dark rate and for a
pure offset. It knows scratch files and cells, no fits and no catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from training.defects._kernels import add_cell
from training.defects.backgrounds import everywhere, tile_spreads, tiles_of, without_background
from training.defects.detection import Candidates, merged
from training.defects.frames import WORKERS, Buffers, Cell, Scratch
from training.defects.maps import LARGEST, SessionMaps
from training.defects.parameters import ExtractionParameters

Floats = NDArray[np.float64]

_NONE = Candidates(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), 0)
_BAND_BYTES = 4 << 20  # of a cell: what caches hold
_SMALLEST_CALIBRATION = 0.8  # of the noise expected, where whole numbers hide smaller spreads
_HIDDEN_NOISE_DN = 1.0  # they hide none of a noise above this


def measure_maps(
    scratch: Scratch,
    cells: Sequence[Cell],
    black_dn: Floats,
    noise_dn: Floats,
    period: int,
    least_z: float,
    parameters: ExtractionParameters,
) -> tuple[SessionMaps, Candidates]:
    """Reduce frames to the two calibrated significances of each photosite.

    Parameters
    ----------
    scratch
        The decoded frames.
    cells
        The grid, least sensitive first.
    black_dn
        Black level of each frame and plane, shape (frames, planes).
    noise_dn
        Noise of one frame by cell and plane, shape (cells, planes).
    period
        2 with colour filters, 1 without.
    least_z
        Significance from which a photosite is a candidate.
    parameters
        Thresholds for transients.

    Returns
    -------
    maps, candidates
        The significance of every photosite, and those that may stand out.
    """
    gains = np.array([cell.gain for cell in cells])
    design = np.stack([gains * [cell.seconds for cell in cells], gains], axis=1)
    repeats = np.array([len(cell.members) for cell in cells])
    weights = (repeats / np.mean(noise_dn, axis=1) ** 2)[:, None] * design
    # at one exposure both filters ask for the same, which is found out once
    is_one_exposure = len({cell.seconds for cell in cells}) == 1
    asked = (1,) if is_one_exposure else (0, 1)
    sums = _weighted_sums(scratch, cells, black_dn, noise_dn, weights[:, asked], period, parameters)

    norm = (weights * design).sum(axis=0)
    hidden_dn = np.minimum(noise_dn, _HIDDEN_NOISE_DN)
    expected = np.sqrt((weights**2 / repeats[:, None]).T @ hidden_dn**2)
    measured = np.zeros((len(asked), *scratch.shape), np.float16)
    work = Buffers(sums.shape[2:], np.float32)
    tiles = tiles_of(sums.shape[2:])
    errors = np.zeros((2, period * period, *tiles))

    def calibrate(which: tuple[int, int]) -> Candidates:
        index, plane = which
        top, left = divmod(plane, period)
        target = measured[asked.index(index)][top::period, left::period]
        rows, columns = target.shape
        values = np.ascontiguousarray(sums[asked.index(index), plane, :rows, :columns])
        with work.lent() as lent:
            own = lent.ravel()[: values.size].reshape(values.shape)
            without_background(values, own)
            spreads = tile_spreads(values, tiles)
            spreads = np.maximum(spreads, _SMALLEST_CALIBRATION * expected[index, plane])
            if norm[index] <= 0 or not spreads.all():
                return _NONE
            errors[index, plane] = spreads / norm[index]
            values /= everywhere(spreads, values.shape, own)
        target[...] = np.clip(values, -LARGEST, LARGEST, out=values)
        found = np.flatnonzero(values >= least_z)
        row, column = np.divmod(found, columns)
        return Candidates(
            row * period + top,
            column * period + left,
            values.ravel()[found].astype(float),
            int(np.count_nonzero(values <= -least_z)),
        )

    which = [(index, plane) for index in asked for plane in range(period * period)]
    with ThreadPoolExecutor(WORKERS) as executor:
        found = list(executor.map(calibrate, which))
    significance: NDArray[np.float16] = measured
    if is_one_exposure:
        # both filters say the same; without an exposure there is no dark rate to be seen
        significance = np.broadcast_to(measured, (2, *scratch.shape))
        if cells[0].seconds > 0:
            errors[0] = errors[1] / cells[0].seconds
        else:
            significance = np.concatenate([np.zeros_like(measured), measured])
    information = np.array(
        [
            (repeats / noise_dn[:, plane] ** 2 * design.T) @ design
            for plane in range(period * period)
        ]
    )
    maps = SessionMaps(
        significance=significance,
        error=errors,
        information=information,
        seconds=cells[-1].seconds,
        gain=cells[-1].gain,
        period=period,
    )
    planes = period * period
    below = max(
        sum(one.below for one in found[start : start + planes])
        for start in range(0, len(found), planes)
    )
    return maps, merged(found, scratch.shape[1], below)


def _weighted_sums(
    scratch: Scratch,
    cells: Sequence[Cell],
    black_dn: Floats,
    noise_dn: Floats,
    weights: Floats,
    period: int,
    parameters: ExtractionParameters,
) -> NDArray[np.float32]:
    """Return the sums of the filters by plane, float32 of (filters, planes, rows, columns)."""
    height, width = scratch.shape
    plane_shape = (-(-height // period), -(-width // period))
    sums = np.zeros((weights.shape[1], period * period, *plane_shape), np.float32)
    most = max(len(cell.members) for cell in cells)
    step = max(period, _BAND_BYTES // (2 * width * most) // period * period)
    along = np.arange(width) % period
    prepared = []
    for index, cell in enumerate(cells):
        limits = parameters.transient_sigmas * noise_dn[index]
        limits = limits * np.sqrt(1 + 1 / max(len(cell.members) - 1, 1))
        # what a row of either parity has at each column
        planes = [phase * period + along for phase in range(period)]
        levels = np.stack([black_dn[list(cell.members)][:, one] for one in planes])
        prepared.append(
            (levels.astype(np.float32), np.stack([limits[one] for one in planes]).astype("f4"))
        )
    buffers = Buffers((most, step, width), np.uint16)

    def reduce_band(start: int) -> None:
        stop = min(start + step, height)
        with buffers.lent() as buffer:
            for index, cell in enumerate(cells):
                stack = buffer[: len(cell.members), : stop - start]
                for number, member in enumerate(cell.members):
                    scratch.read_band(member, start, stack[number])
                levels, limits = prepared[index]
                add_cell(
                    stack, levels, limits, parameters.transient_sigmas,
                    weights[index].astype(np.float32), start, sums,
                )  # fmt: skip

    with ThreadPoolExecutor(WORKERS) as executor:
        list(executor.map(reduce_band, range(0, height, step)))
    return sums
