"""Real files through the command line: imports against the manifest, defects of real darks."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import CommandLine, write_yaml
from tests.support.frame_files import SHARED_DATA, manifest, needs_shared_data

pytestmark = [pytest.mark.shared_data, needs_shared_data]

HOW_TO = Path(__file__).parents[2] / "docs/how-to/import.md"


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    made = CommandLine(tmp_path_factory.mktemp("real") / "lab")
    made.run("init", made.home)
    return made


def shots_by_sha256(laboratory: CommandLine) -> dict[str, dict[str, Any]]:
    return {shot["assets"][0]["sha256"]: shot for shot in laboratory.shots()}


@pytest.fixture(scope="module")
def imported(laboratory: CommandLine) -> dict[str, dict[str, Any]]:
    for kind, count in (("raw", 7), ("jpeg", 18)):
        report = laboratory.run("import", "folder", SHARED_DATA / kind, "--json").lines[-1]
        assert report["accepted"] == report["files"] == count
    return shots_by_sha256(laboratory)


def test_every_whole_file_is_a_shot_with_the_facts_of_the_manifest(
    imported: dict[str, dict[str, Any]],
) -> None:
    for row in manifest("raw", "jpeg"):
        shot = imported[row["sha256"]]
        (asset,) = shot["assets"]
        assert (asset["role"], asset["bytes"]) == (row["kind"], int(row["bytes"]))
        stored = Path(asset["path"]).read_bytes()
        assert hashlib.sha256(stored).hexdigest() == row["sha256"]
        assert (shot["kind"], shot["state"], shot["verdict"]) == (
            "natural", "registered", "accepted",
        )  # fmt: skip
        if row["serial"]:
            assert shot["camera_serial"] == row["serial"]
        if row["exposure_s"]:
            assert shot["exposure_s"] == pytest.approx(float(row["exposure_s"]), rel=1e-6)


def test_every_damaged_file_is_quarantined_with_its_reason(laboratory: CommandLine) -> None:
    *entries, report = laboratory.run("import", "folder", SHARED_DATA / "damaged", "--json").lines
    rows = manifest("rawhead")
    assert report["quarantined"] == len(entries) == len(rows) == 8
    assert all(len(entry["reason"]) > 20 for entry in entries)
    quarantined = {
        shot["assets"][0]["sha256"]: shot for shot in laboratory.shots("--verdict", "quarantined")
    }
    for row in rows:
        stored = Path(quarantined[row["sha256"]]["assets"][0]["path"]).read_bytes()
        assert hashlib.sha256(stored).hexdigest() == row["sha256"]


def sidecar_of_the_how_to() -> str:
    block = HOW_TO.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert "flea3-d1/agetrace-import.yaml" in block
    return block


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[CommandLine, dict[str, Any]]:
    pytest.importorskip("astropy", reason="the extra `fits` is not installed")
    laboratory = CommandLine(tmp_path_factory.mktemp("darks") / "lab")
    laboratory.run("init", laboratory.home)
    darks = laboratory.home.with_name("darks")
    shutil.copytree(SHARED_DATA / "dark", darks)
    (darks / "flea3-d1" / "agetrace-import.yaml").write_text(sidecar_of_the_how_to())
    options = write_yaml(
        darks.with_name("st8.yaml"),
        {"kind": "dark-field", "camera": {"make": "SBIG", "alias": "st8", "pixel_pitch_um": 9.0}},
    )
    flea3 = laboratory.run("import", "folder", darks / "flea3-d1", "--json").lines[-1]
    assert (flea3["accepted"], flea3["files"]) == (14, 14)
    st8 = laboratory.run(
        "import", "folder", darks / "sbig-st8", "--options", options, "--json"
    ).lines[-1]
    assert (st8["accepted"], st8["files"]) == (4, 4)
    told = laboratory.run("defects", "extract", "--json").document
    return laboratory, {one["camera_serial"]: one for one in told["measurements"]}


def test_real_darks_are_shots_of_their_time_and_exposure(
    measured: tuple[CommandLine, dict[str, Any]],
) -> None:
    laboratory, _ = measured
    shots = laboratory.shots("--camera", "flea3-d1", "--kind", "dark-field")
    exposures = Counter(shot["exposure_s"] for shot in shots)
    assert exposures == dict.fromkeys([0.025, 0.05, 0.1, 0.25, 0.5, 2.0, 3.916], 2)
    # recorded on 8 February 2019 in Edmonton, at UTC-7
    assert {shot["triggered_at"][:13] for shot in shots} == {"2019-02-09T00"}


def test_the_linearity_of_real_darks_is_reported(
    measured: tuple[CommandLine, dict[str, Any]],
) -> None:
    _, by_camera = measured
    flea3 = by_camera["flea3-d1"]
    assert flea3["frames"] == 14
    linearity = flea3["linearity"]
    strongest, *_ = linearity["strongest"]
    # R² of a line through this series' strongest photosite, measured without this code: 0.9996
    assert strongest["r_squared"] > 0.9995
    assert linearity["r_squared_median"] > 0.998
    assert not any(one["plateau"] for one in linearity["strongest"][:10])
    assert linearity["plateaus"] == sum(one["plateau"] for one in linearity["strongest"])
    # two exposures tell no linearity
    assert by_camera["st8"]["linearity"] is None


def test_the_ledger_of_real_darks_dates_them_by_their_frames(
    measured: tuple[CommandLine, dict[str, Any]],
) -> None:
    laboratory, by_camera = measured
    ledger = laboratory.run("defects", "ledger", "flea3-d1", "--json").lines
    assert 0 < len(ledger) <= by_camera["flea3-d1"]["defects"]
    for defect in ledger:
        assert (defect["pre_existing"], defect["onset_after"]) == (True, None)
        assert datetime.fromisoformat(defect["onset_before"]).year == 2019
    assert datetime.fromisoformat(by_camera["st8"]["started_at"]).year == 2025
