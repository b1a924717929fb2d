"""`agetrace experiment show | compare | matrix | plot` on recorded experiments."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agetrace.settings import load_home
from tests.support.command_line import CommandLine
from tests.support.recorded_experiments import SERIALS, freeze_controlled, record_experiment


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A home with recorded experiments, two of which see the defects of one camera each."""
    made = CommandLine(tmp_path_factory.mktemp("reports") / "home")
    made.run("init", made.home)
    catalogue = load_home(made.home).open_catalogue()
    try:
        (manifest,) = freeze_controlled(catalogue)
        record_experiment(catalogue, [manifest], "strong", trace=lambda item: 9.0)
        record_experiment(catalogue, [manifest], "misled", trace=lambda item: -9.0, seed=2)
        record_experiment(catalogue, [manifest], "short", runs=3, seed=3)
        record_experiment(catalogue, [manifest], "begun", runs=0)
        for serial in SERIALS:
            record_experiment(
                catalogue,
                [manifest],
                f"on {serial}",
                cameras=[serial],
                trace=lambda item, serial=serial: 9.0 * (item.camera.serial == serial),
                seed=int(serial),
                keeps_crops=False,
            )
    finally:
        catalogue.close()
    return made


def test_show_tells_blocks_and_cameras(home: CommandLine) -> None:
    document = home.run("experiment", "show", "strong", "--json").document
    clean = next(one for one in document["evaluations"] if one["evaluation"] == "clean")
    assert clean["kappa"] == clean["balanced_accuracy"] == 1
    assert clean["crops"]["voted_accuracy"] == 1
    assert [one["serial"] for one in clean["cameras"]] == list(SERIALS)
    assert clean["interval"]["splits"] == 1
    shown = home.run("experiment", "show", "strong")
    assert "calibration" in shown.out and "balanced" in shown.out
    assert "differ by seed alone" in shown.message
    older = home.run("experiment", "show", "on 6001")
    assert " - " in older.out
    assert "no experiment nobody" in home.run("experiment", "show", "nobody", code=2).message


def test_an_experiment_without_finished_runs_has_nothing_to_show(
    home: CommandLine, tmp_path: Path
) -> None:
    begun = home.run("experiment", "show", "begun", "--json").document
    assert (begun["runs"], begun["evaluations"]) == (0, [])
    assert "nothing to show" in home.run("experiment", "show", "begun").message
    wrong = home.run("experiment", "plot", "begun", "--to", tmp_path / "none", code=2)
    assert "no evaluation called clean" in wrong.message
    assert "no evaluation in common" in home.run(
        "experiment", "compare", "begun", "strong", code=2
    ).message  # fmt: skip


def test_compare_tests_every_pair_and_corrects_for_all(home: CommandLine) -> None:
    tests = home.run("experiment", "compare", "strong", "misled", "on 6001", "--json").document
    assert len(tests) == 3 * 2
    strong = next(one for one in tests if (one["block"], one["second"]) == ("clean", "misled"))
    assert strong["verdict"] == "first-better"
    assert strong["difference"] == 1
    assert strong["p_value"] < strong["adjusted_p"] <= 6 * strong["p_value"] + 1e-12
    assert strong["same_training"] is True
    shown = home.run("experiment", "compare", "strong", "misled", "--block", "clean")
    assert "first-better" in shown.out and "Holm p" in shown.out
    assert "one split" in shown.message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["strong"], "two experiments at least"),
        (["strong", "strong"], "strong is named twice"),
        (["strong", "nobody"], "no experiment nobody"),
        (["strong", "short"], "give both as many runs"),
        (["strong", "misled", "--block", "swapped"], "was not judged on swapped"),
        (["strong", "misled", "--alpha", "2"], "--alpha"),
    ],
)
def test_what_cannot_be_compared_is_a_wrong_request(
    home: CommandLine, arguments: list[str], message: str
) -> None:
    assert message in home.run("experiment", "compare", *arguments, code=2).message


def test_the_matrix_tells_own_bodies_from_others(home: CommandLine) -> None:
    found = home.run("experiment", "matrix", "on 6001", "on 6002", "--json").document
    cells = {(one["experiment"], one["camera"]): one for one in found["cells"]}
    assert len(cells) == 4
    assert cells["on 6001", "6001"]["accuracy"] == 1
    assert cells["on 6001", "6002"]["is_to_another"] is True
    assert cells["on 6001", "6002"]["reading"] == "too few sessions to tell"
    shown = home.run("experiment", "matrix", "on 6001", "on 6002", "--block", "new-session")
    assert "learned from" in shown.out
    assert "No transfer to another camera can be judged" in shown.message
    wrong = home.run("experiment", "matrix", "on 6001", "--block", "swapped", code=2)
    assert "has no runs that judged swapped" in wrong.message


def test_plot_writes_pictures_where_it_is_told(home: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    told = home.run("experiment", "plot", "strong", "on 6001", "--to", folder, "--json").document
    assert sorted(told["pictures"]) == sorted(str(path) for path in folder.iterdir())
    assert len(told["pictures"]) == 2 + 3 + 2
    said = home.run("experiment", "plot", "misled", "--to", folder, "--format", "svg")
    assert str(folder / "runs.svg") in "".join(said.err.split("\n"))
    wrong = home.run("experiment", "plot", "strong", "--to", folder, "--format", "pdf", code=2)
    assert "--format" in wrong.message
    assert "swapped" in home.run(
        "experiment", "plot", "strong", "--to", folder, "--block", "swapped", code=2
    ).message  # fmt: skip


def test_export_asks_where_to_and_for_its_extra(
    home: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--tensorboard FOLDER" in home.run("experiment", "export", "strong", code=2).message
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    logs = tmp_path / "logs"
    wrong = home.run("experiment", "export", "strong", "--tensorboard", logs, code=2)
    assert "agetrace[tensorboard]" in wrong.message
    assert not logs.exists()


def test_export_tells_what_it_wrote(home: CommandLine, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="the extra `tensorboard` is not installed")
    command = ("experiment", "export", "strong", "--tensorboard", tmp_path)
    first = home.run(*command, "--json").document
    assert first["runs"] == len(first["written"]["tensorboard"]) == 4
    assert all(Path(folder).is_dir() for folder in first["written"]["tensorboard"])
    assert "0 of 4 runs written" in home.run(*command).message
