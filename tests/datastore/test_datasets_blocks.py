"""Whatever the catalogue holds: blocks never leak, classes are equal, the answer is one."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from datastore.datasets.blocks import prove_disjoint, seeded_order
from datastore.datasets.constraints import check_all
from datastore.datasets.errors import ConstraintError, LeakError, SpecError
from datastore.datasets.items import Frame, Item
from datastore.datasets.manifest import read_manifest
from datastore.datasets.solver import solve
from tests.support.dataset_frames import (
    camera,
    class_bounds,
    dataset_spec,
    freeze_frames,
    make_frames,
)

SCENES = ("beach", "forest", "harbour", "kitchen", "meadow")
CLASSES = ("early", "late")


@st.composite
def catalogues(draw: st.DrawFn) -> tuple[list[Frame], dict[str, Any]]:
    """Frames of a random grid with holes, and the fields of a specification that fits it."""
    sessions = draw(st.integers(3, 5))
    cells = [(c, s, n) for c in CLASSES for s in SCENES for n in range(sessions)]
    cameras = draw(st.sampled_from([("6001",), ("6001", "6002")]))
    frames = [
        frame
        for serial in cameras
        for frame in make_frames(
            sessions=sessions,
            scenes=SCENES,
            cameras=(serial,),
            repeats=draw(st.integers(1, 2)),
            missing=draw(st.lists(st.sampled_from(cells), max_size=6)),
        )
    ]
    validation = draw(st.integers(0, 1))
    fields = {
        "cameras": list(cameras),
        "seed": draw(st.integers(0, 1000)),
        "blocks": {
            "scenes": {"validation": validation, "test": draw(st.sampled_from([1, 2, 0.3]))},
            "sessions_per_class": {"validation": validation, "test": 1},
        },
    }
    return frames, fields


def units(items: list[Item], block: str) -> tuple[set[str | None], set[str]]:
    found = [item for item in items if item.block == block]
    return {item.scene_unit for item in found}, {item.session_unit for item in found}


@given(catalogues(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_every_selection_is_disjoint_balanced_and_independent_of_order(
    drawn: tuple[list[Frame], dict[str, Any]], rng: random.Random
) -> None:
    frames, fields = drawn
    spec = dataset_spec(**fields)
    try:
        selection = solve(spec, class_bounds(), frames)
    except ConstraintError:
        event("impossible")
        return
    event("possible")
    items = list(selection.items)

    train_scenes, train_sessions = units(items, "train")
    clean_scenes, clean_sessions = units(items, "clean")
    assert clean_scenes
    assert not train_scenes & clean_scenes
    assert not train_sessions & clean_sessions
    assert not train_scenes & units(items, "new-scene")[0]
    assert not train_sessions & units(items, "new-session")[1]
    assert units(items, "new-session")[0] <= train_scenes
    assert units(items, "new-scene")[1] <= train_sessions
    held_scenes, held_sessions = units(items, "validation")
    for block in ("train", "clean", "new-scene", "new-session"):
        scenes, sessions = units(items, block)
        assert not held_scenes & scenes
        assert not held_sessions & sessions

    counts: dict[Any, Counter[str]] = defaultdict(Counter)
    for item in items:
        counts[item.camera.serial, item.block, item.scene, item.exposure][item.class_name] += 1
    assert all(one["early"] == one["late"] > 0 for one in counts.values())

    assert len(items) + sum(selection.left_out.values()) == len(frames)
    shuffled = frames[:]
    rng.shuffle(shuffled)
    assert solve(spec, class_bounds(), shuffled) == selection


@given(catalogues())
@settings(max_examples=30, deadline=None)
def test_no_frame_can_be_added_to_train(drawn: tuple[list[Frame], dict[str, Any]]) -> None:
    frames, fields = drawn
    try:
        selection = solve(dataset_spec(**fields), class_bounds(), frames)
    except ConstraintError:
        return
    scenes, sessions = units(list(selection.items), "train")
    chosen = {item.sha256 for item in selection.items}
    poorest: dict[Any, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for frame in frames:
        if frame.scene_unit in scenes and frame.session_unit in sessions:
            label = "early" if frame.triggered_at.year == 2020 else "late"
            cell = (frame.camera.serial, frame.scene, frame.exposure)
            poorest[cell][label].append(frame.sha256 in chosen)
    for by_class in poorest.values():
        # in every cell some class gave all it has: one more frame would unbalance the classes
        assert any(all(by_class[name]) for name in CLASSES)


def test_a_full_grid_gives_the_expected_numbers_and_leaves_only_validation_crossings_out() -> None:
    frames = make_frames()
    selection = solve(dataset_spec(), class_bounds(), frames)
    counts = Counter(item.block for item in selection.items)
    # 6 scenes: 3 train, 2 validation, 1 test; 4 sessions a class: 2 train, 1, 1; 2 exposures
    assert counts == {
        "train": 2 * 2 * 3 * 2,
        "validation": 2 * 1 * 2 * 2,
        "new-session": 2 * 1 * 3 * 2,
        "new-scene": 2 * 2 * 1 * 2,
        "clean": 2 * 1 * 1 * 2,
    }
    assert selection.left_out == {
        "in no block: validation crossed with train or test": len(frames) - counts.total()
    }
    assert all(f.state == "proved" for f in check_all(selection.items, CLASSES, frozenset()))


def test_cameras_that_are_frozen_apart_get_the_same_split() -> None:
    frames = make_frames(cameras=("6001", "6002"))

    def split(serial: str) -> set[tuple[str, str | None, str]]:
        spec = dataset_spec(cameras=[serial], seed=11)
        own = [frame for frame in frames if frame.camera.serial == serial]
        return {(i.block, i.scene, i.session) for i in solve(spec, class_bounds(), own).items}

    assert split("6001") == split("6002")


def test_another_seed_gives_another_split() -> None:
    splits = {
        tuple(item.block for item in solve(dataset_spec(seed=seed), class_bounds(), frames).items)
        for frames in [make_frames()]
        for seed in range(5)
    }
    assert len(splits) > 1


def test_a_names_rank_does_not_depend_on_the_other_names() -> None:
    names = [f"scene-{number}" for number in range(20)]
    ranked = seeded_order(names, 3, "scene")
    fewer = [name for name in ranked if name not in names[:7]]
    assert seeded_order(names[7:], 3, "scene") == fewer


def test_named_scenes_are_the_test() -> None:
    blocks: dict[str, dict[str, Any]] = {
        "scenes": {"validation": ["meadow"], "test": ["beach", "street"]},
        "sessions_per_class": {"validation": 1, "test": 1},
    }
    items = list(solve(dataset_spec(blocks=blocks), class_bounds(), make_frames()).items)
    assert units(items, "clean")[0] == {"beach", "street"}
    assert units(items, "validation")[0] == {"meadow"}
    blocks["scenes"]["test"] = ["atlantis"]
    with pytest.raises(SpecError, match=r"blocks.scenes.test: .* atlantis"):
        solve(dataset_spec(blocks=blocks), class_bounds(), make_frames())


def test_a_revised_scene_is_another_scene_for_balance_and_the_same_for_leaks() -> None:
    early = [f for f in make_frames() if f.triggered_at.year == 2020]
    late = [
        replace(f, scene="beach@2") if f.scene == "beach@1" else f
        for f in make_frames()
        if f.triggered_at.year == 2021
    ]
    items = solve(dataset_spec(), class_bounds(), early + late).items
    assert "beach" not in {item.scene_unit for item in items}


def test_one_cameras_missing_scene_costs_the_other_nothing() -> None:
    whole = make_frames(cameras=("6001",))
    holed = [f for f in make_frames(cameras=("6002",)) if f.scene_unit != "forest"]
    both = solve(dataset_spec(cameras=["6001", "6002"]), class_bounds(), whole + holed)
    alone = solve(dataset_spec(), class_bounds(), whole)
    assert [i for i in both.items if i.camera.serial == "6001"] == list(alone.items)


def test_a_class_that_has_more_frames_gives_some_of_every_session() -> None:
    blocks = {"scenes": {"test": ["street"]}, "sessions_per_class": {"test": 1}}
    spec = dataset_spec(blocks=blocks)
    whole = make_frames(sessions=3, repeats=2, exposures=("1",))
    late_train = sorted(
        item.session
        for item in solve(spec, class_bounds(), whole).items
        if item.block == "train" and item.class_name == "late" and item.scene == "beach@1"
    )
    lost = (late_train[0], "beach@1")
    frames = [frame for frame in whole if (frame.session, frame.scene) != lost]
    items = [
        item
        for item in solve(spec, class_bounds(), frames).items
        if item.block == "train" and item.scene == "beach@1"
    ]
    sessions = {name: [i.session for i in items if i.class_name == name] for name in CLASSES}
    assert len(sessions["late"]) == len(sessions["early"]) == 2
    assert len(set(sessions["late"])) == 1
    assert len(set(sessions["early"])) == 2


def test_frames_that_break_a_rule_by_themselves_are_left_out_and_counted() -> None:
    frames = make_frames(repeats=2)
    frames[0] = replace(frames[0], verdict="quarantined")
    frames[1] = replace(frames[1], verdict=None)
    other = [replace(f, firmware="1.1", sha256="f" * 64) for f in frames[2:3]]
    outside = frames[3].triggered_at.replace(year=2035)
    late = [replace(frames[3], triggered_at=outside, sha256="e" * 64)]
    selection = solve(dataset_spec(), class_bounds(), frames + other + late)
    assert selection.left_out["accepted-only: not accepted"] == 2
    assert selection.left_out["one-pipeline: another firmware"] == 1
    assert selection.left_out["outside every class's timeslots"] == 1


def test_filters_narrow_the_selection() -> None:
    spec = dataset_spec(exposures=["1/30"], scenes=["beach", "forest", "harbour", "meadow"])
    selection = solve(spec, class_bounds(), make_frames())
    assert {item.exposure for item in selection.items} == {"1/30"}
    assert {item.scene_unit for item in selection.items} <= set(spec.scenes or ())
    assert selection.left_out["outside the filters"] > 0


def test_a_session_that_spans_two_classes_is_left_out() -> None:
    frames = make_frames(sessions=5)
    moved = [
        replace(f, session="session-early-4") if f.session == "session-late-0" else f
        for f in frames
    ]
    selection = solve(dataset_spec(), class_bounds(), moved)
    assert "session-early-4" not in {item.session for item in selection.items}
    assert selection.left_out["session in two classes"] == 2 * 6 * 2


IMPOSSIBLE: list[tuple[str, list[Frame], dict[str, Any], str]] = [
    ("replicated-sessions", make_frames(sessions=2), {}, "class early has 2 sessions"),
    (
        "replicated-sessions",
        make_frames(sessions=2),
        {
            "blocks": {
                "scenes": {"test": 1},
                "sessions_per_class": {"test": 1},
            }
        },
        "class early has 2 sessions, at least 3 are needed",
    ),
    ("same-scenes", make_frames(scenes=("beach", "forest")), {}, "none for train"),
    (
        "same-scenes",
        [f for f in make_frames() if (f.scene_unit == "beach") == (f.triggered_at.year == 2020)],
        {},
        "only in early",
    ),
    (
        "same-settings",
        [f for f in make_frames() if (f.exposure == "1/2") == (f.triggered_at.year == 2020)],
        {},
        "camera Nikon D750 6001: nothing is in every class: 800 1/2 28/5 only in early",
    ),
    ("accepted-only", make_frames(verdict=None), {}, "none of 96 frames is accepted"),
    (
        "one-pipeline",
        [replace(f, firmware=f"{f.triggered_at.year}") for f in make_frames()],
        {},
        "2020 only in early; 2021 only in late",
    ),
    (
        "no-simulated-mix",
        make_frames() + make_frames(cameras=("6002",), camera=camera("6002", simulated=False)),
        {"cameras": ["6001", "6002"]},
        "6001 is simulated, camera Nikon D750 6002 is real",
    ),
]


@pytest.mark.parametrize(("constraint", "frames", "fields", "told"), IMPOSSIBLE)
def test_an_impossible_request_names_the_constraint_and_what_lacks(
    constraint: str, frames: list[Frame], fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConstraintError) as caught:
        freeze_frames(dataset_spec(**fields), frames)
    assert caught.value.constraint == constraint
    assert told in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_camera_without_frames_is_named_with_what_was_left_out() -> None:
    frames = make_frames() + make_frames(cameras=("6009",), verdict="rejected")
    with pytest.raises(SpecError) as caught:
        freeze_frames(dataset_spec(cameras=["6001", "6009"]), frames)
    assert "camera 6009 has no usable raw frame" in str(caught.value)
    assert "not accepted: 96" in str(caught.value)


HOLDS_BY_LEAVING_OUT = {"same-scenes", "same-counts"}

WAIVED: list[tuple[str, list[Frame], dict[str, Any]]] = [
    (
        "same-settings",
        [f for f in make_frames() if (f.exposure == "1/2") == (f.triggered_at.year == 2020)],
        {},
    ),
    (
        "same-scenes",
        [f for f in make_frames() if f.scene_unit != "beach" or f.triggered_at.year == 2020],
        {
            "blocks": {
                "scenes": {"test": ["street", "meadow"]},
                "sessions_per_class": {"test": 1},
            }
        },
    ),
    ("same-counts", make_frames() + make_frames(classes=("early",), repeats=2), {}),
    (
        "replicated-sessions",
        make_frames(sessions=2),
        {"blocks": {"scenes": {"test": 1}, "sessions_per_class": {"test": 1}}},
    ),
    ("accepted-only", make_frames(verdict="quarantined"), {}),
    (
        "one-pipeline",
        [replace(f, firmware=str(f.triggered_at.year)) for f in make_frames()],
        {},
    ),
    (
        "no-simulated-mix",
        make_frames() + make_frames(cameras=("6002",), camera=camera("6002", simulated=False)),
        {"cameras": ["6001", "6002"]},
    ),
]


@pytest.mark.parametrize(("constraint", "frames", "fields"), WAIVED)
def test_a_waived_constraint_is_broken_and_recorded_and_the_others_hold(
    constraint: str, frames: list[Frame], fields: dict[str, Any]
) -> None:
    unique = list({frame.sha256: frame for frame in frames}.values())
    if constraint not in HOLDS_BY_LEAVING_OUT:
        with pytest.raises(ConstraintError):
            freeze_frames(dataset_spec(**fields), unique)
    waive = [{"constraint": constraint, "reason": "shows what it does"}]
    manifest = freeze_frames(dataset_spec(**fields, waive=waive), unique)
    states: dict[str, str] = {
        finding.constraint: finding.state for finding in manifest.header.constraints
    }
    assert states.pop(constraint) == "broken"
    assert set(states.values()) == {"proved"}
    assert [(w.constraint, w.reason) for w in manifest.header.waived] == [
        (constraint, "shows what it does")
    ]
    assert read_manifest(manifest.content, manifest.version) == manifest


def test_waived_counts_keep_every_frame_that_has_a_partner() -> None:
    frames = make_frames(repeats=2, missing=[("late", "beach", 0)])
    waive = [{"constraint": "same-counts", "reason": "every frame counts"}]
    kept = solve(dataset_spec(waive=waive), class_bounds(), frames)
    equal = solve(dataset_spec(), class_bounds(), frames)
    assert {item.sha256 for item in equal.items} <= {item.sha256 for item in kept.items}
    assert "same-counts: more than another class has" not in kept.left_out


def test_natural_frames_are_split_by_day() -> None:
    days = [datetime(year, 3, day, 9, tzinfo=UTC) for year in (2020, 2021) for day in range(1, 7)]
    frames = [
        replace(frame, triggered_at=day + timedelta(minutes=number), session="one import of years")
        for day, chunk in zip(days, range(0, 24, 2), strict=True)
        for number, frame in enumerate(
            make_frames(scenes=("any",), sessions=6, kind="natural", scene=None, fixture=None)[
                chunk : chunk + 2
            ]
        )
    ]
    blocks = {"sessions_per_class": {"validation": 1, "test": 2}}
    spec = dataset_spec(kind="natural", blocks=blocks)
    manifest = freeze_frames(spec, frames)
    assert manifest.header.uncontrolled
    states = {finding.constraint: finding.state for finding in manifest.header.constraints}
    assert states["same-scenes"] == "not-applicable"
    day_blocks: dict[str, set[str]] = defaultdict(set)
    for item in manifest.items:
        day_blocks[item.session_unit].add(item.block)
    assert len(day_blocks) == 12
    assert all(len(found) == 1 for found in day_blocks.values())
    assert {item.block for item in manifest.items} == {"train", "validation", "new-session"}


@pytest.mark.parametrize(
    ("from_block", "fact", "told"),
    [
        ("clean", "scene", "scene .* is in block train and in block clean"),
        ("clean", "session", "session .* is in block train and in block clean"),
        ("new-scene", "scene", "scene .* is in block train and in block new-scene"),
        ("new-session", "session", "session .* is in block train and in block new-session"),
        ("validation", "scene", "scene .* is in block train and in block validation"),
        ("validation", "session", "session .* is in block train and in block validation"),
        ("train", "sha256", "occurs twice"),
    ],
)
def test_the_proof_finds_one_leaked_item(from_block: str, fact: str, told: str) -> None:
    items = list(solve(dataset_spec(), class_bounds(), make_frames()).items)
    prove_disjoint(items)
    source = next(item for item in items if item.block == "train")
    at = next(n for n, item in enumerate(items) if item.block == from_block and item is not source)
    items[at] = replace(items[at], **{fact: getattr(source, fact)})
    with pytest.raises(LeakError, match=told):
        prove_disjoint(items)
