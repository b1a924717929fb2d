"""Every random choice of a run as a pure function of the experiment's seed and a counter."""

from __future__ import annotations

import numpy as np


def run_seed(seed: int, run: int) -> int:
    """Return the seed of run number ``run`` (from 0); runs are independent of each other."""
    state = np.random.SeedSequence(seed, spawn_key=(run,)).generate_state(1, np.uint64)
    # PyTorch's generator takes a signed 64-bit seed.
    return int(state[0] >> np.uint64(1))


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """Return the generator of one epoch's order and crops."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch,)))
