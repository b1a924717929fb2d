"""Made-up facts of datasets to audit: sessions with offsets of their own, and planted biases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from datastore.datasets.auditing.facts import BaselineFeatures, ItemFacts, Nuisance

DAY_S = 86_400.0


def make_facts(
    seed: int,
    *,
    sessions_per_class: int = 8,
    test_sessions: int = 4,
    scenes: int = 6,
    test_scenes: int = 2,
    repeats: int = 2,
    classes: int = 2,
    shifts: Mapping[str, float] | None = None,
) -> ItemFacts:
    """Every session shows every scene; quantities have an offset per session and noise per frame.

    `shifts` adds to a quantity that many standard deviations of session offsets in the last class.
    """
    generator = np.random.default_rng(seed)
    shifts = shifts or {}
    rows: list[tuple[int, int, int, str, float]] = []
    for label in range(classes):
        for number in range(sessions_per_class):
            session = label * sessions_per_class + number
            starts = (label * 600 + number * 7 + generator.uniform(0, 0.3)) * DAY_S
            is_test = number < test_sessions
            for scene in range(scenes):
                scene_is_test = scene < test_scenes
                block = {
                    (False, False): "train",
                    (True, False): "new-session",
                    (False, True): "new-scene",
                    (True, True): "clean",
                }[is_test, scene_is_test]
                for repeat in range(repeats):
                    at = starts + 60.0 * scene + 7.0 * repeat
                    rows.append((label, session, scene, block, at))
    labels, sessions, scene_codes = (
        np.array([row[place] for row in rows], np.int64) for place in range(3)
    )
    count, session_count = len(rows), classes * sessions_per_class
    is_late = labels == classes - 1

    def quantity(name: str, per_scene: float) -> Nuisance:
        offsets = generator.normal(size=session_count)
        levels = generator.normal(size=scenes) * per_scene
        values = offsets[sessions] + levels[scene_codes] + 0.3 * generator.normal(size=count)
        return Nuisance(name, values + shifts.get(name, 0.0) * is_late, None, controlled=False)

    hours = generator.uniform(0, 24, session_count)
    hour = hours[sessions] + 0.01 * np.arange(count) / count
    if "hour_of_day" in shifts:
        hour = np.where(is_late, 23.0, 1.0) + shifts["hour_of_day"] * generator.normal(size=count)
    operators = generator.integers(0, 3, session_count)
    if "operator" in shifts:
        last = np.arange(session_count) >= session_count - sessions_per_class
        told = generator.random(session_count) < shifts["operator"]
        operators = np.where(told, np.where(last, 2, 0), operators)
    scene_names = tuple(f"scene-{number}" for number in range(scenes))
    return ItemFacts(
        manifest_version="0" * 64,
        class_names=tuple(f"class-{number}" for number in range(classes)),
        labels=labels,
        sessions=sessions,
        session_names=tuple(f"session-{number}" for number in range(session_count)),
        cameras=np.zeros(count, np.int64),
        camera_names=("Nikon D750 1",),
        scenes=scene_codes,
        scene_names=scene_names,
        blocks=np.array([row[3] for row in rows], np.str_),
        triggered_s=np.array([row[4] for row in rows]),
        nuisances=(
            Nuisance("scene", scene_codes, scene_names, controlled=True),
            Nuisance("iso", np.zeros(count, np.int64), ("800",), controlled=True),
            Nuisance("exposure", np.zeros(count, np.int64), ("1/30",), controlled=True),
            quantity("temperature_c", 0.0),
            quantity("mean_dn", 5.0),
            quantity("registration_shift_photosites", 0.5),
            Nuisance("hour_of_day", np.mod(hour, 24.0), None, controlled=False),
            Nuisance("operator", operators[sessions], ("Ana", "Bo", "Cy"), controlled=False),
        ),
        hashes=generator.integers(0, 2**63, (scenes, 4), np.uint64)[scene_codes],
        hashed=np.ones(count, np.bool_),
        natural=False,
    )


def with_nuisance(facts: ItemFacts, nuisance: Nuisance) -> ItemFacts:
    """The facts with one nuisance changed or added."""
    others = tuple(one for one in facts.nuisances if one.name != nuisance.name)
    return replace(facts, nuisances=(*others, nuisance))


def pixel_baselines(facts: ItemFacts, seed: int, **signal: float) -> list[BaselineFeatures]:
    """Features of the three pixel baselines: scene, session offset, noise, and a planted signal."""
    generator = np.random.default_rng(seed + 1)
    found = []
    for name in ("thumbnail", "low-pass", "mean-colour"):
        size = 12
        values = (
            generator.normal(size=(len(facts.scene_names), size))[facts.scenes] * 3
            + generator.normal(size=(len(facts.session_names), size))[facts.sessions] * 0.3
            + generator.normal(size=(len(facts.labels), size)) * 0.3
        )
        values[:, 0] += signal.get(name.replace("-", "_"), 0.0) * facts.labels
        found.append(BaselineFeatures(name, values, np.ones(len(values), np.bool_)))
    return found


def own_scenes(facts: ItemFacts) -> ItemFacts:
    """Each class keeps its own half of the scenes of train and of new-session."""
    mine = (facts.scenes % len(facts.class_names)) == facts.labels
    keep = mine & np.isin(facts.blocks, ["train", "new-session"])
    return only(facts, keep)


def only(facts: ItemFacts, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> ItemFacts:
    """Some of the items."""
    return replace(
        facts,
        labels=facts.labels[keep],
        sessions=facts.sessions[keep],
        cameras=facts.cameras[keep],
        scenes=facts.scenes[keep],
        blocks=facts.blocks[keep],
        triggered_s=facts.triggered_s[keep],
        nuisances=tuple(replace(one, values=one.values[keep]) for one in facts.nuisances),
        hashes=facts.hashes[keep],
        hashed=facts.hashed[keep],
    )
