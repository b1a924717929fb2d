"""`agetrace estimate` as a researcher uses it: fit, date questioned files, compare."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agetrace.settings import create_home
from datastore.datasets.items import Item
from datastore.datasets.loading import load
from tests.support.command_line import CommandLine
from tests.support.experiment_worlds import (
    AGEING,
    CONTROL,
    MANUFACTURED_AT,
    WorldSizes,
    build_world,
)
from tests.support.recorded_experiments import record_experiment
from tests.support.true_ledgers import record_true_ledger
from training.estimators.methods import METHODS

SIZES = WorldSizes(
    rows=96, columns=128, sessions=6, test_sessions=4, scenes=6, test_scenes=3, new_defects=0.002
)


@dataclass(frozen=True)
class Laboratory:
    """A home with a camera that ages and one that does not, files of both, and an estimator."""

    line: CommandLine
    folder: Path
    files: dict[str, Path]
    estimator: Path


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    folder = tmp_path_factory.mktemp("laboratory")
    home = create_home(folder / "home")
    catalogue = home.open_catalogue()
    world = build_world(catalogue, folder / "fixture", SIZES, seed=5)
    dark = [MANUFACTURED_AT + timedelta(days=days) for days in range(0, 9 * 365, 60)]
    files: dict[str, Path] = {}
    for name, serial in (("ageing", AGEING), ("still", CONTROL)):
        manifest = load(catalogue, world.freeze_sessions(name, serial).version)
        (truth,) = folder.glob(f"fixture/**/*{serial}*.json")
        record_true_ledger(catalogue, truth, dark)
        for item in manifest.block("clean"):
            files[f"{name}-{item.class_name}"] = catalogue.store.path(item.sha256)
        if name == "ageing":
            record_experiment(catalogue, [manifest], "blind", trace=_nothing)
    catalogue.close()
    for name, file in files.items():
        files[name] = Path(shutil.copy(file, folder / f"{name}.dng"))
    line = CommandLine(folder / "home")
    estimator = folder / "camera.npz"
    line.run("estimate", "fit", "ageing", "--block", "train", "--output", str(estimator), "--json")
    return Laboratory(line, folder, files, estimator)


def _nothing(item: Item) -> float:
    return 0.0


class _Texts(HTMLParser):
    """Collects the texts of a page, and whether it would fetch anything."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.fetched: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href") and value and not value.startswith(("data:", "#")):
                self.fetched.append(value)


def test_a_fit_says_what_it_rests_on(laboratory: Laboratory) -> None:
    again = laboratory.folder / "again.npz"
    answer = laboratory.line.run(
        "estimate", "fit", "ageing", "--block", "train", "--output", str(again), "--json"
    )
    facts, lineage = answer.document["facts"], answer.document["lineage"]
    assert facts["camera"] == AGEING and len(facts["defects"]) > 0
    assert all(one["onset_after"] != one["onset_before"] for one in facts["defects"])
    assert lineage["dataset"] == "ageing" and len(lineage["dataset_version"]) == 64
    assert lineage["blocks"] == ["train"] and lineage["simulated"]
    # 2 training sessions a class, 3 training scenes
    assert (lineage["images"], lineage["sessions"]) == (12, 4)
    assert lineage["ledger"] is not None and lineage["ledger_defects"] > 0
    assert lineage["class_names"] == ["early", "late"]
    first = json.loads(laboratory.line.run(
        "estimate", "date", str(laboratory.estimator), str(laboratory.files["ageing-late"]),
        "--json",
    ).out)  # fmt: skip
    second = json.loads(laboratory.line.run(
        "estimate", "date", str(again), str(laboratory.files["ageing-late"]), "--json"
    ).out)  # fmt: skip
    assert first[0]["estimate"] == second[0]["estimate"]


def test_questioned_files_are_dated_without_a_home(laboratory: Laboratory) -> None:
    early, late = laboratory.files["ageing-early"], laboratory.files["ageing-late"]
    nowhere = CommandLine(laboratory.folder / "nowhere")
    answer = nowhere.run(
        "estimate", "date", str(laboratory.estimator), str(early), str(late), "--json"
    )
    first, second = answer.document
    assert first["timeslot"]["most_likely"] == "early"
    assert second["timeslot"]["most_likely"] == "late"
    assert sum(first["timeslot"]["probabilities"].values()) == pytest.approx(1)
    # early sessions are of 2020, late ones of 2023
    assert first["estimate"]["low"] is None and first["estimate"]["high"] < "2023"
    assert second["estimate"]["high"] is None and second["estimate"]["low"] > "2020-01-03"
    assert first["facts"]["serial"] == AGEING and first["facts"]["exposure_s"] == 0.25
    # what lies beside the defects shows none in either
    for one in (first, second):
        assert sum(each["log10_ratio"] for each in one["displaced"]["evidence"]) < 2


