"""The truth file: the whole population, its acceleration, and nothing half-written."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fixtures.ageing import AgeingParameters, DefectPopulation, draw_population
from fixtures.body import BodyDescription, VirtualBody
from fixtures.sensor import SensorParameters
from fixtures.truth import truth_path, write_truth

MADE = datetime(2015, 6, 1, tzinfo=UTC)
SENSOR = SensorParameters(gain_e_per_dn_at_iso100=2.5, reference_temperature_c=25.0)
AGEING = AgeingParameters(
    defects_per_year=8.0,
    acceleration_count=2.0,
    acceleration_amplitude=1.5,
    share_stuck=0.1,
    share_dead=0.1,
    share_blinking=0.2,
)


def drawn() -> DefectPopulation:
    return draw_population(
        AGEING,
        width=320,
        height=192,
        pixel_pitch_um=5.0,
        full_well_e=50_000.0,
        manufactured_at=MADE,
        seed=3,
    )


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    path = write_truth(tmp_path, "7100001", SENSOR, AGEING, drawn())
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def test_every_defect_is_told_as_it_was_drawn(document: dict[str, Any]) -> None:
    population = drawn()
    assert len(document["defects"]) == len(population.defects) > 100
    for told, defect in zip(document["defects"], population.defects, strict=True):
        assert (told["row"], told["column"]) == (defect.row, defect.column)
        assert told["kind"] == defect.kind
        onset = None if told["onset"] is None else datetime.fromisoformat(told["onset"])
        assert onset == defect.onset
        assert told["dark_rate_e_per_s"] == defect.dark_rate_e_per_s
        assert told["offset_e"] == defect.offset_e
        assert told["response"] == defect.response
        if defect.blinking is None:
            assert told["blinking"] is None
        else:
            assert told["blinking"]["duty"] == defect.blinking.duty
            assert told["blinking"]["low_level"] == defect.blinking.low_level


def test_digital_numbers_are_those_of_iso_100(document: dict[str, Any]) -> None:
    for told in document["defects"]:
        assert told["dark_rate_dn_per_s"] == pytest.approx(told["dark_rate_e_per_s"] / 2.5)
        assert told["offset_dn"] == pytest.approx(told["offset_e"] / 2.5)


def test_the_acceleration_and_the_sensor_are_named(document: dict[str, Any]) -> None:
    assert document["serial"] == "7100001"
    assert document["acceleration_count"] == 2.0
    assert document["acceleration_amplitude"] == 1.5
    assert document["gain_e_per_dn_at_iso100"] == 2.5
    assert document["reference_temperature_c"] == 25.0
    assert document["dark_doubling_c"] == 8.0
    assert document["read_noise_e"] == 4.0
    assert datetime.fromisoformat(document["manufactured_at"]) == MADE
    assert datetime.fromisoformat(document["horizon"]) == drawn().horizon


def test_the_file_lies_in_the_fixtures_own_folder_and_is_replaced_whole(tmp_path: Path) -> None:
    path = write_truth(tmp_path, "7100001", SENSOR, AGEING, drawn())
    assert path == truth_path(tmp_path, "7100001") == tmp_path / "truth" / "7100001.json"
    first = path.read_bytes()
    assert write_truth(tmp_path, "7100001", SENSOR, AGEING, drawn()) == path
    assert path.read_bytes() == first
    assert list(path.parent.iterdir()) == [path]


def test_a_body_writes_the_truth_of_its_own_population(tmp_path: Path) -> None:
    description = BodyDescription(
        serial="B-7", manufactured_at=MADE, seed=3, width=320, height=192, ageing=AGEING
    )
    body = VirtualBody(description, tmp_path)
    try:
        told = json.loads(body.truth_file.read_text(encoding="utf-8"))
    finally:
        body.close()
    assert body.population == drawn()
    assert {(entry["row"], entry["column"]) for entry in told["defects"]} == {
        (defect.row, defect.column) for defect in drawn().defects
    }
