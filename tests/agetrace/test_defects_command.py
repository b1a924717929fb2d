"""`agetrace defects`: from dark fields in a home to ledgers, histories, growth and files."""

from __future__ import annotations

import csv
import json
import re
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from agetrace.settings import load_home
from tests.support.catalogue_rows import NOW, add_camera
from tests.support.command_line import CommandLine
from tests.support.simulated_darks import Sensor, make_sensor
from tests.support.stored_darks import store_flats, store_session

HOW_TO = (Path(__file__).parents[2] / "docs" / "how-to" / "defects.md").read_text(encoding="utf-8")
DAYS = (0, 100, 200, 300, 400, 500)
OLD, NEW = 8, 6
"""Defects that were there before the first session, and that arose one after the other."""


@pytest.fixture(scope="module")
def sensor() -> Sensor:
    made = make_sensor(np.random.default_rng(5), (64, 96), OLD + NEW, partially_stuck=0)
    made.dark_rate_e[:] = 100.0
    return made


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, sensor: Sensor) -> CommandLine:
    """A home whose one camera was watched through six dark sessions, and its extractions."""
    found = CommandLine(tmp_path_factory.mktemp("home"))
    found.run("init")
    generator = np.random.default_rng(4)
    catalogue = load_home(found.home).open_catalogue()
    try:
        with catalogue.writing() as transaction:
            camera_id = add_camera(transaction).id
        for number, day in enumerate(DAYS):
            arisen = OLD + round(NEW * number / (len(DAYS) - 1))
            active = np.arange(OLD + NEW) < arisen
            store_session(catalogue, generator, sensor, camera_id, day, active)
        response = generator.normal(1.0, 0.02, (64, 96))
        response[7, 8] = 0.0
        store_flats(catalogue, generator, response, camera_id, DAYS[-1])
    finally:
        catalogue.close()
    extracted = found.run("defects", "extract", "--json").document
    assert (extracted["extractions"], extracted["flat_extractions"]) == (len(DAYS), 1)
    assert extracted["failed"] == {}
    return found


@pytest.fixture(scope="module")
def serial(line: CommandLine) -> str:
    found: str = line.run("defects", "extract", "--json").document["measurements"][0][
        "camera_serial"
    ]
    return found


def test_extracting_again_measures_nothing_anew(line: CommandLine) -> None:
    answer = line.run("defects", "extract", "--json").document
    assert answer["extractions"] == 0
    assert [one["frames"] for one in answer["measurements"]] == [9] * len(DAYS)


def test_a_defect_is_shown_with_its_history(
    line: CommandLine, serial: str, sensor: Sensor, tmp_path: Path
) -> None:
    # the last one arises with the last session
    row, column = int(sensor.rows[-1]), int(sensor.columns[-1])
    found = line.run("defects", "show", serial, str(row), str(column), "--json").document
    assert found["pre_existing"] is False and found["mapped_out"] is False
    assert found["onset_after"] == (NOW + timedelta(days=400)).isoformat()
    assert found["onset_before"] == (NOW + timedelta(days=500)).isoformat()
    history = found["history"]
    assert [one["state"] for one in history] == ["absent"] * 5 + ["present"]
    # 100 electrons a second at 20 degC, a third of a digital number each, at 22 degC
    assert history[-1]["amplitude"] == pytest.approx(100 / 3 * 2 ** (2 / 8), rel=0.1)
    assert history[-1]["temperature_c"] is None
    assert all(abs(one["amplitude"]) < 3 for one in history[:-1])
    place = ["defects", "show", serial, str(row), str(column)]
    drawn = line.run(*place, "--output", str(tmp_path), "--json").document["pictures"]
    assert [Path(one).name for one in drawn] == [
        f"camera-1-defect-{row}-{column}-amplitude.png",
        f"camera-1-defect-{row}-{column}-before-and-after.png",
    ]
    assert all(Path(one).read_bytes().startswith(b"\x89PNG") for one in drawn)
    text = line.run("defects", "show", serial, str(row), str(column))
    assert "present" in text.out and "hot" in text.message


