"""Selections are the largest that the constraints allow: compared with trying everything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations, product
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from datastore.datasets.errors import ConstraintError, SpecError
from datastore.datasets.items import Frame
from datastore.datasets.manifest import make_manifest, read_manifest
from datastore.datasets.matching import match_frames
from datastore.datasets.solver import solve
from datastore.datasets.spec import make_spec, parse_spec
from tests.support.dataset_checks import require_no_leak
from tests.support.dataset_frames import (
    camera,
    class_bounds,
    dataset_spec,
    make_frames,
    spec_document,
)

CLASSES = ("early", "late")
FOLDED: dict[str, Any] = {"scenes": {}, "sessions_per_class": {}}
SCENES = ("beach", "forest", "harbour", "kitchen")


def class_of(frame: Frame) -> str:
    return CLASSES[frame.triggered_at.year - 2020]


def subsets(values: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    known = sorted(set(values))
    return chain.from_iterable(combinations(known, size) for size in range(len(known) + 1))


@st.composite
def ragged(draw: st.DrawFn, sessions: int = 3) -> list[Frame]:
    """Few frames with many holes: each is there or not."""
    frames = make_frames(sessions=sessions, scenes=SCENES[:3], exposures=("1/30", "1/2"))
    kept = draw(st.lists(st.booleans(), min_size=len(frames), max_size=len(frames)))
    return [frame for frame, is_kept in zip(frames, kept, strict=True) if is_kept]


@given(ragged())
@settings(max_examples=60, deadline=None)
def test_without_equal_counts_nothing_more_could_be_kept(frames: list[Frame]) -> None:
    """Scenes and settings have to occur in every class, and that is all."""

    def is_valid(chosen: Sequence[Frame]) -> bool:
        scenes, exposures = (
            [{key(f) for f in chosen if class_of(f) == name} for name in CLASSES]
            for key in (attrgetter("scene"), attrgetter("exposure"))
        )
        return scenes[0] == scenes[1] and exposures[0] == exposures[1]

    best = 0
    for scenes in subsets(f.scene for f in frames):
        for exposures in subsets(f.exposure for f in frames):
            chosen = [f for f in frames if f.scene in scenes and f.exposure in exposures]
            if is_valid(chosen):
                best = max(best, len(chosen))
    kept = match_frames(frozenset({"same-counts"}), 0, class_of, CLASSES, frames)
    event("something is left" if kept else "nothing is left")
    assert is_valid(kept)
    assert len(kept) == best


def all_splits(
    frames: Sequence[Frame], validation: int
) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Every way to have one scene and one session of each class for tests, and for validation."""

    def parts(names: Sequence[str]) -> Iterator[dict[str, str]]:
        for test in names:
            others = [name for name in names if name != test]
            for held in combinations(others, validation):
                yield {
                    name: "test" if name == test else "validation" if name in held else "train"
                    for name in names
                }

    scenes = sorted({frame.scene_unit or "" for frame in frames})
    sessions = [
        sorted({frame.session for frame in frames if class_of(frame) == name}) for name in CLASSES
    ]
    for of_scene in parts(scenes):
        for early, late in product(parts(sessions[0]), parts(sessions[1])):
            yield of_scene, early | late


def kept_by(frames: Sequence[Frame], of_scene: dict[str, str], of_session: dict[str, str]) -> int:
    """How many frames one split keeps: in each block and cell as many as the poorest class."""
    cells: defaultdict[Any, Counter[str]] = defaultdict(Counter)
    for frame in frames:
        parts = of_scene[frame.scene_unit or ""], of_session[frame.session]
        if (parts[0] == "validation") != (parts[1] == "validation"):
            continue
        cells[parts, frame.scene, frame.exposure][class_of(frame)] += 1
    return sum(2 * min(cell[name] for name in CLASSES) for cell in cells.values())


