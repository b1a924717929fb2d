"""Counting the bits in which many hashes differ, compiled; knows nothing of frames."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Places = NDArray[np.int64]

_BEYOND: Final = 257


@numba.njit(cache=True, nogil=True)
def compare(known: Words, test: Words, bits: int) -> tuple[Places, Places, Places, int]:
    """Compare every row of `test` with every row of `known`.

    Parameters
    ----------
    known, test
        uint64 of shape (rows, 4).
    bits
        Differing bits up to which two rows are alike.

    Returns
    -------
    counts, partners, distances
        How many rows of `known` are like each row of `test`, and the nearest of them with its
        distance; 0 and 257 where there is none.
    nearest
        Smallest distance of all, 257 where nothing was compared.
    """
    counts = np.zeros(len(test), np.int64)
    partners = np.zeros(len(test), np.int64)
    distances = np.full(len(test), _BEYOND, np.int64)
    nearest = np.int64(_BEYOND)
    for j in range(len(known)):
        k0, k1, k2, k3 = known[j]
        for i in range(len(test)):
            found = np.int64(
                _ones(k0 ^ test[i, 0])
                + _ones(k1 ^ test[i, 1])
                + _ones(k2 ^ test[i, 2])
                + _ones(k3 ^ test[i, 3])
            )
            nearest = min(nearest, found)
            if found <= bits:
                counts[i] += 1
                if found < distances[i]:
                    distances[i] = found
                    partners[i] = j
    return counts, partners, distances, int(nearest)


@numba.njit(cache=True, nogil=True)
def _ones(word: np.uint64) -> np.uint64:
    """Return how many bits are set (the compiler makes one instruction of it)."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    pairs = word & np.uint64(0x3333333333333333)
    word = pairs + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)
