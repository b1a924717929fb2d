"""Every random choice of a run as a pure function of the experiment's seed and a counter."""

from __future__ import annotations

import numpy as np

# further along than any epoch, whose keys have one number
_STEPS = 2**32 - 1


def run_seed(seed: int, run: int) -> int:
    """Return the seed of run number ``run`` (from 0); runs are independent of each other."""
    state = np.random.SeedSequence(seed, spawn_key=(run,)).generate_state(1, np.uint64)
    # PyTorch's generator takes a signed 64-bit seed.
    return int(state[0] >> np.uint64(1))


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """Return the generator of one epoch's order and crops."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch,)))


def step_generator(seed: int, step: int) -> np.random.Generator:
    """Return the generator of one step's changes of its crops."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STEPS, 0, step)))


def step_seed(seed: int, step: int, rank: int) -> int:
    """Return the seed of what a network itself draws in a step, such as its dropout."""
    sequence = np.random.SeedSequence(seed, spawn_key=(_STEPS, 1, step, rank))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
