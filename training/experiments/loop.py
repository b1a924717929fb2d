"""The training loop, the only one there is; knows frames and one file of its own, no catalogue.

Everything random is a function of the run's seed and the step's number. A run that is gone on with
after any interruption therefore comes to the same bits as one that never stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.experiments.augmentation import augmented, drawn_changes
from training.experiments.checkpoints import CheckpointFile, Look, RunState, network_tensors
from training.experiments.computing import (
    class_scores,
    explained_memory,
    load_crops,
    new_network,
    on_device,
    prepare_computing,
    set_training,
)
from training.experiments.crop_places import CropPlaces
from training.experiments.distributed import ALONE, Processes
from training.experiments.errors import DivergedError, ExperimentError
from training.experiments.evaluate import predict
from training.experiments.frame_set import FrameSet
from training.experiments.optimisers import (
    new_optimiser,
    optimiser_tensors,
    restore_optimiser,
    set_rates,
)
from training.experiments.order import training_batches
from training.experiments.predictions import accuracy, confusion
from training.experiments.schedules import step_rates
from training.experiments.seeds import step_seed
from training.experiments.spec import ExperimentSpec
from training.networks.fronts import project_constraints
from training.patches.prefetch import prefetched

_AHEAD = 3
"""Batches that are prepared while one is learned from."""


@dataclass(frozen=True)
class TrainedNetwork:
    """What a run of the loop leaves: the network that was kept, and how it got there.

    Attributes
    ----------
    network
        The network, in evaluation mode.
    losses
        Cross-entropy of each step's batch in nats, float32, shape (steps done,).
    selected_step
        The step whose weights these are, from 1.
    looks
        Looks at the validation block.
    waiting_share
        Share of the time that was spent waiting for crops, the first ones apart; nan where there
        were no others.
    """

    network: nn.Module
    losses: NDArray[np.float32]
    selected_step: int
    looks: tuple[Look, ...]
    waiting_share: float


def train_network(
    spec: ExperimentSpec,
    frames: FrameSet,
    classes: int,
    seed: int,
    on_step: Callable[[int, float], None] | None = None,
    *,
    validation: FrameSet | None = None,
    checkpoint: CheckpointFile | None = None,
    processes: Processes = ALONE,
) -> TrainedNetwork:
    """Train one network; the same arguments give the same bits on the same machine.

    Parameters
    ----------
    spec
        The experiment.
    frames
        The training block.
    classes
        Number of classes.
    seed
        Seed of this run.
    on_step
        Called after each step with its number (from 1) and loss.
    validation
        The validation block; only needed where the spec looks at it.
    checkpoint
        Where the run's state is kept, and gone on from when it is there.
    processes
        The processes that train together.

    Raises
    ------
    ExperimentError
        When a class has no frame to learn from, or there is nothing to validate on.
    DivergedError
        When a loss is not finite; the last state stays.
    OutOfMemoryError
        When memory is used up; the last state stays.
    RunFolderError
        When the state is damaged or of another run.
    PatchError
        When the frames are smaller than a patch.
    """
    present = np.unique(frames.labels).tolist()
    if present != list(range(classes)):
        raise ExperimentError(
            f"experiment {spec.name!r}: frames to train on are of the classes {present}, "
            f"expected all of 0 to {classes - 1}"
        )
    if spec.validation_every is not None and validation is None:
        raise ExperimentError(
            f"experiment {spec.name!r}: validation_every, and the dataset has no validation block"
        )
    prepare_computing(spec)
    with torch.random.fork_rng(devices=[]), explained_memory(spec):
        run = _Run(spec, frames, classes, seed, validation, processes)
        state = None if checkpoint is None else checkpoint.read()
        if state is not None:
            run.restore(state)
        try:
            run.train(on_step, checkpoint)
        except KeyboardInterrupt:
            if checkpoint is not None and processes.is_first:
                checkpoint.write(run.state())
            raise
        return run.trained()


class _Run:
    """A run under way."""

    def __init__(
        self,
        spec: ExperimentSpec,
        frames: FrameSet,
        classes: int,
        seed: int,
        validation: FrameSet | None,
        processes: Processes,
    ) -> None:
        self._spec = spec
        self._frames = frames
        self._seed = seed
        self._validation = validation
        self._processes = processes
        torch.manual_seed(seed)
        self._network = new_network(spec, classes)
        self._optimiser = new_optimiser(spec, self._network)
        self._labels = torch.from_numpy(frames.labels)
        self._step = 0
        self._losses = np.full(spec.steps, np.nan, np.float32)
        self._looks: list[Look] = []
        self._selected_step = 0
        self._selected: dict[str, Tensor] = {}
        self._waited_s = self._trained_s = 0.0

    def restore(self, state: RunState) -> None:
        """Go on from a state."""
        self._network.load_state_dict(state.network)
        restore_optimiser(self._optimiser, state.optimiser)
        self._step = state.step
        self._losses[: state.step] = state.losses
        self._looks = list(state.looks)
        self._selected_step = state.selected_step
        self._selected = state.selected

    def state(self) -> RunState:
        """Return where the run stands."""
        return RunState(
            step=self._step,
            network=network_tensors(self._network),
            optimiser=optimiser_tensors(self._optimiser),
            losses=self._losses[: self._step],
            looks=self._looks,
            selected_step=self._selected_step,
            selected=self._selected,
        )

    def train(
        self, on_step: Callable[[int, float], None] | None, checkpoint: CheckpointFile | None
    ) -> None:
        """Do the steps that are left."""
        if self._is_over():
            return
        set_training(self._spec, self._network)
        network = self._processes.together(self._network)
        asked_at: float | None = None
        for crops, targets in self._batches():
            loaded_at = time.monotonic()
            is_first = asked_at is None
            self._waited_s += 0.0 if asked_at is None else loaded_at - asked_at
            loss = self._learn(network, crops, targets)
            self._losses[self._step] = loss
            self._step += 1
            self._trained_s += 0.0 if is_first else time.monotonic() - loaded_at
            self._look_at_validation()
            if checkpoint is not None and self._processes.is_first and checkpoint.is_due:
                checkpoint.write(self.state())
            if on_step is not None:
                on_step(self._step, loss)
            if self._is_over():
                return
            asked_at = time.monotonic()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        spec, share = self._spec, self._processes.share(self._spec.batch_size)
        places = training_batches(spec, self._frames, self._seed, self._step)

        def load(numbered: tuple[int, CropPlaces]) -> tuple[Tensor, Tensor]:
            step, batch = numbered
            part = batch.part(share)
            crops = load_crops(spec, self._frames, part)
            changes = spec.augmentation
            if changes is not None:
                draws = drawn_changes(changes, spec.batch_size, self._seed, step).part(share)
                crops = torch.from_numpy(augmented(crops.numpy(), changes, draws))
            return crops, self._labels[part.indices]

        return prefetched(enumerate(places, self._step), load, _AHEAD)

    def _learn(self, network: nn.Module, crops: Tensor, targets: Tensor) -> float:
        spec = self._spec
        # What a network draws itself, such as its dropout, hangs on nothing before this step.
        torch.manual_seed(step_seed(self._seed, self._step, self._processes.rank))
        rates = step_rates(spec.schedule, spec.learning_rate, self._step, spec.steps)
        set_rates(self._optimiser, rates)
        scores = class_scores(spec, network, on_device(spec, crops))
        loss = functional.cross_entropy(scores, targets.to(scores.device))
        mean = self._processes.mean(loss)
        if not np.isfinite(mean):
            raise DivergedError(
                f"experiment {spec.name!r}: the loss of step {self._step + 1} is {mean}; "
                "lower the learning rate"
            )
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        project_constraints(self._network)
        return mean

    def _look_at_validation(self) -> None:
        every = self._spec.validation_every
        if every is None or self._validation is None:
            return
        if self._step % every and self._step != self._spec.steps:
            return
        # all processes look, each for itself: their networks are the same, buffers apart
        said = predict(self._spec, self._network, self._validation)
        set_training(self._spec, self._network)
        of_truth = said.labels[said.crop_frames][:, None]
        loss = -float(np.take_along_axis(said.crop_log_probabilities, of_truth, axis=1).mean())
        right = accuracy(confusion(said.labels, said.image_classes(), said.classes))
        if self._looks and not loss < min(one[1] for one in self._looks):
            self._looks.append((self._step, loss, right))
            return
        self._looks.append((self._step, loss, right))
        self._selected_step = self._step
        self._selected = network_tensors(self._network)

    def _is_over(self) -> bool:
        if self._step == self._spec.steps:
            return True
        patience = self._spec.patience
        if patience is None or self._spec.validation_every is None:
            return False
        since = [one for one in self._looks if one[0] > self._selected_step]
        return self._processes.told(int(len(since) >= patience)) == 1

    def trained(self) -> TrainedNetwork:
        """Return the network that is kept."""
        if self._selected:
            self._network.load_state_dict(self._selected)
        total = self._waited_s + self._trained_s
        return TrainedNetwork(
            network=self._network.eval(),
            losses=self._losses[: self._step],
            selected_step=self._selected_step or self._step,
            looks=tuple(self._looks),
            waiting_share=self._waited_s / total if total else float("nan"),
        )
