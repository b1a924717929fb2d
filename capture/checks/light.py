"""Checks of frames that saw light: clipping, and everything that is held against a reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capture.checks.results import CheckResult, unmeasured
from capture.checks.thresholds import CheckThresholds
from datastore.frames import Frame
from datastore.frames.blocks import BlockMeans, block_means
from datastore.frames.cells import Image, black_of, green_cells, visible_cells
from datastore.frames.focus import measure_sharpness
from datastore.frames.light import (
    LightChange,
    expected_white_share,
    level_histogram,
    light_change,
)
from datastore.frames.registration import (
    PART_CELLS,
    Part,
    Shift,
    choose_parts,
    is_clipped,
    measure_shift,
)

FLAT_FIELD: Final = "flat-field"
_BLOCKS_ON_SHORT_SIDE: Final = 192
_UNCERTAIN_SHARE: Final = 0.5
_FOCUS_SIGMAS: Final = 3.0
_LEAST_FOCUS_PRECISION: Final = 0.1


@dataclass(frozen=True)
class Reference:
    """What is kept of a reference frame: about two megabytes, whatever the size of the frame.

    Attributes
    ----------
    blocks
        Block means of the whole frame.
    parts
        Parts at full resolution, two planes each.
    histogram
        Of the levels.
    shape, cfa
        Of the frame's mosaic.
    black_dn, white_level
        Mean black level and white level.
    """

    blocks: BlockMeans
    parts: dict[Part, tuple[Image, Image]]
    histogram: NDArray[np.int64]
    shape: tuple[int, int]
    cfa: str
    black_dn: float
    white_level: int


def block_cells_of(frame: Frame) -> int:
    """Return the side of the blocks, in cells, over which frames of this size are averaged."""
    return max(1, min(visible_cells(frame).shape) // 2 // _BLOCKS_ON_SHORT_SIDE)


def reference_of(frame: Frame) -> Reference:
    """Return what is kept of a reference frame."""
    blocks = block_means(frame, block_cells_of(frame))
    rows, columns = (n // 2 for n in visible_cells(frame).shape)
    places = choose_parts(blocks, (rows, columns))
    parts = {
        place: green_cells(frame, place.row, place.column, PART_CELLS, PART_CELLS)
        for place in places
    }
    return Reference(
        blocks,
        {place: planes for place, planes in parts.items() if not is_clipped(frame, planes)},
        level_histogram(frame),
        (frame.mosaic.shape[0], frame.mosaic.shape[1]),
        frame.cfa,
        float(black_of(frame).mean()),
        frame.white_level,
    )


def check_lit(
    frame: Frame,
    blocks: BlockMeans,
    reference: Reference | None,
    *,
    kind: str,
    exposure_ratio: float,
    thresholds: CheckThresholds,
) -> tuple[CheckResult, ...]:
    """Make every check of a frame that saw light.

    Parameters
    ----------
    frame, blocks
        The frame and its means over blocks of `block_cells_of`.
    reference
        Of its scene; without one only clipping and a flat field's level are checked.
    kind
        Of the frame.
    exposure_ratio
        Exposure product of the frame over that of the reference.
    thresholds
        Of the recipe.
    """
    results = []
    if kind == FLAT_FIELD:
        results.append(_check_flat_level(frame, blocks, thresholds))
    if reference is None:
        return (*results, *_check_clipping(blocks, None, 1.0, thresholds))
    if reference.shape != frame.mosaic.shape or reference.cfa != frame.cfa:
        why = "The scene's reference has other dimensions or colours than the frame."
        return (
            *results,
            CheckResult("reference", None, None, "", False, why),
            *_check_clipping(blocks, None, 1.0, thresholds),
        )
    shift = None
    if kind != FLAT_FIELD:  # it has nothing to align
        shift = measure_shift(frame, blocks, reference.blocks, reference.parts)
    change = light_change(
        blocks,
        reference.blocks,
        cfa=frame.cfa,
        exposure_ratio=exposure_ratio,
        range_dn=reference.white_level - reference.black_dn,
        shift_blocks=_whole_blocks(shift, blocks.block_cells),
    )
    if kind != FLAT_FIELD:
        results += [
            _check_registration(shift, thresholds),
            _check_focus(frame, reference, shift, thresholds),
        ]
    results += _check_light(change, thresholds)
    return (*results, *_check_clipping(blocks, reference, exposure_ratio, thresholds))


def _check_registration(shift: Shift | None, thresholds: CheckThresholds) -> CheckResult:
    name, unit = "registration", "photosites"
    limit = thresholds.registration_shift_photosites
    if shift is None:
        why = "The frame and its reference have too little detail in common to be aligned."
        return unmeasured(name, limit, unit, why)
    numbers = {
        "rows": round(shift.rows, 3),
        "columns": round(shift.columns, 3),
        "uncertainty": round(shift.uncertainty, 4),
        "is_ambiguous": shift.is_ambiguous,
    }
    if shift.uncertainty > _UNCERTAIN_SHARE * limit and shift.photosites < 4 * shift.uncertainty:
        why = f"The shift is uncertain by {shift.uncertainty:.2f} photosites."
        return unmeasured(name, limit, unit, why, numbers)
    passed = shift.photosites <= limit
    return CheckResult(
        name,
        round(shift.photosites, 3),
        limit,
        unit,
        passed,
        f"The frame is shifted by {shift.rows:+.2f} rows and {shift.columns:+.2f} columns"
        + ("." if passed else ": camera, lens or scene has moved."),
        numbers,
    )


def _check_focus(
    frame: Frame, reference: Reference, shift: Shift | None, thresholds: CheckThresholds
) -> CheckResult:
    name, limit = "focus", thresholds.focus_ratio
    sharpness = None
    if shift is not None:
        sharpness = measure_sharpness(frame, reference.parts, shift)
    if sharpness is None:
        why = "The frame and its reference have too little detail in common to compare."
        return unmeasured(name, limit, "", why)
    numbers = {"uncertainty": round(sharpness.uncertainty, 4)}
    if sharpness.uncertainty > _LEAST_FOCUS_PRECISION:
        why = f"The sharpness is uncertain by {sharpness.uncertainty:.2f}."
        return unmeasured(name, limit, "", why, numbers)
    passed = sharpness.ratio + _FOCUS_SIGMAS * sharpness.uncertainty >= limit
    return CheckResult(
        name,
        round(sharpness.ratio, 4),
        limit,
        "",
        passed,
        f"The frame is {sharpness.ratio:.2f} times as sharp as its reference"
        + ("." if passed else ": it is out of focus or blurred."),
        numbers,
    )


def _check_light(
    change: LightChange | None, thresholds: CheckThresholds
) -> tuple[CheckResult, ...]:
    names = ("illumination", "illumination-pattern", "colour")
    limits = (
        thresholds.illumination_drift_stops,
        thresholds.illumination_pattern_stops,
        thresholds.colour_drift_stops,
    )
    if change is None:
        why = "Too few parts of the frame and its reference are neither dark nor clipped."
        return tuple(
            unmeasured(name, limit, "stops", why) for name, limit in zip(names, limits, strict=True)
        )
    level = CheckResult(
        names[0],
        round(change.stops, 4),
        limits[0],
        "stops",
        abs(change.stops) <= limits[0],
        f"The light is {change.stops:+.3f} stops ({100 * (2**change.stops - 1):+.1f} %) off its"
        " reference, exposure taken out.",
        {"plane_stops": [round(value, 4) for value in change.plane_stops]},
    )
    return level, _check_pattern(change, limits[1]), _check_colour(change, limits[2])


def _check_pattern(change: LightChange, limit: float) -> CheckResult:
    name = "illumination-pattern"
    if change.pattern_stops is None or change.uncertainty_stops > limit / 4:
        return unmeasured(name, limit, "stops", "The frame is too dark to compare its parts.")
    passed = change.pattern_stops <= limit
    return CheckResult(
        name,
        round(change.pattern_stops, 4),
        limit,
        "stops",
        passed,
        f"The change of the light differs by {change.pattern_stops:.3f} stops over the frame"
        + ("." if passed else ": a lamp has moved or failed, or something casts a shadow."),
        {"uncertainty_stops": round(change.uncertainty_stops, 4)},
    )


def _check_colour(change: LightChange, limit: float) -> CheckResult:
    if change.red_stops is None or change.blue_stops is None:
        return unmeasured("colour", limit, "stops", "The sensor sees no colours.")
    drift = max(change.red_stops, change.blue_stops, key=abs)
    return CheckResult(
        "colour",
        round(drift, 4),
        limit,
        "stops",
        abs(drift) <= limit,
        f"Against green, red is {change.red_stops:+.3f} and blue {change.blue_stops:+.3f} stops"
        " off the reference.",
        {"red_stops": round(change.red_stops, 4), "blue_stops": round(change.blue_stops, 4)},
    )


def _check_clipping(
    blocks: BlockMeans,
    reference: Reference | None,
    exposure_ratio: float,
    thresholds: CheckThresholds,
) -> tuple[CheckResult, ...]:
    expected_white = expected_zero = 0.0
    if reference is not None:
        expected_white = expected_white_share(
            reference.histogram, exposure_ratio, reference.black_dn, reference.white_level
        )
        # a dimmer frame sinks further into the noise
        expected_zero = reference.blocks.zero_share / min(exposure_ratio, 1.0)
    results = []
    for name, share, expected, limit, what in (
        ("clipped", blocks.white_share, expected_white, thresholds.clipped_share, "white"),
        ("crushed", blocks.zero_share, expected_zero, thresholds.crushed_share, "zero"),
    ):
        excess = max(share - min(expected, 1.0), 0.0)
        results.append(
            CheckResult(
                name,
                round(excess, 6),
                limit,
                "",
                excess <= limit,
                f"{100 * share:.3f} % of the photosites are {what}, {100 * expected:.3f} % were"
                " expected.",
                {"share": round(share, 6), "expected_share": round(min(expected, 1.0), 6)},
            )
        )
    return tuple(results)


def _check_flat_level(frame: Frame, blocks: BlockMeans, thresholds: CheckThresholds) -> CheckResult:
    span = max(float(frame.white_level - black_of(frame).mean()), 1.0)
    shares = [float(np.median(plane)) / span for plane in blocks.means]
    lowest, highest = thresholds.flat_level_lowest_share, thresholds.flat_level_highest_share
    is_low = min(shares) < lowest
    value = min(shares) if is_low else max(shares)
    return CheckResult(
        "flat-level",
        round(value, 4),
        lowest if is_low else highest,
        "",
        lowest <= min(shares) and max(shares) <= highest,
        f"The flat field reaches {100 * min(shares):.1f} to {100 * max(shares):.1f} % of the"
        f" range; {100 * lowest:g} to {100 * highest:g} % are wanted.",
        {"plane_shares": [round(share, 4) for share in shares]},
    )


def _whole_blocks(shift: Shift | None, block_cells: int) -> tuple[int, int]:
    if shift is None:
        return 0, 0
    side = 2 * block_cells
    return round(shift.rows / side), round(shift.columns / side)
