"""`agetrace export` as its users meet it; the commands of the how-to are run as written."""

from __future__ import annotations

import csv
import json
import re
import resource
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from agetrace.settings import load_home
from tests.support.command_line import CommandLine
from tests.support.exported import fill_with_jpegs
from tests.support.stored_files import flip_a_bit

HOW_TO = (Path(__file__).parents[2] / "docs/how-to/export.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    made = CommandLine(tmp_path_factory.mktemp("filled") / "home")
    made.run("init", made.home)
    catalogue = load_home(made.home).open_catalogue()
    try:
        fill_with_jpegs(catalogue)
    finally:
        catalogue.close()
    return made


@pytest.fixture
def home(filled: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Return a home that tests leave as it is; the current folder is empty."""
    monkeypatch.chdir(tmp_path)
    return filled


def account(folder: str) -> dict[str, object]:
    document: dict[str, object] = json.loads((Path(folder) / "export.json").read_text())
    return document


def test_the_how_to_works_as_written(home: CommandLine) -> None:
    for block in re.findall(r"```console\n(.*?)```", HOW_TO, re.DOTALL):
        for line in block.splitlines():
            program, *words = shlex.split(line.removeprefix("$ "))
            assert program == "agetrace"
            home.run(*words)
    assert account("darks")["items"] == 0
    assert account("everything")["items"] == account("pictures")["items"] == 48
    assert account("shards")["items"] == account("hub")["items"] == account("sorted")["items"] == 28
    assert account("hub")["items_by_block"] == account("shards")["items_by_block"]
    assert {path.name for path in Path("shards").glob("*.tar")} == {
        f"controlled-{block}-000000.tar"
        for block in ("train", "validation", "new-session", "new-scene", "clean")
    }
    described = json.loads(Path("darks/croissant.json").read_text())
    assert described["license"] == "CC-BY-4.0" and described["citeAs"] == "Doe, 2026"


def test_json_tells_what_was_made_and_nothing_else(home: CommandLine) -> None:
    answer = home.run(
        "export", "csv", "out", "--where", "scene = beach and exposure_s = 1/2", "--json"
    )
    told = answer.document
    assert (told["items"], told["folder"]) == (8, "out")
    with Path("out/shots.csv").open(newline="") as file:
        assert {row["scene"] for row in csv.DictReader(file)} == {"beach"}


def test_wrong_requests_change_nothing(home: CommandLine) -> None:
    Path("other").mkdir()
    Path("other/thesis.tex").touch()
    for words, said in (
        (["csv", "out", "--where", "iso = 1", "--dataset", "controlled"], "use one of"),
        (["csv", "out", "--where", "colour = red"], "colour"),
        (["csv", "out", "--saved", "nothing"], "nothing"),
        (["csv", "out", "--dataset", "nothing"], "nothing"),
        (["tree", "out", "--template", "../{sha256}"], "leaves the folder"),
        (["webdataset", "out", "--name", "../x"], "letters, digits"),
        (["croissant", "other", "--name", "x", "--description", "x"], "no finished export"),
        (["csv", "other"], "other files"),
    ):
        assert said in home.run("export", *words, code=2).message
        assert not Path("out").exists()


def test_a_damaged_file_ends_the_export_with_its_name(home: CommandLine) -> None:
    rows = home.shots()
    asset = rows[30]["assets"][0]
    stored = Path(asset["path"])
    stored.chmod(0o644)
    flip_a_bit(stored)
    answer = home.run("export", "tree", "out", code=1)
    # the same bit again
    flip_a_bit(stored)
    assert asset["sha256"] in answer.message and "store repair" in answer.message
    assert not list(Path("out").rglob(f"{asset['sha256']}*"))


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_export_that_was_stopped_goes_on(
    home: CommandLine, sent: signal.Signals, code: int
) -> None:
    process = home.start("export", "tree", "out")
    deadline = time.monotonic() + 60
    while not list(Path("out").rglob("*.jpg")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(sent)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert not Path("out/export.json").exists()
    home.run("export", "tree", "out")
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd="out", check=False
    )
    assert checked.returncode == 0
    assert len(list(Path("out").rglob("*.jpg"))) == 48
    assert not Path("out/.unfinished").exists()


def test_a_full_disk_is_told_and_the_export_goes_on(home: CommandLine) -> None:
    def limit() -> None:
        # enough for what SQLite keeps beside a catalogue that is read, too little for a shard
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    words = ("export", "webdataset", "out")
    assert "no room" in home.run_apart(*words, code=1, before=limit).message
    assert not list(Path("out").glob("*.tar"))
    home.run(*words)
    assert account("out")["items"] == 48
