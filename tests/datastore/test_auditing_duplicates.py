"""A scene under two names is found between train and the blocks that must not show it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datastore.catalogue import Catalogue
from datastore.datasets.auditing.collecting import collect_facts
from datastore.datasets.auditing.duplicates import find_duplicates
from datastore.datasets.auditing.facts import ItemFacts
from datastore.datasets.auditing.report import Duplicates
from datastore.datasets.items import Frame
from datastore.datasets.manifest import Manifest
from datastore.frames.likeness import differing_bits, perceptual_hash
from tests.support.audit_facts import make_facts, only
from tests.support.audited_rows import write_audited
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.dataset_frames import dataset_spec, freeze_frames, make_frames
from tests.support.disturbed_frames import DisturbedCamera, Shot

BITS = 10
AGAINST = {("train", "new-scene"), ("train", "clean"), ("validation", "clean")}


def random_hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def scene_hashes(frames: list[Frame]) -> dict[str, str]:
    return {str(frame.scene): random_hash(str(frame.scene)) for frame in frames}


def brute_force(facts: ItemFacts, bits: int, against: set[tuple[str, str]]) -> Duplicates:
    """Compare pair by pair in plain Python."""
    digits = ["".join(f"{word:016x}" for word in words) for words in facts.hashes]
    units = facts.sessions if facts.natural else facts.scenes
    nearest_of: dict[tuple[str, int], tuple[int, int, int]] = {}
    compared = pairs = 0
    nearest = None
    for first, one in enumerate(digits):
        for second, other in enumerate(digits):
            blocks = (str(facts.blocks[first]), str(facts.blocks[second]))
            if blocks not in against or not (facts.hashed[first] and facts.hashed[second]):
                continue
            compared += 1
            distance = differing_bits(one, other)
            nearest = distance if nearest is None else min(nearest, distance)
            if distance <= bits:
                pairs += 1
                pair = (distance, first, second)
                place = (blocks[0], second)
                nearest_of[place] = min(nearest_of.get(place, pair), pair)
    found: dict[tuple[int, int], tuple[int, int, int]] = {}
    for pair in nearest_of.values():
        scenes = (int(units[pair[1]]), int(units[pair[2]]))
        found[scenes] = min(found.get(scenes, pair), pair)
    concerned = {block for pair in against for block in pair}
    without = sum(
        block in concerned and not hashed
        for block, hashed in zip(facts.blocks.tolist(), facts.hashed.tolist(), strict=True)
    )
    examples = tuple(
        (f"item {first}", f"item {second}", distance)
        for distance, first, second in sorted(found.values())[:20]
    )
    return Duplicates(compared, without, pairs, nearest, examples)


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_what_comparing_every_pair_finds(seed: int) -> None:
    generator = np.random.default_rng(seed)
    facts = make_facts(seed, sessions_per_class=5, test_sessions=2, repeats=2)
    noise = generator.random((len(facts.labels), 4, 64)) < 0.02 * generator.random()
    flips = np.packbits(noise, axis=-1).view(">u8").reshape(-1, 4).astype(np.uint64)
    hashes = facts.hashes ^ flips
    hashes[facts.scenes == 4] = hashes[facts.scenes == 0][: np.sum(facts.scenes == 4)]
    blocks = facts.blocks.copy()
    blocks[(blocks == "train") & (facts.scenes == 5)] = "validation"
    changed = replace(
        facts, hashes=hashes, hashed=generator.random(len(blocks)) < 0.9, blocks=blocks
    )
    for bits in (0, 5, 30):
        found = find_duplicates(changed, bits)
        expected = brute_force(changed, bits, AGAINST)
        assert found == expected
    assert find_duplicates(changed, 30).pairs > 0


def test_scenes_of_their_own_are_no_duplicates(sqlite_catalogue: Catalogue) -> None:
    frames = make_frames()
    write_audited(sqlite_catalogue, frames, hashes=scene_hashes(frames), complete=True)
    facts = collect_facts(sqlite_catalogue, freeze_frames(dataset_spec(), frames))
    found = find_duplicates(facts, BITS)
    assert (found.pairs, found.examples, found.without_hash) == (0, (), 0)
    assert found.compared > 0 and found.nearest_bits is not None and found.nearest_bits > 60


def shared_between(manifest: Manifest, *blocks: str) -> list[str]:
    """Return the scenes of some blocks."""
    return sorted({str(item.scene) for item in manifest.block(*blocks)})


@pytest.mark.parametrize(
    ("first", "second"), [("train", "clean"), ("train", "new-scene"), ("validation", "clean")]
)
def test_a_scene_registered_again_under_another_name_is_found(
    sqlite_catalogue: Catalogue, first: str, second: str
) -> None:
    frames = make_frames()
    manifest = freeze_frames(dataset_spec(), frames)
    hashes = scene_hashes(frames)
    known, renamed = shared_between(manifest, first)[0], shared_between(manifest, second)[0]
    assert known != renamed
    hashes[renamed] = hashes[known]
    write_audited(sqlite_catalogue, frames, hashes=hashes, complete=True)
    found = find_duplicates(collect_facts(sqlite_catalogue, manifest), BITS)
    assert found.pairs > 0 and found.nearest_bits is not None and found.nearest_bits <= 6
    scenes = {item.sha256: (item.block, item.scene) for item in manifest.items}
    ((one, other, bits),) = found.examples
    assert bits == found.nearest_bits
    assert scenes[one] == (first, known) and scenes[other][1] == renamed


def test_new_sessions_of_a_known_scene_are_meant_to_look_the_same() -> None:
    facts = make_facts(1)
    clean = only(facts, np.isin(facts.blocks, ["train", "new-session"]))
    assert find_duplicates(clean, BITS) == Duplicates(0, 0, 0, None, ())
    natural = replace(clean, natural=True, scenes=np.full(len(clean.labels), -1))
    found = find_duplicates(natural, BITS)
    assert found.pairs > 0 and found.nearest_bits == 0
    assert found == brute_force(natural, BITS, {("train", "new-session")})


def test_frames_without_hashes_are_counted() -> None:
    facts = make_facts(2)
    found = find_duplicates(replace(facts, hashed=np.zeros(len(facts.labels), np.bool_)), BITS)
    concerned = int(np.isin(facts.blocks, ["train", "new-scene", "clean"]).sum())
    assert found == Duplicates(0, concerned, 0, None, ())


def test_rendered_scenes_are_told_apart_and_a_renamed_one_is_not(tmp_path: Path) -> None:
    camera = DisturbedCamera(2, (384, 576), defects_per_year=50, initial_defects=50)
    shown = {
        "beach@1": "brick-vase-daylight",
        "forest@1": "brick-can-daylight",
        "harbour@1": "gravel-mug-daylight",
        "kitchen@1": "gravel-box-tungsten",
        "meadow@1": "wood-pear-daylight",
        "street@1": "wood-plant-daylight",
    }
    frames = make_frames(sessions=3, exposures=("1/8",))
    manifest = freeze_frames(
        dataset_spec(
            blocks={
                "scenes": {"validation": 1, "test": 2},
                "sessions_per_class": {"validation": 1, "test": 1},
            }
        ),
        frames,
    )
    known, renamed = shared_between(manifest, "train")[0], shared_between(manifest, "clean")[0]
    for repeated in (False, True):
        if repeated:
            shown[renamed] = shown[known]
        looks = {
            scene: perceptual_hash(camera.take(Shot(name))) or "" for scene, name in shown.items()
        }
        folder = tmp_path / str(repeated)
        folder.mkdir()
        with new_sqlite_catalogue(folder) as catalogue:
            write_audited(catalogue, frames, hashes=looks, complete=True)
            found = find_duplicates(collect_facts(catalogue, manifest), BITS)
        assert bool(found.pairs) == repeated


def test_a_hundred_thousand_frames_take_seconds(
    record_property: Callable[[str, Any], None],
) -> None:
    count = 100_000
    generator = np.random.default_rng(4)
    facts = make_facts(3, sessions_per_class=2, test_sessions=1, scenes=2, test_scenes=1, repeats=1)
    items: Any = generator.choice(len(facts.labels), count)
    large = only(facts, items)
    blocks = generator.choice(
        ["train", "validation", "new-session", "new-scene", "clean"],
        count,
        p=[0.5, 0.1, 0.2, 0.1, 0.1],
    )
    hashes = generator.integers(0, 2**63, (count, 4), np.uint64)
    large = replace(large, blocks=blocks, hashes=hashes)
    find_duplicates(facts, BITS)  # compiles
    started = time.process_time()
    found = find_duplicates(large, BITS)
    seconds = time.process_time() - started
    assert found.compared > 1e9 and found.pairs == 0
    assert seconds < 6
    record_property("processor seconds for 100,000 frames", round(seconds, 2))
