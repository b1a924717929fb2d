"""Content independence, on maps made by hand: edges, luminance, and the scene from the map."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage, stats

from training.saliency.content_independence import content_independence, edge_strength
from training.saliency.errors import SaliencyError

Maps = NDArray[np.float32]
SCENES, SESSIONS, ROWS, COLUMNS = 5, 4, 10, 12


def _images(
    of_scene: float = 0.0,
    of_edges: float = 0.0,
    of_luminance: float = 0.0,
    common: float = 0.0,
    seed: int = 0,
) -> tuple[Maps, Maps, list[str], list[str]]:
    """Return maps, luminance, scenes and sessions: each scene once in each session."""
    generator = np.random.default_rng(seed)
    pictures = ndimage.gaussian_filter(
        generator.normal(size=(SCENES, ROWS, COLUMNS)), (0, 1, 1)
    ).astype(np.float32)
    own = generator.normal(size=(SCENES, ROWS, COLUMNS))
    of_all = generator.normal(size=(ROWS, COLUMNS))
    maps, luminance, scenes, sessions = [], [], [], []
    for session in range(SESSIONS):
        for scene in range(SCENES):
            noise = generator.normal(size=(ROWS, COLUMNS))
            edges = edge_strength(pictures[scene])
            made = noise + of_scene * own[scene] + common * of_all
            made = made + of_edges * edges / edges.std()
            made = made + of_luminance * pictures[scene] / pictures[scene].std()
            maps.append(made)
            luminance.append(pictures[scene] + 0.01 * generator.normal(size=(ROWS, COLUMNS)))
            scenes.append(f"scene {scene}")
            sessions.append(f"session {session}")
    return np.float32(maps), np.float32(luminance), scenes, sessions


def test_a_step_has_the_edge_that_it_has() -> None:
    step = np.zeros((6, 8), np.float32)
    step[:, 4:] = 4.0
    found = edge_strength(step)
    assert found.dtype == np.float32
    # the step is shared by the cells on its two sides: half of 4 per cell each
    np.testing.assert_allclose(found[:, 3:5], 2.0)
    np.testing.assert_allclose(found[:, [0, 1, 2, 5, 6, 7]], 0.0)
    ramp = np.add.outer(3.0 * np.arange(6), 4.0 * np.arange(8)).astype(np.float32)
    np.testing.assert_allclose(edge_strength(ramp)[1:-1, 1:-1], 5.0, rtol=1e-6)
    step[0, 0] = np.nan
    assert np.isnan(edge_strength(step)[0, 0]) and np.isfinite(edge_strength(step)[3, 3])
    many = np.stack([ramp, 2 * ramp])
    np.testing.assert_allclose(edge_strength(many)[1], 2 * edge_strength(ramp))


def test_correlations_are_those_of_numpy() -> None:
    maps, luminance, scenes, sessions = _images(of_luminance=1.0)
    found = content_independence(maps, luminance, scenes, sessions)
    pairs = zip(maps, luminance, strict=True)
    expected = [np.corrcoef(one.ravel(), seen.ravel())[0, 1] for one, seen in pairs]
    assert found.luminance is not None
    assert found.luminance.correlation == pytest.approx(np.mean(expected), abs=1e-6)
    assert found.luminance.interval.contains(float(np.mean(expected)))
    assert (found.images, found.scenes, found.sessions) == (20, SCENES, SESSIONS)
    # five scenes have 120 pairings with pictures
    assert found.luminance.smallest_p == pytest.approx(1 / 120)


@pytest.mark.parametrize("what", ["edges", "luminance"])
def test_maps_that_show_the_picture_are_told(what: str) -> None:
    given = {"of_edges": 2.0} if what == "edges" else {"of_luminance": 2.0}
    found = content_independence(*_images(**given))
    told = found.edges if what == "edges" else found.luminance
    assert told is not None and told.p_value is not None
    assert told.correlation > 0.7 and told.p_value <= 0.05
    # what changes with the picture tells the scene
    assert found.recognition is not None and found.recognition.accuracy == 1.0
    assert found.recognition.p_value <= 0.01


def test_a_scene_is_recognised_from_maps_of_other_sessions_alone() -> None:
    found = content_independence(*_images(of_scene=2.0)).recognition
    assert found is not None
    assert found.accuracy == 1.0 and found.images == 20
    assert found.chance == pytest.approx(1 / SCENES, abs=0.12)
    assert found.p_value == pytest.approx(1 / 1000)
    # once in one session each: nothing can be learned from another one
    maps, luminance, scenes, _ = _images(of_scene=2.0)
    together = ["one session"] * len(scenes)
    assert content_independence(maps, luminance, scenes, together).recognition is None


def test_what_all_maps_share_is_no_content() -> None:
    found = content_independence(*_images(common=3.0))
    assert found.between_scenes is not None and found.between_scenes > 0.9
    assert found.recognition is not None and found.recognition.p_value > 0.05
    alike = found.scene_correlations
    assert alike is not None and alike.p_value > 0.05
    assert alike.same_scene == pytest.approx(alike.other_scene, abs=0.05)


def test_same_scenes_are_more_alike_than_others_where_maps_depend_on_them() -> None:
    found = content_independence(*_images(of_scene=2.0)).scene_correlations
    assert found is not None
    assert found.same_scene > 0.6 and abs(found.other_scene) < 0.2
    assert found.p_value <= 0.01


def test_sessions_that_look_different_do_not_pass_for_scenes() -> None:
    """Each session's maps share something of their own, which says nothing of the scene."""
    generator = np.random.default_rng(3)
    maps, luminance, scenes, sessions = _images()
    of_session = 3 * generator.normal(size=(SESSIONS, ROWS, COLUMNS)).repeat(SCENES, axis=0)
    found = content_independence(
        (maps + of_session).astype(np.float32), luminance, scenes, sessions
    )
    assert found.recognition is not None and found.recognition.p_value > 0.05
    assert found.scene_correlations is not None and found.scene_correlations.p_value > 0.05


def test_maps_of_noise_raise_false_alarms_as_often_as_promised() -> None:
    names = ("edges", "luminance", "recognition", "scene_correlations")
    alarms = dict.fromkeys(names, 0)
    for seed in range(80):
        found = content_independence(*_images(common=1.0, seed=seed), samples=99, seed=seed)
        for name in names:
            alarms[name] += getattr(found, name).p_value <= 0.05
    for name, count in alarms.items():
        assert stats.binomtest(count, 80, 0.05, "greater").pvalue > 0.001, name


def test_constant_maps_are_counted_and_left_out() -> None:
    maps, luminance, scenes, sessions = _images(of_scene=2.0)
    maps[7] = 3.0
    found = content_independence(maps, luminance, scenes, sessions, samples=19)
    assert (found.constant_maps, found.images) == (1, 19)
    nothing = content_independence(np.ones_like(maps), luminance, scenes, sessions)
    assert nothing.edges is None and nothing.recognition is None and nothing.images == 0
    one_scene = content_independence(maps, luminance, ["s"] * 20, sessions)
    assert one_scene.recognition is None and one_scene.between_scenes is None
    assert one_scene.luminance is not None and one_scene.luminance.p_value is None
    with pytest.raises(SaliencyError, match="one name per image"):
        content_independence(maps, luminance, scenes[:-1], sessions)
