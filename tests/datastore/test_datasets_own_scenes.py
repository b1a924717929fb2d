"""A biased set is drawn from a controlled one, says so, and is judged without leaks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datastore.datasets.errors import ConstraintError, LeakError, SpecError
from datastore.datasets.manifest import Manifest, make_manifest, read_manifest
from datastore.datasets.own_scenes import (
    check_evaluation,
    draw_own_scenes,
    scene_owners,
    swapped_items,
)
from datastore.datasets.spec import OwnScenesSpec, make_spec
from tests.support.dataset_frames import dataset_spec, freeze_frames, make_frames

SCENES = tuple(f"scene-{number}" for number in range(9))
REASON = "as in everyday collections"


def own_scenes_spec(parent: Manifest, **changes: Any) -> OwnScenesSpec:
    spec = make_spec(
        {
            "name": "biased",
            "parent": parent.version,
            "scenes_per_class": "own-scenes",
            "seed": 3,
            "waive": [{"constraint": "same-scenes", "reason": REASON}],
        }
        | changes
    )
    assert isinstance(spec, OwnScenesSpec)
    return spec


def draw(parent: Manifest, **changes: Any) -> Manifest:
    spec = own_scenes_spec(parent, **changes)
    header = parent.header
    items = draw_own_scenes(spec, parent).items
    return make_manifest(spec, header.kind, header.role, header.classes, items)


def controlled(**grid: Any) -> Manifest:
    fields = {"cameras": list(grid.get("cameras", ["6001"]))}
    return freeze_frames(dataset_spec(**fields), make_frames(**{"scenes": SCENES, **grid}))


@pytest.fixture(scope="module")
def parent() -> Manifest:
    return controlled(cameras=("6001", "6002"))


@pytest.fixture(scope="module")
def biased(parent: Manifest) -> Manifest:
    return draw(parent)


def test_each_class_has_scenes_of_its_own(biased: Manifest) -> None:
    for block in ("train", "validation", "new-session"):
        scenes = {
            name: {i.scene for i in biased.block(block) if i.class_name == name}
            for name in biased.header.class_names
        }
        assert scenes["early"]
        assert not scenes["early"] & scenes["late"]


def test_it_is_drawn_from_the_parents_blocks_only(parent: Manifest, biased: Manifest) -> None:
    frozen = {item.sha256: item for item in parent.items}
    assert all(frozen[item.sha256] == item for item in biased.items)
    assert {item.block for item in biased.items} == {"train", "validation", "new-session"}


def test_classes_and_cameras_stay_equal_in_number(biased: Manifest) -> None:
    counts = Counter((i.block, i.camera.serial, i.class_name) for i in biased.items)
    for (block, serial, _), number in counts.items():
        assert number == counts[block, serial, "early"] == counts[block, serial, "late"]


def test_it_says_for_ever_that_same_scenes_was_waived(parent: Manifest, biased: Manifest) -> None:
    read = read_manifest(biased.content, biased.version)
    assert read.header.parent == parent.version
    assert [(w.constraint, w.reason) for w in read.header.waived] == [("same-scenes", REASON)]
    states = {finding.constraint: finding.state for finding in read.header.constraints}
    assert states.pop("same-scenes") == "broken"
    assert set(states.values()) == {"proved"}


def test_swapped_items_show_a_scene_of_the_other_class_in_an_unseen_session(
    parent: Manifest, biased: Manifest
) -> None:
    swapped = swapped_items(biased, parent)
    owners = scene_owners(biased)
    own = {item.sha256 for item in biased.block("new-session")}
    assert len(swapped) == len(own)
    for item in swapped:
        assert owners[str(item.scene_unit)] != item.class_name
        assert item.sha256 not in own
        assert item.block == "new-session"
    check_evaluation(biased, swapped)


def test_swapping_needs_the_right_parent(parent: Manifest, biased: Manifest) -> None:
    with pytest.raises(SpecError, match="was not drawn from"):
        swapped_items(biased, controlled())
    with pytest.raises(SpecError, match="was not drawn from"):
        swapped_items(parent, parent)


@given(st.integers(0, 500))
@settings(max_examples=15, deadline=None)
def test_for_every_seed_the_parents_clean_block_is_unseen(seed: int) -> None:
    parent = freeze_frames(dataset_spec(seed=seed), make_frames(scenes=SCENES, exposures=("1",)))
    biased = draw(parent, seed=seed + 1)
    check_evaluation(biased, parent.block("clean", "new-scene"))
    check_evaluation(parent, parent.block("clean", "new-scene", "new-session", "validation"))
    seen = biased.block("train", "validation")
    clean = parent.block("clean")
    assert clean
    assert not {i.scene_unit for i in seen} & {i.scene_unit for i in clean}
    assert not {i.session_unit for i in seen} & {i.session_unit for i in clean}


def test_a_set_of_another_split_is_refused_as_a_test(parent: Manifest) -> None:
    other = freeze_frames(
        dataset_spec(name="other", seed=8, cameras=["6001", "6002"]),
        make_frames(scenes=SCENES, cameras=("6001", "6002")),
    )
    with pytest.raises(LeakError, match="claims block clean, but its s"):
        check_evaluation(parent, other.block("clean"))


@pytest.mark.parametrize(
    ("block", "seen_in", "fact", "told"),
    [
        ("clean", "train", "scene", "its scene"),
        ("clean", "train", "session", "its session"),
        ("clean", "validation", "scene", "its scene"),
        ("new-scene", "train", "scene", "its scene"),
        ("new-session", "train", "session", "its session"),
        ("new-session", "validation", "session", "its session"),
        ("validation", "train", "session", "its session"),
        ("clean", "train", "sha256", "the file itself"),
    ],
)
def test_one_seen_fact_is_enough_to_refuse(
    parent: Manifest, block: str, seen_in: str, fact: str, told: str
) -> None:
    item = parent.block(block)[0]
    seen = parent.block(seen_in)[0]
    with pytest.raises(LeakError, match=told):
        check_evaluation(parent, [replace(item, **{fact: getattr(seen, fact)})])


def test_training_items_are_no_test(parent: Manifest, biased: Manifest) -> None:
    with pytest.raises(LeakError, match="it is no test"):
        check_evaluation(biased, parent.block("train")[:1])


def test_too_few_scenes_to_share_are_refused() -> None:
    blocks = {
        "scenes": {"validation": 1, "test": 1},
        "sessions_per_class": {"validation": 1, "test": 1},
    }
    parent = freeze_frames(dataset_spec(blocks=blocks), make_frames())
    with pytest.raises(ConstraintError, match=r"validation block has 1 scenes, .* 2 classes"):
        draw(parent)


def test_a_camera_that_did_not_see_every_classs_scenes_is_named() -> None:
    frames = make_frames(scenes=SCENES) + make_frames(scenes=SCENES[:4], cameras=("6002",))
    # of the second camera's scenes one each is for train, test and validation's two
    blocks = {
        "scenes": {"validation": ["scene-0", "scene-1"], "test": ["scene-2"]},
        "sessions_per_class": {"validation": 1, "test": 1},
    }
    parent = freeze_frames(dataset_spec(cameras=["6001", "6002"], blocks=blocks), frames)
    with pytest.raises(ConstraintError, match="camera Nikon D750 6002 has no frames of each"):
        draw(parent)


def test_a_biased_set_is_no_parent(biased: Manifest) -> None:
    with pytest.raises(SpecError, match="not content-controlled"):
        draw(biased)


def test_a_scene_that_does_not_divide_stays_out() -> None:
    parent = controlled(scenes=SCENES[:8])
    selection = draw_own_scenes(own_scenes_spec(parent), parent)
    train_scenes = {i.scene for i in selection.items if i.block == "train"}
    # 8 scenes: 1 test, 2 validation, 5 train, of which each class owns 2
    assert len(train_scenes) == 4
    swapped = swapped_items(draw(parent), parent)
    assert {i.scene for i in swapped} == train_scenes
    assert sum(selection.left_out.values()) == sum(
        len(parent.block(block)) for block in ("train", "validation", "new-session")
    ) - len(selection.items)
