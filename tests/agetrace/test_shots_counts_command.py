"""`agetrace shots counts` as its users meet it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agetrace.settings import load_home
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot
from tests.support.command_line import CommandLine, write_yaml

YEARS = {
    "name": "years",
    "division": "explicit",
    "timeslots": [{"start": "2026-01-01T00:00Z", "end": "2027-01-01T00:00Z"}],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Return a home with shots of two cameras, the second one's a year late."""
    folder = tmp_path_factory.mktemp("counts")
    made = CommandLine(folder / "lab")
    made.run("init", made.home)
    made.run("timeslot", "scheme", "add", write_yaml(folder / "years.yaml", YEARS))
    with load_home(made.home).open_catalogue() as catalogue, catalogue.writing() as transaction:
        session = add_session(transaction)
        for number, serial in enumerate(("7100001", "7100002")):
            camera = add_camera(transaction, serial)
            for sequence in range(2 + number):
                at = NOW + timedelta(days=365 * number)
                kind = "flat-field" if sequence else "dark-field"
                add_shot(transaction, session, camera, sequence, at, kind)
    return made


def test_shots_are_counted_by_timeslot_scene_and_camera(home: CommandLine) -> None:
    counted = home.run("shots", "counts", "--scheme", "years", "--json").lines
    assert counted == [
        {"timeslot": 1, "scene": None, "camera": "7100001", "shots": 2},
        {"timeslot": None, "scene": None, "camera": "7100002", "shots": 3},
    ]


def test_an_expression_says_which_count(home: CommandLine) -> None:
    words = ("shots", "counts", "kind = flat-field", "--by", "camera, state")
    assert home.run(*words, "--json").lines == [
        {"camera": "7100001", "state": "registered", "shots": 1},
        {"camera": "7100002", "state": "registered", "shots": 2},
    ]
    assert home.run(*words, "--csv").out.splitlines() == [
        "camera,state,shots",
        "7100001,registered,1",
        "7100002,registered,2",
    ]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--by", "colour"), "'colour': use timeslot, scene, camera"),
        (("--by", "timeslot"), "name the scheme"),
        (("kind = holiday", "--by", "kind"), "holiday"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    home: CommandLine, words: tuple[str, ...], problem: str
) -> None:
    answer = home.run("shots", "counts", *words, code=2)
    assert problem in answer.message
