"""The experiment that everything else rests on: age is told from a trace, and from nothing else.

A fixed virtual world is photographed, frozen and experimented with in four ways. What each has to
give follows from how it was made:

- controlled: equal scenes in both classes; only defects tell them apart. Nearly all is right.
- biased: each class has scenes of its own. Nearly all is right on them, nearly all is wrong once
  they are swapped. On equal scenes content says the same under both classes, so that it is right
  under one of them; only where it is undecided the defects beside it tip an answer.
- placebo: the control camera does not age. Chance is left.
- permuted: sessions are dealt out to the classes by lot. Chance is left.

The limits follow from how much is judged. Chance is what handing the classes out to whole sessions
gives, as the frames of a session share light, temperature and set-up. Where nearly all is right,
frames of one session, or of one scene and class, may be wrong together: whichever of both groups
are fewer count as the independent judgements, however many frames and runs there are. Where
content decides, pairs of a scene and a class are right or wrong as a whole, half of them each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sqlalchemy import select

from datastore.clocks import FixedClock
from datastore.datasets.freeze import Frozen
from datastore.tables import Asset, Experiment, Prediction, Run, Session, Shot
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.experiment_worlds import (
    AGEING,
    CLASSES,
    CONTROL,
    FROZEN_AT,
    World,
    WorldSizes,
    build_world,
)
from training.experiments.runner import run_experiment
from training.experiments.spec import ExperimentSpec
from training.experiments.summary import ExperimentSummary

FALSE_ALARM = 0.01
"""How often a sound experiment may leave its expected range."""

ERROR = 0.02
"""Share of sessions or scenes told wrongly where the trace, or the content, is plain to see."""

SMALL = WorldSizes(rows=96, columns=128, sessions=8, test_sessions=5, scenes=10, test_scenes=4)
LARGE = WorldSizes(
    rows=128, columns=192, sessions=13, test_sessions=8, scenes=16, test_scenes=8, new_defects=0.003
)
SETTINGS = {
    "network": "srnet-nano",
    "patch_size": 32,
    "batch_size": 16,
    "learning_rate": 0.02,
    "device": "cpu",
    "precision": "float32",
    "channels_last": True,
    "threads": 1,
}
"""Nothing is left to be chosen by the speed of the machine, so that reruns are the same."""


@dataclass(frozen=True)
class Answers:
    """What an experiment's runs said of the frames of one evaluation.

    Attributes
    ----------
    later
        Share of a session's answers that are `late`, over its frames and all runs, shape
        (sessions,); every session has equally many frames.
    truth
        Whether the session is of the class `late`, shape (sessions,).
    contents
        How many pairs of a scene and a class there are.
    """

    later: NDArray[np.float64]
    truth: NDArray[np.bool_]
    contents: int

    @property
    def least_right(self) -> float:
        """The accuracy that an experiment falls short of rarely where nearly all is right."""
        judgements = min(len(self.truth), self.contents)
        return float(stats.binom.ppf(FALSE_ALARM, judgements, 1 - ERROR)) / judgements

    def is_of_content(self) -> bool:
        """Tell whether half of the pairs of scene and class are right, as far as they tell."""
        low, high = np.divide(
            stats.binom.interval(1 - FALSE_ALARM, self.contents, 0.5), self.contents
        )
        return bool(low <= self.accuracy() <= high)

    def accuracy(self) -> float:
        """Return the share of right answers."""
        return float(np.where(self.truth, self.later, 1 - self.later).mean())

    def by_chance(self) -> NDArray[np.float64]:
        """Return the accuracies under all ways to hand the classes out, in rising order."""
        count = len(self.truth)
        ways = np.zeros((comb(count, count // 2), count))
        for way, late in zip(ways, combinations(range(count), count // 2), strict=True):
            way[list(late)] = 1
        return np.sort(ways @ self.later + (1 - ways) @ (1 - self.later)) / count

    def is_chance(self) -> bool:
        """Tell whether handing the classes out by lot gives such an accuracy often enough."""
        accuracies = self.by_chance()
        excluded = int(len(accuracies) * FALSE_ALARM / 2)
        assert excluded >= 1, "too few sessions to tell chance from anything"
        low, high = accuracies[excluded], accuracies[-1 - excluded]
        return bool(low - 1e-9 <= self.accuracy() <= high + 1e-9)


class Laboratory:
    """A world, and the experiments that were done in it."""

    def __init__(self, world: World, folder: Path, **settings: Any) -> None:
        self.world = world
        self._folder = folder
        self._settings = settings

    def run(self, name: str, dataset: Frozen, **changes: Any) -> ExperimentSummary:
        """Run an experiment as a user does."""
        values = {"name": name, "dataset": dataset.version, **self._settings, **changes}
        return run_experiment(
            self.world.catalogue,
            ExperimentSpec.model_validate(values),
            work_folder=self._folder,
            clock=FixedClock(FROZEN_AT),
        )

    def answers(self, experiment: ExperimentSummary, evaluation: str) -> Answers:
        """Read what was recorded of every image."""
        with self.world.catalogue.reading() as session:
            rows = session.execute(
                select(
                    Session.uuid,
                    Shot.scene_revision_id,
                    Prediction.class_name,
                    Prediction.predicted_class_name,
                )
                .select_from(Prediction)
                .join(Run, Run.id == Prediction.run_id)
                .join(Experiment, Experiment.id == Run.experiment_id)
                .join(Asset, Asset.id == Prediction.asset_id)
                .join(Shot, Shot.id == Asset.shot_id)
                .join(Session, Session.id == Shot.session_id)
                .where(Experiment.uuid == experiment.uuid, Prediction.evaluation == evaluation)
            ).all()
        sessions, scenes, truth, said = (np.array(column) for column in zip(*rows, strict=True))
        names, counts = np.unique(sessions, return_counts=True)
        assert len(set(counts.tolist())) == 1
        late = CLASSES[1]
        return Answers(
            later=np.array([np.mean(said[sessions == name] == late) for name in names]),
            truth=np.array([truth[sessions == name][0] == late for name in names]),
            contents=len(set(zip(scenes.tolist(), truth.tolist(), strict=True))),
        )


def laboratory(folder: Path, sizes: WorldSizes, seed: int, **settings: Any) -> Iterator[Laboratory]:
    """Build a world for as long as it is needed."""
    (folder / "catalogue").mkdir()
    catalogue = new_sqlite_catalogue(folder / "catalogue")
    try:
        world = build_world(catalogue, folder / "fixture", sizes, seed)
        yield Laboratory(world, folder / "work", **SETTINGS, seed=seed, **settings)
    finally:
        catalogue.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    yield from laboratory(tmp_path_factory.mktemp("small"), SMALL, 3, runs=1, steps=70)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    yield from laboratory(tmp_path_factory.mktemp("large"), LARGE, 4, runs=10, steps=150)


def controlled(lab: Laboratory) -> ExperimentSummary:
    """Only defects tell the classes apart."""
    return lab.run("controlled", lab.world.freeze_sessions("controlled", AGEING))


def biased(lab: Laboratory) -> ExperimentSummary:
    """Content tells the classes apart, and the defects stand beside it."""
    parent = lab.world.freeze_sessions("controlled", AGEING)
    evaluations = [
        {"name": "clean", "block": "clean", "dataset": parent.version},
        {"name": "swapped", "block": "swapped"},
    ]
    return lab.run("biased", lab.world.freeze_own_scenes("biased", parent), evaluations=evaluations)


def placebo(lab: Laboratory) -> ExperimentSummary:
    """The same years of a camera that does not age."""
    return lab.run("placebo", lab.world.freeze_sessions("placebo", CONTROL))


def permuted(lab: Laboratory, lot: int, **changes: Any) -> ExperimentSummary:
    """The camera that ages, its sessions dealt out to the classes by lot."""
    name = f"permuted-{lot}"
    dataset = lab.world.freeze_sessions(name, AGEING, lab.world.permuted_sessions(lot))
    return lab.run(name, dataset, **changes)


def require_trace_told(lab: Laboratory, found: ExperimentSummary) -> None:
    clean = lab.answers(found, "clean")
    assert clean.accuracy() >= clean.least_right
    assert not clean.is_chance()
    assert found.evaluation("clean").verdict == "above-chance"


def require_content_told(lab: Laboratory, found: ExperimentSummary) -> None:
    own, swapped = (lab.answers(found, name) for name in ("new-session", "swapped"))
    assert own.accuracy() >= own.least_right
    assert swapped.accuracy() <= 1 - swapped.least_right
    assert lab.answers(found, "clean").is_of_content()


def test_a_trace_is_told_on_scenes_and_sessions_never_seen(small: Laboratory) -> None:
    require_trace_told(small, controlled(small))


def test_content_is_told_instead_of_age_and_betrayed_by_swapping(small: Laboratory) -> None:
    require_content_told(small, biased(small))


def test_nothing_is_told_of_a_camera_that_does_not_age(small: Laboratory) -> None:
    assert small.answers(placebo(small), "clean").is_chance()


def test_nothing_is_told_of_sessions_dealt_out_by_lot(small: Laboratory) -> None:
    assert small.answers(permuted(small, 0), "clean").is_chance()


def test_limits_are_neither_too_wide_nor_too_narrow() -> None:
    truth = np.arange(12) >= 6
    assert not Answers(truth.astype(float), truth, 8).is_chance()
    assert not Answers(1 - truth.astype(float), truth, 8).is_chance()
    assert Answers(np.full(12, 0.3), truth, 8).is_chance()
    assert Answers(np.full(12, 0.3), truth, 8).is_of_content()
    assert not Answers(truth.astype(float), truth, 8).is_of_content()
    generator = np.random.default_rng(1)
    alarms = [not Answers(generator.beta(0.3, 0.3, 12), truth, 8).is_chance() for _ in range(400)]
    # as many as the level admits, a hundredth
    assert sum(alarms) <= stats.binom.ppf(0.999, len(alarms), FALSE_ALARM)
    # of twelve two may go wrong: three do so once in six hundred times
    assert Answers(truth.astype(float), truth, 40).least_right == pytest.approx(10 / 12)


Recording = Callable[[str, object], None]


def record(
    record_property: Recording, found: ExperimentSummary, evaluations: tuple[str, ...]
) -> None:
    """Write down what the runs of an experiment gave."""
    for name in evaluations:
        one = found.evaluation(name)
        spread = float(np.std(one.run_accuracies, ddof=1))
        record_property(
            f"{found.name}, {name}",
            f"images {100 * one.accuracy:.1f} % +- {100 * spread:.1f} over {found.runs} runs,"
            f" crops {100 * one.crop_accuracy:.1f} %; {one.images} images of {one.sessions}"
            f" sessions, chance {100 * one.chance_low:.1f} to {100 * one.chance_high:.1f} %",
        )


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_ten_runs_tell_a_trace(large: Laboratory, record_property: Recording) -> None:
    """Ten runs of a controlled experiment tell the age of scenes and sessions never seen."""
    found = controlled(large)
    record(record_property, found, ("clean", "new-session"))
    require_trace_told(large, found)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_ten_runs_tell_content(large: Laboratory, record_property: Recording) -> None:
    """Ten runs of a biased experiment shine, fail on swapped contents, half fail on equal ones."""
    found = biased(large)
    record(record_property, found, ("new-session", "swapped", "clean"))
    require_content_told(large, found)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_ten_runs_tell_nothing_without_ageing(
    large: Laboratory, record_property: Recording
) -> None:
    """Ten runs tell nothing of the years of a camera that does not age."""
    found = placebo(large)
    record(record_property, found, ("clean", "new-session"))
    assert large.answers(found, "clean").is_chance()


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_ten_lots_tell_nothing(large: Laboratory, record_property: Recording) -> None:
    """Ten ways to deal sessions out by lot tell nothing, taken together."""
    accuracies, excesses, variances = [], [], []
    for lot in range(10):
        answers = large.answers(permuted(large, lot, runs=1), "clean")
        by_chance = answers.by_chance()
        accuracies.append(answers.accuracy())
        excesses.append(answers.accuracy() - by_chance.mean())
        variances.append(by_chance.var())
    width = float(stats.norm.ppf(1 - FALSE_ALARM / 2)) * float(np.sqrt(sum(variances)))
    record_property(
        "permuted, clean",
        f"images {100 * np.mean(accuracies):.1f} % over 10 lots, {100 * min(accuracies):.1f} to"
        f" {100 * max(accuracies):.1f} %; {100 * sum(excesses) / 10:+.1f} from chance, expected"
        f" +- {10 * width:.1f}",
    )
    assert abs(sum(excesses)) <= width + 1e-9