@given(ragged(sessions=4), st.integers(0, 1), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_no_split_keeps_more_than_the_bound(
    frames: list[Frame], validation: int, seed: int
) -> None:
    blocks = {
        "scenes": {"validation": validation, "test": 1},
        "sessions_per_class": {"validation": validation, "test": 1},
    }
    spec = dataset_spec(blocks=blocks, seed=seed, splits=6)
    try:
        selection = solve(spec, class_bounds(), frames)
    except (ConstraintError, SpecError):
        event("impossible")
        return
    event("possible")
    scenes = {
        scene
        for scene in {frame.scene for frame in frames}
        if len({class_of(frame) for frame in frames if frame.scene == scene}) == 2
    }
    shared = [frame for frame in frames if frame.scene in scenes]
    best = max(kept_by(shared, *split) for split in all_splits(shared, validation))
    assert selection.bound is not None and selection.gap is not None
    assert len(selection.items) <= best <= selection.bound
    assert selection.gap == pytest.approx(1 - len(selection.items) / selection.bound)


def test_of_several_splits_the_largest_is_taken() -> None:
    # most frames of two sessions are missing: a split that keeps them out of train keeps more
    missing = [("early", scene, 0) for scene in SCENES[1:]]
    frames = make_frames(sessions=4, scenes=SCENES, missing=missing)
    blocks = {"scenes": {"test": 1}, "sessions_per_class": {"test": 1}}
    sizes = set()
    for seed in range(6):
        one = solve(dataset_spec(blocks=blocks, seed=seed), class_bounds(), frames)
        many = solve(dataset_spec(blocks=blocks, seed=seed, splits=20), class_bounds(), frames)
        assert len(many.items) >= len(one.items)
        sizes.add(len(one.items))
    assert len(sizes) > 1


def test_a_full_grid_has_no_gap() -> None:
    selection = solve(dataset_spec(), class_bounds(), make_frames())
    assert selection.gap == 0 and selection.bound == len(selection.items)


def test_the_firmware_that_keeps_most_is_chosen() -> None:
    """1.0 has more frames in all, and fewer that match."""
    frames = make_frames(sessions=4)

    def firmware(frame: Frame) -> str:
        if class_of(frame) == "early":
            return "1.0" if frame.exposure == "1/30" else "2.0"
        return "2.0" if frame.exposure == "1/2" else "1.0"

    mixed = [replace(frame, firmware=firmware(frame)) for frame in frames]
    extra = [
        replace(frame, firmware="1.0", exposure="1/8", sha256=f"{place:064x}")
        for place, frame in enumerate(frames)
        if class_of(frame) == "late"
    ]
    fewer = [f for f in mixed if not (f.firmware == "1.0" and f.scene == "beach@1")]
    chosen = solve(dataset_spec(), class_bounds(), fewer + extra).items
    assert {item.firmware for item in chosen} == {"2.0"}


# --- folds ---------------------------------------------------------------------------------------


@given(st.integers(2, 4), st.integers(1, 2), st.integers(0, 50), st.integers(0, 1))
@settings(max_examples=15, deadline=None)
def test_folds_test_everything_once_and_never_leak(
    k: int, repeats: int, seed: int, validation: int
) -> None:
    frames = make_frames(sessions=6, scenes=[f"s{n}" for n in range(8)], exposures=("1/2",))
    spec = dataset_spec(
        seed=seed,
        folds={"k": k, "repeats": repeats},
        blocks={
            "scenes": {"validation": validation},
            "sessions_per_class": {"validation": validation},
        },
    )
    for repeat in range(repeats):
        tested: Counter[str] = Counter()
        for index in range(k):
            items = solve(spec.of_fold(repeat * k + index), class_bounds(), frames).items
            require_no_leak(items)
            clean = [item for item in items if item.block == "clean"]
            tested.update({item.scene_unit or "" for item in clean})
            tested.update({item.session for item in clean})
        assert set(tested.values()) == {1}
        assert len(tested) == 8 + 12


def test_repeats_deal_anew() -> None:
    frames = make_frames(sessions=6, scenes=[f"s{n}" for n in range(8)], exposures=("1/2",))
    spec = dataset_spec(
        folds={"k": 2, "repeats": 2}, blocks={"scenes": {}, "sessions_per_class": {}}
    )
    tests = [
        {item.scene for item in solve(spec.of_fold(fold), class_bounds(), frames).items
         if item.block == "clean"}
        for fold in range(4)
    ]  # fmt: skip
    assert tests[0] | tests[1] == tests[2] | tests[3] and tests[0] not in tests[2:]


def test_more_folds_than_scenes_or_sessions_are_refused() -> None:
    for k, told in ((5, "too few for 5 folds"), (7, "too few for 7 folds")):
        spec = dataset_spec(folds={"k": k}, blocks=FOLDED)
        with pytest.raises(ConstraintError, match=told):
            solve(spec.of_fold(0), class_bounds(), make_frames())


@given(ragged(sessions=5), st.integers(2, 3), st.integers(0, 20), st.integers(0, 1))
@settings(max_examples=40, deadline=None)
def test_no_fold_of_a_ragged_catalogue_leaks_or_keeps_more_than_the_bound(
    frames: list[Frame], k: int, seed: int, validation: int
) -> None:
    held = {"validation": validation}
    spec = dataset_spec(
        seed=seed, folds={"k": k}, blocks={"scenes": held, "sessions_per_class": held}
    )
    tested: Counter[str] = Counter()
    for fold in range(k):
        try:
            selection = solve(spec.of_fold(fold), class_bounds(), frames)
        except (ConstraintError, SpecError):
            event("impossible")
            continue
        event("possible")
        require_no_leak(selection.items)
        assert selection.bound is not None and len(selection.items) <= selection.bound
        clean = [item for item in selection.items if item.block == "clean"]
        tested.update({item.scene_unit or "" for item in clean} | {item.session for item in clean})
    assert all(times == 1 for times in tested.values())


# --- labels --------------------------------------------------------------------------------------


def test_the_published_tasks_are_presets() -> None:
    binary = dataset_spec(classes="ntif-1-5-vs-21-25").classes
    assert binary is not None
    assert [(one.name, one.timeslots) for one in binary] == [
        ("slots-1-5", (1, 2, 3, 4, 5)),
        ("slots-21-25", (21, 22, 23, 24, 25)),
    ]
    five = dataset_spec(classes="ntif-five-class").classes
    assert five is not None and len(five) == 5
    assert [slot for one in five for slot in one.timeslots] == list(range(1, 26))


def test_timeslots_are_written_as_ranges() -> None:
    text = "classes: [{name: a, timeslots: '1-3, 7'}, {name: b, timeslots: '9'}]"
    document = {**spec_document(), "classes": __import__("yaml").safe_load(text)["classes"]}
    spec = make_spec(document)
    assert spec.classes[0].timeslots == (1, 2, 3, 7)  # type: ignore[union-attr, index]


def test_ages_are_kept_in_whole_seconds_and_proved_again() -> None:
    origin = datetime(2019, 12, 31, 12, tzinfo=UTC)
    spec = dataset_spec(label="age", age_origin=origin.isoformat())
    items = solve(spec, class_bounds(), make_frames()).items
    manifest = make_manifest(spec, "fixed-background", "raw", class_bounds(), items)
    for item in manifest.items:
        assert item.age_s == int((item.triggered_at - origin).total_seconds())
    read = read_manifest(manifest.content, manifest.version)
    assert read == manifest and read.items[0].age_s == manifest.items[0].age_s
    wrong = [replace(items[0], age_s=1), *items[1:]]
    forged = make_manifest(spec, "fixed-background", "raw", class_bounds(), wrong)
    with pytest.raises(Exception, match="its age is not that of its time"):
        read_manifest(forged.content)


def test_manifests_without_ages_have_no_place_for_them() -> None:
    spec = dataset_spec()
    items = solve(spec, class_bounds(), make_frames()).items
    content = make_manifest(spec, "fixed-background", "raw", class_bounds(), items).content
    assert b"age_s" not in content and b"forced" not in content


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"age_bins": {"edges_days": [0, 10, 20]}}, "either classes or age_bins"),
        ({"label": "age"}, "age_origin is missing"),
        ({"age_origin": "2020-01-01T00:00:00+00:00"}, "nothing asks for ages"),
        ({"label": "age", "age_origin": "2020-01-01T00:00:00"}, "names no zone"),
        ({"splits": 0}, "splits"),
        ({"fold": 1}, "no folds to choose from"),
        ({"folds": {"k": 2}, "blocks": FOLDED, "splits": 5}, "dealt by the seed alone"),
        ({"folds": {"k": 2}, "blocks": {**FOLDED, "scenes": {"validation": ["beach"]}}}, "a count"),
    ],
)
def test_labels_that_cannot_be_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        make_spec(spec_document(**changes))


