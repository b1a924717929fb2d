"""Dataset specifications: what to freeze, as read from YAML; knows neither rows nor manifests."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from datastore.datasets.errors import SpecError
from datastore.descriptions import Name, describe_problems

ConstraintName = Literal[
    "same-scenes",
    "same-settings",
    "same-counts",
    "replicated-sessions",
    "accepted-only",
    "one-pipeline",
    "no-simulated-mix",
]
"""The constraints that a dataset satisfies unless they are waived by name."""

Kind = Literal["fixed-background", "natural"]
Role = Literal["raw", "jpeg"]
Input = Literal["raw-mosaic", "raw-planes", "jpeg-luma", "jpeg-rgb"]


def rational_text(value: Any) -> str:
    """Write a number, or text such as `1/30` or `0.5`, as a reduced rational string.

    Raises
    ------
    ValueError
        If it is no positive number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Fraction)):
        raise ValueError("expected a number or text such as 1/30")
    try:
        number = Fraction(str(value).strip())
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is no number; write for example 1/30 or 0.5") from None
    if number <= 0:
        raise ValueError(f"{value!r} is not positive")
    return str(number)


def _scene_share(value: Any) -> Any:
    """Normalise a share of scenes: a count, a rational string below one, or names."""
    if isinstance(value, bool):
        raise ValueError("expected a count, a fraction or a list of scene names")
    if isinstance(value, int):
        if value < 0:
            raise ValueError("a count of scenes is not negative")
        return value
    if isinstance(value, (float, str)):
        share = rational_text(value)
        if Fraction(share) >= 1:
            raise ValueError(f"the fraction {value!r} must lie between 0 and 1")
        return share
    if isinstance(value, (list, tuple)):
        if not value or not all(isinstance(name, str) and name for name in value):
            raise ValueError("expected a list of scene names")
        if len(set(value)) != len(value):
            raise ValueError("a scene is named twice")
        return tuple(sorted(value))
    raise ValueError("expected a count, a fraction or a list of scene names")


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Exposure = Annotated[str, BeforeValidator(rational_text)]
SceneShare = Annotated[int | str | tuple[str, ...], BeforeValidator(_scene_share)]


def _check_name(name: str) -> str:
    if re.fullmatch(r"[0-9a-f]+", name):
        raise ValueError("must not read like the start of a version (digits and letters a to f)")
    return name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassSpec(_Strict):
    """A label and the timeslots that it stands for."""

    name: Name
    timeslots: Annotated[tuple[int, ...], Field(min_length=1)]

    @field_validator("timeslots")
    @classmethod
    def _distinct(cls, ordinals: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(ordinals)) != len(ordinals):
            raise ValueError("a timeslot is named twice")
        return tuple(sorted(ordinals))


class SceneShares(_Strict):
    """How many scenes go to validation and to the tests: a count, a fraction, or their names."""

    validation: SceneShare = 0
    test: SceneShare


class SessionShares(_Strict):
    """How many sessions of each class go to validation and to the tests; the rest is train."""

    validation: Annotated[int, Field(ge=0, strict=True)] = 0
    test: Annotated[int, Field(ge=1, strict=True)]


class BlocksSpec(_Strict):
    """How scenes and sessions are shared out to the blocks."""

    scenes: SceneShares | None = None
    sessions_per_class: SessionShares


class Waiver(_Strict):
    """A constraint that is not to be enforced, and why."""

    constraint: ConstraintName
    reason: Text


class _Waivable(_Strict):
    name: Name
    seed: Annotated[int, Field(ge=0, strict=True)] = 0
    waive: tuple[Waiver, ...] = ()

    @field_validator("name")
    @classmethod
    def _no_version(cls, name: str) -> str:
        return _check_name(name)

    @field_validator("waive")
    @classmethod
    def _waived_once(cls, waivers: tuple[Waiver, ...]) -> tuple[Waiver, ...]:
        if len({waiver.constraint for waiver in waivers}) != len(waivers):
            raise ValueError("a constraint is waived twice")
        return tuple(sorted(waivers, key=lambda waiver: waiver.constraint))

    @property
    def waived(self) -> frozenset[str]:
        """Names of the constraints that are not enforced."""
        return frozenset(waiver.constraint for waiver in self.waive)


