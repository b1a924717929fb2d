"""Medians of windows by exchanges alone: exact, and deterministic on every device."""

from __future__ import annotations

import torch
from torch import Tensor

# on a processor so many values at a time stay in its cache
_VALUES_AT_ONCE = 2**16


def window_medians(padded: Tensor, size: int) -> Tensor:
    """Return the median of each window of planes.

    The columns of a window are sorted, then the rows of what comes out. Every value is then known
    to be no less and no more than so many others that only those about one diagonal can be the
    middle one. Neighbouring windows share their sorted columns. `Tensor.median` takes ten times as
    long on a processor and has no deterministic kernel on CUDA.

    Parameters
    ----------
    padded
        Planes of shape (planes, channels, rows, columns).
    size
        Side of the windows, odd.

    Returns
    -------
    Tensor
        Medians of shape (planes, channels, rows - size + 1, columns - size + 1).
    """
    if padded.device.type != "cpu":
        return _medians(padded, size)
    planes = max(1, _VALUES_AT_ONCE // max(1, padded[0].numel()))
    return torch.cat([_medians(part, size) for part in torch.split(padded, planes)])


def _medians(padded: Tensor, size: int) -> Tensor:
    columns = _sorted(_shifted(padded, size, -2))
    middle = size**2 // 2
    candidates = [
        value
        for rank, row in enumerate(columns)
        for order, value in enumerate(_sorted(_shifted(row, size, -1)))
        if (rank + 1) * (order + 1) - 1 <= middle and (size - rank) * (size - order) - 1 <= middle
    ]
    # Of one more than half of them, the least and the greatest cannot be the median of all.
    enough = len(candidates) // 2 + 2
    kept, waiting = candidates[:enough], candidates[enough:]
    while len(kept) > 1:
        kept = _without_extremes(kept)
        if waiting:
            kept.append(waiting.pop())
    return kept[0]


def _shifted(values: Tensor, size: int, axis: int) -> list[Tensor]:
    length = values.shape[axis] - size + 1
    return [values.narrow(axis, start, length) for start in range(size)]


def _sorted(values: list[Tensor]) -> list[Tensor]:
    """Sort place by place, neighbours with neighbours in turn."""
    values = list(values)
    for turn in range(len(values)):
        for lower in range(turn % 2, len(values) - 1, 2):
            _exchange(values, lower, lower + 1)
    return values


def _without_extremes(values: list[Tensor]) -> list[Tensor]:
    for other in range(1, len(values)):
        _exchange(values, 0, other)
    for other in range(1, len(values) - 1):
        _exchange(values, other, len(values) - 1)
    return values[1:-1]


def _exchange(values: list[Tensor], lower: int, upper: int) -> None:
    """Put the less of two in the lower place, the greater in the upper."""
    less = torch.minimum(values[lower], values[upper])
    values[upper] = torch.maximum(values[lower], values[upper])
    values[lower] = less
