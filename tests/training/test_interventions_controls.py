"""Transplants add what ledgers say, and controls differ from interventions by place alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from training.experiments.predictions import Predictions
from training.interventions import (
    Exposure,
    InterventionError,
    Transplant,
    mask_control_variation,
    mask_defects,
    random_counterparts,
    shift_area,
    shift_variation,
    transplant_variation,
)
from training.interventions.crops import crops_by_defects

SHAPE = (60, 80)
AREA = (4, 6, 52, 70)
WHITE = 16383


@dataclass(frozen=True)
class Entry:
    """As much of a ledger's entry as a transplant reads."""

    row: int
    column: int
    kind: str
    dark_rate_dn_per_s: float | None
    offset_dn: float | None


def _places(count: int, seed: int = 0) -> NDArray[np.int64]:
    chosen = np.random.default_rng(seed).choice(SHAPE[0] * SHAPE[1], count, replace=False)
    return np.stack(np.unravel_index(chosen, SHAPE), axis=-1).astype(np.int64)


def _hot(places: NDArray[np.int64], rate: float, offset: float = 0.0) -> Transplant:
    return Transplant.of([Entry(row, column, "hot", rate, offset) for row, column in places])


def test_what_a_defect_adds_scales_with_the_exposure() -> None:
    ledger = [
        Entry(3, 4, "hot", 100.0, 0.0),
        Entry(5, 8, "partially-stuck", 40.0, 25.0),
        Entry(7, 7, "partially-stuck", None, 25.0),
        Entry(9, 1, "stuck", None, None),
        Entry(9, 3, "hot", None, None),
    ]
    transplant = Transplant.of(ledger)
    assert transplant.left_out == 1
    flat = np.full(SHAPE, 1000, np.uint16)
    exposure = Exposure(exposure_s=0.5, iso=400, dark_factor=2.0)
    changed = transplant_variation(transplant, exposure, white_level=WHITE, frame_key="f").apply(
        flat
    )
    # ISO/100 (D t f + c)
    assert changed[3, 4] == 1000 + 4 * 100
    assert changed[5, 8] == 1000 + 4 * (40 + 25)
    assert changed[7, 7] == 1000 + 4 * 25
    assert changed[9, 1] == WHITE
    assert (changed != flat).sum() == 4


def test_added_signals_have_the_noise_of_their_photons() -> None:
    places = _places(4000)
    gain, iso = 0.5, 200
    flat = np.zeros(SHAPE, np.uint16)
    change = transplant_variation(
        _hot(places, 400.0),
        Exposure(1.0, iso),
        white_level=WHITE,
        frame_key="one",
        dn_per_electron=gain,
        seed=3,
    )
    added = change.apply(flat)[tuple(places.T)].astype(float)
    # Poisson: the variance in DN is gain times the mean
    mean, error = 800.0, np.sqrt(800.0 * gain * 2 / len(places))
    assert abs(added.mean() - mean) < 4 * error
    assert added.var() == pytest.approx(mean * gain * iso / 100, rel=0.1)


def test_changes_repeat_by_seed_and_frame_and_are_named_by_content() -> None:
    transplant = _hot(_places(50), 300.0)

    def change(seed: int, key: str) -> tuple[str, bytes]:
        made = transplant_variation(
            transplant,
            Exposure(1.0, 100),
            white_level=WHITE,
            frame_key=key,
            dn_per_electron=1.0,
            seed=seed,
        )
        return made.name, made.apply(np.zeros(SHAPE, np.uint16)).tobytes()

    assert change(1, "a") == change(1, "a")
    assert len({change(1, "a"), change(2, "a"), change(1, "b")}) == 3
    assert change(1, "a")[0] != change(1, "b")[0]


def test_the_control_of_a_transplant_adds_the_same_values_elsewhere() -> None:
    places = _places(60)
    inside = _hot(places, 500.0).seen_in(AREA)
    control = inside.elsewhere(places, AREA, seed=5)
    flat = np.full(SHAPE, 700, np.uint16)

    def added(one: Transplant) -> NDArray[np.uint16]:
        return transplant_variation(
            one, Exposure(1.0, 100), white_level=WHITE, frame_key="f", dn_per_electron=2.0
        ).apply(flat)

    real, moved = added(inside), added(control)
    np.testing.assert_array_equal(
        real[tuple(inside.coordinates.T)], moved[tuple(control.coordinates.T)]
    )
    assert (moved[tuple(places.T)] == 700).all()
    rows, columns = control.coordinates.T
    assert rows.min() >= 4 and rows.max() < 56 and columns.min() >= 6 and columns.max() < 76
    np.testing.assert_array_equal(control.coordinates % 2, inside.coordinates % 2)


