"""Constancy across runs, on maps made by hand whose agreement is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from training.saliency.constancy import constancy
from training.saliency.errors import SaliencyError

Maps = NDArray[np.float32]
RUNS, CLASSES, SCENES, ROWS, COLUMNS = 3, 2, 6, 8, 10


def _made(
    *, of_class: float = 0.0, of_scene: float = 0.0, noise: float = 1.0, seed: int = 0
) -> Maps:
    """Return maps with so much of their class, so much of their scene, and noise of their own."""
    generator = np.random.default_rng(seed)
    classes = generator.normal(size=(1, CLASSES, 1, ROWS, COLUMNS))
    scenes = generator.normal(size=(1, 1, SCENES, ROWS, COLUMNS))
    own = generator.normal(size=(RUNS, CLASSES, SCENES, ROWS, COLUMNS))
    return (of_class * classes + of_scene * scenes + noise * own).astype(np.float32)


def test_agreement_is_the_mean_correlation_of_class_means_of_different_runs() -> None:
    maps = _made(of_class=1.0, seed=1)
    vectors = maps.reshape(RUNS, CLASSES, SCENES, -1).astype(np.float64)
    vectors -= vectors.mean(axis=-1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    means = vectors.mean(axis=2)
    within, across = [], []
    for one in range(RUNS):
        for other in range(RUNS):
            for first in range(CLASSES):
                for second in range(CLASSES):
                    if one == other:
                        continue
                    found = np.corrcoef(means[one, first], means[other, second])[0, 1]
                    (within if first == second else across).append(found)
    measured = constancy(maps, samples=19)
    assert measured.within_class == pytest.approx(np.mean(within), abs=1e-6)
    assert measured.across_classes == pytest.approx(np.mean(across), abs=1e-6)
    assert measured.difference == pytest.approx(np.mean(within) - np.mean(across), abs=1e-6)
    assert (measured.runs, measured.classes, measured.scenes) == (RUNS, CLASSES, SCENES)


def test_maps_of_the_class_agree_within_it_and_on_scenes_that_runs_do_not_share() -> None:
    found = constancy(_made(of_class=2.0))
    assert found.within_class is not None and found.within_class > 0.9
    assert found.across_classes is not None and abs(found.across_classes) < 0.3
    assert found.p_value is not None and found.smallest_p is not None
    # six scenes with two maps each: 2^6 exchanges, of which two only swap the names
    assert found.smallest_p == pytest.approx(2 / 2**SCENES, abs=0.001)
    assert found.p_value <= 0.06
    assert found.other_scenes is not None and found.same_scenes is not None
    assert found.other_scenes > 0.8 * found.same_scenes
    assert found.scene_dependence_p is not None and found.scene_dependence_p > 0.05


def test_maps_of_the_scene_agree_between_runs_and_not_on_other_scenes() -> None:
    """Constancy across runs alone says nothing: such networks agree as well."""
    found = constancy(_made(of_scene=2.0))
    assert found.within_class is not None and found.within_class > 0.7
    assert found.difference is not None and abs(found.difference) < 0.1
    assert found.p_value is not None and found.p_value > 0.05
    assert found.other_scenes is not None and found.same_scenes is not None
    assert found.same_scenes > 0.7 and abs(found.other_scenes) < 0.3
    assert found.scene_dependence_p is not None and found.scene_dependence_p <= 0.01


def test_maps_of_noise_agree_in_nothing_and_p_is_uniform() -> None:
    p_class, p_scene = [], []
    for seed in range(100):
        found = constancy(_made(seed=seed), samples=99, seed=seed)
        assert found.p_value is not None and found.scene_dependence_p is not None
        p_class.append(found.p_value)
        p_scene.append(found.scene_dependence_p)
        assert found.within_class is not None and abs(found.within_class) < 0.5
    for values in (p_class, p_scene):
        false_alarms = int(np.sum(np.array(values) <= 0.05))
        assert stats.binomtest(false_alarms, len(values), 0.05, "greater").pvalue > 0.001
        # neither does the test sleep
        assert np.mean(np.array(values) <= 0.5) > 0.3


def test_what_shared_scenes_add_to_both_classes_moves_with_the_scene() -> None:
    """A scene whose content both runs see in both classes is no tie to the class."""
    alarms = 0
    for seed in range(60):
        found = constancy(_made(of_scene=2.0, seed=seed), samples=99, seed=seed)
        assert found.p_value is not None
        alarms += found.p_value <= 0.05
    assert stats.binomtest(alarms, 60, 0.05, "greater").pvalue > 0.001


def test_affine_changes_of_a_run_change_nothing() -> None:
    maps = _made(of_class=1.0)
    scaled = maps.copy()
    scaled[1] = 5 * scaled[1] + 3
    before, after = constancy(maps, samples=19), constancy(scaled, samples=19)
    assert after.within_class == pytest.approx(before.within_class, abs=1e-5)
    assert after.p_value == before.p_value


def test_missing_scenes_and_uncovered_cells_take_no_part() -> None:
    maps = _made(of_class=2.0)
    uncovered = maps.copy()
    uncovered[..., 0, :] = np.nan
    cut = constancy(maps[..., 1:, :], samples=19)
    assert constancy(uncovered, samples=19).within_class == pytest.approx(cut.within_class)
    missing = maps.copy()
    missing[0, 1, 3] = np.nan
    found = constancy(missing, samples=19)
    assert found.within_class is not None and found.within_class > 0.9
    constant = maps.copy()
    constant[0, 1, 3] = 7.0
    assert constancy(constant, samples=19).within_class == pytest.approx(found.within_class)


def test_too_little_is_undefined_rather_than_wrong() -> None:
    maps = _made(of_class=1.0)
    alone = constancy(maps[:1])
    assert alone.within_class is None and alone.p_value is None and alone.other_scenes is None
    one_class = constancy(maps[:, :1])
    assert one_class.within_class is not None
    assert one_class.across_classes is None and one_class.p_value is None
    one_scene = constancy(maps[:, :, :1])
    assert one_scene.other_scenes is None and one_scene.scene_dependence_p is None
    two_runs = constancy(maps[:2])
    assert two_runs.within_class is not None and two_runs.within_interval is None
    empty = constancy(np.full_like(maps, np.nan))
    assert empty.within_class is None
    with pytest.raises(SaliencyError, match="runs, classes, scenes, rows, columns"):
        constancy(maps[0])
