"""The changed frames that networks are asked about: what changes, by how much, and what stays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.trace_frames import COLUMNS, ROWS, defects, frame_set
from training.evidence.trials import (
    LEAST_UNITS,
    SHIFT_PHOTOSITES,
    CameraChange,
    average_counts,
    frames_of_class,
    mask_control_frames,
    masked_frames,
    shifted_frames,
    transplanted_frames,
    usable_average_kinds,
)
from training.interventions import Exposure, InterventionError, Transplant

NEW = 24
PLACES = np.stack(np.unravel_index(defects(NEW), (ROWS, COLUMNS)), axis=1).astype(np.int64)
ARISEN = PLACES[40:]
ADDED_DN = 2000.0


@pytest.fixture(scope="module")
def change() -> dict[str, CameraChange]:
    transplant = Transplant(ARISEN, np.full(NEW, ADDED_DN), np.zeros(NEW), np.zeros(NEW, np.bool_))
    return {"camera": CameraChange(PLACES, ARISEN, transplant, 1.0)}


def _pixels(frames: object, number: int) -> NDArray[np.float64]:
    return frames.frames[number].pixels.astype(float)  # type: ignore[attr-defined,no-any-return]


def _excess(pixels: NDArray[np.float64], places: NDArray[np.int64]) -> float:
    """Return by how much photosites exceed their neighbours of the same colour, in the median."""
    found = []
    for row, column in places:
        if 2 <= row < ROWS - 2 and 2 <= column < COLUMNS - 2:
            around = [pixels[row + a, column + b] for a in (-2, 0, 2) for b in (-2, 0, 2) if a or b]
            found.append(pixels[row, column] - np.median(around))
    return float(np.median(found))


def test_masked_frames_have_lost_the_defects_and_nothing_else(
    change: dict[str, CameraChange],
) -> None:
    frames = frame_set(range(2), range(2), NEW)
    masked = masked_frames(frames, change)
    for number in range(len(frames.frames)):
        before, after = _pixels(frames, number), _pixels(masked, number)
        changed = np.argwhere(before != after)
        assert {tuple(place) for place in changed} <= {tuple(place) for place in ARISEN}
        assert abs(_excess(after, ARISEN)) < 300
        if frames.labels[number]:
            assert _excess(before, ARISEN) > 1500
            # older defects stay
            assert _excess(after, PLACES[:40]) > 1500
    np.testing.assert_array_equal(masked.labels, frames.labels)
    assert masked.frames[0].key != frames.frames[0].key


def test_the_control_of_the_mask_changes_as_many_sound_photosites(
    change: dict[str, CameraChange],
) -> None:
    frames = frame_set(range(2), range(2), NEW)
    control = mask_control_frames(frames, change, seed=3)
    known = {tuple(place) for place in PLACES}
    for number in frames_of_class(frames, 1):
        before, after = _pixels(frames, int(number)), _pixels(control, int(number))
        changed = {tuple(place) for place in np.argwhere(before != after)}
        assert not changed & known
        assert 0 < len(changed) <= NEW
        assert _excess(after, ARISEN) > 1500
    again = mask_control_frames(frames, change, seed=3)
    np.testing.assert_array_equal(_pixels(again, 1), _pixels(control, 1))
    other = mask_control_frames(frames, change, seed=4)
    assert (_pixels(other, 1) != _pixels(control, 1)).any()


def test_transplanted_defects_have_the_amplitude_of_the_frames_settings(
    change: dict[str, CameraChange],
) -> None:
    frames = frame_set(range(3), range(2), NEW)
    young = frames.subset(frames_of_class(frames, 0))
    for exposure, expected in (
        (Exposure(1.0, 100), ADDED_DN),
        (Exposure(0.5, 100), ADDED_DN / 2),
        (Exposure(0.25, 200, 2.0), ADDED_DN),
    ):
        exposures = [exposure] * len(young.frames)
        there, elsewhere = (
            transplanted_frames(young, change, exposures, elsewhere=away, seed=1)
            for away in (False, True)
        )
        for number in range(len(young.frames)):
            before = _pixels(young, number)
            added = _pixels(there, number) - before
            np.testing.assert_array_equal(
                np.argwhere(added), ARISEN[np.lexsort((ARISEN[:, 1], ARISEN[:, 0]))]
            )
            at_places = added[tuple(ARISEN.T)]
            # 24 photosites with the shot noise of what was added, 1 electron per DN
            assert at_places.mean() == pytest.approx(expected, abs=5 * np.sqrt(expected / NEW))
            moved = _pixels(elsewhere, number) - before
            assert (moved != 0).sum() == NEW
            assert not moved[tuple(PLACES.T)].any()
            assert moved.sum() == pytest.approx(added.sum(), rel=0.1)


def test_shifted_frames_show_the_same_part_as_unshifted_ones() -> None:
    frames = frame_set(range(1), range(2), NEW)
    still, shifted = shifted_frames(frames, 0), shifted_frames(frames, SHIFT_PHOTOSITES)
    assert still.visible == shifted.visible
    top, left, height, width = still.visible[0]
    assert height < ROWS and width < COLUMNS
    before, after = _pixels(still, 0), _pixels(shifted, 0)
    inner = np.s_[top : top + height, left : left + width]
    source = np.s_[
        top - SHIFT_PHOTOSITES : top + height - SHIFT_PHOTOSITES,
        left - SHIFT_PHOTOSITES : left + width - SHIFT_PHOTOSITES,
    ]
    np.testing.assert_array_equal(after[inner], before[source])


def test_cameras_whose_frames_differ_are_refused(change: dict[str, CameraChange]) -> None:
    from dataclasses import replace

    frames = frame_set(range(2), range(2), NEW)
    odd = replace(frames.frames[1], visible=(0, 0, ROWS - 2, COLUMNS))
    mixed = replace(frames, frames=[frames.frames[0], odd, *list(frames.frames)[2:]])
    with pytest.raises(InterventionError, match="camera camera: its frames have parts seen"):
        mask_control_frames(mixed, change, seed=0)


def test_averages_double_while_enough_independent_units_are_left() -> None:
    frames = frame_set(range(4), range(8), 0)
    counts = average_counts(frames, "same-class-different-scenes")
    assert counts[0] == 1 and all(b == 2 * a for a, b in pairwise(counts))
    usable = usable_average_kinds(frames)
    assert set(usable) and all(len(some) >= 2 for some in usable.values())
    assert average_counts(frames, "mixed")[:1] in ((), (2,))
    # three sessions a class cannot reach p = 0.05
    few = frame_set(range(4), range(2 * LEAST_UNITS - 2), 0)
    assert average_counts(few, "same-class-different-scenes") == ()
    assert usable_average_kinds(few) == {}
