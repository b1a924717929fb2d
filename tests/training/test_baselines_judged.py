"""Pixel baselines judged on rendered frames: defects alone never make one succeed, biases do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from datastore.datasets.auditing.baselines import judge_baselines
from datastore.datasets.auditing.facts import BaselineFeatures, ItemFacts
from datastore.datasets.auditing.report import AuditParameters
from datastore.frames import Frame
from tests.support.audit_facts import make_facts, own_scenes
from training.baselines import BASELINES, features_of
from training.baselines.features import grids_of_frame

SHAPE = (256, 320)
BLACK, WHITE = 500.0, 16_383
LAMP_SPREAD = 0.003
"""Standard deviation of a session's light: that of a good regulated lamp."""

Photosites = NDArray[np.float64]


def scene(number: int) -> Photosites:
    """What a scene sends to each photosite, in electrons: edges and gradients of its own."""
    generator = np.random.default_rng(1000 + number)
    down, across = np.mgrid[0:1:256j, 0:1:320j]
    light = 2000 + 1500 * down * generator.uniform(-0.5, 0.5) + 900 * across
    for _ in range(12):
        top, left = generator.uniform(0, 0.8, 2)
        inside = (down > top) & (down < top + 0.2) & (across > left) & (across < left + 0.2)
        light = np.where(inside, light * generator.uniform(0.4, 1.8), light)
    return np.asarray(np.clip(light, 200, 6000))


def looked_at(
    facts: ItemFacts,
    seed: int,
    *,
    defects: int = 0,
    strength_dn: float = 0.0,
    brighter: float = 0.0,
    redder: float = 0.0,
) -> list[BaselineFeatures]:
    """Render every item and return what the pixel baselines see.

    The last class has defects that the others lack, is brighter by a share, or redder.
    """
    generator = np.random.default_rng(seed)
    lamp = np.exp(LAMP_SPREAD * generator.normal(size=len(facts.session_names)))
    scenes = [scene(number) for number in range(len(facts.scene_names))]
    places = generator.choice(SHAPE[0] * SHAPE[1], defects, replace=False)
    rows: dict[str, list[NDArray[np.float64]]] = {name: [] for name in BASELINES}
    last = len(facts.class_names) - 1
    for label, session, place in zip(facts.labels, facts.sessions, facts.scenes, strict=True):
        electrons = scenes[place] * lamp[session]
        is_late = label == last
        if is_late:
            electrons = electrons * (1 + brighter)
            electrons[::2, ::2] *= 1 + redder
            electrons[1::2, 1::2] *= 1 - redder
        # a Poisson count of thousands is a normal one
        noisy = electrons + np.sqrt(electrons + 9.0) * generator.standard_normal(SHAPE)
        signal = noisy + BLACK
        if is_late:
            signal.ravel()[places] += strength_dn
        mosaic = np.clip(np.round(signal), 0, WHITE).astype(np.uint16)
        grids = grids_of_frame(Frame(mosaic, "RGGB", WHITE, (BLACK,) * 4, (0, 0, *SHAPE)))
        assert grids is not None
        for name, found in features_of(grids).items():
            rows[name].append(found)
    known = np.ones(len(facts.labels), np.bool_)
    return [BaselineFeatures(name, np.array(found), known) for name, found in rows.items()]


def failing(facts: ItemFacts, features: list[BaselineFeatures]) -> set[str]:
    """Names of the baselines that tell the classes apart on unseen sessions."""
    results = judge_baselines(facts, features, AuditParameters(permutations=499))
    assert {one.name for one in results} == set(BASELINES)
    return {one.name for one in results if one.verdict == "fail"}


# a year of a real sensor adds some photosites in a million; here it is some in ten thousand
@pytest.mark.parametrize(
    ("defects", "strength_dn"),
    [(8, 16_000.0), (80, 800.0), (400, 60.0)],
    ids=["saturated", "hot", "warm"],
)
def test_defects_alone_make_no_baseline_succeed(defects: int, strength_dn: float) -> None:
    facts = make_facts(2)
    assert failing(facts, looked_at(facts, 2, defects=defects, strength_dn=strength_dn)) == set()


def test_light_that_differs_is_found() -> None:
    facts = make_facts(3)
    assert "mean-colour" in failing(facts, looked_at(facts, 3, brighter=0.02))


def test_a_colour_cast_is_told_by_colour_alone() -> None:
    facts = make_facts(4)
    assert failing(facts, looked_at(facts, 4, redder=0.01)) == {"mean-colour"}


def test_scenes_of_a_class_of_their_own_are_found_by_the_thumbnail() -> None:
    facts = own_scenes(make_facts(5))
    assert {"thumbnail", "low-pass"} <= failing(facts, looked_at(facts, 5))


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("defects", "strength_dn"),
    [(0, 0.0), (8, 16_000.0), (80, 800.0), (400, 60.0)],
    ids=["none", "saturated", "hot", "warm"],
)
def test_baselines_alarm_no_more_often_with_defects_than_without(
    defects: int, strength_dn: float, record_property: Callable[[str, object], None]
) -> None:
    sets = 60
    alarms = 0
    for seed in range(sets):
        facts = make_facts(100 + seed)
        features = looked_at(facts, seed, defects=defects, strength_dn=strength_dn)
        alarms += bool(failing(facts, features))
    record_property("defects in a million photosites", 1e6 * defects / (SHAPE[0] * SHAPE[1]))
    record_property("sets", sets)
    record_property("alarms", alarms)
    # the family of baselines may err with 5 %
    assert alarms <= stats.binom.ppf(0.999, sets, 0.05)
