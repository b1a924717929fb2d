"""Patches as tensors: a dataset for PyTorch, and a loader that goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from training.patches.errors import PatchError
from training.patches.order import epoch_order, patches_of_rank
from training.patches.prefetch import prefetched
from training.patches.source import PatchArrays, PatchSource


@dataclass(frozen=True)
class PatchBatch:
    """Patches with what is known of each; shapes as in `training.patches.source.PatchArrays`.

    Attributes
    ----------
    pixels
        float32, shape (patches, channels, rows, columns).
    labels
        Number of each patch's class, int64.
    ages_s
        Age of each patch's frame in seconds, float32; NaN where the dataset has no ages.
    items
        Number of each patch's item in ``source.items``, int64.
    origins
        (row, column) of each patch's first photosite, int64, shape (patches, 2).
    has_defect
        Whether the patch is around a defect, bool.
    """

    pixels: Tensor
    labels: Tensor
    ages_s: Tensor
    items: Tensor
    origins: Tensor
    has_defect: Tensor

    @classmethod
    def of(cls, arrays: PatchArrays) -> PatchBatch:
        """Return arrays as tensors of the same memory."""
        return cls(*(torch.from_numpy(getattr(arrays, name)) for name in cls.__dataclass_fields__))


class PatchDataset(Dataset[tuple[Tensor, Tensor]]):
    """A map-style dataset of (pixels, label); whole batches come faster through `batch`.

    Parameters
    ----------
    source
        The patches, as `training.patches.opening.open_patches` gives them.
    """

    def __init__(self, source: PatchSource) -> None:
        self.source = source
        self.epoch = 0
        """Decides where patches of random places lie for `__getitem__` and `__getitems__`."""

    def __len__(self) -> int:
        """Return the number of patches of an epoch."""
        return len(self.source)

    def batch(self, numbers: NDArray[np.int64], epoch: int | None = None) -> PatchBatch:
        """Return patches by number, of this dataset's epoch unless another is given.

        Raises
        ------
        IndexError
            When there is no patch of a number.
        """
        chosen = self.epoch if epoch is None else epoch
        return PatchBatch.of(self.source.batch(numbers, chosen))

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the pixels and the label of one patch, float32 (channels, rows, columns)."""
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: list[int]) -> list[tuple[Tensor, Tensor]]:
        """Return several patches, cut in one go, for PyTorch's own data loader."""
        batch = self.batch(np.array(numbers, np.int64))
        return list(zip(batch.pixels, batch.labels, strict=True))


class PatchLoader:
    """Batches of shuffled patches, prepared by one thread while the last one is used.

    Each iteration yields what is left of the present epoch; the next one is of the next epoch. The
    order is a pure function of seed, epoch, rank and world, and what was yielded is all that a
    state remembers: a loader that is given it yields the same further batches, bit by bit.

    Parameters
    ----------
    dataset
        The patches.
    batch_size
        Patches per batch; the last of an epoch may have fewer.
    seed
        Of the order.
    rank, world
        Number of this process, from 0, and how many deal out each epoch among them.
    """

    def __init__(
        self,
        dataset: PatchDataset,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch_size < 1:
            raise PatchError(f"batch size {batch_size}: must be at least 1")
        self._dataset = dataset
        self._batch_size = batch_size
        self._order = {"seed": seed, "rank": rank, "world": world}
        self._patches = patches_of_rank(len(dataset), rank, world)
        self.epoch = 0
        self.position = 0
        """Patches of the epoch that were yielded."""

    def __len__(self) -> int:
        """Return the number of batches that are left of the epoch."""
        return -(-(self._patches - self.position) // self._batch_size)

    def __iter__(self) -> Iterator[PatchBatch]:
        """Yield the rest of the present epoch."""
        epoch = self.epoch
        order = epoch_order(len(self._dataset), epoch=epoch, **self._order)
        starts = range(self.position, len(order), self._batch_size)
        parts = (order[start : start + self._batch_size] for start in starts)
        for batch in prefetched(parts, lambda part: self._dataset.batch(part, epoch)):
            self.position += len(batch.labels)
            yield batch
        self.epoch, self.position = epoch + 1, 0

    def state(self) -> dict[str, Any]:
        """Return where the loader stands, as JSON values."""
        return {"epoch": self.epoch, "position": self.position, "of": self._identity()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state.

        Raises
        ------
        PatchError
            When it is the state of other patches or of another order.
        """
        if state.get("of") != self._identity():
            raise PatchError(
                "the saved position is of other patches or of another order: give the loader the"
                " same dataset, batch size, seed, rank and world"
            )
        self.epoch, self.position = int(state["epoch"]), int(state["position"])

    def _identity(self) -> dict[str, Any]:
        return {
            **self._order,
            "batch_size": self._batch_size,
            "patches": self._dataset.source.identity,
        }
