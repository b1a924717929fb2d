"""What a recipe may say, and its content hash; knows no order, no file and no camera."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from capture.checks import CheckThresholds
from datastore.canonical import content_sha256
from datastore.descriptions import Name

FrameKind = Literal["dark-field", "flat-field", "fixed-background"]
ImageQuality = Literal["raw", "raw+jpeg", "jpeg"]
OnFailure = Literal["continue", "abort"]

FLAT_PANEL = "flat-panel"
"""The scene of a flat field that names none."""

_LONGEST_EXPOSURE_S = 3600


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
Attempts = Annotated[int, Field(strict=True, ge=1, le=10)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShotsOfKind(_Model):
    """One entry of a recipe: every combination of its scenes, exposures and ISOs, `count` times.

    `attempts` and `on_failure` take the place of the recipe's own where they are given.
    """

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
    attempts: Attempts | None = None
    on_failure: OnFailure | None = None

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
        Of the shots of each scene: `as-listed`, `randomised`, or `counterbalanced`: every
        combination once a repetition, every other repetition the one before it backwards.
    scene_order
        `as-listed`, or `randomised`.
    order_seed
        What both are drawn by.
    warm_up
        Extra shots at the start, taken like the first shot of the plan and marked as warm-up.
    attempts
        How often a shot is tried.
    on_failure
        Whether the session goes on without a shot that failed in all its attempts.
    checks
        Thresholds that the frames are held against.
    shots
        What to take.
    """

    name: Name
    description: str | None = None
    order: Literal["as-listed", "randomised", "counterbalanced"] = "as-listed"
    scene_order: Literal["as-listed", "randomised"] = "as-listed"
    order_seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 0
    warm_up: Annotated[int, Field(strict=True, ge=0, le=100)] = 0
    attempts: Attempts = 2
    on_failure: OnFailure = "continue"
    checks: CheckThresholds = CheckThresholds()
    shots: Annotated[tuple[ShotsOfKind, ...], AfterValidator(_not_empty)]

    def body(self) -> dict[str, Any]:
        """Return the recipe as plain JSON values, without what it leaves open."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def content_sha256(self) -> str:
        """Hash of the recipe's canonical JSON."""
        return content_sha256(self.body())
