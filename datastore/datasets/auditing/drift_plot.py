"""The course of a quantity as a drawing: places of marks and lines on a canvas; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from datastore.datasets.auditing.report import Drift, SessionMean

WIDTH: Final = 720
HEIGHT: Final = 180

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 24
_SHAPES: Final = ("circle", "square", "diamond", "triangle", "cross")
_COLOURS: Final = ("#1d3f6e", "#a3212b", "#2b6e3f", "#8a5a00", "#5b2a86")


@dataclass(frozen=True)
class Mark:
    """A session's mean: its centre, and words for whoever does not see it."""

    x: float
    y: float
    path: str
    title: str


@dataclass(frozen=True)
class Course:
    """One class: its marks, and the mean of its sessions as a line."""

    name: str
    shape: str
    colour: str
    marks: tuple[Mark, ...]
    from_x: float
    to_x: float
    mean_y: float


@dataclass(frozen=True)
class DriftPlot:
    """A quantity's sessions over time; `lowest` and `highest` label the axis."""

    title: str
    courses: tuple[Course, ...]
    lowest: str
    highest: str
    begins: str
    ends: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def drift_plot(drift: Drift) -> DriftPlot | None:
    """Return a quantity's course as a drawing; None of audits that kept no session means.

    Every class has a shape of its own beside its colour.
    """
    sessions = drift.sessions
    if not sessions:
        return None
    times = [one.at_s for one in sessions]
    values = [one.mean for one in sessions]
    begin, end = min(times), max(times)
    low, high = min(values), max(values)

    def x_of(at_s: float) -> float:
        share = 0.5 if end == begin else (at_s - begin) / (end - begin)
        return round(_LEFT + 8 + share * (WIDTH - _LEFT - _RIGHT - 16), 1)

    def y_of(value: float) -> float:
        share = 0.5 if high == low else (value - low) / (high - low)
        return round(HEIGHT - _BOTTOM - 8 - share * (HEIGHT - _TOP - _BOTTOM - 16), 1)

    courses = []
    for number, name in enumerate(drift.means):
        own = [one for one in sessions if one.class_name == name]
        if not own:
            continue
        shape = _SHAPES[number % len(_SHAPES)]
        courses.append(
            Course(
                name=name,
                shape=shape,
                colour=_COLOURS[number % len(_COLOURS)],
                marks=tuple(
                    _mark(one, x_of(one.at_s), y_of(one.mean), shape, drift) for one in own
                ),
                from_x=min(x_of(one.at_s) for one in own) - 6,
                to_x=max(x_of(one.at_s) for one in own) + 6,
                mean_y=y_of(sum(one.mean for one in own) / len(own)),
            )
        )
    return DriftPlot(
        title=f"{drift.quantity} ({drift.unit}) of each session",
        courses=tuple(courses),
        lowest=f"{low:.4g}",
        highest=f"{high:.4g}",
        begins=_day(begin),
        ends=_day(end),
    )


def legend_path(shape: str) -> str:
    """Return the outline of a shape in a square of 12 by 12, for the legend."""
    return _path(shape, 6, 6)


def _mark(one: SessionMean, x: float, y: float, shape: str, drift: Drift) -> Mark:
    title = f"{one.class_name}, {_day(one.at_s)}: {one.mean:.4g} {drift.unit}"
    return Mark(x, y, _path(shape, x, y), title)


def _path(shape: str, x: float, y: float) -> str:
    corners: dict[str, Sequence[tuple[float, float]]] = {
        "square": ((-4, -4), (4, -4), (4, 4), (-4, 4)),
        "diamond": ((0, -5), (5, 0), (0, 5), (-5, 0)),
        "triangle": ((0, -5), (5, 4), (-5, 4)),
        "cross": ((-5, -1.5), (5, -1.5), (5, 1.5), (-5, 1.5)),
    }
    if shape == "circle":
        return f"M{x - 4:g} {y:g}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z"
    return "M" + "L".join(f"{x + dx:g} {y + dy:g}" for dx, dy in corners[shape]) + "Z"


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")
