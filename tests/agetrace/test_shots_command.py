"""`agetrace shots where | save | saved` as their users meet them; the how-to is run as written."""

from __future__ import annotations

import csv
import io
import re
import shlex
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import agetrace
from agetrace.errors import HomeError
from agetrace.settings import load_home
from datastore.errors import CatalogueReadOnlyError
from datastore.selections import Selection
from datastore.selections.fields import FIELDS
from datastore.tables import Asset, AuditEntry, Verdict
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot
from tests.support.command_line import CommandLine

HOW_TO = (Path(__file__).parents[2] / "docs/how-to/query.md").read_text(encoding="utf-8")
SHOTS = 12
RAWS = 6


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Return a home whose shots alternate in kind; the first half is accepted and has raw files."""
    made = CommandLine(tmp_path_factory.mktemp("homes") / "lab")
    made.run("init", made.home)
    with load_home(made.home).open_catalogue() as catalogue, catalogue.writing() as transaction:
        session = add_session(transaction)
        camera = add_camera(transaction)
        for number in range(SHOTS):
            kind = "dark-field" if number % 2 else "flat-field"
            at = NOW + timedelta(days=number)
            shot = add_shot(transaction, session, camera, number, at, kind)
            if number < RAWS:
                transaction.add_all(
                    (
                        Verdict(
                            shot_id=shot.id, verdict="accepted", reason="r", author="a", at=NOW
                        ),
                        Asset(
                            sha256=f"{number:064x}",
                            bytes=1,
                            role="raw",
                            shot_id=shot.id,
                            created_at=NOW,
                        ),
                    )
                )
    return made


def snippets(language: str) -> Iterator[str]:
    yield from re.findall(rf"```{language}\n(.*?)```", HOW_TO, flags=re.DOTALL)


def test_an_expression_selects(home: CommandLine) -> None:
    darks = home.run("shots", "where", "kind = dark-field and verdict is unknown", "--json").lines
    assert [shot["kind"] for shot in darks] == ["dark-field"] * 3
    assert darks == [shot for shot in home.shots("--kind", "dark-field") if shot["verdict"] is None]
    rows = csv.DictReader(io.StringIO(home.run("shots", "where", "everything", "--csv").out))
    assert [row["id"] for row in rows] == [shot["id"] for shot in home.shots()]
    two = home.run("shots", "where", "everything", "--limit", "2", "--json").lines
    assert two == home.shots()[:2]


def test_counts_and_plans(home: CommandLine) -> None:
    assert home.run("shots", "where", "verdict = accepted", "--count").out == f"{RAWS}\n"
    counted = home.run("shots", "where", "role = raw", "--count", "--json")
    assert counted.document == {"shots": RAWS}
    explained = home.run("shots", "where", "kind = dark-field", "--explain").out
    assert "SELECT" in explained and "ix_shot_kind_time" in explained
    assert "'dark-field'" in explained.split("bound:")[1]


def test_a_saved_selection_is_asked_again_and_replaced(home: CommandLine) -> None:
    home.run("shots", "save", "mine", "verdict = accepted", "--operator", "ada")
    narrowed = home.run("shots", "where", "kind = dark-field", "--saved", "mine", "--count")
    assert narrowed.out == "3\n"
    kept = home.run("shots", "save", "mine", "verdict is unknown", "--json").document
    assert (kept["name"], kept["expression"]) == ("mine", "verdict is unknown")
    assert home.run("shots", "where", "--saved", "mine", "--count").out == f"{SHOTS - RAWS}\n"
    (listed,) = home.run("shots", "saved", "--json").lines
    assert listed == kept
    with agetrace.open(home.home) as catalogue, catalogue.reading() as transaction:
        entries = transaction.query(AuditEntry).filter_by(action="selection.save").all()
        assert next(entry.entry["operator"] for entry in entries) == "ada"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("where", "colour = red"), "column 1: shots are not selected by 'colour'"),
        (("where", "iso = 100 or"), "column 13: a field was expected"),
        (("where", "camera = 1"), "no camera has the serial '1': the catalogue has 7100001"),
        (("where", "timeslot = 1"), "name the scheme"),
        (("where",), "give an expression"),
        (("where", "everything", "--saved", "none"), "no selection is saved as 'none'"),
        (("where", "everything", "--count", "--explain"), "exclude each other"),
        (("where", "everything", "--limit", "0"), "--limit"),
        (("--json", "where", "everything"), "stand behind it"),
        (("--kind", "dark-field", "saved"), "stand behind it"),
        (("save", "../x", "everything"), "is no name"),
        (("save", "x", "kind ="), "column 7: a value was expected"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    home: CommandLine, words: tuple[str, ...], problem: str
) -> None:
    answer = home.run("shots", *words, code=2)
    assert problem in re.sub(r"[│\s]+", " ", answer.message)
    assert answer.out == ""


def test_a_home_opens_for_reading_only(home: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGETRACE_HOME", str(home.home))
    with agetrace.open() as catalogue:
        assert isinstance(catalogue.shots, Selection) and catalogue.shots.count() == SHOTS
        with pytest.raises(CatalogueReadOnlyError), catalogue.writing():
            pass
    with agetrace.open(home.home, read_only=False) as catalogue, catalogue.writing():
        pass
    with pytest.raises(HomeError, match="no agetrace home"):
        agetrace.open(home.home.parent)


def test_the_python_of_the_how_to_runs(
    home: CommandLine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(home.home.parent)
    names: dict[str, Any] = {}
    # the shots of this home were all taken at ISO 800
    for text in snippets("python"):
        exec(compile(text.replace("iso=[100, 200]", "iso=[800]"), "query.md", "exec"), names)
    assert names["darks"].count() == 3
    assert names["either"].count() == RAWS
    assert len(names["page"].records) == SHOTS and names["page"].after is None
    assert capsys.readouterr().out.startswith("3\n")
    names["catalogue"].close()


@pytest.mark.parametrize(
    "line", [line for text in snippets("console") for line in text.splitlines()]
)
def test_the_commands_of_the_how_to_run(home: CommandLine, line: str) -> None:
    program, *words = shlex.split(line.removeprefix("$ "))
    assert program == "agetrace"
    if "--saved" in words:
        home.run("shots", "save", "good-darks", "kind = dark-field and verdict = accepted")
    home.run(*words)


def test_the_sql_of_the_how_to_finds_what_selections_find(home: CommandLine) -> None:
    (statement,) = snippets("sql")
    connection = sqlite3.connect(f"file:{home.home}/catalogue.sqlite?mode=ro", uri=True)
    found = connection.execute(statement.replace("(100, 200)", "(800)")).fetchall()
    connection.close()
    words = "kind = dark-field and iso = 800 and verdict = accepted and role = raw"
    shots = home.run("shots", "where", words, "--json").lines
    assert [row[0] for row in found] == [shot["id"] for shot in shots] and len(shots) == 3


def test_the_how_to_tells_of_every_field() -> None:
    table = HOW_TO.split("| field | values |")[1].split("\n## ")[0]
    told = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`(\w+)`", row[: row.find("|", 2)])
    }
    assert told == set(FIELDS)
