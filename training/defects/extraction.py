"""Extraction: the defects of one camera from one session's dark frames; reads no catalogue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.defects.detection import least_significance, require_dark, significant
from training.defects.diagnostics import FrameDiagnostics, diagnose, period_of
from training.defects.errors import DarkFrameError
from training.defects.fit import Floats
from training.defects.frames import (
    WORKERS,
    Cell,
    DarkFrame,
    Scratch,
    cells_of,
    require_alike,
    scratch_file,
)
from training.defects.linearity import Linearity, linearity_of_strongest
from training.defects.maps import SessionMaps
from training.defects.parameters import ExtractionParameters
from training.defects.photosites import Measured, flags_of, kinds_of, measure_photosites
from training.defects.reduction import measure_maps
from training.defects.session_diagnostics import Judgement, judge_session
from training.defects.stability import Stability, temperature_stability
from training.defects.thermometer import frame_scales, temperature_changes

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Extraction:
    """What one session's dark frames show.

    Every array of photosites has the shape (photosites,); rates and offsets are at ISO 100 and
    NaN where the grid cannot tell them.

    Attributes
    ----------
    row, column, plane
        Photosites in full `raw_image` space.
    kind
        Index into `KINDS`.
    dark_rate_dn_per_s, dark_rate_error
        Dark rate at the reference temperature (or at the session's, where that is unknown).
    offset_dn, offset_error
        Offset that no exposure changes.
    amplitude_dn
        Signal in the most sensitive cell.
    z, p
        Calibrated significance and its p-value.
    reduced_chi2, fit_probability
        Of the cells about the line.
    flags
        ``poor-fit``, ``saturated``, ``transients``, ``not-separable`` per photosite.
    detection_limit_dn
        Amplitude in the most sensitive cell that reaches the significance asked for, per plane.
    threshold_z
        That significance.
    cells
        The grid, least sensitive first.
    diagnostics
        Of each frame, in the order given.
    temperature_c
        Mean temperature, None where it is not known of every frame.
    photon_gain
        Digital numbers per electron at ISO 100, 0 where no bright photosite tells.
    strongest
        Index of the photosites whose linearity was judged, the strongest first.
    linearity
        Signal against exposure of those; None with fewer than three exposures.
    maps
        For measuring given photosites later.
    judgements
        Whether the camera seems to take defects away.
    stability
        How the temperature went during the session.
    cfa
        Colours of the 2 x 2 cell at (0, 0), or ``MONO``.
    temperatures_c
        Of each frame, None where unknown.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    plane: NDArray[np.int64]
    kind: NDArray[np.int64]
    dark_rate_dn_per_s: Floats
    dark_rate_error: Floats
    offset_dn: Floats
    offset_error: Floats
    amplitude_dn: Floats
    z: Floats
    p: Floats
    reduced_chi2: Floats
    fit_probability: Floats
    flags: tuple[tuple[str, ...], ...]
    detection_limit_dn: tuple[float, ...]
    threshold_z: float
    cells: tuple[Cell, ...]
    diagnostics: tuple[FrameDiagnostics, ...]
    temperature_c: float | None
    photon_gain: float
    strongest: NDArray[np.int64]
    linearity: Linearity | None
    maps: SessionMaps
    judgements: tuple[Judgement, ...]
    stability: Stability
    cfa: str
    temperatures_c: tuple[float | None, ...]


def extract(
    frames: Sequence[DarkFrame],
    parameters: ExtractionParameters | None = None,
    *,
    scratch_folder: Path | None = None,
    progress: Progress | None = None,
) -> Extraction:
    """Measure the defects that a session's dark frames show.

    Frames are decoded one after the other into a scratch file and reduced in bands of rows, so
    that the memory in use does not grow with their number. Photosites are found by two matched
    filters over the exposure x ISO grid, one for a pure dark rate and one for a pure offset,
    each less its local background (5 x 5 same-coloured median), calibrated on the robust spread
    of its plane, with the false-discovery rate over all photosites controlled by Benjamini and
    Hochberg (1995). The combination of these parts is reconstructed.

    Parameters
    ----------
    frames
        Dark frames of one camera and session, of one size.
    parameters
        Thresholds; the defaults where None.
    scratch_folder
        Where the decoded frames lie meanwhile (two bytes per photosite and frame).
    progress
        Called with frames decoded and frames in all.

    Raises
    ------
    DarkFrameError
        If the frames differ in size or filters, or are no dark fields.
    """
    parameters = parameters or ExtractionParameters()
    require_alike(frames)
    cells = cells_of(frames, parameters.reference_temperature_c, parameters.doubling_temperature_c)
    period = period_of(frames[0].cfa)
    first = frames[0].read()
    with scratch_file(first.shape, scratch_folder) as scratch:
        diagnostics = _decode(frames, first, scratch, progress)
        del first
        black_dn = np.array([one.black_dn for one in diagnostics])
        spatial_noise = np.array(
            [np.mean([diagnostics[m].noise_dn for m in cell.members], axis=0) for cell in cells]
        )
        maps, candidates = measure_maps(
            scratch, cells, black_dn, spatial_noise, period, least_significance(parameters),
            parameters,
        )  # fmt: skip
        photosites = scratch.shape[0] * scratch.shape[1]
        require_dark(candidates, photosites, least_significance(parameters))
        found = significant(candidates, photosites, parameters)
        rows, columns = found.candidates.row, found.candidates.column
        saturation_dn = parameters.saturation_share * frames[0].white_level
        measured = measure_photosites(
            scratch, cells, black_dn, spatial_noise, rows, columns, period, saturation_dn,
            parameters,
        )  # fmt: skip
    fit = measured.fit
    known = [frame.temperature_c for frame in frames if frame.temperature_c is not None]
    judged = linearity_of_strongest(measured.series, cells)
    return Extraction(
        row=rows,
        column=columns,
        plane=maps.planes_of(rows, columns),
        kind=kinds_of(measured, len(cells), parameters),
        dark_rate_dn_per_s=fit.dark_rate,
        dark_rate_error=fit.dark_rate_error,
        offset_dn=fit.offset,
        offset_error=fit.offset_error,
        amplitude_dn=fit.amplitude_dn,
        z=found.candidates.z,
        p=found.p,
        reduced_chi2=fit.reduced_chi2,
        fit_probability=fit.probability,
        flags=flags_of(fit, parameters),
        detection_limit_dn=tuple(
            float(limit) for limit in found.threshold_z * _amplitude_error(maps)
        ),
        threshold_z=found.threshold_z,
        cells=cells,
        diagnostics=diagnostics,
        temperature_c=float(np.mean(known)) if len(known) == len(frames) else None,
        photon_gain=measured.photon_gain,
        strongest=np.empty(0, np.int64) if judged is None else judged[0],
        linearity=None if judged is None else judged[1],
        maps=maps,
        judgements=judge_session(frames, diagnostics),
        stability=_stability(frames, cells, measured, parameters),
        cfa=frames[0].cfa,
        temperatures_c=tuple(frame.temperature_c for frame in frames),
    )


def _stability(
    frames: Sequence[DarkFrame],
    cells: Sequence[Cell],
    measured: Measured,
    parameters: ExtractionParameters,
) -> Stability:
    """Judge how the temperature went, by the frames' thermometer or by their hot pixels."""
    times = [frame.taken_at for frame in frames]
    known = [at for at in times if at is not None]
    begin = min(known, default=None)
    elapsed_s = [
        np.nan if at is None or begin is None else (at - begin).total_seconds() for at in times
    ]
    fit = measured.fit
    scales = frame_scales(measured.series, cells, fit.dark_rate, fit.offset, measured.noise_dn)
    changes = temperature_changes(scales, parameters.doubling_temperature_c)
    return temperature_stability(elapsed_s, [frame.temperature_c for frame in frames], changes)


def _amplitude_error(maps: SessionMaps) -> Floats:
    """Error of the amplitude in the most sensitive cell by the better filter, per plane."""
    errors = np.median(maps.error, axis=(2, 3))
    by_rate = errors[0] * maps.gain * maps.seconds
    by_offset = errors[1] * maps.gain
    usable = np.where(by_rate > 0, by_rate, np.inf)
    limit: Floats = np.minimum(usable, by_offset)
    return limit


def _decode(
    frames: Sequence[DarkFrame],
    first: NDArray[np.uint16],
    scratch: Scratch,
    progress: Progress | None,
) -> tuple[FrameDiagnostics, ...]:
    """Read the frames one after the other, and examine and write others meanwhile."""

    def take_in(number: int, mosaic: NDArray[np.uint16]) -> FrameDiagnostics:
        frame = frames[number]
        if mosaic.shape != scratch.shape or mosaic.dtype != np.uint16:
            raise DarkFrameError(
                f"{frame.identifier} is {mosaic.dtype} of shape {mosaic.shape}, the first frame is"
                f" of shape {scratch.shape}: frames of one session have one size"
            )
        scratch.write(number, mosaic)
        return diagnose(mosaic, frame.cfa, frame.white_level, frame.identifier)

    found: list[FrameDiagnostics] = []
    with ThreadPoolExecutor(WORKERS) as executor:
        working: deque[Future[FrameDiagnostics]] = deque()
        for number, frame in enumerate(frames):
            # as many frames are in memory as threads work on them, and the one that is read
            if len(working) == WORKERS:
                found.append(working.popleft().result())
                if progress is not None:
                    progress(len(found), len(frames))
            mosaic = first if number == 0 else frame.read()
            working.append(executor.submit(take_in, number, mosaic))
        for future in working:
            found.append(future.result())
            if progress is not None:
                progress(len(found), len(frames))
    return tuple(found)
