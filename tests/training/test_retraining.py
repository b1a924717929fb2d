"""A closed timeslot calls for one retraining, done once, whatever interrupts it."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter
from sqlalchemy import func, select

from capture.daemon.job_definitions import JobDefinition
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import FixedClock
from datastore.datasets.loading import load
from datastore.tables import (
    AuditEntry,
    Dataset,
    Retraining,
    RetrainingEvent,
    Run,
    Session,
    Shot,
    ShotSettings,
)
from tests.support.catalogues import new_sqlite_catalogue, sqlite_url
from tests.support.experiment_worlds import (
    AGEING,
    CONTROL,
    GAP,
    MANUFACTURED_AT,
    SCHEME,
    WorldSizes,
    build_world,
)
from training.experiments.predictions import Predictions
from training.patches.errors import DamagedAssetError
from training.retraining import cycle
from training.retraining.comparison import compare, decide
from training.retraining.cycle import RetrainingResult, retrain
from training.retraining.errors import PolicyError
from training.retraining.lineage import view_model
from training.retraining.policy import Promotion, RetrainingPolicy, read_policy
from training.retraining.registry import in_service

SIZES = WorldSizes(rows=96, columns=128, sessions=8, test_sessions=4, scenes=8, test_scenes=3)
FIRST_LATE = SIZES.sessions + 1
CLASSES: list[dict[str, Any]] = [
    {"name": "early", "timeslots": f"1-{SIZES.sessions}"},
    {"name": "late", "since": FIRST_LATE},
]
LONG: dict[str, Any] = {
    "patch_size": 32,
    "steps": 70,
    "learning_rate": 0.02,
    "runs": 1,
    "precision": "float32",
    "channels_last": True,
    "threads": 1,
    "device": "cpu",
}
SHORT = {**LONG, "steps": 12}
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "retraining.md"


def _after(ordinal: int) -> FixedClock:
    """Civil time when a timeslot has just closed."""
    late, day = divmod(ordinal - 1, SIZES.sessions)
    begun = MANUFACTURED_AT + timedelta(days=1 + day, hours=9) + late * GAP
    return FixedClock(begun + timedelta(hours=12))


def _policy(camera: str = AGEING, **changes: Any) -> RetrainingPolicy:
    document = {
        "name": "daily",
        "scheme": SCHEME,
        "classes": CLASSES,
        "dataset": {
            "cameras": [camera],
            "role": "raw",
            "input": "raw-mosaic",
            "blocks": {"scenes": {"test": 3}, "sessions_per_class": {"test": 4}},
            "seed": 3,
        },
        "experiment": LONG,
        **changes,
    }
    return RetrainingPolicy.model_validate(document)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    catalogue = new_sqlite_catalogue(folder)
    build_world(catalogue, folder / "fixture", SIZES, seed=3)
    catalogue.close()
    return folder


@pytest.fixture
def catalogue(filled: Path, tmp_path: Path) -> Iterator[Catalogue]:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    shutil.copy(filled / "catalogue.sqlite", folder)
    shutil.copytree(filled / "store", folder / "store")
    opened = open_catalogue(sqlite_url(folder), folder / "store")
    yield opened
    opened.close()


def _retrain(
    catalogue: Catalogue, policy: RetrainingPolicy, timeslot: int, work: Path, **options: Any
) -> RetrainingResult:
    options = {"clock": _after(timeslot), **options}
    return retrain(catalogue, policy, timeslot, work_folder=work, **options)


def _steps(catalogue: Catalogue) -> list[str]:
    with catalogue.reading() as session:
        return list(session.scalars(select(RetrainingEvent.step).order_by(RetrainingEvent.id)))


def _count(catalogue: Catalogue, table: type) -> int:
    with catalogue.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def _in_service(catalogue: Catalogue, name: str = "daily") -> int | None:
    with catalogue.reading() as session:
        found = in_service(session, name)
        return None if found is None else found.version


def test_each_closed_timeslot_extends_the_dataset_and_is_served_once(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    policy, work = _policy(), tmp_path / "work"
    first = _retrain(catalogue, policy, 15, work)
    assert (first.step, first.is_new) == ("promoted", True)
    assert first.reason is not None and first.reason.startswith("the first of its line: ")
    assert _steps(catalogue) == ["begun", "frozen", "trained", "promoted"]
    assert _in_service(catalogue) == 1

    rows = [_count(catalogue, table) for table in (Dataset, Run, RetrainingEvent, AuditEntry)]
    again = _retrain(catalogue, policy, 15, work)
    assert (again.step, again.is_new, again.numbers) == ("promoted", False, first.numbers)
    assert rows == [_count(catalogue, one) for one in (Dataset, Run, RetrainingEvent, AuditEntry)]

    second = _retrain(catalogue, policy, 16, work)
    assert second.step == "promoted", second.reason
    assert _in_service(catalogue) == 2
    manifests = [load(catalogue, one.numbers["dataset"]) for one in (first, second)]
    assert manifests[1].header.parent == manifests[0].version
    assert len(manifests[1].items) > len(manifests[0].items)
    against = second.numbers["against"]
    assert second.numbers["in_service"] == "daily@1"
    # both judged what neither had learned from, a part of the clean block at most
    assert 0 < against["images"] <= len(manifests[1].block("clean"))
    assert against["difference"] == pytest.approx(against["candidate"] - against["in_service"])
    with catalogue.reading() as session:
        model = in_service(session, "daily")
        assert model is not None
        view = view_model(session, model)
    assert view.datasets == (manifests[1].version,)
    assert [one["state"] for one in view.history] == ["candidate", "in-service"]
    weights = catalogue.store.read_bytes(view.runs[0].weights_sha256)
    assert len(weights) > 1000


def test_a_camera_without_a_trace_leaves_nothing_in_service(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    found = _retrain(catalogue, _policy(CONTROL, experiment=SHORT), 15, tmp_path)
    assert found.step == "kept"
    assert found.reason is not None and found.reason.startswith("not above chance")
    assert _in_service(catalogue) is None


def test_too_few_sessions_are_refused_until_asked_again(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    policy = _policy()
    refused = _retrain(catalogue, policy, FIRST_LATE, tmp_path)
    assert (refused.step, _steps(catalogue)) == ("refused", ["begun", "refused"])
    assert refused.reason is not None and "late" in refused.reason
    assert not _retrain(catalogue, policy, FIRST_LATE, tmp_path).is_new
    assert _retrain(catalogue, policy, FIRST_LATE, tmp_path, again=True).is_new
    assert _steps(catalogue) == ["begun", "refused", "refused"]
    early = _retrain(catalogue, policy, 3, tmp_path)
    assert early.step == "refused"
    assert early.reason is not None and "too early for its classes" in early.reason
    assert _count(catalogue, Dataset) == 0


def test_nothing_new_is_told_and_trains_nothing(catalogue: Catalogue, tmp_path: Path) -> None:
    classes = [
        {"name": "early", "timeslots": f"1-{SIZES.sessions}"},
        {"name": "late", "timeslots": "9-15"},
    ]
    policy = _policy(classes=classes, experiment=SHORT, promotion={"above_chance": False})
    assert _retrain(catalogue, policy, 15, tmp_path).step == "promoted"
    assert _retrain(catalogue, policy, 16, tmp_path).step == "unchanged"
    assert (_count(catalogue, Dataset), _count(catalogue, Run)) == (1, 1)


def test_open_and_unknown_timeslots_are_refused_and_leave_no_row(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    policy = _policy()
    with pytest.raises(PolicyError, match="timeslot 15 of scheme sessions is open until 2023-01"):
        _retrain(catalogue, policy, 15, tmp_path, clock=_after(14))
    with pytest.raises(PolicyError, match="has no timeslot 99"):
        retrain(catalogue, policy, 99, work_folder=tmp_path, clock=_after(16))
    clock = FixedClock(datetime(2019, 1, 1, tzinfo=UTC))
    with pytest.raises(PolicyError, match="no timeslot has closed yet"):
        retrain(catalogue, policy, None, work_folder=tmp_path, clock=clock)
    assert _count(catalogue, Retraining) == 0


ANYHOW = {"above_chance": False, "margin": 0.9}


def test_an_earlier_timeslot_replaces_no_model_of_a_later_one(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    policy = _policy(experiment=SHORT, promotion=ANYHOW)
    assert _retrain(catalogue, policy, 16, tmp_path).step == "promoted"
    earlier = _retrain(catalogue, policy, 15, tmp_path, clock=_after(16))
    assert (earlier.step, _in_service(catalogue)) == ("kept", 1), earlier.reason
    assert earlier.reason is not None and "later timeslot 16 was promoted" in earlier.reason


def test_a_model_that_knows_other_classes_is_not_replaced_without_a_comparison(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    policy = _policy(experiment=SHORT, promotion=ANYHOW)
    assert _retrain(catalogue, policy, 15, tmp_path).step == "promoted"
    named = [{**one, "name": f"{one['name']}-half"} for one in CLASSES]
    renamed = _policy(experiment=SHORT, promotion=ANYHOW, classes=named)
    other = _retrain(catalogue, renamed, 16, tmp_path)
    assert (other.step, _in_service(catalogue)) == ("kept", 1), other.reason
    assert other.reason is not None and "daily@1 in service, which knows other" in other.reason


def test_a_dataset_that_fails_its_audit_is_refused(catalogue: Catalogue, tmp_path: Path) -> None:
    with catalogue.reading() as session:
        rows = session.execute(
            select(Session.uuid, func.avg(ShotSettings.temperature_c))
            .join(Shot, Shot.session_id == Session.id)
            .join(ShotSettings, ShotSettings.shot_id == Shot.id)
            .group_by(Session.uuid)
        ).all()
    # sessions are named by their timeslots
    by_warmth = [int(uuid.rpartition("-")[2]) for uuid, _ in sorted(rows, key=lambda one: one[1])]
    half = len(by_warmth) // 2
    classes = [
        {"name": "cold", "timeslots": tuple(sorted(by_warmth[:half]))},
        {"name": "warm", "timeslots": tuple(sorted(by_warmth[half:]))},
    ]
    found = _retrain(catalogue, _policy(classes=classes, experiment=SHORT), 16, tmp_path)
    assert (found.step, _in_service(catalogue)) == ("refused", None)
    assert found.reason is not None and "temperature" in found.reason
    assert _count(catalogue, Dataset) == 0


class _KilledError(BaseException):
    """Stands for a kill: nothing after it is done, and nothing catches it."""


@pytest.mark.parametrize(
    ("step", "trained_before"),
    [
        ("freeze", 0),
        pytest.param("run_experiment", 0, marks=pytest.mark.prove),
        pytest.param("register", 1, marks=pytest.mark.prove),
        ("decide", 1),
    ],
)
@pytest.mark.parametrize("when", [pytest.param("before", marks=pytest.mark.prove), "after"])
def test_a_kill_between_any_two_steps_is_gone_on_from(
    step: str,
    trained_before: int,
    when: str,
    catalogue: Catalogue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = _policy(experiment=SHORT)
    whole = getattr(cycle, step)

    def killed(*arguments: Any, **options: Any) -> Any:
        if when == "after":
            whole(*arguments, **options)
        raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr(cycle, step, killed)
        with pytest.raises(_KilledError):
            _retrain(catalogue, policy, 15, tmp_path)
    before = _count(catalogue, Run)
    assert before == trained_before or (step, when, before) == ("run_experiment", "after", 1)
    found = _retrain(catalogue, policy, 15, tmp_path)
    assert found.step in ("promoted", "kept")
    assert (_count(catalogue, Run), _count(catalogue, Dataset)) == (1, 1)
    steps = _steps(catalogue)
    assert steps == ["begun", "frozen", "trained", found.step]


def test_a_failure_is_recorded_and_the_next_call_goes_on(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    policy = _policy(experiment=SHORT)
    frozen = cycle.freeze(
        catalogue, policy.dataset_spec(tuple(range(1, 16)), None), _after(15).now()
    )
    victim = catalogue.store.path(load(catalogue, frozen.version).block("train")[0].sha256)
    hidden = victim.with_suffix(".hidden")
    victim.rename(hidden)
    with pytest.raises(DamagedAssetError, match="cannot be read"):
        _retrain(catalogue, policy, 15, tmp_path)
    assert _steps(catalogue) == ["begun", "frozen", "failed"]
    hidden.rename(victim)
    assert _retrain(catalogue, policy, 15, tmp_path).step in ("promoted", "kept")
    assert _steps(catalogue)[:4] == ["begun", "frozen", "failed", "trained"]


def test_what_was_begun_goes_on_by_the_policy_that_began_it(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    policy = _policy(experiment=SHORT)

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _retrain(catalogue, policy, 15, tmp_path, progress=stop)
    assert _steps(catalogue) == ["begun", "frozen"]
    other = _policy(experiment={**SHORT, "steps": 14})
    assert _retrain(catalogue, other, 15, tmp_path).step in ("promoted", "kept")
    with catalogue.reading() as session:
        (history,) = session.scalars(select(Run.training_history)).all()
    assert len(history) == 12


def _said(right: np.ndarray[Any, np.dtype[np.float64]], sessions: int = 12) -> Predictions:
    """One run over sessions of two classes with four frames each, right with such probability."""
    frames = 4 * sessions
    labels = np.repeat(np.arange(sessions) % 2, 4)
    generator = np.random.default_rng(int(1e6 * right.sum()))
    hit = generator.random(frames) < np.repeat(right, 4)
    answers = np.where(hit, labels, 1 - labels)
    names = np.array([f"session {one}" for one in np.repeat(np.arange(sessions), 4)])
    return Predictions(
        crop_frames=np.arange(frames),
        crop_origins=np.zeros((frames, 2), np.int64),
        crop_log_probabilities=np.log(np.eye(2)[answers] * 0.8 + 0.1).astype(np.float32),
        labels=labels,
        sessions=names,
        scenes=np.array([f"scene {one % 4}" for one in range(frames)]),
        cameras=np.array(["camera"] * frames),
    )


def test_rules_of_promotion() -> None:
    good, fair, chance = (_said(np.full(24, share), 24) for share in (1.0, 0.65, 0.5))
    better, not_worse = Promotion(rule="better"), Promotion(rule="not-worse", margin=0.1)
    assert decide(better, [good], None).promotes
    assert not decide(better, [chance], None).promotes
    assert decide(Promotion(above_chance=False), [chance], None).promotes
    assert decide(better, [good], compare([good], [fair])).promotes
    assert not decide(better, [good], compare([good], [good])).promotes
    assert decide(not_worse, [good], compare([good], [good])).promotes
    worse = decide(not_worse, [fair], compare([fair], [good]))
    assert not worse.promotes
    assert worse.reason.startswith("not shown to be not-worse: ") or "chance" in worse.reason
    assert worse.numbers["against"]["difference"] < 0


def test_a_difference_that_hangs_on_one_session_is_no_difference() -> None:
    frames = np.full(8, 0.999)
    lucky = frames.copy()
    lucky[0] = 0.0
    found = compare([_said(frames, 8)], [_said(lucky, 8)])
    assert found.difference > 0.05
    assert found.low <= 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"classes": [{"name": "early", "timeslots": "1"}]}, "classes: "),
        ({"classes": [{"name": "a", "last": 2}, {"name": "b"}]}, "give one of timeslots, last"),
        ({"dataset": {"cameras": ["1"], "role": "raw", "name": "x"}}, "dataset.name: the policy"),
        ({"dataset": {"cameras": ["1"], "role": "raw"}}, "dataset: blocks"),
        ({"experiment": {"network": "nothing"}}, "experiment: network"),
        ({"promotion": {"rule": "best"}}, "promotion.rule"),
    ],
)
def test_policies_that_cannot_be_are_refused_by_field(change: dict[str, Any], told: str) -> None:
    document = {**_policy().model_dump(mode="json", exclude_none=True), **change}
    with pytest.raises(PolicyError, match=told) as caught:
        read_policy(yaml.safe_dump(document), "monthly.yaml")
    assert "monthly.yaml" in str(caught.value)
    assert caught.value.exit_code == 2


def test_classes_follow_the_calendar() -> None:
    policy = _policy(classes=[{"name": "early", "timeslots": "1-2"}, {"name": "late", "last": 2}])
    spec = policy.dataset_spec((1, 2, 3, 5, 8), "f" * 64)
    assert spec.classes is not None
    assert [one.timeslots for one in spec.classes] == [(1, 2), (5, 8)]
    assert (spec.parent, spec.name) == ("f" * 64, "daily-slot-8")
    with pytest.raises(PolicyError, match="timeslot 2 is in two classes"):
        policy.dataset_spec((1, 2, 3), None)


def test_the_pages_examples_are_a_policy_and_a_job() -> None:
    text = PAGE.read_text(encoding="utf-8")
    policy = read_policy(text.split("```yaml\n")[1].split("```")[0])
    assert policy.dataset_spec(tuple(range(1, 21)), None).name == "monthly-slot-20"
    jobs = tomllib.loads(text.split("```toml\n")[1].split("```")[0])["jobs"]
    (job,) = TypeAdapter(dict[str, JobDefinition]).validate_python(jobs).values()
    assert job.when_timeslot_closes == policy.scheme
    assert "{timeslot}" in job.command
