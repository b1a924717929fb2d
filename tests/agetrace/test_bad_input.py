"""Bad input at the command line: a clear message, the right exit code, nothing lost or changed."""

from __future__ import annotations

import hashlib
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.agetrace.conftest import CONTROLLED, RECIPE, SERIALS, Line, make_home
from tests.support.command_line import CommandLine
from tests.support.frame_files import dark_mosaic, dng
from tests.support.imports import jpeg

ONE_DARK: dict[str, Any] = {
    "name": "one-dark",
    "shots": [{"kind": "dark-field", "exposure": "1/30", "iso": 100}],
}


def dark(**fields: Any) -> dict[str, Any]:
    """Return a recipe of one dark field with some fields changed."""
    return {**ONE_DARK, "shots": [{**ONE_DARK["shots"][0], **fields}]}


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        (dark(colour="red"), (), "wrong.yaml:6: shots[0].colour: no such field"),
        ({**ONE_DARK, "shotz": []}, (), "wrong.yaml:6: shotz: no such field"),
        (dark(exposure="0"), (), "wrong.yaml:4: shots[0].exposure"),
        (dark(kind="fixed-background", scene="nowhere"), (), "no scene 'nowhere'"),
        (dark(iso=123), (), "camera 7100001: iso 123 is not offered"),
        (dark(exposure="1/12345"), (), "camera 7100001: exposure 1/12345 is not offered"),
        (ONE_DARK, ("--camera", "9999999"), "9999999"),
        (ONE_DARK, ("--fixture", "elsewhere"), "elsewhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_session_that_cannot_be_is_refused_before_it_begins(
    line: Line, recipe: dict[str, Any], options: tuple[str, ...], message: str
) -> None:
    lab = line.command_line
    file = line.write("wrong.yaml", recipe)
    answer = lab.run("session", "run", file, *options, "--json", code=2)
    assert message in answer.message
    assert answer.out == ""


def test_a_refused_session_leaves_a_trace(line: Line) -> None:
    lab = line.command_line
    before = lab.run("session", "refused", "--json").lines
    told = lab.run("session", "run", line.write("wrong.yaml", dark(iso=123)), code=2)
    (*earlier, newest) = lab.run("session", "refused", "--json").lines
    assert earlier == before
    assert (newest["fixture"], newest["recipe_name"]) == ("virtual", "one-dark")
    assert told.message == f"agetrace: {' '.join(newest['reason'].split())}"
    table = lab.run("session", "refused").out.splitlines()
    assert max(map(len, table)) <= 120


def changed_fixture(line: Line, home: str, *addresses: str) -> CommandLine:
    """Make a home whose fixture has its cameras at other addresses."""
    lab = CommandLine(line.folder / home)
    made = make_home(lab.home, line.virtual)
    description = yaml.safe_load(line.virtual.fixture_file.read_text())
    for camera, address in zip(description["cameras"], addresses, strict=True):
        camera["address"] = address
    made.run("fixture", "revise", line.write(f"{home}.yaml", description))
    return made


def test_a_camera_that_does_not_answer_is_named_with_its_address(line: Line) -> None:
    nobody = "ptpip:127.0.0.99:15740"
    lab = changed_fixture(line, "nobody", nobody, line.virtual.cameras[SERIALS[1]])
    answer = lab.run("session", "run", line.write("one.yaml", ONE_DARK), "--json", code=1)
    assert f"camera {SERIALS[0]} at {nobody} failed while opening it" in answer.message
    assert answer.out == ""
    assert lab.shots() == []


def test_a_camera_of_another_serial_is_not_used(line: Line) -> None:
    first, second = (line.virtual.cameras[serial] for serial in SERIALS)
    lab = changed_fixture(line, "exchanged", second, first)
    answer = lab.run("session", "run", line.write("one.yaml", ONE_DARK), "--json", code=1)
    assert f"camera {SERIALS[0]} was expected at {second}" in answer.message
    assert answer.out == ""
    assert lab.shots() == []


