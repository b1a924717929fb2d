"""Recipes: immutable, content-hashed plans of shots in YAML, and their expansion into an order.

Knows scenes by name only; opens no camera and no catalogue.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from capture.errors import RecipeError
from datastore.canonical import content_sha256

FrameKind = Literal["dark-field", "flat-field", "fixed-background"]
ImageQuality = Literal["raw", "raw+jpeg", "jpeg"]

FLAT_PANEL = "flat-panel"
"""The scene of a flat field that names none."""

_LONGEST_EXPOSURE_S = 3600
_READY_FOLDER = Path(__file__).parent / "ready_recipes"


def parse_exposure(text: str) -> Fraction:
    """Return the exposure time in seconds that a rational text such as `1/30` or `4` names.

    Raises
    ------
    ValueError
        If it is no positive rational number of at most an hour.
    """
    try:
        exposure = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(
            f"{text!r} is no exposure time in seconds: write 1/30, 4 or 13/10"
        ) from None
    if not 0 < exposure <= _LONGEST_EXPOSURE_S:
        raise ValueError(f"an exposure of {text} s is not between 0 and {_LONGEST_EXPOSURE_S} s")
    return exposure


def _exposure_text(value: object) -> object:
    """Let YAML's plain `4` stand for "4"; a float would hide which rational was meant."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _canonical_exposure(text: str) -> str:
    return str(parse_exposure(text))


def _not_empty(values: tuple[Any, ...]) -> tuple[Any, ...]:
    # pydantic's own min_length also speaks up where the items were malformed
    if not values:
        raise ValueError("the list is empty")
    return values


Exposure = Annotated[
    str, Field(strict=True), BeforeValidator(_exposure_text), AfterValidator(_canonical_exposure)
]
Iso = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShotsOfKind(_Model):
    """One entry of a recipe: every combination of its scenes, exposures and ISOs, `count` times."""

    kind: FrameKind
    scene: Name | None = None
    scenes: tuple[Name, ...] | Literal["all"] | None = None
    exposure: Exposure | None = None
    exposures: Annotated[tuple[Exposure, ...], AfterValidator(_not_empty)] | None = None
    iso: Iso | None = None
    isos: Annotated[tuple[Iso, ...], AfterValidator(_not_empty)] | None = None
    f_number: Annotated[float, Field(gt=0, le=128)] | None = None
    count: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1
    image_quality: ImageQuality = "raw"

    @model_validator(mode="after")
    def _consistent(self) -> ShotsOfKind:
        for one, many in (("exposure", "exposures"), ("iso", "isos")):
            if (getattr(self, one) is None) == (getattr(self, many) is None):
                raise ValueError(f"give either {one} or {many}")
        if self.scene is not None and self.scenes is not None:
            raise ValueError("give either scene or scenes")
        names_scene = self.scene is not None or self.scenes is not None
        if self.kind == "dark-field" and names_scene:
            raise ValueError("a dark field has no scene: remove scene and scenes")
        if self.kind == "fixed-background" and not names_scene:
            raise ValueError("a fixed-background frame needs scene, scenes or `scenes: all`")
        if self.scenes == ():
            raise ValueError("scenes is empty: name scenes or write `scenes: all`")
        return self

    def exposure_texts(self) -> tuple[str, ...]:
        """Return the exposures as canonical rational texts, in order."""
        return self.exposures if self.exposures is not None else (self.exposure or "",)

    def iso_values(self) -> tuple[int, ...]:
        """Return the ISO values, in order."""
        return self.isos if self.isos is not None else (self.iso or 0,)

    def scene_names(self, offered: Sequence[str]) -> tuple[str | None, ...]:
        """Return the scenes of this entry; a single None for dark fields."""
        if self.kind == "dark-field":
            return (None,)
        if self.scene is not None:
            return (self.scene,)
        if self.scenes == "all":
            return tuple(name for name in offered if name != FLAT_PANEL)
        if self.scenes is not None:
            return self.scenes
        return (FLAT_PANEL,)


class Recipe(_Model):
    """A plan of shots; its content hash is its version.

    Attributes
    ----------
    name, description
        What it is called and for.
    order
        `as-listed`, or `randomised` by `order_seed` within each scene.
    warm_up
        Extra shots at the start, taken like the first shot of the plan and marked as warm-up.
    attempts
        How often a shot is tried before the session goes on without it.
    shots
        What to take.
    """

    name: Name
    description: str | None = None
    order: Literal["as-listed", "randomised"] = "as-listed"
    order_seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 0
    warm_up: Annotated[int, Field(strict=True, ge=0, le=100)] = 0
    attempts: Annotated[int, Field(strict=True, ge=1, le=10)] = 2
    shots: Annotated[tuple[ShotsOfKind, ...], AfterValidator(_not_empty)]

    def body(self) -> dict[str, Any]:
        """Return the recipe as plain JSON values, without what it leaves open."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def content_sha256(self) -> str:
        """Hash of the recipe's canonical JSON."""
        return content_sha256(self.body())