class DatasetSpec(_Waivable):
    """What to select from the catalogue, which constraints may be broken, how to split.

    `exposures` are rational strings of seconds. `parent` is the version of the dataset that this
    one continues, for lineage only.
    """

    scheme: Text
    cameras: Annotated[tuple[Text, ...], Field(min_length=1)]
    kind: Kind = "fixed-background"
    role: Role
    input: Input | None = None
    classes: Annotated[tuple[ClassSpec, ...], Field(min_length=2)]
    isos: tuple[Annotated[int, Field(gt=0)], ...] | None = None
    exposures: tuple[Exposure, ...] | None = None
    scenes: tuple[Text, ...] | None = None
    blocks: BlocksSpec
    parent: Text | None = None

    @field_validator("cameras", "isos", "exposures", "scenes")
    @classmethod
    def _ordered(cls, values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if values is None:
            return None
        if not values:
            raise ValueError("an empty list selects nothing; leave the field out to select all")
        if len(set(values)) != len(values):
            raise ValueError("a value is named twice")
        return tuple(sorted(values))

    @field_validator("classes")
    @classmethod
    def _disjoint_classes(cls, classes: tuple[ClassSpec, ...]) -> tuple[ClassSpec, ...]:
        if len({one.name for one in classes}) != len(classes):
            raise ValueError("two classes have the same name")
        ordinals = [ordinal for one in classes for ordinal in one.timeslots]
        for ordinal in ordinals:
            if ordinals.count(ordinal) > 1:
                raise ValueError(f"timeslot {ordinal} is in two classes")
        return classes

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.input is not None and not self.input.startswith(self.role):
            raise ValueError(f"input {self.input} cannot be made from role {self.role}")
        if self.kind == "natural":
            if self.blocks.scenes is not None or self.scenes is not None:
                raise ValueError("natural frames have no scenes: leave out scenes, blocks.scenes")
            return self
        if self.blocks.scenes is None:
            raise ValueError("blocks.scenes is missing: say how many scenes are for tests")
        shares = self.blocks.scenes
        if shares.test == 0:
            raise ValueError("blocks.scenes.test is 0: the clean block needs a scene of its own")
        if (shares.validation == 0) != (self.blocks.sessions_per_class.validation == 0):
            raise ValueError(
                "blocks: validation needs scenes and sessions of its own: give both or neither"
            )
        if isinstance(shares.validation, tuple) and isinstance(shares.test, tuple):
            both = sorted(set(shares.validation) & set(shares.test))
            if both:
                raise ValueError(f"blocks.scenes: {both[0]} is in validation and in test")
        return self


class OwnScenesSpec(_Waivable):
    """A deliberately biased dataset: each class sees only its own scenes of a controlled parent.

    Everyday collections are like this. Cameras, classes, settings and blocks are the parent's.
    """

    parent: Text
    scenes_per_class: Literal["own-scenes"]

    @model_validator(mode="after")
    def _waived_same_scenes(self) -> Self:
        if "same-scenes" not in self.waived:
            raise ValueError(
                "scenes_per_class: own-scenes breaks the constraint same-scenes:"
                " waive it by name, with a reason"
            )
        return self


Spec = DatasetSpec | OwnScenesSpec


def make_spec(document: Any, source: str = "specification") -> Spec:
    """Validate a specification that was already read from YAML or JSON.

    Raises
    ------
    SpecError
        If a field is unknown, missing or wrong; the message names it.
    """
    if not isinstance(document, dict):
        raise SpecError(f"{source}: expected fields such as name and classes, not a list or text")
    model = OwnScenesSpec if "scenes_per_class" in document else DatasetSpec
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise SpecError(f"{source}: {describe_problems(error)}") from None


def parse_spec(text: str, source: str = "specification") -> Spec:
    """Read a specification from YAML.

    Parameters
    ----------
    text
        The YAML document.
    source
        Name of the file, for messages.

    Returns
    -------
    Spec
        A selection from the catalogue, or an own-scenes set drawn from a parent.

    Raises
    ------
    SpecError
        If the text is no YAML, or a field is unknown, missing or wrong; the message names it.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(f"{source}: not readable as YAML: {error}") from None
    return make_spec(document, source)