def test_growth_counts_what_arose_under_watch(
    line: CommandLine, serial: str, tmp_path: Path
) -> None:
    words = ["defects", "growth", serial, "--output", str(tmp_path / "pictures"), "--json"]
    found = line.run(*words).document
    assert (found["defects"], found["pre_existing"]) == (OLD + NEW, OLD)
    years = 500 / 365.25
    assert found["growth"]["rate_per_year"] == pytest.approx(NEW / years)
    # Garwood's exact limits of six
    assert found["growth"]["low_per_year"] == pytest.approx(2.2019 / years, rel=1e-3)
    assert found["growth"]["high_per_year"] == pytest.approx(13.0595 / years, rel=1e-3)
    assert found["constancy"]["verdict"] in ("constant", "inconclusive")
    assert found["uniformity"]["verdict"] in ("uniform", "inconclusive")
    assert found["age"]["low_years"] < OLD / NEW * years + years < found["age"]["high_years"]
    assert found["mapping_events"] == []
    for picture in found["pictures"]:
        assert Path(picture).read_bytes().startswith(b"\x89PNG")
    assert len(found["pictures"]) == 2
    told = line.run("defects", "growth", serial).message
    assert "a year (95% interval" in told and "age since manufacture" in told
    # the frames say no temperature
    assert "doubling of the dark current: unknown" in told


def test_dead_photosites_of_flat_fields_are_listed(line: CommandLine, serial: str) -> None:
    (found,) = line.run("defects", "flats", serial, "--json").lines
    assert found["dead"] == 1 and found["fingerprint"] == "taken"
    assert [(one["row"], one["column"]) for one in found["photosites"]] == [(7, 8)]
    assert "dead" in line.run("defects", "flats", serial).out


def test_the_map_is_drawn(line: CommandLine, serial: str, tmp_path: Path) -> None:
    found = line.run("defects", "map", serial, "--output", str(tmp_path), "--json").document
    assert [Path(path).name for path in found["pictures"]] == ["camera-1-defect-map.png"]
    every = line.run("defects", "plot", serial, "--output", str(tmp_path), "--json").document
    assert len(every["pictures"]) == 3


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_ledgers_are_exported(
    line: CommandLine, serial: str, sensor: Sensor, tmp_path: Path, suffix: str
) -> None:
    def rows(path: Path) -> list[dict[str, object]]:
        if suffix == ".parquet":
            return list(parquet.read_table(path).to_pylist())
        text = path.read_text(encoding="utf-8")
        if suffix == ".jsonl":
            return [json.loads(one) for one in text.splitlines()]
        return list(csv.DictReader(text.splitlines()))

    file, history = tmp_path / f"ledger{suffix}", tmp_path / f"history{suffix}"
    assert line.run("defects", "export", serial, str(file), "--json").document["rows"] == OLD + NEW
    found = {(int(str(one["row"])), int(str(one["column"]))) for one in rows(file)}
    assert found == set(zip(sensor.rows.tolist(), sensor.columns.tolist(), strict=True))
    line.run("defects", "export", serial, str(history), "--history")
    assert len(rows(history)) == (OLD + NEW) * len(DAYS)
    assert {str(one["state"]) for one in rows(history)} == {"present", "absent"}


def shown_commands() -> list[list[str]]:
    shown = "".join(re.findall(r"```console\n(.*?)```", HOW_TO, flags=re.DOTALL))
    return [shlex.split(one)[1:] for one in shown.replace("$ ", "").splitlines()]


@pytest.mark.parametrize("words", shown_commands(), ids=" ".join)
def test_the_commands_of_the_how_to_answer(
    line: CommandLine,
    serial: str,
    sensor: Sensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = {"7100001": serial, "120": str(sensor.rows[0]), "348": str(sensor.columns[0])}
    line.run(*(mine.get(word, word) for word in words))


def test_the_python_of_the_how_to_answers(line: CommandLine) -> None:
    names: dict[str, Any] = {}
    (code,) = re.findall(r"```python\n(.*?)```", HOW_TO, flags=re.DOTALL)
    exec(compile(code, "defects.md", "exec"), names)
    catalogue = load_home(line.home).open_catalogue()
    try:
        arisen, amplitudes, rate = names["new_defects"](catalogue, 1)
    finally:
        catalogue.close()
    assert len(arisen) == NEW and amplitudes.shape == (OLD + NEW, len(DAYS))
    # the newest gap counts for the share of defects that one session can show
    assert rate >= NEW / (500 / 365.25)


def test_wrong_requests_name_what_is_wrong(line: CommandLine, serial: str, tmp_path: Path) -> None:
    assert "no defect at row 0" in line.run("defects", "show", serial, "0", "0", code=2).message
    assert "nobody" in line.run("defects", "growth", "nobody", code=2).message
    text = tmp_path / "ledger.txt"
    assert ".parquet" in line.run("defects", "export", serial, str(text), code=2).message
    taken = tmp_path / "ledger.csv"
    taken.write_text("mine", encoding="utf-8")
    assert "name a new file" in line.run("defects", "export", serial, str(taken), code=2).message
    assert taken.read_text(encoding="utf-8") == "mine"