def test_a_session_on_a_full_disk_says_so_and_the_next_one_settles_it(line: Line) -> None:
    lab = line.another_home("full")
    recipe = line.write("darks.yaml", dark(count=5))
    answer = lab.run_apart("session", "run", recipe, code=1, before=limit_files_to(40_000))
    assert "full" in answer.message
    before = {shot["id"] for shot in lab.shots()}
    outcome = lab.run("session", "run", recipe, "--json").document
    assert outcome["state"] == "completed"
    shots = lab.shots()
    assert before <= {shot["id"] for shot in shots}
    assert {shot["state"] for shot in shots} <= {"registered", "failed"}
    for shot in shots:
        for asset in shot["assets"]:
            content = Path(asset["path"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == asset["sha256"]


def limit_files_to(largest_bytes: int) -> Callable[[], None]:
    """Return what makes a process meet a full disk in every file of that size."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, largest_bytes))


@pytest.fixture
def empty(tmp_path: Path) -> CommandLine:
    lab = CommandLine(tmp_path / "lab")
    lab.run("init", lab.home)
    return lab


def test_damaged_files_are_kept_and_what_is_no_image_is_left(
    empty: CommandLine, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    whole = dng(dark_mosaic(1))
    half = len(whole) // 2
    files = {
        "whole.dng": (whole, "accepted"),
        "cut.dng": (whole[:half], "quarantined"),
        "zeros.dng": (whole[:half] + bytes(len(whole) - half), "quarantined"),
        "empty.dng": (b"", "quarantined"),
        "text.jpg": (b"this is no picture\n", "quarantined"),
        "notes.txt": (b"taken on a Sunday\n", "skipped"),
    }
    for name, (content, _) in files.items():
        (folder / name).write_bytes(content)
    *entries, _ = empty.run("import", "folder", folder, "--json").lines
    outcomes = {entry["path"]: entry for entry in entries}
    assert {name: entry["outcome"] for name, entry in outcomes.items()} == {
        name: outcome for name, (_, outcome) in files.items()
    }
    shots = {shot["id"]: shot for shot in empty.shots()}
    for name, (content, outcome) in files.items():
        assert (folder / name).read_bytes() == content
        if outcome == "quarantined":
            assert len(outcomes[name]["reason"]) > 15
        if outcome != "skipped":
            shot = shots[outcomes[name]["shot"]]
            assert shot["verdict"] == outcome
            (asset,) = shot["assets"]
            assert Path(asset["path"]).read_bytes() == content


@pytest.mark.parametrize("largest_bytes", [1_000_000, 100_000, 10_000])
def test_an_import_on_a_full_disk_says_so_and_is_simply_run_again(
    empty: CommandLine, tmp_path: Path, largest_bytes: int
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 4096, (1024, 1024), dtype=np.uint16)
    contents = {"1.jpg": jpeg(1), "2.dng": dng(noise), "3.jpg": jpeg(3)}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    answer = empty.run_apart(
        "import", "folder", folder, "--json", code=1, before=limit_files_to(largest_bytes)
    )
    assert "full" in answer.message
    report = empty.run("import", "folder", folder, "--json").lines[-1]
    assert report["accepted"] + report["already"] == len(contents)
    stored = {Path(asset["path"]).read_bytes() for s in empty.shots() for asset in s["assets"]}
    assert stored == set(contents.values())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"colour": "red"}, "colour"),
        ({"scheme": "decades"}, "decades"),
        ({"cameras": ["9999999"]}, "9999999"),
        ({"classes": [{"name": "early", "timeslots": [1]}]}, "classes"),
        (
            {"classes": [{"name": "a", "timeslots": [1]}, {"name": "b", "timeslots": [2]}]},
            "same-scenes",
        ),
        ({"waive": [{"constraint": "everything", "reason": "x"}]}, "waive.0.constraint"),
        ({"isos": [12345]}, "outside the filters: 60"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_dataset_that_cannot_be_is_refused_by_name(
    line: Line, fields: dict[str, Any], message: str
) -> None:
    lab = line.command_line
    file = line.write("wrong-dataset.yaml", {**CONTROLLED, "name": "wrong-dataset", **fields})
    answer = lab.run("dataset", "freeze", file, "--json", code=2)
    assert message in answer.message
    assert answer.out == ""


@pytest.fixture
def untuned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep `experiment run` from tuning the allocator of the process that runs the tests."""
    monkeypatch.setattr("training.threads.tune_allocator", lambda: True)


@pytest.fixture(scope="module")
def controlled(line: Line) -> str:
    file = line.write("controlled.yaml", CONTROLLED)
    return str(line.command_line.run("dataset", "freeze", file, "--json").document["version"])


@pytest.mark.usefixtures("untuned")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stepz": 10}, "stepz"),
        ({"steps": 1}, "steps"),
        ({"network": "srnet-giant"}, "network"),
        ({"dataset": "nothing-like-it"}, "nothing-like-it"),
        ({"patch_size": 4096}, "4096"),
        ({"mask": {"by": "coordinates", "file": "nowhere.json"}}, "nowhere.json"),
        ({"evaluations": [{"name": "x", "block": "swapped"}]}, "evaluation x"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_experiment_that_cannot_be_is_refused_before_training(
    line: Line, controlled: str, fields: dict[str, Any], message: str
) -> None:
    document = {"name": "wrong-experiment", "dataset": controlled, "steps": 10, "runs": 1, **fields}
    file = line.write("wrong-experiment.yaml", document)
    answer = line.command_line.run("experiment", "run", file, "--json", code=2)
    assert message in answer.message
    assert answer.out == ""


@pytest.mark.usefixtures("untuned")
def test_an_evaluation_on_what_was_trained_on_is_refused(line: Line, controlled: str) -> None:
    lab = line.command_line
    other = line.write("other.yaml", {**CONTROLLED, "name": "other-split", "seed": 4})
    version = lab.run("dataset", "freeze", other, "--json").document["version"]
    assert version != controlled
    leak = {"name": "leak", "block": "clean", "dataset": version}
    document = {
        "name": "leaking", "dataset": controlled, "steps": 10, "runs": 1, "evaluations": [leak],
    }  # fmt: skip
    file = line.write("leaking.yaml", document)
    answer = lab.run("experiment", "run", file, "--json", code=2)
    assert "was in the training of dataset controlled" in answer.message
    assert answer.out == ""
    names = [one["name"] for one in lab.run("experiment", "list", "--json").lines]
    assert "leaking" not in names


@pytest.mark.usefixtures("untuned")
@pytest.mark.parametrize(
    "words",
    [
        ("session", "run"),
        ("fixture", "add"),
        ("timeslot", "scheme", "add"),
        ("dataset", "freeze"),
        ("experiment", "run"),
    ],
    ids=" ".join,
)
def test_a_file_that_is_no_such_document_is_named(line: Line, words: tuple[str, ...]) -> None:
    file = line.folder / "broken.yaml"
    for text in ("shots: [", "- just\n- a list\n"):
        file.write_text(text)
        answer = line.command_line.run(*words, file, code=2)
        assert "broken.yaml" in answer.message
        assert answer.out == ""


def test_a_folder_that_cannot_be_a_home_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    answer = CommandLine(tmp_path).run("init", file / "lab", "--json", code=2)
    assert str(file / "lab") in answer.message
    assert (answer.out, file.read_text()) == ("", "mine")


def test_an_output_that_takes_nothing_is_told(line: Line) -> None:
    with Path("/dev/full").open("w") as full:
        completed = subprocess.run(
            line.command_line.command("shots"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert completed.returncode == 1
    assert "No space left on device" in completed.stderr
    assert "Traceback" not in completed.stderr


def test_nothing_of_it_changed_the_line(line: Line) -> None:
    lab = line.command_line
    assert len(lab.run("session", "list", "--json").lines) == len(line.outcomes)
    assert {shot["state"] for shot in lab.shots()} == {"registered"}
    assert lab.run("catalogue", "check", "--json").document["problems"] == []
    assert yaml.safe_load(line.recipe.read_text()) == RECIPE
