"""What the how-to shows is accepted as it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from datastore.catalogue import Catalogue
from datastore.datasets.constraints import CONSTRAINTS
from datastore.datasets.freeze import freeze
from datastore.datasets.spec import DatasetSpec, OwnScenesSpec, parse_spec
from tests.support.dataset_frames import make_frames
from tests.support.dataset_rows import fill

DOCS = Path(__file__).parents[2] / "docs"
HOW_TO = (DOCS / "how-to" / "datasets.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", HOW_TO, flags=re.DOTALL)


@pytest.mark.parametrize("text", snippets("yaml"))
def test_every_specification_is_valid(text: str) -> None:
    assert isinstance(parse_spec(text), DatasetSpec | OwnScenesSpec)


def test_every_constraint_is_explained() -> None:
    explained = (DOCS / "explanations" / "datasets.md").read_text(encoding="utf-8")
    for name in CONSTRAINTS:
        assert f"| `{name}` |" in explained


def test_the_python_example_freezes_and_judges(sqlite_catalogue: Catalogue) -> None:
    controlled, biased = (
        next(text for text in snippets("yaml") if text.startswith(f"name: {name}\n"))
        for name in ("controlled", "biased")
    )
    slots = [("1, 2", "1"), ("9, 10", "2"), ("6001234", "6001")]
    for shown, here in slots:
        assert shown in controlled
        controlled = controlled.replace(shown, here)
    scenes = [f"scene-{number}" for number in range(12)]
    frames = make_frames(sessions=5, scenes=scenes, exposures=("1/2", "1"))
    fill(sqlite_catalogue, frames)
    names: dict[str, Any] = {}
    exec(compile(snippets("python")[0], "datasets.md", "exec"), names)
    freeze_both: Callable[..., Any] = names["freeze_both"]
    clean, swapped = freeze_both(sqlite_catalogue, controlled, biased)
    assert {item.block for item in clean} == {"clean"}
    assert {item.block for item in swapped} == {"new-session"}
    at, reason = datetime(2030, 1, 1, tzinfo=UTC), "shows what content does"
    again = freeze(sqlite_catalogue, parse_spec(biased), at, force=reason)
    assert not again.created
