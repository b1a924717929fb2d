"""What a dark session says of its camera: hidden hot pixels, clipped black, temperature drift."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.support.simulated_darks import Sensor, dark_frames, make_sensor
from training.defects.extraction import Extraction, extract
from training.defects.frames import DarkFrame

START = datetime(2026, 1, 1, tzinfo=UTC)


def sensor_of(generator: np.random.Generator) -> Sensor:
    return make_sensor(generator, (256, 256), defects=60, partially_stuck=0)


def verdicts(extraction: Extraction) -> dict[str, str]:
    return {one.name: one.verdict for one in extraction.judgements}


def changed(frame: DarkFrame, mosaic: np.ndarray) -> DarkFrame:
    return dataclasses.replace(frame, read=lambda: mosaic)


def suppressed(frame: DarkFrame) -> DarkFrame:
    """Set every photosite above its eight same-coloured neighbours to their maximum."""
    mosaic = frame.read()
    padded = np.pad(mosaic, 2)
    rows, columns = mosaic.shape
    around = [
        padded[2 + y : 2 + y + rows, 2 + x : 2 + x + columns]
        for y in (-2, 0, 2)
        for x in (-2, 0, 2)
        if (y, x) != (0, 0)
    ]
    return changed(frame, np.minimum(mosaic, np.max(around, axis=0)))


def test_an_honest_session_is_not_suspected() -> None:
    generator = np.random.default_rng(1)
    frames = [
        dataclasses.replace(frame, long_exposure_noise_reduction=False)
        for frame in dark_frames(generator, sensor_of(generator))
    ]
    assert set(verdicts(extract(frames)).values()) == {"none"}


def test_suppression_from_some_exposure_on_is_told_with_the_exposure() -> None:
    generator = np.random.default_rng(2)
    frames = dark_frames(generator, sensor_of(generator))
    hiding = [suppressed(frame) if frame.exposure_s >= 1 else frame for frame in frames]
    extraction = extract(hiding)
    assert verdicts(extraction)["suppression"] == "suspected"
    (judged,) = [one for one in extraction.judgements if one.name == "suppression"]
    assert judged.numbers["from_exposure_s"] == 1.0
    assert "from 1 s on" in judged.sentence


def test_what_the_files_say_of_noise_reduction_counts() -> None:
    generator = np.random.default_rng(3)
    frames = dark_frames(generator, sensor_of(generator), repeats=2)
    assert verdicts(extract(frames))["noise-reduction"] == "unknown"
    frames[-1] = dataclasses.replace(frames[-1], long_exposure_noise_reduction=True)
    assert verdicts(extract(frames))["noise-reduction"] == "suspected"


def test_black_that_is_cut_off_at_zero_is_noticed() -> None:
    generator = np.random.default_rng(4)
    frames = dark_frames(generator, sensor_of(generator), repeats=3)
    cut = [
        changed(frame, np.maximum(frame.read().astype(int) - 512, 0).astype(np.uint16))
        for frame in frames
    ]
    assert verdicts(extract(cut))["black-clipping"] == "suspected"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("rise_c", "verdict"), [(0.0, "stable"), (5.0, "drifting")])
def test_a_sensor_that_warms_up_shows_by_thermometer_or_by_its_hot_pixels(
    known: bool, rise_c: float, verdict: str
) -> None:
    generator = np.random.default_rng(5)
    sensor = sensor_of(generator)
    sensor.dark_rate_e[:] = 200.0
    frames = []
    for number in range(8):
        (frame,) = dark_frames(
            generator,
            sensor,
            grid=((1.0, 800),),
            repeats=1,
            temperature_c=20 + rise_c * number / 7,
            temperature_known=known,
        )
        (other,) = dark_frames(
            generator,
            sensor,
            grid=((4.0, 800),),
            repeats=1,
            temperature_c=20 + rise_c * number / 7,
            temperature_known=known,
        )
        at = START + timedelta(minutes=number)
        frames += [dataclasses.replace(one, taken_at=at) for one in (frame, other)]
    stability = extract(frames).stability
    assert stability.verdict == verdict
    assert stability.source == ("recorded" if known else "hot-pixels")
    assert stability.drift_c == pytest.approx(rise_c, abs=0.6)


def test_glow_on_one_side_makes_no_false_defects_and_hides_none_elsewhere() -> None:
    generator = np.random.default_rng(6)
    sensor = make_sensor(generator, (512, 768), defects=300, partially_stuck=0)
    sensor.dark_rate_e[:] = 25.0
    frames = dark_frames(generator, sensor, glow_e_per_s=400.0, repeats=4)
    extraction = extract(frames)
    found = extraction.row * 768 + extraction.column
    assert np.isin(found, sensor.places).mean() >= 0.98
    # photon noise of the glow hides defects of its own strength, where it does not glow none
    dark_side = sensor.places[sensor.columns < 384]
    assert np.isin(dark_side, found).mean() >= 0.98


def test_defects_in_step_with_the_rows_are_found_all_the_same() -> None:
    generator = np.random.default_rng(7)
    sensor = make_sensor(generator, (4096, 32), defects=0)
    # every eighth photosite of a column, as focus pixels and their like are laid out
    rows = np.arange(0, 4096, 8)
    stepped = dataclasses.replace(
        sensor,
        rows=rows,
        columns=np.full(len(rows), 16),
        dark_rate_e=np.full(len(rows), 100.0),
        offset_e=np.zeros(len(rows)),
        blinking=np.zeros(len(rows), bool),
    )
    extraction = extract(dark_frames(generator, stepped, repeats=3))
    found = set(zip(extraction.row.tolist(), extraction.column.tolist(), strict=True))
    assert set(zip(rows.tolist(), [16] * len(rows), strict=True)) <= found
