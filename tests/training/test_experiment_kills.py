"""Kill -9 at any moment: a training goes on and ends with the bits of an undisturbed one."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from datastore.catalogue import Catalogue, open_catalogue
from datastore.tables import (
    Asset,
    Experiment,
    Prediction,
    Run,
    RunExecution,
    RunPredictions,
    SaliencyMap,
)
from tests.support.catalogues import new_sqlite_catalogue, sqlite_url
from tests.support.experiment_worlds import AGEING, WorldSizes, build_world
from tests.support.killed_training import Experimenting, Training, Work, go_on
from tests.support.trace_frames import trace_spec

DROPOUT_AND_EARLY_END = {
    "network": "googlenet",
    "patch_size": 32,
    "batch_size": 8,
    "steps": 40,
    "validation_every": 2,
    "evaluation_crops": 1,
    "patience": 3,
}
"""GoogLeNet draws its dropout anew in every step; without a trace the looks soon get worse."""

KILLS = 25


def undisturbed(work: Work) -> tuple[int, float]:
    """Do all of it; return the number of its steps and the seconds of one."""
    told_at: list[float] = []
    assert go_on(work, lambda _: told_at.append(time.monotonic()))
    steps = len(told_at) - 1
    return steps, (told_at[-1] - told_at[1]) / (steps - 1)


def kill_again_and_again(
    begin: Callable[[float], Work],
    kills: int,
    steps: int,
    step_s: float,
    generator: np.random.Generator,
) -> int:
    """Kill work at random moments, then let it end; return how often it was killed.

    Parameters
    ----------
    begin
        Returns the work, given the seconds between two writings of its state.
    kills
        How often it is killed, unless it ends before.
    steps, step_s
        Steps of the undisturbed work, and seconds of one.
    generator
        Draws the moments.
    """
    for number in range(kills):
        last = int(generator.integers(1, max(2, 2 * steps // (kills + 1))))
        # long enough to end in the writing of the state, which may take longer than a step
        within_s = float(generator.uniform(0, 4 * step_s))
        work = begin((number % 2) * 2 * step_s)

        def kill(done: int, last: int = last, within_s: float = within_s) -> float | None:
            return within_s if done == last else None

        if go_on(work, kill):
            return number
    told: list[int] = []
    assert go_on(begin(1e9), told.append)
    assert told[-1] < steps, "it was begun anew each time"
    return kills


def trained(folder: Path) -> dict[str, Any]:
    """Return what a finished run left, all but how long it took."""
    (run,) = folder.glob("run-*")
    record = json.loads((run / "run.json").read_text())
    return {
        "files": sorted(one.name for one in run.iterdir()),
        "weights": (run / "weights.safetensors").read_bytes(),
        "record": {k: v for k, v in record.items() if k not in ("seconds", "waiting_share")},
    }


def train_through_kills(folder: Path, kills: int, seed: int, precision: str) -> tuple[int, int]:
    """Hold a training that is killed against an undisturbed one; return its steps and the kills."""
    spec = trace_spec(**DROPOUT_AND_EARLY_END, precision=precision)
    steps, step_s = undisturbed(Training(spec, folder / "calm", checkpoint_s=1e9))
    killed = kill_again_and_again(
        lambda every_s: Training(spec, folder / "killed", every_s),
        kills,
        steps,
        step_s,
        np.random.default_rng(seed),
    )
    assert trained(folder / "killed") == trained(folder / "calm")
    return steps, killed


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_that_is_killed_ends_with_the_same_bits(precision: str, tmp_path: Path) -> None:
    steps, kills = train_through_kills(tmp_path, kills=2, seed=1, precision=precision)
    assert kills == 2
    assert 4 < steps < 40


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bits(
    precision: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Kill -9 at random moments of trainings with dropout and early end: the same weights."""
    kills = trainings = 0
    while kills < KILLS:
        trainings += 1
        assert trainings <= KILLS, "hardly any process is killed before it ends"
        folder = tmp_path / str(trainings)
        kills += train_through_kills(folder, kills=8, seed=trainings, precision=precision)[1]
    record_property("kills", kills)
    record_property("trainings", trainings)


def recorded(catalogue: Catalogue) -> dict[str, Any]:
    """Return what an experiment left in the catalogue, all but times and identifiers."""
    with catalogue.reading() as session:
        columns: dict[str, tuple[Any, ...]] = {
            "runs": (Run.seed, Run.training_history, Asset.sha256),
            "executions": (RunExecution.execution, RunExecution.selected_step),
            "answers": (RunPredictions.evaluation, Asset.sha256),
            "predictions": (
                Prediction.evaluation,
                Asset.sha256,
                Prediction.predicted_class_name,
                Prediction.crops,
                Prediction.crops_correct,
            ),
            "maps": (SaliencyMap.class_name, SaliencyMap.measures, Asset.sha256),
        }
        assets = {
            "runs": Run.model_asset_id,
            "answers": RunPredictions.predictions_asset_id,
            "predictions": Prediction.asset_id,
            "maps": SaliencyMap.map_asset_id,
        }
        found: dict[str, Any] = {
            "experiments": session.scalar(select(func.count()).select_from(Experiment))
        }
        for name, of_kind in columns.items():
            query = select(Run.ordinal, *of_kind).select_from(Run)
            table = of_kind[0].class_
            if table is not Run:
                query = query.join(table, table.run_id == Run.id)
            if name in assets:
                query = query.join(Asset, Asset.id == assets[name])
            found[name] = sorted(json.dumps([*row]) for row in session.execute(query))
        for sha256 in session.scalars(select(Asset.sha256)):
            catalogue.store.verify(sha256)
    return found


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_an_experiment_that_is_killed_leaves_what_an_undisturbed_one_leaves(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Kill -9 at random moments of training, judging and recording: the same rows and files."""
    origin = tmp_path / "origin"
    origin.mkdir()
    sizes = WorldSizes(96, 128, sessions=4, test_sessions=2, scenes=6, test_scenes=2)
    with new_sqlite_catalogue(origin) as catalogue:
        world = build_world(catalogue, tmp_path / "fixture", sizes, seed=3)
        version = world.freeze_sessions("controlled", AGEING).version
    spec = trace_spec(dataset=version, steps=15, runs=3)
    homes = {name: tmp_path / name for name in ("calm", "killed")}
    for home in homes.values():
        shutil.copytree(origin, home)
    steps, step_s = undisturbed(Experimenting(spec, homes["calm"], checkpoint_s=1e9))
    kills = kill_again_and_again(
        lambda every_s: Experimenting(spec, homes["killed"], every_s),
        KILLS,
        steps,
        step_s,
        np.random.default_rng(5),
    )
    states = []
    for home in homes.values():
        with open_catalogue(sqlite_url(home), home / "store") as catalogue:
            states.append(recorded(catalogue))
    assert states[0] == states[1]
    assert states[0]["experiments"] == 1
    assert {name: len(rows) for name, rows in states[0].items() if name != "experiments"} == {
        "runs": 3,
        "executions": 3,
        "answers": 9,
        "predictions": 3 * (4 * 4 + 4 * 2 + 4 * 2),
        "maps": 6,
    }
    record_property("kills", kills)
    record_property("predictions", len(states[0]["predictions"]))
