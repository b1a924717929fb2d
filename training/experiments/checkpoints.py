"""Where an unfinished run stands, as one file that appears complete or not at all.

Tensors in safetensors, all else as JSON in its header: nothing that is read back is executed.
Randomness is a function of the seed and the step's number, so that the number is all that is to be
remembered of it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from training.experiments.errors import RunFolderError
from training.files import write_atomically

Tensors = dict[str, Tensor]
Look = tuple[int, float, float]
"""Step, loss and accuracy of a look at the validation block."""


@dataclass
class RunState:
    """Where a run stands.

    Attributes
    ----------
    step
        Steps that are done.
    network, optimiser
        Tensors by name.
    losses
        Loss of each step that is done, float32.
    looks
        Looks at the validation block so far.
    selected_step
        The step with the smallest loss of them; 0 before the first look.
    selected
        The network's tensors of that step; empty before the first look.
    """

    step: int
    network: Tensors
    optimiser: Tensors
    losses: NDArray[np.float32]
    looks: list[Look] = field(default_factory=list)
    selected_step: int = 0
    selected: Tensors = field(default_factory=dict)


def network_tensors(network: nn.Module) -> Tensors:
    """Return a copy of a network's weights and buffers, in plain layout on the processor."""
    return {name: _plain(value) for name, value in network.state_dict().items()}


def _plain(value: Tensor) -> Tensor:
    return value.detach().cpu().contiguous().clone()


class CheckpointFile:
    """The file of one run's state.

    Parameters
    ----------
    path
        Where it lies.
    identity
        What the run is of; a state of something else is refused.
    every_s
        Seconds between two writings; a kill costs at most so much, and nothing of the result.
    """

    def __init__(self, path: Path, identity: str, every_s: float = 60.0) -> None:
        self._path = path
        self._identity = identity
        self._every_s = every_s
        self._written_at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last writing is long enough ago."""
        return time.monotonic() - self._written_at >= self._every_s

    def write(self, state: RunState) -> None:
        """Replace the file by another state."""
        tensors = {
            f"{part}/{name}": _plain(value)
            for part in ("network", "optimiser", "selected")
            for name, value in getattr(state, part).items()
        }
        facts = {
            "identity": self._identity,
            "step": state.step,
            "losses": [float(loss) for loss in state.losses],
            "looks": state.looks,
            "selected_step": state.selected_step,
        }
        content = save(tensors, {"state": json.dumps(facts)})
        write_atomically(self._path, lambda file: file.write(content))
        self._written_at = time.monotonic()

    def read(self) -> RunState | None:
        """Return the state, None where there is no file.

        Raises
        ------
        RunFolderError
            When the file is damaged, or the state is of something else.
        """
        if not self._path.exists():
            return None
        parts: dict[str, Tensors] = {"network": {}, "optimiser": {}, "selected": {}}
        try:
            with safe_open(self._path, "pt") as file:
                facts = json.loads((file.metadata() or {})["state"])
                for name in file.keys():  # noqa: SIM118, it is no mapping
                    part, _, rest = name.partition("/")
                    parts[part][rest] = file.get_tensor(name)
            if facts["identity"] != self._identity:
                raise RunFolderError(
                    f"{self._path}: a run of another spec, other frames or another machine's"
                    " choice; choose another folder"
                )
            return RunState(
                step=facts["step"],
                losses=np.array(facts["losses"], np.float32),
                looks=[(step, loss, accuracy) for step, loss, accuracy in facts["looks"]],
                selected_step=facts["selected_step"],
                **parts,
            )
        except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
            raise RunFolderError(
                f"{self._path} is damaged ({error}): remove it, and the run begins anew"
            ) from None

    def remove(self) -> None:
        """Remove the file of a run that is finished."""
        self._path.unlink(missing_ok=True)
