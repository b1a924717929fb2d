"""Which patch comes when, as pure functions of seed, epoch, rank and number; knows no patch.

Nothing is drawn one after the other: a run that goes on in the middle of an epoch needs to know
where it stands and nothing else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.patches.errors import PatchError

_ORDER, _PLACES = 0, 1
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)


def patches_of_rank(patches: int, rank: int, world: int) -> int:
    """Return how many of the patches one process sees in an epoch.

    Raises
    ------
    PatchError
        When there is no such rank.
    """
    if not 0 <= rank < world:
        raise PatchError(f"rank {rank} of {world} processes: ranks count from 0")
    return len(range(rank, patches, world))


def epoch_order(
    patches: int, seed: int, epoch: int, rank: int = 0, world: int = 1
) -> NDArray[np.int64]:
    """Return the numbers of the patches that one process sees in an epoch, in their order.

    The processes deal out one shuffled order: each patch comes once in an epoch, in one of them.

    Parameters
    ----------
    patches
        How many patches there are.
    seed, epoch
        Seed of the run, number of the epoch from 0.
    rank, world
        Number of the process, from 0, and how many there are.

    Returns
    -------
    ndarray
        int64; the processes' lengths differ by one at most.

    Raises
    ------
    PatchError
        When there is no such rank.
    """
    patches_of_rank(patches, rank, world)
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_ORDER, epoch)))
    return generator.permutation(patches)[rank::world]


def drawn_numbers(
    patches: NDArray[np.int64], counts: NDArray[np.int64], seed: int, epoch: int
) -> NDArray[np.int64]:
    """Return random numbers that belong to patches of an epoch, whenever they are asked for.

    Counter-based, by the finaliser of SplitMix64 (Steele, Lea and Flood 2014, figure 17).

    Parameters
    ----------
    patches
        Numbers of patches, shape (n,).
    counts
        How many values each number can take, below 2^32, shape (n, numbers).
    seed, epoch
        Seed of the run, number of the epoch from 0.

    Returns
    -------
    ndarray
        Uniform from 0 to ``counts - 1``, int64, of the shape of ``counts``.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(_PLACES, epoch))
    key = sequence.generate_state(1, np.uint64)[0]
    numbers = counts.shape[1]
    state = patches.astype(np.uint64)[:, None] * np.uint64(numbers)
    state = key + (state + np.arange(1, numbers + 1, dtype=np.uint64)) * _GOLDEN
    state = (state ^ (state >> np.uint64(30))) * _FIRST_FACTOR
    state = (state ^ (state >> np.uint64(27))) * _SECOND_FACTOR
    state ^= state >> np.uint64(31)
    drawn = ((state >> np.uint64(32)) * counts.astype(np.uint64)) >> np.uint64(32)
    return drawn.astype(np.int64)
