"""Learning rate and momentum of each step, as pure functions of its number; no torch.

Nothing is remembered from step to step, so that a run goes on anywhere with the same rates.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

ScheduleName = Literal["one-cycle", "cosine", "constant", "drop"]

_RISING_SHARE = 0.3
_START_DIVISOR = 25.0
_END_DIVISOR = 1e4
_LEAST_MOMENTUM, _MOST_MOMENTUM = 0.85, 0.95
_MOMENTUM = 0.9
_DROP_AT, _DROP_TO = 0.8, 0.1


class StepRates(NamedTuple):
    """What an optimiser uses in one step; momentum is the first beta of the Adam family."""

    learning_rate: float
    momentum: float


def step_rates(schedule: ScheduleName, peak: float, step: int, steps: int) -> StepRates:
    """Return the rates of one step.

    Parameters
    ----------
    schedule
        ``one-cycle``: the rate rises over three tenths of the steps from a 25th of the peak and
        falls to nearly nothing, both along a half cosine, while momentum falls from 0.95 to 0.85
        and rises again (Smith and Topin 2018, with PyTorch's defaults). ``cosine``: half a cosine
        from the peak to 0. ``drop``: a tenth after four fifths of the steps, as SRNet's authors
        trained. ``constant``.
    peak
        The largest learning rate.
    step
        Number of the step, from 0.
    steps
        How many there are.
    """
    if schedule == "one-cycle":
        return _one_cycle(peak, step, steps)
    if schedule == "cosine":
        return StepRates(_between(peak, 0.0, step / steps), _MOMENTUM)
    dropped = schedule == "drop" and step >= _DROP_AT * steps
    return StepRates(peak * _DROP_TO if dropped else peak, _MOMENTUM)


def _one_cycle(peak: float, step: int, steps: int) -> StepRates:
    start = peak / _START_DIVISOR
    rises_until, last = _RISING_SHARE * steps - 1, steps - 1
    if step <= rises_until:
        share = step / rises_until
        return StepRates(
            _between(start, peak, share), _between(_MOST_MOMENTUM, _LEAST_MOMENTUM, share)
        )
    share = (step - rises_until) / (last - rises_until)
    return StepRates(
        _between(peak, start / _END_DIVISOR, share),
        _between(_LEAST_MOMENTUM, _MOST_MOMENTUM, share),
    )


def _between(start: float, end: float, share: float) -> float:
    """Go from one value to another along half a cosine."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
