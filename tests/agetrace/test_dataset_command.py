"""`agetrace dataset` as its users meet it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml

from agetrace.settings import load_home
from tests.support.command_line import CommandLine
from tests.support.dataset_frames import make_frames, spec_document
from tests.support.dataset_rows import fill

SCENES = [f"scene-{number}" for number in range(12)]
BIASED = {
    "name": "biased",
    "parent": "controlled",
    "scenes_per_class": "own-scenes",
    "seed": 3,
    "waive": [{"constraint": "same-scenes", "reason": "as in everyday collections"}],
}
REASON = "shows what content does"


def controlled(**changes: object) -> dict[str, object]:
    blocks = {
        "scenes": {"validation": 2, "test": 3},
        "sessions_per_class": {"validation": 1, "test": 4},
    }
    return spec_document(**{"blocks": blocks, **changes})


def written(folder: Path, document: dict[str, object], name: str = "spec.yaml") -> Path:
    file = folder / name
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


@pytest.fixture
def home(tmp_path: Path) -> CommandLine:
    """A home with eight sessions of each class, whose files are not there."""
    made = CommandLine(tmp_path / "home")
    made.run("init", made.home)
    frames = make_frames(sessions=8, scenes=SCENES, exposures=("1/2",))
    with load_home(made.home).open_catalogue() as catalogue:
        fill(catalogue, frames)
    return made


def test_a_plan_tells_counts_gap_and_which_p_is_possible(home: CommandLine, tmp_path: Path) -> None:
    file = written(tmp_path, controlled())
    plan = home.run("dataset", "spec-check", file, "--json").document
    counts = {(one["block"], one["class_name"]): one["items"] for one in plan["counts"]}
    # 7 scenes and 3 sessions train; 3 scenes and 4 sessions test
    assert counts["train", "early"] == counts["train", "late"] == 7 * 3
    assert counts["clean", "early"] == 3 * 4 and counts["new-session", "late"] == 7 * 4
    assert plan["items"] == plan["bound"] == sum(counts.values()) and plan["gap"] == 0
    assert plan["left_out"] == {
        "in no block: validation crossed with train or test": 2 * (12 * 8) - plan["items"]
    }
    # four sessions of each class: 8! / (4! 4!) = 70 ways to hand labels out
    assert plan["smallest_p"]["clean"] == pytest.approx(1 / 70)
    told = home.run("dataset", "spec-check", file).err
    assert "gap 0.0%" in told and "p-values down to 0.014" in told
    assert home.run("dataset", "list", "--json").lines == []


def test_too_few_sessions_are_told_before_anything_is_frozen(
    home: CommandLine, tmp_path: Path
) -> None:
    few = controlled(
        blocks={"scenes": {"test": 3}, "sessions_per_class": {"test": 2}},
    )
    told = home.run("dataset", "spec-check", written(tmp_path, few)).err
    assert "no result on it can be significant" in told


def test_an_audit_is_printed_written_as_a_page_and_remembered(
    home: CommandLine, tmp_path: Path
) -> None:
    file, page = written(tmp_path, controlled()), tmp_path / "audit.html"
    report = home.run("dataset", "audit", file, "--html", page, "--json").document
    rules = {rule["rule"]: rule["verdict"] for rule in report["rules"]}
    assert rules["scene"] == rules["temperature_c"] == rules["baseline exif"] == "pass"
    # the made-up frames have no files, so that no pixel was seen
    assert rules["baseline thumbnail"] == "not-run" and report["verdict"] == "warn"
    html = page.read_text(encoding="utf-8")
    assert "<script" not in html and report["manifest_version"] in html
    frozen = home.run("dataset", "freeze", file, "--without-pixels", "--json").document
    assert frozen["audit"]["verdict"] == "warn" and frozen["version"] == report["manifest_version"]
    # the recorded audit was used: there is still one
    assert home.run("dataset", "list", "--json").lines[0]["audit"] == "warn"


def test_a_failing_set_is_refused_and_says_for_ever_that_it_was_forced(
    home: CommandLine, tmp_path: Path
) -> None:
    home.run("dataset", "freeze", written(tmp_path, controlled()), "--without-pixels")
    file = written(tmp_path, BIASED, "biased.yaml")
    refused = home.run("dataset", "freeze", file, "--without-pixels", code=2)
    assert refused.exit_code == 2
    assert "scene goes with the label" in refused.message and "--force REASON" in refused.message
    assert [one["name"] for one in home.run("dataset", "list", "--json").lines] == ["controlled"]
    home.run("dataset", "freeze", file, "--without-pixels", "--force", REASON)
    shown = home.run("dataset", "show", "biased", "--json").document
    assert shown["audit"] == "fail" and shown["forced"]["reason"] == REASON
    assert shown["forced"]["failed"] == ["scene"]
    assert [one["name"] for one in shown["lineage"]] == ["controlled"]
    folder = tmp_path / "out"
    home.run("dataset", "export", "biased", folder)
    content = (folder / "manifest.jsonl").read_bytes()
    assert hashlib.sha256(content).hexdigest() == shown["version"]
    assert json.loads(content.splitlines()[0])["forced"]["reason"] == REASON
    assert REASON in (folder / "README.md").read_text() and (folder / "audit.html").is_file()
    assert yaml.safe_load((folder / "specification.yaml").read_text())["name"] == "biased"
    again = home.run("dataset", "export", "biased", folder, code=2)
    assert again.exit_code == 2 and "is there already" in again.message


def test_a_reason_is_not_recorded_where_nothing_failed(home: CommandLine, tmp_path: Path) -> None:
    file = written(tmp_path, controlled())
    frozen = home.run(
        "dataset", "freeze", file, "--without-pixels", "--force", REASON, "--json"
    ).document
    assert frozen["forced_reason"] is None
    assert home.run("dataset", "show", "controlled", "--json").document["forced"] is None


def test_two_datasets_are_compared(home: CommandLine, tmp_path: Path) -> None:
    home.run("dataset", "freeze", written(tmp_path, controlled()), "--without-pixels")
    other = controlled(name="other", seed=8, scenes=SCENES[:11])
    home.run("dataset", "freeze", written(tmp_path, other), "--without-pixels")
    found = home.run("dataset", "diff", "controlled", "other", "--json").document
    assert found["specification"]["seed"] == [7, 8]
    assert found["specification"]["scenes"] == [None, sorted(SCENES[:11])]
    before, after = (
        {
            (item["sha256"], item["block"])
            for item in map(json.loads, _lines(home, tmp_path / name, name)[1:])
        }
        for name in ("controlled", "other")
    )
    both = {sha for sha, _ in before} & {sha for sha, _ in after}
    assert len(found["removed"]) == len(before) - len(both)
    assert len(found["added"]) == len(after) - len(both)
    assert found["same"] == len(before & after)
    assert {one["fact"] for one in found["changed"]} == {"block"}
    assert "files the same" in home.run("dataset", "diff", "controlled", "other").err


def _lines(home: CommandLine, folder: Path, name: str) -> list[str]:
    home.run("dataset", "export", name, folder)
    return (folder / "manifest.jsonl").read_text().splitlines()


def test_files_that_are_gone_are_found(home: CommandLine, tmp_path: Path) -> None:
    home.run("dataset", "freeze", written(tmp_path, controlled()), "--without-pixels")
    refused = home.run("dataset", "verify", "controlled", "--json", code=1)
    assert refused.exit_code == 1
    document = json.loads(refused.out)
    assert len(document["problems"]) == document["items"]
    assert document["problems"][0]["sentence"] == "the file is not in the store"


def test_folds_are_frozen_together_and_test_every_scene_and_session_once(
    home: CommandLine, tmp_path: Path
) -> None:
    document = controlled(
        name="folded",
        folds={"k": 4, "repeats": 2},
        blocks={"scenes": {"validation": 2}, "sessions_per_class": {"validation": 1}},
    )
    frozen = home.run(
        "dataset", "freeze", written(tmp_path, document), "--without-pixels", "--json"
    ).lines
    assert [one["name"] for one in frozen] == [f"folded-fold-0{n}" for n in range(1, 9)]
    for repeat in range(2):
        scenes: list[str] = []
        sessions: list[str] = []
        for fold in range(4):
            name = f"folded-fold-0{4 * repeat + fold + 1}"
            lines = _lines(home, tmp_path / name, name)
            clean = [item for item in map(json.loads, lines[1:]) if item["block"] == "clean"]
            scenes += {item["scene"] for item in clean}
            sessions += {item["session"] for item in clean}
        assert sorted(scenes) == sorted(f"{scene}@1" for scene in SCENES)
        assert len(sessions) == len(set(sessions)) == 16


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"classes": "ntif-six"}, "there is no preset 'ntif-six'"),
        ({"folds": {"k": 3}}, "folds say what is tested"),
        ({"classes": [{"name": "a", "timeslots": "5-1"}, {"name": "b", "timeslots": [9]}]}, "5-1"),
        ({"patches": {"kind": "random", "size": 64}}, "random needs a count"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_specification_is_refused_by_its_field(
    home: CommandLine, tmp_path: Path, document: dict[str, object], told: str
) -> None:
    refused = home.run("dataset", "spec-check", written(tmp_path, controlled(**document)), code=2)
    assert refused.exit_code == 2 and told in refused.message
    assert "Traceback" not in refused.err


def test_every_command_has_an_example(home: CommandLine) -> None:
    listed = home.run("dataset", "--help").out
    commands = re.findall(r"│ ([a-z][a-z-]+) {2,}", listed)
    assert {"spec-check", "audit", "freeze", "show", "diff", "verify", "export"} <= set(commands)
    for command in commands:
        told = home.run("dataset", command, "--help").out
        assert f"Example: agetrace dataset {command}" in told
