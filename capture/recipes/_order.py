"""The order in which a recipe's shots are taken; pure and decided by the recipe's seed alone."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from capture.errors import RecipeError
from capture.recipes._model import FrameKind, ImageQuality, OnFailure, Recipe, ShotsOfKind


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
    attempts
        How often it is tried.
    on_failure
        Whether the session goes on without it.
    """

    sequence: int
    kind: FrameKind
    scene: str | None
    exposure: Fraction
    iso: int
    f_number: float | None
    image_quality: ImageQuality
    warm_up: bool = False
    attempts: int = 2
    on_failure: OnFailure = "continue"

    @property
    def cap_on(self) -> bool:
        """Whether the body cap must be on."""
        return self.kind == "dark-field"


def expand(recipe: Recipe, scenes: Sequence[str]) -> tuple[ShotSpec, ...]:
    """Put a recipe's shots into the order in which they are taken.

    Shots of one scene stay together, so that the scene changes as rarely as possible. The same
    recipe gives the same order for ever.

    A counterbalanced recipe takes every combination once a repetition. A repetition's order is
    drawn by the seed and taken backwards by the next one: over such a pair each combination has the
    same mean place, so that no steady drift (a sensor that warms up) passes for an effect of
    exposure or ISO, and whatever came before a combination comes after it in turn. Orders in which
    every combination follows every other one equally often (Williams 1949, Australian Journal of
    Scientific Research A 2, 149-168) need as many repetitions as there are combinations, which is
    more than sessions take; a pair needs two.

    A recipe that randomises its scenes moves those of fixed-background frames among their places;
    dark and flat fields stay where they are listed. Those take place first in many recipes, while
    the body is cool.

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
    groups = _groups(recipe, scenes)
    generator = random.Random(recipe.order_seed)  # noqa: S311 (an order, not a secret)
    if recipe.order == "randomised":
        for group in groups.values():
            generator.shuffle(group)
    elif recipe.order == "counterbalanced":
        groups = {scene: _counterbalanced(group, generator) for scene, group in groups.items()}
    if recipe.scene_order == "randomised":
        groups = _scenes_shuffled(groups, generator)
    ordered = [shot for group in groups.values() for shot in group]
    # nothing is lost with a warm-up shot
    warm_up = replace(ordered[0], warm_up=True, on_failure="continue")
    return tuple(
        replace(shot, sequence=sequence)
        for sequence, shot in enumerate([*[warm_up] * recipe.warm_up, *ordered], start=1)
    )


def _groups(recipe: Recipe, scenes: Sequence[str]) -> dict[str | None, list[ShotSpec]]:
    """Return the shots of each scene as they are listed, scenes in the order of first mention."""
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
            groups.setdefault(scene, []).extend(_shots_of(recipe, entry, scene))
    return groups


def _shots_of(recipe: Recipe, entry: ShotsOfKind, scene: str | None) -> Iterator[ShotSpec]:
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
                    attempts=entry.attempts or recipe.attempts,
                    on_failure=entry.on_failure or recipe.on_failure,
                )


def _counterbalanced(group: Sequence[ShotSpec], generator: random.Random) -> list[ShotSpec]:
    counts = Counter(group)
    ordered: list[ShotSpec] = []
    repetition: list[ShotSpec] = []
    for number in range(max(counts.values())):
        is_mirror = number % 2 == 1
        if is_mirror:
            repetition = repetition[::-1]
        repetition = [
            spec for spec in (repetition if is_mirror else counts) if counts[spec] > number
        ]
        if not is_mirror:
            generator.shuffle(repetition)
        ordered.extend(repetition)
    return ordered


def _scenes_shuffled(
    groups: dict[str | None, list[ShotSpec]], generator: random.Random
) -> dict[str | None, list[ShotSpec]]:
    movable = [
        scene
        for scene, group in groups.items()
        if any(spec.kind == "fixed-background" for spec in group)
    ]
    shuffled = iter(generator.sample(movable, len(movable)))
    order = [next(shuffled) if scene in movable else scene for scene in groups]
    return {scene: groups[scene] for scene in order}
