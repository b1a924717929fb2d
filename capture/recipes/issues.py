"""What stands between a recipe and the cameras that are to take it: every issue, not the first.

Pure: it is told what the cameras offer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Final

from capture.cameras.choices import NAMES, choice_for, parse_number
from capture.errors import SettingNotOfferedError
from capture.recipes._order import ShotSpec

_NEAREST: Final = 4


@dataclass(frozen=True)
class OfferedByCamera:
    """A camera's maker, and its choices for each field of a recipe."""

    make: str
    choices: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class RecipeIssue:
    """Something that keeps a recipe from being taken as it is, or that its operator should know.

    Attributes
    ----------
    camera
        Serial; None for what concerns no single camera.
    field
        A field of the recipe, or what else it is about: `clock`, `battery`, `space` ...
    wanted
        What was asked for, None where nothing was.
    nearest
        What there is instead.
    sentence
        All of it in words.
    is_blocking
        Whether a session could not take the recipe.
    is_request
        Whether another recipe would help, rather than another state of the equipment.
    """

    camera: str | None
    field: str
    wanted: str | None
    nearest: tuple[str, ...]
    sentence: str
    is_blocking: bool = True
    is_request: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the issue as JSON values."""
        return {**asdict(self), "nearest": list(self.nearest)}


def issues_with(
    plan: Sequence[ShotSpec], offered_by_camera: Mapping[str, OfferedByCamera]
) -> list[RecipeIssue]:
    """Return every setting of a plan that a camera does not offer, once for each camera.

    Parameters
    ----------
    plan
        An expanded recipe.
    offered_by_camera
        What each camera offers, by its serial.
    """
    issues = []
    for serial, offered in offered_by_camera.items():
        for field in NAMES:
            # a dict keeps the plan's order and each value once
            for wanted in dict.fromkeys(getattr(spec, field) for spec in plan):
                issue = None if wanted is None else _issue(serial, offered, field, wanted)
                if issue is not None:
                    issues.append(issue)
    return issues


def refuse_not_offered(issues: Sequence[RecipeIssue]) -> None:
    """Raise all issues as one error, if there are any.

    Raises
    ------
    SettingNotOfferedError
        If there are; one line for each.
    """
    if issues:
        lines = [issue.sentence for issue in issues]
        raise SettingNotOfferedError("\n".join([*lines[:-1], f"{lines[-1]}; change the recipe"]))


def _issue(
    serial: str, offered: OfferedByCamera, field: str, wanted: Fraction | int | float | str
) -> RecipeIssue | None:
    choices = offered.choices.get(field, ())
    try:
        choice_for(field, wanted, choices, offered.make)
    except SettingNotOfferedError as error:
        return RecipeIssue(
            camera=serial,
            field=field,
            wanted=str(wanted),
            nearest=tuple(choices) if field == "image_quality" else _nearest(wanted, choices),
            sentence=f"camera {serial}: {error}",
            is_request=True,
        )
    return None


def _nearest(wanted: Fraction | int | float | str, choices: Sequence[str]) -> tuple[str, ...]:
    """Return the choices next to a number, upwards."""
    target = Fraction(str(wanted))
    numbers = [(number, text) for text in choices if (number := parse_number(text)) is not None]
    nearest = sorted(numbers, key=lambda pair: abs(pair[0] - target))[:_NEAREST]
    return tuple(text for _, text in sorted(nearest))
