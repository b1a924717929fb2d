"""What a closed timeslot calls for: extend, audit, freeze, train, compare, promote or not.

Each step that is done is an event. A process that is killed anywhere leaves events, and whoever
calls again goes on after the last of them; every step finds by itself what of it is done already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.datasets.audited import PixelFeatures
from datastore.datasets.errors import AuditFailedError, ConstraintError, SpecError
from datastore.datasets.freeze import freeze, select_manifest
from datastore.datasets.items import Item
from datastore.datasets.loading import load
from datastore.datasets.manifest import Manifest
from datastore.errors import DatastoreError
from datastore.tables import (
    Dataset,
    Experiment,
    RegisteredModel,
    Retraining,
    RetrainingEvent,
    RetrainingStep,
    Run,
    RunExecution,
    Timeslot,
)
from training.errors import TrainingError
from training.experiments.judging import judge_experiment
from training.experiments.runner import run_experiment
from training.retraining.comparison import Against, compare, decide
from training.retraining.errors import PolicyError
from training.retraining.policy import RetrainingPolicy, recorded_policy
from training.retraining.records import ClosedTimeslot, add_event, begin, newest_event
from training.retraining.registry import (
    in_service,
    label,
    lock_line,
    promote,
    register,
    reject,
    state_of,
)

_ENDS = ("unchanged", "refused", "promoted", "kept")


@dataclass(frozen=True)
class RetrainingResult:
    """What became of a retraining.

    Attributes
    ----------
    policy, scheme, timeslot
        What it was for.
    step
        How it ended: `promoted`, `kept` (the model in service stays), `refused` (no dataset could
        be frozen), or `unchanged` (no frame is new).
    reason
        Why, in a sentence.
    numbers
        Versions, identifiers and accuracies.
    is_new
        Whether this call did anything, or found it done.
    """

    policy: str
    scheme: str
    timeslot: int
    step: str
    reason: str | None
    numbers: dict[str, Any]
    is_new: bool

    def to_json(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return asdict(self)


def retrain(
    catalogue: Catalogue,
    policy: RetrainingPolicy,
    timeslot: int | None,
    *,
    work_folder: Path,
    clock: CivilClock,
    pixels: PixelFeatures | None = None,
    again: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> RetrainingResult:
    """Do what a policy owes to a closed timeslot, as far as it is not done.

    Parameters
    ----------
    catalogue
        The catalogue.
    policy
        The policy; one that was begun goes on by the policy that began it.
    timeslot
        Ordinal of the timeslot; the newest closed one where None.
    work_folder
        Decoded frames and runs.
    clock
        Civil time.
    pixels
        Gives what the audit's pixel baselines see; without it their rules are not run.
    again
        Whether a retraining that was refused is tried again.
    progress
        Called with the training steps done and their total.

    Raises
    ------
    PolicyError
        If the timeslot is not closed, or there is none.
    TrainingError, DatastoreError
        If a step fails: that is recorded, and the next call tries again.
    """
    row_id, slot = begin(catalogue, policy, timeslot, clock)
    with catalogue.reading() as session:
        policy = recorded_policy(
            session.get_one(Retraining, row_id).policy_document, f"policy {policy.name}"
        )
        newest = newest_event(session, row_id)
    if newest.step in _ENDS and not (again and newest.step == "refused"):
        return _result(policy, slot, newest, is_new=False)
    work = _Work(catalogue, policy, row_id, slot, work_folder, clock)
    try:
        version = work.frozen(pixels)
        if version is not None:
            work.decided(work.trained(version, progress), version)
    except (TrainingError, DatastoreError) as error:
        work.add("failed", str(error), {})
        raise
    with catalogue.reading() as session:
        return _result(policy, slot, newest_event(session, row_id), is_new=True)


def _result(
    policy: RetrainingPolicy, slot: ClosedTimeslot, event: RetrainingEvent, *, is_new: bool
) -> RetrainingResult:
    return RetrainingResult(
        policy=policy.name,
        scheme=policy.scheme,
        timeslot=slot.ordinal,
        step=event.step,
        reason=event.reason,
        numbers=event.numbers,
        is_new=is_new,
    )


class _Work:
    """The steps of one retraining."""

    def __init__(
        self,
        catalogue: Catalogue,
        policy: RetrainingPolicy,
        row_id: int,
        slot: ClosedTimeslot,
        work_folder: Path,
        clock: CivilClock,
    ) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._row_id = row_id
        self._slot = slot
        self._work_folder = work_folder
        self._clock = clock

    def add(self, step: RetrainingStep, reason: str | None, numbers: dict[str, Any]) -> None:
        """Record a step, unless another process has ended the retraining meanwhile."""
        with self._catalogue.writing() as session:
            lock_line(session, self._policy.name)
            if self._is_open(session):
                add_event(session, self._row_id, step, reason, numbers, self._clock.now())

    def _is_open(self, session: Session) -> bool:
        # one that was refused is only gone on with when somebody asked for it
        return newest_event(session, self._row_id).step not in ("unchanged", "promoted", "kept")

    def _recorded(self, step: RetrainingStep) -> dict[str, Any] | None:
        """Return the numbers of a step that was done, None where it was not."""
        with self._catalogue.reading() as session:
            return session.scalar(
                select(RetrainingEvent.numbers)
                .where(RetrainingEvent.retraining_id == self._row_id, RetrainingEvent.step == step)
                .order_by(RetrainingEvent.id.desc())
                .limit(1)
            )

    def frozen(self, pixels: PixelFeatures | None) -> str | None:
        """Return the dataset's version; None where the retraining ends without one."""
        done = self._recorded("frozen")
        if done is not None:
            return str(done["dataset"])
        parent = self._last_dataset()
        try:
            spec = self._policy.dataset_spec(self._slot.closed, parent)
            if parent is not None:
                selected = select_manifest(self._catalogue, spec).manifest
                if _content(selected.items) == _content(load(self._catalogue, parent).items):
                    self.add(
                        "unchanged",
                        "no frame is new since the last dataset",
                        {"dataset": parent},
                    )
                    return None
            found = freeze(self._catalogue, spec, self._clock.now(), pixels=pixels)
        except (PolicyError, ConstraintError, AuditFailedError, SpecError) as error:
            self.add("refused", str(error), {"parent": parent})
            return None
        numbers = {
            "dataset": found.version,
            "parent": parent,
            "items": found.items,
            "audit": found.audit.verdict,
        }
        self.add("frozen", None, numbers)
        return found.version

    def _last_dataset(self) -> str | None:
        """Return the version that this policy froze for an earlier timeslot last."""
        with self._catalogue.reading() as session:
            numbers = session.scalar(
                select(RetrainingEvent.numbers)
                .join(Retraining, Retraining.id == RetrainingEvent.retraining_id)
                .join(Timeslot, Timeslot.id == Retraining.timeslot_id)
                .where(
                    Retraining.policy == self._policy.name,
                    RetrainingEvent.step == "frozen",
                    Timeslot.ordinal < self._slot.ordinal,
                    self._of_the_same_scheme(),
                )
                .order_by(Timeslot.ordinal.desc(), RetrainingEvent.id.desc())
                .limit(1)
            )
        return None if numbers is None else str(numbers["dataset"])

    def trained(self, version: str, progress: Callable[[int, int], None] | None) -> int:
        """Return the row number of the experiment, trained and judged."""
        done = self._recorded("trained")
        if done is None:
            spec = self._policy.experiment_spec(version, self._slot.ordinal)
            summary = run_experiment(
                self._catalogue,
                spec,
                work_folder=self._work_folder,
                clock=self._clock,
                progress=progress,
            )
            clean = summary.evaluation("clean").accuracy
            done = {"experiment": summary.uuid, "accuracy": clean, "dataset": version}
            self.add("trained", None, done)
        with self._catalogue.reading() as session:
            return session.scalars(
                select(Experiment.id).where(Experiment.uuid == done["experiment"])
            ).one()

    def decided(self, experiment_id: int, version: str) -> None:
        """Compare the new model with the one in service, and promote it or not."""
        manifest = load(self._catalogue, version)
        with self._catalogue.writing() as session:
            candidate_id = register(
                session,
                self._policy.name,
                experiment_id,
                self._clock.now(),
                f"timeslot {self._slot.ordinal} of {self._policy.scheme} closed",
            ).id
            present = in_service(session, self._policy.name)
            present_id = None if present is None else present.id
        clean = judge_experiment(
            self._catalogue,
            experiment_id,
            manifest,
            manifest.block("clean"),
            work_folder=self._work_folder,
        )
        against, obstacle = None, self._later_promotion()
        if obstacle is None and present_id is not None and present_id != candidate_id:
            against, obstacle = self._against(experiment_id, present_id, manifest)
        decision = decide(self._policy.promotion, clean, against)
        promotes, reason = decision.promotes, decision.reason
        if obstacle is not None:
            promotes, reason = False, obstacle
        with self._catalogue.writing() as session:
            lock_line(session, self._policy.name)
            if not self._is_open(session):
                return
            now = self._clock.now()
            candidate = session.get_one(RegisteredModel, candidate_id)
            present = in_service(session, self._policy.name)
            if (None if present is None else present.id) != present_id:
                raise PolicyError(
                    f"policy {self._policy.name}: another model went into service meanwhile; call"
                    " again to compare with it"
                )
            numbers = {
                "model": label(candidate),
                "in_service": None if present is None else label(present),
                "dataset": version,
                **decision.numbers,
            }
            if promotes and present_id != candidate_id:
                promote(
                    session, candidate, now, operator=None, reason=reason, numbers=decision.numbers
                )
            elif state_of(session, candidate) == "candidate":
                reject(
                    session, candidate, now, operator=None, reason=reason, numbers=decision.numbers
                )
            add_event(
                session, self._row_id, "promoted" if promotes else "kept", reason, numbers, now
            )

    def _later_promotion(self) -> str | None:
        """Say that a model of a later timeslot was promoted already, None where none was."""
        with self._catalogue.reading() as session:
            later = session.scalar(
                select(func.max(Timeslot.ordinal))
                .join(Retraining, Retraining.timeslot_id == Timeslot.id)
                .join(RetrainingEvent, RetrainingEvent.retraining_id == Retraining.id)
                .where(
                    Retraining.policy == self._policy.name,
                    RetrainingEvent.step == "promoted",
                    Timeslot.ordinal > self._slot.ordinal,
                    self._of_the_same_scheme(),
                )
            )
        if later is None:
            return None
        return f"a model of the later timeslot {later} was promoted already; promote by hand"

    def _of_the_same_scheme(self) -> ColumnElement[bool]:
        own = select(Timeslot.scheme_id).where(Timeslot.id == self._slot.id)
        return Timeslot.scheme_id == own.scalar_subquery()

    def _against(
        self, experiment_id: int, present_id: int, manifest: Manifest
    ) -> tuple[Against | None, str | None]:
        """Compare on the clean frames that the model in service did not learn from either."""
        with self._catalogue.reading() as session:
            present = session.get_one(RegisteredModel, present_id)
            other_id, name = present.experiment_id, label(present)
            versions = session.scalars(
                select(Dataset.version)
                .join(RunExecution, RunExecution.dataset_id == Dataset.id)
                .join(Run, Run.id == RunExecution.run_id)
                .where(Run.experiment_id == other_id)
                .distinct()
            ).all()
            # runs from before executions were recorded learned from the experiment's one dataset
            own = session.get_one(Experiment, other_id).dataset.version
        learned = [load(self._catalogue, version) for version in {*versions, own}]
        if any(one.header.class_names != manifest.header.class_names for one in learned):
            return None, (
                f"cannot be compared with {name} in service, which knows other classes; promote by"
                " hand"
            )
        items = _unseen(manifest.block("clean"), learned)
        classes = {item.class_name for item in items}
        if classes != set(manifest.header.class_names):
            return None, (
                f"cannot be compared with {name} in service: of the clean block it has seen every"
                " scene or session of some class; promote by hand"
            )
        new, old = (
            judge_experiment(self._catalogue, one, manifest, items, work_folder=self._work_folder)
            for one in (experiment_id, other_id)
        )
        return compare(new, old), None


def _content(items: Sequence[Item]) -> set[tuple[str, str]]:
    return {(item.sha256, item.class_name) for item in items}


def _unseen(items: Sequence[Item], learned: Sequence[Manifest]) -> tuple[Item, ...]:
    """Keep the items whose scene and session no dataset trained or chose its networks on."""
    seen = [item for one in learned for item in one.block("train", "validation")]
    scenes = {item.scene_unit for item in seen if item.scene_unit is not None}
    sessions = {item.session_unit for item in seen}
    files = {item.sha256 for item in seen}
    return tuple(
        item
        for item in items
        if item.scene_unit not in scenes
        and item.session_unit not in sessions
        and item.sha256 not in files
    )