@dataclass(frozen=True)
class ShotSpec:
    """One shot of an expanded recipe.

    Attributes
    ----------
    sequence
        Place in the session, from 1.
    kind, scene
        What is photographed; a dark field has no scene.
    exposure
        Exposure time in seconds.
    iso, f_number, image_quality
        Camera settings; an f-number of None leaves the lens as it is.
    warm_up
        True for shots that only bring the camera to its working temperature.
    """

    sequence: int
    kind: FrameKind
    scene: str | None
    exposure: Fraction
    iso: int
    f_number: float | None
    image_quality: ImageQuality
    warm_up: bool = False

    @property
    def cap_on(self) -> bool:
        """Whether the body cap must be on."""
        return self.kind == "dark-field"


def expand(recipe: Recipe, scenes: Sequence[str]) -> tuple[ShotSpec, ...]:
    """Put a recipe's shots into the order in which they are taken.

    Shots of one scene stay together, so that the scene changes as rarely as possible; scenes come
    in the order in which the recipe first names them. A randomised recipe shuffles the shots of
    each scene by its seed: the same recipe gives the same order for ever.

    Parameters
    ----------
    recipe
        The plan.
    scenes
        Names of the fixture's scenes, in the fixture's order.

    Raises
    ------
    RecipeError
        If the recipe names a scene that the fixture does not have.
    """
    groups: dict[str | None, list[ShotSpec]] = {}
    for position, entry in enumerate(recipe.shots):
        names = entry.scene_names(scenes)
        if not names:
            raise RecipeError(f"recipe {recipe.name}: shots[{position}]: the fixture has no scene")
        for scene in names:
            if scene is not None and scene not in scenes:
                raise RecipeError(
                    f"recipe {recipe.name}: shots[{position}]: the fixture has no scene {scene!r};"
                    f" it has {', '.join(scenes) or 'none'}"
                )
            groups.setdefault(scene, []).extend(_shots_of(entry, scene))
    if recipe.order == "randomised":
        generator = random.Random(recipe.order_seed)  # noqa: S311 (an order, not a secret)
        for group in groups.values():
            generator.shuffle(group)
    ordered = [shot for group in groups.values() for shot in group]
    warm_up = [_numbered(ordered[0], 0, warm_up=True)] * recipe.warm_up
    return tuple(
        _numbered(shot, sequence, warm_up=shot.warm_up)
        for sequence, shot in enumerate([*warm_up, *ordered], start=1)
    )


def _shots_of(entry: ShotsOfKind, scene: str | None) -> Iterator[ShotSpec]:
    for exposure in entry.exposure_texts():
        for iso in entry.iso_values():
            for _ in range(entry.count):
                yield ShotSpec(
                    sequence=0,
                    kind=entry.kind,
                    scene=scene,
                    exposure=Fraction(exposure),
                    iso=iso,
                    f_number=entry.f_number,
                    image_quality=entry.image_quality,
                )


def _numbered(shot: ShotSpec, sequence: int, *, warm_up: bool) -> ShotSpec:
    return ShotSpec(
        sequence=sequence,
        kind=shot.kind,
        scene=shot.scene,
        exposure=shot.exposure,
        iso=shot.iso,
        f_number=shot.f_number,
        image_quality=shot.image_quality,
        warm_up=warm_up,
    )


def ready_recipes() -> dict[str, Path]:
    """Return the recipes that come with agetrace: name and path."""
    return {path.stem: path for path in sorted(_READY_FOLDER.glob("*.yaml"))}


def read_recipe(path: Path) -> Recipe:
    """Read and validate a YAML recipe; errors name the field and its line.

    Parameters
    ----------
    path
        A file, or the name of a recipe that comes with agetrace, such as `dark-field-grid`.

    Raises
    ------
    RecipeError
        If it cannot be read or is malformed.
    """
    if not path.exists() and path.parent == Path() and path.stem in ready_recipes():
        path = ready_recipes()[path.stem]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(ready_recipes())
        raise RecipeError(
            f"recipe {path} cannot be read ({error}); ready recipes are {known}"
        ) from None
    return parse_recipe(text, str(path))


def parse_recipe(text: str, source: str) -> Recipe:
    """Validate the text of a YAML recipe; `source` names it in errors.

    Raises
    ------
    RecipeError
        If it is malformed.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_repeated_keys(root, source)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"{source}: no YAML: {error}") from None
    if root is None or not isinstance(content, dict):
        raise RecipeError(f"{source}: a recipe is a mapping with at least name and shots")
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        problems = [
            f"{source}:{_line_of(root, problem['loc'])}: {_field(problem['loc'])}: {_said(problem)}"
            for problem in error.errors()
        ]
        raise RecipeError("\n".join(problems)) from None


def _said(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "no such field in a recipe"
    return str(problem["msg"]).removeprefix("Value error, ")


def _field(location: Iterable[Hashable]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "recipe"


def _line_of(root: yaml.Node, location: Iterable[Hashable]) -> int:
    """Return the line (from 1) of the deepest node of the location that the text holds."""
    node: yaml.Node = root
    line = node.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    node, line = value, key.start_mark.line
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
    return int(line) + 1


def _refuse_repeated_keys(root: yaml.Node | None, source: str) -> None:
    # YAML's loader lets the last of two equal keys win without a word
    waiting = [root] if root is not None else []
    visited: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    raise RecipeError(
                        f"{source}:{key.start_mark.line + 1}: {key.value}: given twice"
                    )
                seen.add(str(key.value))
                waiting.append(value)
