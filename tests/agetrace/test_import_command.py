"""`agetrace import` as its users meet it; the walk-throughs of the how-to are run as written."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from datastore.importing import read_mapping
from tests.support.command_line import Answer, CommandLine
from tests.support.imports import camera_jpeg, jpeg

HOW_TO = (Path(__file__).parents[2] / "docs/how-to/import.md").read_text(encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    made = CommandLine(tmp_path / "home")
    made.run("init", made.home)
    monkeypatch.chdir(tmp_path)
    return made


def section(title: str) -> str:
    return HOW_TO.split(f"### {title}\n")[1].split("\n##")[0]


def follow(home: CommandLine, text: str) -> list[Answer]:
    """Run every command of a text's consoles."""
    answers = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            program, *words = shlex.split(line.removeprefix("$ "))
            assert program == "agetrace"
            words, target = (words[:-2], words[-1]) if ">" in words else (words, None)
            answers.append(home.run(*words))
            if target is not None:
                Path(target).write_text(answers[-1].out, encoding="utf-8")
    return answers


def put(path: str, content: bytes) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def test_the_walk_through_of_ntif_works_as_written(home: CommandLine) -> None:
    put("ntif/NTIF-canon01/slot_01/IMG_0001.JPG", camera_jpeg(1, taken_at="2014:10:08 12:30:00"))
    put("ntif/NTIF-canon02/slot_01/IMG_0001.JPG", camera_jpeg(2, taken_at="2000:01:01 00:00:00"))
    put("ntif/NTIF-samsung01/slot_03/SAM_0001.JPG", jpeg(3))
    put("ntif/readme.txt", b"ten cameras\n")
    _, checked, imported = follow(home, section("NTIF"))
    assert "3 files would be imported" in checked.err
    assert "NTIF-samsung01" in checked.out and "readme.txt" in checked.out
    assert "3 accepted" in imported.err

    # with timeslots, as the how-to goes on to say, in another home
    other = CommandLine(home.home.with_name("other"))
    other.run("init", other.home)
    (addition,) = re.findall(r"```yaml\n(.*?)```", section("NTIF"), re.DOTALL)
    mapping = yaml.safe_load(Path("ntif.yaml").read_text()) | yaml.safe_load(addition)
    Path("ntif.yaml").write_text(yaml.safe_dump(mapping))
    checked = other.run("import", "check", "ntif", "--mapping", "ntif.yaml", "--json")
    assert [
        (match["camera"], match["timeslot"], match["files"])
        for match in checked.document["matches"]
    ] == [("NTIF-canon01", 1, 1), ("NTIF-canon02", 1, 1), ("NTIF-samsung01", 3, 1)]
    *entries, figures = other.run(
        "import", "folder", "ntif", "--mapping", "ntif.yaml", "--json"
    ).lines
    outcomes = {entry["path"]: entry for entry in entries}
    assert outcomes["NTIF-canon02/slot_01/IMG_0001.JPG"]["outcome"] == "quarantined"
    assert outcomes["NTIF-samsung01/slot_03/SAM_0001.JPG"]["time_uncertainty_s"] == 3.5 * 86_400
    assert figures["files"] == 4
    assert (figures["accepted"], figures["quarantined"], figures["skipped"]) == (2, 1, 1)
    shots = {shot["camera_serial"]: shot for shot in other.shots("--scheme", "NTIF")}
    assert shots["NTIF-canon01"]["timeslot"] == 1
    assert shots["NTIF-samsung01"]["timeslot"] == 3
    assert shots["NTIF-samsung01"]["triggered_at"].startswith("2014-10-23T12:00:00")


def test_the_walk_through_of_plus_works_as_written(home: CommandLine) -> None:
    small = camera_jpeg(1, model="Canon PowerShot A720 IS", taken_at="2008:05:06 07:08:09")
    put("plus/PLUS-canon01/IMG_0001.JPG", small)
    put("plus/PLUS-pentax02/a/b.jpg", camera_jpeg(2, make="PENTAX", model="PENTAX K-5 II"))
    put("plus/PLUS-pentax01/c.jpg", camera_jpeg(3, make="PENTAX", model="PENTAX K-5 II"))
    follow(home, section("PLUS"))
    with Path("plus.csv").open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert {path: row["outcome"] for path, row in rows.items()} == {
        "PLUS-canon01/IMG_0001.JPG": "accepted",
        "PLUS-pentax02/a/b.jpg": "accepted",
        "PLUS-pentax01/c.jpg": "quarantined",
    }
    assert "exif_models" in rows["PLUS-pentax01/c.jpg"]["reason"]


def test_the_table_of_the_how_to_works_as_written(home: CommandLine) -> None:
    (table,) = re.findall(r"```csv\n(.*?)```", HOW_TO, re.DOTALL)
    Path("facts.csv").write_text(table)
    put("pictures/attic/0001.jpg", jpeg(1))
    put("pictures/attic/0002.jpg", jpeg(2))
    arguments = ("import", "folder", "pictures", "--csv", "facts.csv", "--timezone", "UTC")
    home.run(*arguments)
    first, second = sorted(home.shots(), key=lambda shot: str(shot["triggered_at"]))
    assert first["triggered_at"].startswith("2005-08-14T12:00:00")
    assert second["triggered_at"].startswith("2005-08-14T14:20:00")
    assert {first["camera_serial"], second["camera_serial"]} == {"attic-powershot"}
    assert (first["exposure_s"], first["iso"]) == (pytest.approx(1 / 60), 100)


def test_ready_mappings_are_listed_and_shown(home: CommandLine, tmp_path: Path) -> None:
    listed = home.run("import", "mappings", "list", "--json").lines
    assert [(one["name"], one["cameras"]) for one in listed] == [("NTIF", 10), ("PLUS", 4)]
    shown = home.run("import", "mappings", "show", "PLUS")
    (tmp_path / "copy.yaml").write_text(shown.out)
    assert read_mapping(tmp_path / "copy.yaml") == read_mapping(Path("PLUS"))
    document: dict[str, Any] = home.run("import", "mappings", "show", "NTIF", "--json").document
    assert document["cameras"]["NTIF-canon01"]["width"] == 4000
    assert "NTIF, PLUS" in home.run("import", "mappings", "show", "DRESDEN", code=2).message


def test_a_report_never_takes_the_place_of_a_file(home: CommandLine) -> None:
    put("pictures/a.jpg", jpeg(1))
    Path("mine.csv").write_text("precious")
    arguments = ("import", "folder", "pictures", "--report")
    assert "is there already" in home.run(*arguments, "mine.csv", code=2).message
    assert Path("mine.csv").read_text() == "precious"
    assert "no folder to lie in" in home.run(*arguments, "gone/new.csv", code=2).message
    assert home.shots() == []
    home.run("import", "folder", "nowhere", "--report", "new.csv", code=2)
    assert not Path("new.csv").exists()
