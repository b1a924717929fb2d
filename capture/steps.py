"""The order of a session's steps: its plan, and retakes while the scene is still there.

A step is one shot of the plan at some of the cameras. Opens no camera and knows no row and no time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from capture.cameras.protocol import CameraSettings
from capture.recipes import ShotSpec

Taker = TypeVar("Taker", bound=Hashable)


def settings_of(spec: ShotSpec) -> CameraSettings:
    """Return the camera settings of a shot spec."""
    return CameraSettings(spec.exposure, spec.iso, spec.f_number, spec.image_quality)


@dataclass(frozen=True)
class Step(Generic[Taker]):
    """One shot of the plan, to be taken at the same time by some cameras.

    Attributes
    ----------
    spec
        What to take.
    tries
        How often it was tried in this run already.
    takers
        Who takes it.
    """

    spec: ShotSpec
    tries: int
    takers: tuple[Taker, ...]


@dataclass
class StepQueue(Generic[Taker]):
    """What is still to be taken.

    Parameters
    ----------
    steps
        In the plan's order.
    """

    steps: Iterable[Step[Taker]]
    _waiting: deque[Step[Taker]] = field(init=False)

    def __post_init__(self) -> None:
        """Put the steps in line."""
        self._waiting = deque(self.steps)

    def __len__(self) -> int:
        """Return how many steps wait."""
        return len(self._waiting)

    @property
    def next(self) -> Step[Taker] | None:
        """The step at the head, which stays; None at the end."""
        return self._waiting[0] if self._waiting else None

    def take(self) -> Step[Taker]:
        """Return the step at the head and remove it."""
        return self._waiting.popleft()

    def retake(self, step: Step[Taker], takers: Sequence[Taker]) -> None:
        """Have a step tried again before anything else."""
        self._waiting.appendleft(Step(step.spec, step.tries + 1, tuple(takers)))

    def drop(self, taker: Taker) -> int:
        """Go on without somebody; return how many frames are not taken therefore."""
        kept: deque[Step[Taker]] = deque()
        dropped = 0
        for step in self._waiting:
            if taker not in step.takers:
                kept.append(step)
                continue
            dropped += 1
            others = tuple(other for other in step.takers if other != taker)
            if others:
                kept.append(Step(step.spec, step.tries, others))
        self._waiting = kept
        return dropped


def steps_of(
    plan: Sequence[ShotSpec],
    takers: Sequence[Taker],
    taken: Mapping[Taker, frozenset[int]],
) -> list[Step[Taker]]:
    """Return the steps of a plan that are left.

    Parameters
    ----------
    plan
        Every shot, in order.
    takers
        The cameras.
    taken
        Sequence numbers of the shots that each has taken already.
    """
    steps = []
    for spec in plan:
        left = tuple(t for t in takers if spec.sequence not in taken.get(t, frozenset()))
        if left:
            steps.append(Step(spec, 0, left))
    return steps
