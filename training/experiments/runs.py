"""The runs of an experiment in a folder: each is trained once, whatever interrupts the work.

Several processes may work on one folder: each takes the next run that no other one has.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import nn

from training.experiments.checkpoints import CheckpointFile, Look, network_tensors
from training.experiments.computing import network_for_weights
from training.experiments.crop_places import require_places
from training.experiments.distributed import ALONE, Processes
from training.experiments.errors import RunFolderError
from training.experiments.evaluate import predict
from training.experiments.execution import Execution
from training.experiments.frame_set import FrameSet
from training.experiments.loop import train_network
from training.experiments.measuring import measured_execution
from training.experiments.predictions import Predictions
from training.experiments.seeds import run_seed
from training.experiments.spec import ExperimentSpec
from training.files import write_atomically

CHECKPOINT_S = 60.0
"""Seconds of training that a kill costs at most."""

_LOCK_POLL_S = 1.0


@dataclass(frozen=True)
class Fold:
    """What the runs of one fold learn from.

    Attributes
    ----------
    train
        The training block.
    validation
        The validation block; None where there is none.
    """

    train: FrameSet
    validation: FrameSet | None = None


@dataclass(frozen=True)
class Run:
    """One finished run.

    Attributes
    ----------
    number
        Position in the experiment, from 0.
    folder
        Where its files lie.
    seed
        Seed of weights, order and crops.
    losses
        Cross-entropy of each step in nats, float32, shape (steps done,).
    seconds
        Wall-clock time that training took, since it was last taken up.
    execution
        By which means it was computed.
    selected_step
        The step whose weights were kept.
    looks
        Looks at the validation block.
    """

    number: int
    folder: Path
    seed: int
    losses: NDArray[np.float32]
    seconds: float
    execution: Execution
    selected_step: int
    looks: tuple[Look, ...]

    def network(self, spec: ExperimentSpec, classes: int) -> nn.Module:
        """Return the trained network, in evaluation mode."""
        network = network_for_weights(self.execution.applied(spec), classes)
        network.load_state_dict(load_file(self.folder / "weights.safetensors"))
        return network.eval()


class RunFolder:
    """The folder of one experiment's runs.

    Parameters
    ----------
    folder
        Of this experiment alone; made when missing.
    spec
        The experiment.
    folds
        What run number n learns from: fold n, counted round.
    classes
        Number of classes.
    processes
        The processes that train together.
    recorded_execution
        By which means runs of it were computed already, where some were recorded.
    """

    def __init__(
        self,
        folder: Path,
        spec: ExperimentSpec,
        folds: Sequence[Fold],
        classes: int,
        *,
        processes: Processes = ALONE,
        recorded_execution: Execution | None = None,
    ) -> None:
        self._folder = folder
        self._spec = spec
        self._folds = folds
        self._classes = classes
        self._processes = processes
        self._recorded = recorded_execution
        self._identities = [_identity(spec, fold, classes) for fold in folds]

    def train(
        self,
        on_step: Callable[[int, int, float], None] | None = None,
        *,
        checkpoint_s: float = CHECKPOINT_S,
    ) -> Iterator[Run]:
        """Yield the runs, training those that are not finished; see `train_runs`."""
        for fold in self._folds:
            require_places(self._spec, fold.train)
        execution = self._execution()
        waiting = list(range(self._spec.runs))
        while waiting:
            taken = False
            for number in waiting[:]:
                run_folder = self._folder / f"run-{number:02d}"
                with self._taken(run_folder) as is_mine:
                    if not is_mine:
                        continue
                    taken = True
                    waiting.remove(number)
                    if not self._is_finished(run_folder):
                        self._train_run(run_folder, number, execution, on_step, checkpoint_s)
                    yield _read_run(run_folder, number, self._identity(number))
            if not taken:
                time.sleep(_LOCK_POLL_S)

    def _identity(self, number: int) -> str:
        return self._identities[number % len(self._folds)]

    def _is_finished(self, run_folder: Path) -> bool:
        return self._processes.told(int((run_folder / "run.json").exists())) == 1

    @contextmanager
    def _taken(self, run_folder: Path) -> Iterator[bool]:
        """Hold a run, so that no other process works on it; tell whether that was possible.

        Processes that train together follow the first of them, which waits for its turn.
        """
        if not self._processes.is_first:
            yield True
            return
        run_folder.mkdir(parents=True, exist_ok=True)
        with (run_folder / "lock").open("ab") as file:
            waits = self._processes.world > 1
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            # nobody else writes here: these are what kills left of unfinished files
            for left_behind in run_folder.glob(".partial-*"):
                left_behind.unlink()
            yield True

    def _execution(self) -> Execution:
        """Return by which means all runs are computed: as before, or as is best now.

        Raises
        ------
        RunFolderError
            When it was begun by other means than there are now.
        """
        path = self._folder / "execution.json"
        if self._processes.is_first and not path.exists():
            chosen = self._recorded or measured_execution(
                self._spec, self._classes, self._processes.world
            )
            text = json.dumps(chosen.to_json(), indent=1)
            write_atomically(path, lambda file: file.write(text.encode()))
        self._processes.wait()
        execution = Execution.from_json(json.loads(path.read_text(encoding="utf-8")))
        if execution.processes != self._processes.world:
            raise RunFolderError(
                f"{self._folder}: begun with {execution.processes} processes, and now there are"
                f" {self._processes.world}; go on with torchrun --nproc-per-node"
                f" {execution.processes}, or choose another folder"
            )
        return execution

    def _train_run(
        self,
        run_folder: Path,
        number: int,
        execution: Execution,
        on_step: Callable[[int, int, float], None] | None,
        checkpoint_s: float,
    ) -> None:
        spec, fold = self._spec, self._folds[number % len(self._folds)]
        seed = run_seed(spec.seed, number)
        started = time.monotonic()

        def tell(step: int, loss: float) -> None:
            if on_step is not None:
                on_step(number, step, loss)

        identity = self._identity(number)
        checkpoint = CheckpointFile(
            run_folder / "checkpoint.safetensors",
            f"{identity} {number} {json.dumps(execution.to_json())}",
            checkpoint_s,
        )
        trained = train_network(
            execution.applied(spec),
            fold.train,
            self._classes,
            seed,
            tell,
            validation=fold.validation,
            checkpoint=checkpoint,
            processes=self._processes,
        )
        if self._processes.is_first:
            weights = save(network_tensors(trained.network))
            record = {
                "identity": identity,
                "spec": spec.model_dump(mode="json"),
                "frames_sha256": fold.train.sha256(),
                "run": number,
                "seed": seed,
                "execution": execution.to_json(),
                "selected_step": trained.selected_step,
                "looks": trained.looks,
                "weights_sha256": hashlib.sha256(weights).hexdigest(),
                "losses": [round(float(loss), 6) for loss in trained.losses],
                "seconds": round(time.monotonic() - started, 3),
                "waiting_share": round(trained.waiting_share, 4),
            }
            write_atomically(run_folder / "weights.safetensors", lambda file: file.write(weights))
            # The record comes last: a run counts as finished from then on.
            text = json.dumps(record, indent=1)
            write_atomically(run_folder / "run.json", lambda file: file.write(text.encode()))
            checkpoint.remove()
        self._processes.wait()


def train_runs(
    spec: ExperimentSpec,
    folds: Sequence[Fold],
    classes: int,
    folder: Path,
    on_step: Callable[[int, int, float], None] | None = None,
    *,
    checkpoint_s: float = CHECKPOINT_S,
) -> Iterator[Run]:
    """Yield the runs of an experiment, training those that the folder does not hold finished.

    Parameters
    ----------
    spec
        The experiment.
    folds
        What run number n learns from: fold n, counted round.
    classes
        Number of classes.
    folder
        Folder of this experiment alone; made when missing.
    on_step
        Called after each training step with run, step (from 1) and loss.
    checkpoint_s
        Seconds between two writings of an unfinished run's state.

    Yields
    ------
    Run
        In order of their number, those apart that another process has in hand.

    Raises
    ------
    RunFolderError
        When the folder holds runs of another spec or of other frames.
    DivergedError
        When a run's loss is not finite; the runs before it stay.
    """
    return RunFolder(folder, spec, folds, classes).train(on_step, checkpoint_s=checkpoint_s)


def _identity(spec: ExperimentSpec, fold: Fold, classes: int) -> str:
    judged = "" if fold.validation is None else fold.validation.sha256()
    looks = judged if spec.validation_every is not None else ""
    facts = f"{spec.training_sha256()} {fold.train.sha256()} {classes} {looks}"
    return hashlib.sha256(facts.encode()).hexdigest()


def _read_run(run_folder: Path, number: int, identity: str) -> Run:
    record = json.loads((run_folder / "run.json").read_text(encoding="utf-8"))
    if record["identity"] != identity:
        raise RunFolderError(
            f"{run_folder}: holds a run of another spec or other frames; choose another folder"
        )
    return Run(
        number=number,
        folder=run_folder,
        seed=record["seed"],
        losses=np.array(record["losses"], np.float32),
        seconds=record["seconds"],
        execution=Execution.from_json(record["execution"]),
        selected_step=record["selected_step"],
        looks=tuple((step, loss, accuracy) for step, loss, accuracy in record["looks"]),
    )


def evaluate_run(
    spec: ExperimentSpec, run: Run, classes: int, blocks: Mapping[str, FrameSet]
) -> dict[str, Predictions]:
    """Return a run's predictions for each named block, computing only those not yet on disk.

    Parameters
    ----------
    spec
        The experiment.
    run
        One of its finished runs.
    classes
        Number of classes.
    blocks
        Frames to judge, by the block's name.
    """
    predictions = {}
    network: nn.Module | None = None
    for name, frames in blocks.items():
        path = predictions_path(spec, run, frames)
        if not path.exists():
            network = network or run.network(spec, classes)
            predict(run.execution.applied(spec), network, frames).save(path)
        predictions[name] = Predictions.load(path)
    return predictions


def predictions_path(spec: ExperimentSpec, run: Run, frames: FrameSet) -> Path:
    """Return where a run's predictions for some frames are kept."""
    facts = f"{frames.sha256()} {spec.evaluation_crops}"
    digest = hashlib.sha256(facts.encode()).hexdigest()
    return run.folder / f"predictions-{digest[:16]}.npz"
