"""The command line as its users meet it: help, exit codes, JSON, clear errors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from agetrace.cli.app import app
from tests.support.command_line import CommandLine


def leaves(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every command that does something, with its words."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from leaves(child, (*path, name))


COMMANDS = dict(leaves(get_command(app)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    home = CommandLine(tmp_path_factory.mktemp("home"))
    home.run("init", home.home)
    return home


def test_there_are_commands() -> None:
    assert ("session", "run") in COMMANDS
    assert ("import", "folder") in COMMANDS


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_of_itself(words: tuple[str, ...]) -> None:
    text = str(getattr(COMMANDS[words], "help", "") or "")
    assert f"Example: agetrace {' '.join(words)}" in text


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_speaks_json(words: tuple[str, ...]) -> None:
    options = {
        option
        for parameter in getattr(COMMANDS[words], "params", [])
        for option in getattr(parameter, "opts", [])
    }
    assert "--json" in options


def test_a_command_without_a_home_says_how_to_make_one(tmp_path: Path) -> None:
    answer = CommandLine(tmp_path).run_apart("shots", code=2)
    assert "agetrace init" in answer.message
    assert answer.out == ""


def test_init_refuses_a_home_that_exists(home: CommandLine) -> None:
    assert "already" in home.run("init", home.home, code=2).message


def test_init_prints_json(tmp_path: Path) -> None:
    answer = CommandLine(tmp_path).run_apart("init", tmp_path / "lab", "--json")
    assert answer.document == {"home": str(tmp_path / "lab"), "joined": False}


def test_an_empty_home_has_no_shots(home: CommandLine) -> None:
    assert home.run("shots", "--json").out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("shots", "--since", "yesterday"), "ISO 8601"),
        (("shots", "--exposure", "0/0"), "exposure"),
        (("scene", "show", "nowhere"), "no scene is called 'nowhere'"),
        (("defects", "ledger", "no-such-camera"), "no camera has the serial"),
        (("timeslot", "scheme", "show", "no-such-scheme"), "no-such-scheme"),
        (("dataset", "show", "no-such-dataset"), "no-such-dataset"),
        (("experiment", "show", "no-such-experiment"), "no-such-experiment"),
        (("verdict", "add", "no-such-shot", "rejected", "--reason", "x"), "no-such-shot"),
        (("fixture", "add", "no-such-file.yaml"), "no-such-file.yaml"),
        (("session", "run", "no-such-recipe.yaml"), "no-such-recipe.yaml"),
        (("import", "folder", "no-such-folder"), "no-such-folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_request_is_refused_in_a_sentence(
    home: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    answer = home.run(*arguments, code=2)
    assert message in answer.message
    assert answer.out == ""


def test_a_process_of_its_own_answers_as_the_process_of_the_tests_does(home: CommandLine) -> None:
    refused = ("scene", "show", "nowhere")
    assert home.run_apart(*refused, code=2) == home.run(*refused, code=2)


def test_settings_with_an_unknown_field_are_refused(tmp_path: Path) -> None:
    (tmp_path / "agetrace.toml").write_text("[store]\nroot = 'store'\ncolour = 'red'\n")
    assert "store.colour" in CommandLine(tmp_path).run("shots", code=2).message


def test_a_catalogue_of_another_revision_is_refused_with_the_command(tmp_path: Path) -> None:
    import sqlite3

    home = CommandLine(tmp_path)
    home.run("init", tmp_path)
    with sqlite3.connect(tmp_path / "catalogue.sqlite") as database:
        database.execute("update alembic_version set version_num = '0000'")
    database.close()
    assert "agetrace catalogue upgrade" in home.run("shots", code=2).message


def test_the_typer_application_is_not_a_completion_installer(home: CommandLine) -> None:
    assert isinstance(app, typer.Typer)
    assert "--install-completion" not in home.run("--help").out


@pytest.mark.parametrize(("module", "extra"), [("torch", "training"), ("safetensors", "training")])
def test_a_command_whose_extra_is_not_installed_names_it(
    home: CommandLine, tmp_path: Path, module: str, extra: str
) -> None:
    specification = tmp_path / "nano.yaml"
    specification.write_text("name: nano\ndataset: controlled\n")
    arguments = ["agetrace", "--home", str(home.home), "experiment", "run", str(specification)]
    completed = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                f"import sys; sys.modules[{module!r}] = None; sys.argv = {arguments!r}\n"
                "from agetrace.__main__ import main; main()"
            ),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert completed.returncode == 2
    assert f"pip install 'agetrace[{extra}]'" in completed.stderr
    assert "Traceback" not in completed.stderr