def test_age_bins_need_edges_that_rise() -> None:
    document = spec_document(age_bins={"edges_days": [0, 20, 10]}, age_origin="2020-01-01T00:00Z")
    del document["classes"]
    with pytest.raises(SpecError, match="do not rise"):
        make_spec(document)


def test_a_specification_from_before_keeps_its_bytes() -> None:
    """Fields that came later are not there unless they were asked for."""
    written = parse_spec("\n".join(f"{key}: {value}" for key, value in spec_document().items()))
    later = {"age_bins", "age_origin", "label", "folds", "fold", "splits", "patches"}
    assert not later & set(written.model_dump(mode="json", exclude_none=True))


@pytest.mark.prove
def test_large_random_catalogues_keep_every_constraint(
    record_property: Callable[[str, object], None],
) -> None:
    """Ragged catalogues of several cameras: every cell equal, no leak, never above the bound."""
    import numpy as np

    possible, frames_seen, gaps = 0, 0, []
    for seed in range(150):
        generator = np.random.default_rng(seed)
        cameras = ("6001", "6002", "6003")[: generator.integers(1, 4)]
        sessions = int(generator.integers(4, 9))
        scenes = [f"s{n}" for n in range(generator.integers(5, 12))]
        whole = make_frames(
            sessions=sessions, scenes=scenes, cameras=cameras, repeats=int(generator.integers(1, 3))
        )
        hole = generator.uniform(0, 0.5)
        frames = [
            replace(
                frame,
                verdict="quarantined" if generator.random() < 0.05 else "accepted",
                firmware="1.0" if generator.random() < 0.97 else "1.1",
                camera=camera(frame.camera.serial),
            )
            for frame in whole
            if generator.random() > hole
        ]
        validation = int(generator.integers(0, 2))
        spec = dataset_spec(
            cameras=list(cameras),
            seed=seed,
            splits=3,
            blocks={
                "scenes": {"validation": validation, "test": 2},
                "sessions_per_class": {"validation": validation, "test": 1},
            },
        )
        try:
            selection = solve(spec, class_bounds(), frames)
        except (ConstraintError, SpecError):
            continue
        possible += 1
        frames_seen += len(frames)
        require_no_leak(selection.items)
        counts: defaultdict[Any, Counter[str]] = defaultdict(Counter)
        for item in selection.items:
            assert item.verdict == "accepted"
            key = item.camera.serial, item.block, item.scene, item.exposure
            counts[key][item.class_name] += 1
        assert all(one["early"] == one["late"] > 0 for one in counts.values())
        assert all(
            len({item.firmware for item in selection.items if item.camera.serial == serial}) == 1
            for serial in cameras
        )
        assert selection.bound is not None and len(selection.items) <= selection.bound
        assert len(selection.items) + sum(selection.left_out.values()) == len(frames)
        gaps.append(selection.gap or 0.0)
    assert possible > 50
    record_property("catalogues", 150)
    record_property("of them possible", possible)
    record_property("frames", frames_seen)
    record_property("median gap", f"{sorted(gaps)[len(gaps) // 2]:.1%}")


def test_age_bins_are_the_timeslots_that_lie_in_them_whole() -> None:
    from datastore.datasets.class_specs import AgeBins

    origin = datetime(2020, 1, 1, tzinfo=UTC)
    assert AgeBins(edges_days=(0, 366, 731)).bins(origin) == [
        ("age-0-366", origin, origin + timedelta(days=366)),
        ("age-366-731", origin + timedelta(days=366), origin + timedelta(days=731)),
    ]
