"""A manifest gives the same bytes, labels and order for ever, or an error."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datastore.canonical import canonical_json
from datastore.datasets.errors import ManifestError
from datastore.datasets.manifest import Manifest, read_manifest
from tests.support.dataset_frames import dataset_spec, freeze_frames, make_frames


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return freeze_frames(dataset_spec(), make_frames())


def lines_of(manifest: Manifest) -> list[dict[str, Any]]:
    return [json.loads(line) for line in manifest.content.splitlines()]


def bytes_of(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(canonical_json(line) + b"\n" for line in lines)


def test_the_version_is_the_sha256_of_the_bytes(manifest: Manifest) -> None:
    assert manifest.version == hashlib.sha256(manifest.content).hexdigest()


def test_reading_gives_back_what_was_frozen(manifest: Manifest) -> None:
    assert read_manifest(manifest.content, manifest.version) == manifest


def test_a_reader_without_this_program_understands_the_lines(manifest: Manifest) -> None:
    header, *items = lines_of(manifest)
    assert header["format"] == "agetrace-dataset"
    assert header["items"] == len(items) == len(manifest.items)
    assert header["simulated"] is True
    assert header["classes"][0]["timeslots"][0] == {
        "scheme": "years",
        "ordinal": 1,
        "starts_at": "2020-01-01T00:00:00.000000Z",
        "ends_at": "2021-01-01T00:00:00.000000Z",
    }
    first = items[0]
    assert first["camera"] == {
        "make": "Nikon",
        "model": "D750",
        "serial": "6001",
        "simulated": True,
    }
    assert first["exposure"] in {"1/30", "1/2"}
    assert first["f_number"] == "28/5"
    assert first["temperature_millidegrees"] == 21_500
    assert first["class_name"] == "early"
    assert first["scene"].endswith("@1")


def test_no_number_in_a_manifest_is_a_float(manifest: Manifest) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    for line in manifest.content.splitlines():
        json.loads(line, parse_float=refuse, parse_constant=refuse)


@given(st.randoms(use_true_random=False), st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_the_bytes_do_not_depend_on_the_order_of_rows(rng: random.Random, seed: int) -> None:
    frames = make_frames()
    spec = dataset_spec(seed=seed)
    expected = freeze_frames(spec, frames).content
    rng.shuffle(frames)
    assert freeze_frames(spec, frames).content == expected


def test_two_spellings_of_one_specification_give_one_version(manifest: Manifest) -> None:
    spelled = dataset_spec(exposures=["2/60", 0.5])
    assert (
        freeze_frames(spelled, make_frames()).version
        == freeze_frames(dataset_spec(exposures=["1/2", "1/30"]), make_frames()).version
    )


def test_any_flipped_bit_is_refused(manifest: Manifest) -> None:
    rng = random.Random(5)
    for _ in range(50):
        content = bytearray(manifest.content)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        with pytest.raises(ManifestError, match="expected " + manifest.version):
            read_manifest(bytes(content), manifest.version)


Tampering = Callable[[list[dict[str, Any]]], None]


def relabel(lines: list[dict[str, Any]]) -> None:
    lines[1]["class_name"] = "late"


def move_block(lines: list[dict[str, Any]]) -> None:
    next(line for line in lines[1:] if line["block"] == "clean")["block"] = "train"


def drop_item(lines: list[dict[str, Any]]) -> None:
    del lines[3]


def repeat_item(lines: list[dict[str, Any]]) -> None:
    lines.insert(2, lines[1])


def reorder(lines: list[dict[str, Any]]) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def unknown_field(lines: list[dict[str, Any]]) -> None:
    lines[1]["rating"] = 5


def missing_field(lines: list[dict[str, Any]]) -> None:
    del lines[1]["session"]


def a_float(lines: list[dict[str, Any]]) -> None:
    lines[1]["iso"] = 800.0


def claim_real(lines: list[dict[str, Any]]) -> None:
    lines[0]["simulated"] = False


def not_accepted(lines: list[dict[str, Any]]) -> None:
    lines[1]["verdict"] = "rejected"


def forget_waiver(lines: list[dict[str, Any]]) -> None:
    lines[0]["waived"] = [{"constraint": "same-counts", "reason": "never said"}]


def other_number(lines: list[dict[str, Any]]) -> None:
    lines[0]["disjoint"]["sessions"] += 1


def taken_later(lines: list[dict[str, Any]]) -> None:
    lines[-1]["triggered_at"] = "2031-01-01T00:00:00.000000Z"


def unreduced(lines: list[dict[str, Any]]) -> None:
    lines[1]["exposure"] = "2/60"


def other_format(lines: list[dict[str, Any]]) -> None:
    lines[0]["format_version"] = 2


def no_spec(lines: list[dict[str, Any]]) -> None:
    lines[0]["specification"] = {}


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (relabel, "class late does not have its timeslot"),
        (move_block, "breaks its own rules"),
        (drop_item, "breaks its own rules"),
        (repeat_item, "breaks its own rules"),
        (reorder, "not in their order"),
        (unknown_field, "line 2: rating"),
        (missing_field, "line 2: session"),
        (a_float, "line 2: .* is no integer"),
        (claim_real, "does not agree"),
        (not_accepted, "breaks its own rules: constraint accepted-only"),
        (forget_waiver, "does not agree"),
        (other_number, "does not agree"),
        (taken_later, "taken outside its timeslot"),
        (unreduced, "line 2: exposure"),
        (other_format, "line 1: format_version"),
        (no_spec, "breaks its own rules"),
    ],
)
def test_a_manifest_that_was_rewritten_whole_is_refused_too(
    manifest: Manifest, tamper: Tampering, told: str
) -> None:
    """Its own hash fits, for it was made anew: what it says about itself does not."""
    lines = lines_of(manifest)
    tamper(lines)
    with pytest.raises(ManifestError, match=told):
        read_manifest(bytes_of(lines))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cut off"),
        (b"\n", "line 1: not readable"),
        (b"{}\n", "line 1: name"),
        (b"\xff\xfe\n", "line 1: not readable"),
        (b'{"a": 1}\n', "line 1: not in canonical form"),
        (b'{"a":NaN}\n', "line 1: not readable"),
        (b"[" * 100_000 + b"\n", "line 1: not readable"),
    ],
)
def test_bytes_that_are_no_manifest_are_refused(content: bytes, told: str) -> None:
    with pytest.raises(ManifestError, match=told):
        read_manifest(content)


def test_a_truncated_manifest_is_refused(manifest: Manifest) -> None:
    lines = manifest.content.splitlines(keepends=True)
    for kept in (lines[:-1], lines[:1], [*lines[:-1], lines[-1][:-1]]):
        with pytest.raises(ManifestError):
            read_manifest(b"".join(kept))


ELSEWHERE = """
import random
import subprocess
import sys
from tests.support.dataset_frames import dataset_spec, freeze_frames, make_frames

frames = make_frames(cameras=("6001", "6002"))
random.Random(5).shuffle(frames)
print(freeze_frames(dataset_spec(cameras=["6001", "6002"], splits=3), frames).version)
"""


@pytest.mark.parametrize(("hash_seed", "zone"), [("0", "UTC"), ("7", "Asia/Tokyo")])
def test_another_computer_freezes_the_same_bytes(hash_seed: str, zone: str) -> None:
    """Another process, order of frames, hash seed and time zone."""
    here = freeze_frames(
        dataset_spec(cameras=["6001", "6002"], splits=3), make_frames(cameras=("6001", "6002"))
    )
    there = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone},
    )
    assert there.stdout.strip() == here.version
