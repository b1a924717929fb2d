"""A specification says what to freeze; what is wrong in it is named by field."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from datastore.datasets.errors import SpecError
from datastore.datasets.manifest import specification_document
from datastore.datasets.spec import DatasetSpec, OwnScenesSpec, make_spec, parse_spec
from tests.support.dataset_frames import spec_document

BIASED: dict[str, Any] = {
    "name": "biased",
    "parent": "controlled",
    "scenes_per_class": "own-scenes",
    "waive": [{"constraint": "same-scenes", "reason": "as in everyday collections"}],
}


def test_a_yaml_document_becomes_a_specification() -> None:
    text = yaml.safe_dump(spec_document(exposures=["2/60", 0.5], isos=[800, 100]))
    spec = parse_spec(text, "age.yaml")
    assert isinstance(spec, DatasetSpec)
    assert spec.exposures == ("1/2", "1/30")
    assert spec.isos == (100, 800)
    assert spec.waived == frozenset()


def test_a_specification_survives_its_own_document() -> None:
    blocks = {
        "scenes": {"validation": 0.25, "test": ["street", "beach"]},
        "sessions_per_class": {"validation": 1, "test": 2},
    }
    for document in (spec_document(blocks=blocks, exposures=["1/30"]), BIASED):
        spec = make_spec(document)
        assert make_spec(specification_document(spec)) == spec


def test_own_scenes_is_a_specification_of_its_own() -> None:
    spec = make_spec(BIASED)
    assert isinstance(spec, OwnScenesSpec)
    assert spec.waived == {"same-scenes"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"camera": "6001"}, "camera: no such field"),
        ({"name": "a/b"}, "name: "),
        ({"name": "cafe12"}, "name: must not read like the start of a version"),
        ({"cameras": []}, "cameras: "),
        ({"cameras": ["1", "1"]}, "cameras: a value is named twice"),
        ({"role": "tiff"}, "role: "),
        ({"input": "jpeg-luma"}, "input jpeg-luma cannot be made from role raw"),
        ({"kind": "dark-field"}, "kind: "),
        ({"exposures": ["fast"]}, "exposures.0: 'fast' is no number"),
        ({"exposures": [0]}, "exposures.0: 0 is not positive"),
        ({"isos": []}, "isos: an empty list selects nothing"),
        ({"classes": [{"name": "early", "timeslots": [1]}]}, "classes: "),
        ({"seed": -1}, "seed: "),
        ({"waive": [{"constraint": "same-scenes"}]}, "waive.0.reason: it is missing"),
        ({"waive": [{"constraint": "same-scenes", "reason": "  "}]}, "waive.0.reason: "),
        ({"waive": [{"constraint": "balance", "reason": "why"}]}, "waive.0.constraint: "),
        (
            {"waive": [{"constraint": "same-scenes", "reason": why} for why in ("a", "b")]},
            "waive: a constraint is waived twice",
        ),
        ({"blocks": {"sessions_per_class": {"test": 1}}}, "blocks.scenes is missing"),
        (
            {"kind": "natural"},
            "natural frames have no scenes",
        ),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(yaml.safe_dump(spec_document(**changes)), "age.yaml")
    assert str(caught.value).startswith("age.yaml: ")
    assert told in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("scenes", "sessions", "told"),
    [
        ({"validation": 1, "test": 0}, {"validation": 1, "test": 1}, "scenes.test is 0"),
        ({"validation": 1, "test": 1.5}, {"validation": 1, "test": 1}, "between 0 and 1"),
        ({"validation": 1, "test": -1}, {"validation": 1, "test": 1}, "is not negative"),
        ({"validation": 1, "test": True}, {"validation": 1, "test": 1}, "blocks.scenes.test"),
        ({"validation": 0, "test": 1}, {"validation": 1, "test": 1}, "give both or neither"),
        ({"validation": ["a"], "test": ["a"]}, {"validation": 1, "test": 1}, "a is in validation"),
        ({"validation": 1, "test": 1}, {"validation": 1, "test": 0}, "sessions_per_class.test"),
    ],
)
def test_wrong_shares_are_named(
    scenes: dict[str, Any], sessions: dict[str, Any], told: str
) -> None:
    blocks = {"scenes": scenes, "sessions_per_class": sessions}
    with pytest.raises(SpecError, match=told):
        make_spec(spec_document(blocks=blocks))


def test_classes_do_not_share_a_timeslot() -> None:
    classes = [{"name": "early", "timeslots": [1, 2]}, {"name": "late", "timeslots": [2]}]
    with pytest.raises(SpecError, match="timeslot 2 is in two classes"):
        make_spec(spec_document(classes=classes))


def test_own_scenes_needs_its_constraint_waived_by_name() -> None:
    with pytest.raises(SpecError, match="waive it by name, with a reason"):
        make_spec({**BIASED, "waive": []})
    with pytest.raises(SpecError, match="parent: it is missing"):
        make_spec({key: value for key, value in BIASED.items() if key != "parent"})
    with pytest.raises(SpecError, match="scheme: no such field"):
        make_spec({**BIASED, "scheme": "years"})


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "", "name: [unclosed"])
def test_what_is_no_specification_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"age\.yaml"):
        parse_spec(text, "age.yaml")