def test_the_control_of_a_mask_changes_as_many_photosites_by_as_much() -> None:
    generator = np.random.default_rng(1)
    mosaic = generator.integers(2000, 6000, SHAPE).astype(np.uint16)
    places = np.unique(_places(40, seed=2), axis=0)
    mosaic[tuple(places.T)] += 9000
    mosaic[tuple(places[0])] = 0
    control = mask_control_variation(places, places, (0, 0, *SHAPE), WHITE, seed=4)
    changed = control.apply(mosaic).astype(int) - mosaic
    masked = mask_defects(mosaic, places).astype(int) - mosaic
    assert (changed[tuple(places.T)] == 0).all()
    np.testing.assert_array_equal(
        np.sort(np.abs(changed[changed != 0])), np.sort(np.abs(masked[masked != 0]))
    )
    again = mask_control_variation(places, places, (0, 0, *SHAPE), WHITE, seed=4)
    other = mask_control_variation(places, places, (0, 0, *SHAPE), WHITE, seed=5)
    assert control.name == again.name != other.name


def test_counterparts_are_distinct_and_refused_where_there_are_too_few() -> None:
    places = _places(200)
    drawn = random_counterparts(places, places, (0, 0, *SHAPE), seed=0)
    assert len(np.unique(drawn, axis=0)) == 200
    with pytest.raises(InterventionError, match="without a defect asked"):
        random_counterparts(np.zeros((5, 2), np.int64), places, (10, 10, 4, 4), seed=0)


def test_a_shift_keeps_colours_and_leaves_an_area_that_was_visible_before() -> None:
    visible = (2, 2, 50, 70)
    mosaic = np.zeros(SHAPE, np.uint16)
    mosaic[2:52, 2:72] = np.random.default_rng(0).integers(1, WHITE, (50, 70))
    change = shift_variation(-4, 6)
    shifted = change.apply(mosaic)
    top, left, height, width = shift_area(visible, -4, 6)
    assert (top, left, height, width) == (6, 8, 42, 58)
    for row, column in ((top, left), (top + height - 1, left + width - 1)):
        assert shifted[row, column] == mosaic[row + 4, column - 6] > 0
    assert (shifted[top : top + height, left : left + width] > 0).all()
    assert change.name != shift_variation(4, 6).name
    with pytest.raises(InterventionError, match="even"):
        shift_variation(1, 2)
    with pytest.raises(InterventionError, match="leaves nothing"):
        shift_area((0, 0, 8, 8), 4, 0)


def test_crops_are_parted_by_the_defects_that_lie_in_them() -> None:
    origins = np.array([[0, 0], [0, 8], [0, 0], [0, 8], [0, 0]])
    predictions = Predictions(
        crop_frames=np.array([0, 0, 1, 1, 2]),
        crop_origins=origins,
        crop_log_probabilities=np.log(np.full((5, 2), 0.5, np.float32)),
        labels=np.array([0, 1, 1]),
        sessions=np.array(["a", "b", "c"]),
        scenes=np.array(["s", "s", "s"]),
        cameras=np.array(["x", "x", "y"]),
    )
    # photosite (7, 7) is the last of the first crop, (8, 3) lies below it
    defects = {"x": np.array([[7, 7], [8, 3]]), "y": np.array([[0, 8]])}
    parts = crops_by_defects(predictions, defects, 8)
    assert parts.with_defects is not None and parts.without_defects is not None
    assert parts.with_defects.crop_frames.tolist() == [0, 1]
    assert parts.with_defects.sessions.tolist() == ["a", "b"]
    assert parts.without_defects.crop_frames.tolist() == [0, 1, 2]
    assert parts.without_defects.crop_origins.tolist() == [[0, 8], [0, 8], [0, 0]]
    everywhere = np.argwhere(np.ones((16, 16), bool))
    whole = crops_by_defects(predictions, {"x": everywhere, "y": everywhere}, 8)
    assert whole.without_defects is None
    with pytest.raises(InterventionError, match="camera y"):
        crops_by_defects(predictions, {"x": everywhere}, 8)
