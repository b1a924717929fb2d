"""The changed frames that networks are asked about: each intervention beside its matched control.

Pure: frames in, frames out. What defects a camera has, and how frames were exposed, is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.evidence.averages import AVERAGE_KINDS, AverageKind, plan_averages
from training.evidence.changed_frames import changed_frames, narrowed_frames
from training.evidence.errors import EvidenceError
from training.experiments.frame_set import FrameSet
from training.interventions import (
    Coordinates,
    Exposure,
    InterventionError,
    Transplant,
    mask_control_variation,
    mask_variation,
    shift_area,
    shift_variation,
    transplant_variation,
)
from training.patches.inputs import CachedFrame, Variation
from training.patches.places import Area

Value = TypeVar("Value")

SHIFT_PHOTOSITES = 8
"""Even, and more than the reach of a 3x3 or 5x5 filter at every place of a network's front."""

LEAST_UNITS = 4
"""Units of sessions in each of two classes that permit p below 0.05: 4 of 8 can be chosen in 70
ways."""

_MOST_COUNTS = 4


@dataclass(frozen=True)
class CameraChange:
    """What is masked in the frames of one camera, or added to them.

    Attributes
    ----------
    known
        (row, column) of every known defect, shape (defects, 2).
    masked
        (row, column) of those that are masked, shape (masked, 2).
    transplant
        Those that are added to frames without them.
    dn_per_electron
        Gain at ISO 100; None where it is not known.
    """

    known: Coordinates
    masked: Coordinates
    transplant: Transplant
    dn_per_electron: float | None


def masked_frames(frames: FrameSet, cameras: Mapping[str, CameraChange]) -> FrameSet:
    """Return frames with the defects inpainted, in every class alike."""
    changes = {serial: mask_variation(one.masked) for serial, one in cameras.items()}
    return _changed(frames, changes)


def mask_control_frames(
    frames: FrameSet, cameras: Mapping[str, CameraChange], seed: int
) -> FrameSet:
    """Return frames in which sound photosites change by as much as the mask changes defects.

    Raises
    ------
    InterventionError
        When a camera has too few sound photosites.
    """
    areas, levels = _areas(frames), _white_levels(frames)
    changes = {
        serial: mask_control_variation(one.masked, one.known, areas[serial], levels[serial], seed)
        for serial, one in cameras.items()
        if serial in areas
    }
    return _changed(frames, changes)


def transplanted_frames(
    frames: FrameSet,
    cameras: Mapping[str, CameraChange],
    exposures: Sequence[Exposure],
    *,
    elsewhere: bool,
    seed: int,
) -> FrameSet:
    """Return frames with the defects of another class, at their places or at random ones.

    Parameters
    ----------
    frames
        Frames that have none of them.
    cameras
        By serial.
    exposures
        Of each frame.
    elsewhere
        Whether the same defects go to random sound photosites: the control.
    seed
        Of the noise of what is added, and of the places.

    Raises
    ------
    InterventionError
        When a camera has too few sound photosites.
    """
    areas = _areas(frames)
    transplants = {}
    for serial, area in areas.items():
        one = cameras[serial].transplant.seen_in(area)
        if elsewhere:
            one = one.elsewhere(cameras[serial].known, area, seed)
        transplants[serial] = one

    def change(number: int, frame: CachedFrame) -> Variation:
        serial = str(frames.cameras[number])
        return transplant_variation(
            transplants[serial],
            exposures[number],
            white_level=frame.white_level,
            frame_key=frame.key,
            dn_per_electron=cameras[serial].dn_per_electron,
            seed=seed,
        )

    return changed_frames(frames, change)


def shifted_frames(frames: FrameSet, photosites: int) -> FrameSet:
    """Return frames that are shifted down and right, of which both orders see the same part.

    Unshifted ones, narrowed alike, are those of 0 photosites.
    """
    narrow = narrowed_frames(
        frames, lambda visible: shift_area(visible, SHIFT_PHOTOSITES, SHIFT_PHOTOSITES)
    )
    if not photosites:
        return narrow
    change = shift_variation(photosites, photosites)
    return changed_frames(narrow, lambda _number, _frame: change)


def average_counts(frames: FrameSet, kind: AverageKind) -> tuple[int, ...]:
    """Return by how many frames averages of a kind tell something: 1, 2, 4 ... of these frames.

    Counts double while each class keeps `LEAST_UNITS` independent units; `mixed` ones, whose
    classes are dealt, need twice as many in all. Fewer than two counts: the kind tells nothing
    here.

    Parameters
    ----------
    frames
        The frames.
    kind
        Of the averages.
    """
    counts: list[int] = []
    count = 2 if kind == "mixed" else 1
    while len(counts) < _MOST_COUNTS:
        try:
            plan = plan_averages(frames, kind, count)
        except EvidenceError:
            break
        units = {(one.label, one.unit) for one in plan}
        labels = [label for label, _ in units]
        if len(set(labels)) < 2 or min(map(labels.count, set(labels))) < LEAST_UNITS:
            break
        counts.append(count)
        count *= 2
    return tuple(counts)


def usable_average_kinds(frames: FrameSet) -> dict[AverageKind, tuple[int, ...]]:
    """Return the kinds of averages that tell something of these frames, with their counts."""
    counts = {kind: average_counts(frames, kind) for kind in AVERAGE_KINDS}
    return {kind: some for kind, some in counts.items() if len(some) >= 2}


def frames_of_class(frames: FrameSet, label: int) -> NDArray[np.int64]:
    """Return the numbers of the frames of a class."""
    return np.flatnonzero(frames.labels == label)


def _changed(frames: FrameSet, changes: Mapping[str, Variation]) -> FrameSet:
    cameras = frames.cameras.tolist()
    return changed_frames(frames, lambda number, _frame: changes.get(cameras[number]))


def _areas(frames: FrameSet) -> dict[str, Area]:
    return _one_per_camera(frames, [frame.visible for frame in frames.frames], "parts seen")


def _white_levels(frames: FrameSet) -> dict[str, int]:
    return _one_per_camera(frames, [frame.white_level for frame in frames.frames], "white levels")


def _one_per_camera(frames: FrameSet, values: Sequence[Value], what: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for serial, value in zip(frames.cameras.tolist(), values, strict=True):
        if found.setdefault(serial, value) != value:
            raise InterventionError(
                f"camera {serial}: its frames have {what} {found[serial]} and {value}:"
                " interventions need frames that are alike"
            )
    return found
