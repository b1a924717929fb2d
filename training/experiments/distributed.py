"""Several processes that train one network together, as `torchrun` starts them.

Each gets its share of every batch, and the gradients are averaged: the same network as in one
process, batch norms apart, which see a share each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from training.experiments.errors import ExperimentError

_PATIENCE = timedelta(days=1)
"""The others wait as long as the first one judges frames."""


@dataclass(frozen=True)
class Processes:
    """How many processes there are, and which of them this one is.

    Attributes
    ----------
    rank, world
        Number of this process, from 0, and how many there are.
    """

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, batch_size: int) -> slice:
        """Return which of a batch's crops are this process's.

        Raises
        ------
        ExperimentError
            When the batch cannot be dealt out evenly: its gradients would be weighed wrongly.
        """
        if batch_size % self.world:
            raise ExperimentError(
                f"a batch of {batch_size} crops cannot be dealt out evenly to {self.world}"
                " processes: choose another batch_size"
            )
        return slice(self.rank, None, self.world)

    def mean(self, value: Tensor) -> float:
        """Return the mean of the processes' values."""
        if self.world == 1:
            return float(value.detach())
        total = value.detach().clone()
        distributed.all_reduce(total)
        return float(total) / self.world

    def told(self, number: int) -> int:
        """Return the first process's number, in all of them."""
        if self.world == 1:
            return number
        said = torch.tensor([number])
        if distributed.get_backend() == "nccl":
            said = said.cuda()
        distributed.broadcast(said, 0)
        return int(said)

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.told(0)

    def together(self, network: nn.Module) -> nn.Module:
        """Return a network whose gradients are averaged over the processes."""
        if self.world == 1:
            return network
        return nn.parallel.DistributedDataParallel(network)


ALONE = Processes()


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """Join the processes that `torchrun` started, or be alone without it."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield ALONE
        return
    has_accelerator = torch.cuda.is_available()
    if has_accelerator:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if has_accelerator else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
        # whoever left first would close the connections that the others still listen on
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
