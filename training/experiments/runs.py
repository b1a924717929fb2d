"""The runs of an experiment in a folder: each is trained once, whatever interrupts the work."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import nn

from training.experiments.errors import RunFolderError
from training.experiments.evaluate import predict
from training.experiments.frame_set import FrameSet
from training.experiments.loop import new_network, train_network
from training.experiments.predictions import Predictions
from training.experiments.seeds import run_seed
from training.experiments.spec import ExperimentSpec
from training.files import write_atomically


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
        Cross-entropy of each step in nats, float32, shape (steps,).
    seconds
        Wall-clock time that training took.
    """

    number: int
    folder: Path
    seed: int
    losses: NDArray[np.float32]
    seconds: float

    def network(self, spec: ExperimentSpec, classes: int) -> nn.Module:
        """Return the trained network, in evaluation mode."""
        network = new_network(spec, classes)
        network.load_state_dict(load_file(self.folder / "weights.safetensors"))
        return network.eval()


def train_runs(
    spec: ExperimentSpec,
    frames: FrameSet,
    classes: int,
    folder: Path,
    on_step: Callable[[int, int, float], None] | None = None,
) -> Iterator[Run]:
    """Yield the runs of an experiment, training those that the folder does not hold finished.

    Parameters
    ----------
    spec
        The experiment.
    frames
        The training block.
    classes
        Number of classes.
    folder
        Folder of this experiment alone; made when missing.
    on_step
        Called after each training step with run, step (from 1) and loss.

    Yields
    ------
    Run
        In order of their number.

    Raises
    ------
    RunFolderError
        When the folder holds runs of another spec or of other frames.
    DivergedError
        When a run's loss is not finite; the runs before it stay.
    """
    facts = f"{spec.training_sha256()} {frames.sha256()} {classes}"
    identity = hashlib.sha256(facts.encode()).hexdigest()
    for number in range(spec.runs):
        run_folder = folder / f"run-{number:02d}"
        if not (run_folder / "run.json").exists():
            _train_run(spec, frames, classes, run_folder, number, identity, on_step)
        yield _read_run(run_folder, number, identity)


def _train_run(
    spec: ExperimentSpec,
    frames: FrameSet,
    classes: int,
    run_folder: Path,
    number: int,
    identity: str,
    on_step: Callable[[int, int, float], None] | None,
) -> None:
    seed = run_seed(spec.seed, number)
    started = time.monotonic()

    def tell(step: int, loss: float) -> None:
        if on_step is not None:
            on_step(number, step, loss)

    trained = train_network(spec, frames, classes, seed, tell)
    weights = save(
        {name: value.contiguous() for name, value in trained.network.state_dict().items()}
    )
    record = {
        "identity": identity,
        "spec": spec.model_dump(mode="json"),
        "frames_sha256": frames.sha256(),
        "run": number,
        "seed": seed,
        "selected_step": spec.steps,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "losses": [round(float(loss), 6) for loss in trained.losses],
        "seconds": round(time.monotonic() - started, 3),
    }
    write_atomically(run_folder / "weights.safetensors", lambda file: file.write(weights))
    # The record comes last: a run counts as finished from then on.
    text = json.dumps(record, indent=1)
    write_atomically(run_folder / "run.json", lambda file: file.write(text.encode()))


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
        facts = f"{frames.sha256()} {spec.evaluation_crops}"
        digest = hashlib.sha256(facts.encode()).hexdigest()
        path = run.folder / f"predictions-{digest[:16]}.npz"
        if not path.exists():
            network = network or run.network(spec, classes)
            predict(spec, network, frames).save(path)
        predictions[name] = Predictions.load(path)
    return predictions
