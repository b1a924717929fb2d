"""`agetrace plan power`: as the how-to shows it, and with a camera of the catalogue."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from agetrace.settings import load_home
from datastore.tables import Camera, DefectExtraction, DefectLedger, LedgerDefect, Session
from tests.support.command_line import CommandLine

HOW_TO = (Path(__file__).parents[2] / "docs" / "how-to" / "plan.md").read_text(encoding="utf-8")
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", HOW_TO, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "plan.yaml").write_text(snippets("yaml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown_commands() -> list[list[str]]:
    lines = [line for text in snippets("console") for line in text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if "--camera" not in line]


@pytest.mark.parametrize("words", shown_commands(), ids=" ".join)
def test_the_commands_of_the_how_to_answer(folder: Path, words: list[str]) -> None:
    answer = CommandLine(folder / "no-home").run(*words)
    assert "this experiment can" in answer.out.lower()
    if "--json" in words:
        assert answer.document["spec"]["patches"]["size"] == 32
    if "--plot" in words:
        assert (folder / "power.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("text", snippets("yaml")[1:])
def test_the_further_parts_of_the_how_to_are_accepted(folder: Path, text: str) -> None:
    document = yaml.safe_load(snippets("yaml")[0]) | yaml.safe_load(text)
    (folder / "plan.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    answer = CommandLine(folder).run("plan", "power", "plan.yaml", "--json").document
    for part, values in yaml.safe_load(text).items():
        assert answer["spec"][part].items() >= values.items()


def test_the_python_of_the_how_to_answers(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(compile(snippets("python")[0], "plan.md", "exec"), names)
    verdict = names["can_it_succeed"](snippets("yaml")[0])
    assert verdict in ("can-succeed", "cannot", "depends-on-strength")
    assert "It rests on:" in capsys.readouterr().out


def test_options_replace_what_the_file_says(folder: Path) -> None:
    line = CommandLine(folder)
    words = ["--gap-days", "900", "--patch-kind", "random", "--patch-count", "3", "--alpha", "0.01"]
    spec = line.run("plan", "power", "plan.yaml", *words, "--json").document["spec"]
    assert spec["sessions"]["gap_days"] == 900
    assert spec["sessions"]["cadence_days"] == 14
    assert spec["patches"] == {"kind": "random", "size": 256, "count": 3}
    assert spec["alpha"] == 0.01


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gap-days", "300"], "sensor"),
        (["plan.yaml", "--gap-days", "5"], "gap_days"),
        (["plan.yaml", "--iso", "-3"], "scene.iso"),
        (["absent.yaml"], "absent.yaml"),
        (["plan.yaml", "--patch-size", "9000"], "patches.size"),
        (["plan.yaml", "--plot", "absent/power.png"], "absent/power.png"),
    ],
)
def test_wrong_requests_name_the_field(folder: Path, words: list[str], message: str) -> None:
    answer = CommandLine(folder).run("plan", "power", *words, code=2)
    assert message in answer.message


def watched_camera(home: CommandLine, new_defects: int, years: float) -> None:
    """Fill the catalogue with a camera whose ledger has so many new defects."""
    catalogue = load_home(home.home).open_catalogue()
    try:
        with catalogue.writing() as transaction:
            camera = Camera(
                serial="7100001",
                identity_source="serial",
                make="Virtual",
                model="V1",
                simulated=True,
                sensor_type="CMOS",
                width=6000,
                height=4000,
                pixel_pitch_um=3.9,
                white_level=16_383,
                registered_at=BEGUN,
            )
            transaction.add(camera)
            transaction.flush()
            extractions = []
            for days in (0.0, 365.25 * years):
                at = BEGUN + timedelta(days=days)
                session = Session(kind="capture", clock_source="simulated", started_at=at)
                transaction.add(session)
                transaction.flush()
                extraction = DefectExtraction(
                    session_id=session.id,
                    camera_id=camera.id,
                    code_version="tested",
                    parameters={},
                    parameters_sha256=f"{len(extractions):064}",
                    inputs=[],
                    summary={},
                    started_at=at,
                    created_at=at,
                )
                transaction.add(extraction)
                transaction.flush()
                extractions.append(extraction.id)
            defects = [
                LedgerDefect(
                    row=number,
                    column=number,
                    kind="hot",
                    pre_existing=number >= new_defects,
                    onset_before=BEGUN,
                    last_seen=BEGUN,
                    amplitude_dn=100.0,
                    significance=9.0,
                    blinking=False,
                    annealed=False,
                    flags=[],
                )
                for number in range(new_defects + 3)
            ]
            transaction.add(
                DefectLedger(
                    camera_id=camera.id,
                    code_version="tested",
                    parameters={},
                    inputs=extractions,
                    summary={},
                    created_at=BEGUN,
                    defects=defects,
                )
            )
    finally:
        catalogue.close()


def test_a_camera_brings_its_sensor_and_its_measured_growth(folder: Path) -> None:
    home = CommandLine(folder / "lab")
    home.run("init", home.home)
    refused = home.run("plan", "power", "plan.yaml", "--camera", "7100001", code=2)
    assert "7100001" in refused.message
    watched_camera(home, new_defects=10, years=2.0)
    answer = home.run("plan", "power", "--camera", "7100001", "--gap-days", "365.25", "--json")
    assert answer.document["spec"]["sensor"]["pixel_pitch_um"] == 3.9
    growth = answer.document["growth"]
    assert growth["per_year"] == pytest.approx(5.0)
    # Garwood's interval of 10 is 4.80 to 18.39
    assert growth["low_per_year"] == pytest.approx(2.398, abs=0.002)
    assert growth["high_per_year"] == pytest.approx(9.195, abs=0.002)
    assert "measured: 10 new defects of camera 7100001 in 2.00 years" in growth["source"]
    assert answer.document["new_defects"]["expected"] == pytest.approx(5.0)
