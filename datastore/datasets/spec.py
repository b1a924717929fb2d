"""Dataset specifications: what to freeze, as read from YAML; knows neither rows nor manifests."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Annotated, Any, Literal, Self, TypeGuard

import yaml
from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from datastore.datasets.class_specs import PRESETS, AgeBins, ClassSpec, Origin, Strict
from datastore.datasets.errors import SpecError
from datastore.datasets.patch_spec import PatchSpec
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


class SceneShares(Strict):
    """How many scenes go to validation and to the tests: a count, a fraction, or their names.

    `test` is left out where folds say it.
    """

    validation: SceneShare = 0
    test: SceneShare | None = None


class SessionShares(Strict):
    """How many sessions of each class go to validation and to the tests; the rest is train.

    `test` is left out where folds say it.
    """

    validation: Annotated[int, Field(ge=0, strict=True)] = 0
    test: Annotated[int, Field(ge=1, strict=True)] | None = None


class BlocksSpec(Strict):
    """How scenes and sessions are shared out to the blocks."""

    scenes: SceneShares | None = None
    sessions_per_class: SessionShares


class FoldsSpec(Strict):
    """A repeated two-way cross-validation: as many datasets as `k` times `repeats`.

    Scenes are dealt into `k` folds and the sessions of each class, too; fold i is tested on its own
    scenes and sessions. Each repeat deals anew.
    """

    k: Annotated[int, Field(ge=2, le=100, strict=True)]
    repeats: Annotated[int, Field(ge=1, le=100, strict=True)] = 1

    @property
    def number(self) -> int:
        """How many folds there are in all."""
        return self.k * self.repeats


class Waiver(Strict):
    """A constraint that is not to be enforced, and why."""

    constraint: ConstraintName
    reason: Text


class _Waivable(Strict):
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

    Labels are `classes` of timeslots, or `age_bins`. With `label: age` each item carries its age,
    too, since `age_origin`: the classes still control the content, and the age is what a regression
    learns. All cameras count from one origin, as a session has one class.

    `exposures` are rational strings of seconds. `classes` may be the name of a preset. With `folds`
    a specification stands for that many datasets, of which `fold` chooses one. Of `splits`
    seeded ways to share scenes and sessions out, the one that keeps most frames is taken (one way
    where it is not given). `patches` says
    what networks see of each frame, and selects nothing. `parent` is the version of the dataset
    that this one continues, for lineage only.
    """

    scheme: Text
    cameras: Annotated[tuple[Text, ...], Field(min_length=1)]
    kind: Kind = "fixed-background"
    role: Role
    input: Input | None = None
    classes: Annotated[tuple[ClassSpec, ...], Field(min_length=2)] | None = None
    age_bins: AgeBins | None = None
    age_origin: Origin | None = None
    label: Literal["class", "age"] | None = None
    isos: tuple[Annotated[int, Field(gt=0)], ...] | None = None
    exposures: tuple[Exposure, ...] | None = None
    scenes: tuple[Text, ...] | None = None
    blocks: BlocksSpec
    folds: FoldsSpec | None = None
    fold: Annotated[int, Field(ge=0, strict=True)] | None = None
    splits: Annotated[int, Field(ge=1, le=1000, strict=True)] | None = None
    patches: PatchSpec | None = None
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

    @field_validator("classes", mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in PRESETS:
            raise ValueError(f"there is no preset {value!r}; there are {', '.join(PRESETS)}")
        return [{"name": f"slots-{name}", "timeslots": slots} for name, slots in PRESETS[value]]

    @field_validator("classes")
    @classmethod
    def _disjoint_classes(
        cls, classes: tuple[ClassSpec, ...] | None
    ) -> tuple[ClassSpec, ...] | None:
        if classes is None:
            return None
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
        self._require_folds()
        self._require_labels()
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

    def _require_labels(self) -> None:
        if (self.classes is None) == (self.age_bins is None):
            raise ValueError("classes: give either classes or age_bins")
        needs_origin = self.age_bins is not None or self.label == "age"
        if needs_origin and self.age_origin is None:
            raise ValueError("age_origin is missing: say from which time ages count")
        if not needs_origin and self.age_origin is not None:
            raise ValueError("age_origin: nothing asks for ages; give age_bins or label: age")

    def age_s(self, at: datetime) -> int | None:
        """Return the age at a time in whole seconds, where ages are the label."""
        if self.label != "age" or self.age_origin is None:
            return None
        return (at - self.age_origin) // timedelta(seconds=1)

    def _require_folds(self) -> None:
        shares = [("sessions_per_class", self.blocks.sessions_per_class.test)]
        if self.blocks.scenes is not None:
            shares.append(("scenes", self.blocks.scenes.test))  # type: ignore[arg-type]
        for name, test in shares:
            if self.folds is None and test is None:
                raise ValueError(f"blocks.{name}.test is missing: say how many are for tests")
            if self.folds is not None and test is not None:
                raise ValueError(f"blocks.{name}.test: folds say what is tested: leave it out")
        if self.folds is not None and self.splits is not None:
            raise ValueError("splits: folds are dealt by the seed alone: leave it out")
        scenes = self.blocks.scenes
        if self.folds is not None and scenes is not None and isinstance(scenes.validation, tuple):
            raise ValueError("blocks.scenes.validation: folds test every scene: give a count")
        if self.folds is None and self.fold is not None:
            raise ValueError("fold: there are no folds to choose from; give folds, too")
        if self.folds is not None and self.fold is not None and self.fold >= self.folds.number:
            raise ValueError(f"fold: there are folds 0 to {self.folds.number - 1} only")

    def of_fold(self, fold: int) -> DatasetSpec:
        """Return the specification of one fold, named `NAME-fold-01` and so on.

        Raises
        ------
        SpecError
            If there is no such fold.
        """
        if self.folds is None or not 0 <= fold < self.folds.number:
            raise SpecError(f"fold: dataset {self.name} has no fold {fold}")
        width = max(2, len(str(self.folds.number)))
        name = f"{self.name}-fold-{fold + 1:0{width}d}"
        return self.model_copy(update={"name": name, "fold": fold})


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


def is_family(spec: Spec) -> TypeGuard[DatasetSpec]:
    """Tell whether a specification stands for all its folds."""
    return isinstance(spec, DatasetSpec) and spec.folds is not None and spec.fold is None


def folds_of(spec: Spec) -> list[Spec]:
    """Return the specification of each dataset that is to be frozen: one, or one per fold."""
    if is_family(spec) and spec.folds is not None:
        return [spec.of_fold(fold) for fold in range(spec.folds.number)]
    return [spec]


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