def test_the_report_is_one_page_that_names_what_the_answer_rests_on(
    laboratory: Laboratory,
) -> None:
    late, page = laboratory.files["ageing-late"], laboratory.folder / "report.html"
    answer = laboratory.line.run(
        "estimate", "date", str(laboratory.estimator), str(late), "--report", str(page)
    )
    assert "taken after 20" in answer.message
    read = _Texts()
    read.feed(page.read_text(encoding="utf-8"))
    assert not read.fetched
    text = " ".join(read.texts)
    for expected in ("taken after 20", "log10 ratio", "holds", "sha256", "version", AGEING):
        assert expected in text
    assert "does not hold" not in text


def test_the_report_as_a_sheet_has_one_page_for_each_file(laboratory: Laboratory) -> None:
    sheets = [laboratory.folder / name for name in ("one.pdf", "same.pdf")]
    files = [str(laboratory.files[name]) for name in ("ageing-early", "ageing-late")]
    for sheet in sheets:
        laboratory.line.run(
            "estimate", "date", str(laboratory.estimator), *files, "--report", str(sheet)
        )
        content = sheets[0].read_bytes()
    assert content.startswith(b"%PDF") and content.count(b"/Type /Page ") == 2
    assert content == sheets[1].read_bytes()


def test_a_file_of_another_camera_is_refused_by_name(laboratory: Laboratory) -> None:
    other = laboratory.files["still-late"]
    answer = laboratory.line.run("estimate", "date", str(laboratory.estimator), str(other), code=2)
    assert "still-late.dng: its serial is 7100003" in answer.message


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"II*\0 torn", "bad.dng"), (b"\xff\xd8\xff\xe0", "is a JPEG: the")],
)
def test_a_file_that_cannot_be_read_is_refused_by_name(
    content: bytes, said: str, laboratory: Laboratory
) -> None:
    bad = laboratory.folder / "bad.dng"
    bad.write_bytes(content)
    answer = laboratory.line.run("estimate", "date", str(laboratory.estimator), str(bad), code=2)
    assert said in answer.message and "bad.dng" in answer.message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fit", "nosuch"), "no dataset nosuch"),
        (("fit", "ageing", "--method", "guess"), "no method guess: choose from maximum-likelihood"),
        (("fit", "ageing", "--camera", "1"), "has no camera 1: it has 7100001"),
        (("fit", "ageing", "--block", "validation"), "no images of camera 7100001 in validation"),
        (("fit", "ageing", "--no-ledger", "--no-search"), "no ledger that could be used"),
        (("date", "gone.npz", "a.dng"), "gone.npz: No such file"),
        (("date", "camera.npz", "a.dng", "--report", "a.doc"), "ends in .html or .pdf"),
        (("compare", "still", "--experiment", "blind"), "blind is of dataset"),
        (("compare", "ageing", "--experiment", "nosuch"), "no experiment nosuch"),
    ],
)
def test_requests_that_mean_nothing_say_what_to_do(
    arguments: tuple[str, ...], said: str, laboratory: Laboratory
) -> None:
    answer = laboratory.line.run("estimate", *arguments, code=2)
    assert said in answer.message


def test_every_method_stands_beside_a_network(laboratory: Laboratory) -> None:
    page = laboratory.folder / "compared.html"
    answer = laboratory.line.run(
        "estimate", "compare", "ageing", "--experiment", "blind", "--report", str(page), "--json"
    )
    comparison = answer.document["comparison"]
    found = {one["name"]: one for one in comparison["standings"]}
    assert set(found) == {*METHODS, "blind"}
    assert found["maximum-likelihood"]["accuracy"] >= 0.9
    assert found["maximum-likelihood"]["verdict"] == "above-chance"
    assert found["blind"]["verdict"] == "at-chance" and found["blind"]["runs"] == 4
    assert comparison["sentence"].startswith("the simpler method wins")
    assert "the simpler method wins" in page.read_text(encoding="utf-8").replace("The", "the")


def test_a_camera_that_does_not_age_is_at_chance(laboratory: Laboratory) -> None:
    answer = laboratory.line.run("estimate", "compare", "still", "--json")
    for one in answer.document["comparison"]["standings"]:
        assert one["verdict"] == "at-chance", one["name"]
