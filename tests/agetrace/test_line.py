"""The whole line on the command line: from a fixture to an evidence report."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.agetrace.conftest import CONTROLLED, FRAMES_PER_SESSION, SERIALS, TIMES, Line
from tests.support.command_line import Answer, CommandLine

KEYS = [
    "id", "camera_serial", "kind", "scene", "timeslot", "session_id", "triggered_at", "exposure_s",
    "iso", "f_number", "state", "verdict", "assets",
]  # fmt: skip
NANO = {
    "name": "nano",
    "dataset": "controlled",
    "network": "srnet-nano",
    "patch_size": 64,
    "steps": 10,
    "batch_size": 4,
    "runs": 2,
    "seed": 1,
}
BIASED = {
    "name": "biased",
    "parent": "controlled",
    "scenes_per_class": "own-scenes",
    "seed": 3,
    "waive": [{"constraint": "same-scenes", "reason": "each class has scenes of its own"}],
}


@pytest.fixture(scope="module")
def extracted(line: Line) -> Answer:
    return line.command_line.run("defects", "extract", "--json")


@pytest.fixture(scope="module")
def controlled(line: Line) -> dict[str, Any]:
    file = line.write("controlled.yaml", CONTROLLED)
    return dict(line.command_line.run("dataset", "freeze", file, "--json").document)


@pytest.fixture(scope="module")
def experiment(line: Line, controlled: dict[str, Any]) -> dict[str, Any]:
    file = line.write("nano.yaml", NANO)
    # training prepares the process that it runs in
    return dict(line.command_line.run_apart("experiment", "run", file, "--json").document)


def test_every_session_brings_every_frame(line: Line) -> None:
    for outcome in line.outcomes:
        assert (outcome["state"], outcome["reason"]) == ("completed", None)
        assert outcome["frames_registered"] == outcome["frames_planned"] == FRAMES_PER_SESSION
        assert outcome["frames_quarantined"] == outcome["attempts_failed"] == 0
    listed = line.command_line.run("session", "list", "--json").lines
    assert [one["id"] for one in listed] == [outcome["session_id"] for outcome in line.outcomes]
    assert {(one["state"], one["shots"]) for one in listed} == {("completed", FRAMES_PER_SESSION)}
    for one, due in zip(listed, TIMES, strict=True):
        assert one["started_at"][:10] == due[:10]


def test_shots_carry_the_keys_of_the_contract_and_files_of_those_hashes(line: Line) -> None:
    shots = line.command_line.shots()
    assert len(shots) == FRAMES_PER_SESSION * len(TIMES)
    slots: Counter[tuple[int, int]] = Counter()
    for shot in shots:
        assert list(shot) == KEYS
        assert shot["camera_serial"] in SERIALS
        assert (shot["state"], shot["verdict"]) == ("registered", "accepted")
        roles = ["raw", "jpeg"] if shot["kind"] == "fixed-background" else ["raw"]
        assert sorted(asset["role"] for asset in shot["assets"]) == sorted(roles)
        assert (shot["scene"] in line.scenes) == (shot["kind"] == "fixed-background")
        slots[datetime.fromisoformat(shot["triggered_at"]).year, shot["timeslot"]] += 1
    half = len(shots) // 2
    assert slots == {(2020, 1): half, (2023, 4): half}
    for asset in shots[0]["assets"] + shots[-1]["assets"]:
        assert list(asset) == ["role", "sha256", "bytes", "path"]
        content = Path(asset["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (
            asset["bytes"],
            asset["sha256"],
        )


def test_filters_choose_the_shots_that_they_say(line: Line) -> None:
    every = line.command_line.shots()
    third = line.outcomes[2]["session_id"]
    scene = line.scenes[1]
    wanted: dict[tuple[str, ...], Callable[[dict[str, Any]], bool]] = {
        ("--kind", "dark-field", "--camera", SERIALS[1], "--exposure", "1/4"): lambda shot: (
            shot["kind"] == "dark-field"
            and shot["camera_serial"] == SERIALS[1]
            and shot["exposure_s"] == 0.25
        ),
        ("--scene", scene, "--timeslot", "4"): lambda shot: (
            shot["scene"] == scene and shot["timeslot"] == 4
        ),
        ("--session", third, "--kind", "flat-field", "--kind", "fixed-background"): lambda shot: (
            shot["session_id"] == third and shot["kind"] != "dark-field"
        ),
        ("--since", "2020-04-01", "--until", "2023-03-01T00:00:00+00:00"): lambda shot: (
            "2020-04-01" <= shot["triggered_at"] < "2023-03-01"
        ),
        ("--iso", "100", "--state", "registered", "--verdict", "accepted"): lambda shot: (
            shot["iso"] == 100
        ),
    }
    for options, is_wanted in wanted.items():
        expected = [shot for shot in every if is_wanted(shot)]
        assert line.command_line.shots(*options) == expected, options


def test_shots_come_as_table_and_csv_too(line: Line) -> None:
    options = ("--kind", "flat-field", "--camera", SERIALS[0])
    expected = [shot["id"] for shot in line.command_line.shots(*options)]
    rows = list(csv.DictReader(io.StringIO(line.command_line.run("shots", *options, "--csv").out)))
    assert [row["id"] for row in rows] == expected
    assert {(row["iso"], row["f_number"], row["scene"]) for row in rows} == {
        ("100", "8", "flat-panel")
    }
    heading, *table = line.command_line.run("shots", *options).out.splitlines()
    assert heading.split()[0] == "id"
    # identifiers are to be copied: a pipe gets them whole
    assert [row.split()[0] for row in table] == expected


def test_a_verdict_counts_from_now_on_and_the_older_ones_stay(line: Line) -> None:
    lab = line.command_line
    shot = lab.shots("--kind", "flat-field")[0]["id"]

    def verdicts() -> list[tuple[str, str]]:
        with closing(sqlite3.connect(lab.home / "catalogue.sqlite")) as database:
            return database.execute(
                "select verdict.verdict, verdict.reason from verdict join shot"
                " on shot.id = verdict.shot_id where shot.uuid = ? order by verdict.id",
                (shot,),
            ).fetchall()

    (first,) = verdicts()
    lab.run("verdict", "add", shot, "rejected", "--reason", "the lamp was off")
    assert [one["id"] for one in lab.shots("--verdict", "rejected")] == [shot]
    told = lab.run("verdict", "add", shot, "accepted", "--reason", "it was on", "--json").document
    assert told == {"shot": shot, "verdict": "accepted", "reason": "it was on"}
    assert lab.shots("--verdict", "rejected") == []
    assert verdicts() == [first, ("rejected", "the lamp was off"), ("accepted", "it was on")]


def test_what_was_extracted_is_told_with_its_linearity(line: Line, extracted: Answer) -> None:
    told = extracted.document
    assert (told["extractions"], told["ledgers"]) == (len(TIMES) * len(SERIALS), len(SERIALS))
    assert (told["flat_extractions"], told["failed"]) == (len(TIMES) * len(SERIALS), {})
    assert len(told["measurements"]) == len(TIMES) * len(SERIALS)
    for one in told["measurements"]:
        assert one["frames"] == 9
        # the virtual sensor is linear up to saturation
        assert one["linearity"]["r_squared_median"] > 0.999
        assert len(one["linearity"]["strongest"]) == one["linearity"]["photosites"]
    again = line.command_line.run("defects", "extract")
    assert "0 dark and 0 flat sessions measured" in again.message
    assert again.out.count(SERIALS[0]) == again.out.count(SERIALS[1]) == len(TIMES)


@pytest.mark.usefixtures("extracted")
def test_the_ledger_agrees_with_the_truth(line: Line) -> None:
    found = false = known = known_found = onsets = covered = 0
    for serial in SERIALS:
        truth = json.loads((line.virtual.state_folder / "truth" / f"{serial}.json").read_text())
        last = datetime.fromisoformat(TIMES[-1])
        active = {
            (one["row"], one["column"]): one
            for one in truth["defects"]
            if one["onset"] is None or datetime.fromisoformat(one["onset"]) <= last
        }
        read_noise_dn = truth["read_noise_e"] / truth["gain_e_per_dn_at_iso100"] * 8
        strong = {
            place
            for place, one in active.items()
            if one["kind"] != "blinking"
            and 8 * (4 * one["dark_rate_dn_per_s"] + one["offset_dn"]) >= 2 * read_noise_dn
        }
        ledger = {
            (one["row"], one["column"]): one
            for one in line.command_line.run("defects", "ledger", serial, "--json").lines
        }
        found, false = found + len(ledger), false + len(ledger.keys() - active.keys())
        known, known_found = known + len(strong), known_found + len(strong & ledger.keys())
        for place in strong & ledger.keys():
            onset = active[place]["onset"]
            entry = ledger[place]
            assert entry["pre_existing"] == (entry["onset_after"] is None)
            if onset is not None and onset > TIMES[0]:
                onsets += 1
                after, before = entry["onset_after"], entry["onset_before"]
                covered += after is not None and (
                    datetime.fromisoformat(after)
                    <= datetime.fromisoformat(onset)
                    <= datetime.fromisoformat(before)
                )
    assert known >= 40
    assert 1 - false / found >= 0.98
    assert known_found / known >= 0.95
    assert onsets >= 10
    assert covered / onsets >= 0.9


@pytest.mark.usefixtures("extracted")
def test_the_ledger_is_drawn(line: Line) -> None:
    folder = line.folder / "pictures"
    told = line.command_line.run(
        "defects", "plot", SERIALS[0], "--output", folder, "--json"
    ).document
    assert told["camera"] == SERIALS[0]
    assert [Path(path) for path in told["pictures"]] == [
        folder / Path(path).name for path in told["pictures"]
    ]
    kinds = {Path(path).stem.split("-", 2)[-1] for path in told["pictures"]}
    assert kinds == {"defect-map", "growth", "linearity", "temperature"}
    for path in told["pictures"]:
        assert Path(path).read_bytes().startswith(b"\x89PNG")


def test_a_dataset_is_frozen_once(line: Line, controlled: dict[str, Any]) -> None:
    again = line.command_line.run("dataset", "freeze", line.folder / "controlled.yaml", "--json")
    assert again.document["version"] == controlled["version"]
    shown = line.command_line.run("dataset", "show", "controlled", "--json").document
    assert shown["version"] == controlled["version"]
    assert {row["block"] for row in shown["items"]} == {
        "train", "validation", "new-session", "new-scene", "clean",
    }  # fmt: skip
    by_class: Counter[tuple[str, str, str]] = Counter()
    for row in shown["items"]:
        by_class[row["block"], row["camera"], row["class"]] = row["items"]
    for (block, camera, _), count in by_class.items():
        assert by_class[block, camera, "early"] == by_class[block, camera, "late"] == count


@pytest.mark.usefixtures("controlled")
def test_a_biased_dataset_needs_its_waiver_and_keeps_it(line: Line) -> None:
    lab = line.command_line
    without = line.write("unwaived.yaml", {**BIASED, "name": "unwaived", "waive": []})
    assert "same-scenes" in lab.run("dataset", "freeze", without, code=2).message
    biased = line.write("biased.yaml", BIASED)
    assert "--force REASON" in lab.run("dataset", "freeze", biased, code=2).message
    version = lab.run(
        "dataset", "freeze", biased, "--force", "shows what content does", "--json"
    ).document["version"]
    listed = {one["name"]: one for one in lab.run("dataset", "list", "--json").lines}
    assert listed["biased"]["version"] == version
    assert listed["biased"]["waived"] == ["same-scenes"]
    assert listed["biased"]["audit"] == "fail"
    assert listed["controlled"]["waived"] == [] and listed["controlled"]["audit"] == "warn"
    assert "unwaived" not in listed


def test_a_finished_experiment_is_not_computed_again(
    line: Line, experiment: dict[str, Any]
) -> None:
    lab = line.command_line
    assert experiment["runs"] == 2
    assert {one["evaluation"] for one in experiment["evaluations"]} == {
        "validation", "new-session", "new-scene", "clean",
    }  # fmt: skip
    for one in experiment["evaluations"]:
        assert len(one["run_accuracies"]) == 2
        assert all(0 <= accuracy <= 1 for accuracy in one["run_accuracies"])
        # two sessions can be relabelled in two ways only
        assert (one["smallest_p"], one["verdict"]) == (0.5, "inconclusive")

    def runs() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (lab.home / "work/runs").rglob("*")}

    before = runs()
    assert before
    again = lab.run_apart("experiment", "run", line.folder / "nano.yaml", "--json")
    assert again.document == experiment
    assert runs() == before
    assert lab.run("experiment", "show", "nano", "--json").document == experiment
    listed = lab.run("experiment", "list", "--json").lines
    assert [one["runs"] for one in listed if one["id"] == experiment["uuid"]] == [2]


class References(HTMLParser):
    """What a page refers to, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.pictures = 0
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pictures += tag in ("img", "svg")
        self.outside += [
            f"{tag} {name}={value[:80]}"
            for name, value in attrs
            if name in ("src", "href", "srcset", "data", "action", "poster") and value
            if not value.startswith(("data:", "#"))
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.usefixtures("extracted")
def test_the_evidence_is_one_page_that_needs_nothing_else(
    line: Line, controlled: dict[str, Any], experiment: dict[str, Any]
) -> None:
    page = line.folder / "evidence.html"
    told = line.command_line.run("evidence", "nano", "--output", page, "--json").document
    assert told["report"] == str(page)
    # two sessions can be relabelled in two ways only
    (judgement,) = told["judgements"]
    assert (judgement["experiment"], judgement["verdict"]) == ("nano", "inconclusive")
    html = page.read_text(encoding="utf-8")
    references = References()
    references.feed(html)
    assert references.outside == []
    assert "@import" not in html and "url(http" not in html
    assert references.pictures >= 3
    for fact in ("nano", controlled["version"][:12], experiment["code_version"], *SERIALS):
        assert fact in references.text
    # the dataset's audit could not decide everything with so few sessions
    standing = references.text.rpartition("What the datasets are worth")[2]
    assert "warn" in standing.partition("Where the networks look")[0]


def test_the_audit_of_it_all_is_whole(line: Line) -> None:
    assert line.command_line.run("catalogue", "check", "--json").document["problems"] == []


MANY_DARKS: dict[str, Any] = {
    "name": "many-darks",
    "shots": [{"kind": "dark-field", "exposure": "1/30", "iso": 100, "count": 300}],
}
ENDS = ("registered", "failed")


def registered(lab: CommandLine) -> int:
    with closing(sqlite3.connect(lab.home / "catalogue.sqlite")) as database:
        query = "select count(*) from shot_event where name = 'registered'"
        return int(database.execute(query).fetchone()[0])


def wait_for_shots(lab: CommandLine, count: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if registered(lab) >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"no {count} shots were registered in a minute")


@pytest.fixture(scope="module")
def second(line: Line) -> CommandLine:
    return line.another_home("second")


def test_an_interrupted_session_leaves_no_shot_without_an_end(
    line: Line, second: CommandLine
) -> None:
    recipe = line.write("many-darks.yaml", MANY_DARKS)
    with second.start("session", "run", recipe, "--json") as process:
        wait_for_shots(second, 4)
        # a terminal sends Ctrl-C to the whole group, workers included
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    outcome = json.loads(out)
    assert outcome["state"] == "aborted"
    states = Counter(shot["state"] for shot in second.shots("--session", outcome["session_id"]))
    assert set(states) <= set(ENDS)
    assert 4 <= outcome["frames_registered"] == states["registered"] < 600


def test_the_session_after_a_killed_one_settles_what_it_left(
    line: Line, second: CommandLine
) -> None:
    earlier = registered(second)
    with second.start("session", "run", line.write("many-darks.yaml", MANY_DARKS)) as process:
        wait_for_shots(second, earlier + 4)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    left = [shot["id"] for shot in second.shots() if shot["state"] not in ENDS]
    few = {**MANY_DARKS, "name": "few", "shots": [{**MANY_DARKS["shots"][0], "count": 1}]}
    outcome = second.run("session", "run", line.write("few.yaml", few), "--json").document
    assert (outcome["state"], outcome["settled_by_reconciling"]) == ("completed", len(left))
    for shot in second.shots():
        assert shot["state"] in ENDS
        if shot["state"] == "registered":
            (asset,) = shot["assets"]
            content = Path(asset["path"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == asset["sha256"]
    assert second.run("catalogue", "check", "--json").document["problems"] == []
