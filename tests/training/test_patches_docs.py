"""What the how-to shows runs as it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import torch

from datastore.datasets.patch_spec import PatchKind
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.patch_catalogue import fill_with_raw_files
from training.patches.inputs import INPUTS

HOW_TO = (Path(__file__).parents[2] / "docs" / "how-to" / "patches.md").read_text(encoding="utf-8")


def test_the_example_trains_and_goes_on(tmp_path: Path) -> None:
    catalogue = new_sqlite_catalogue(tmp_path)
    manifest, _ = fill_with_raw_files(catalogue)
    (text,) = re.findall(r"```python\n(.*?)```", HOW_TO, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(text, "patches.md", "exec"), names)
    train: Callable[..., Any] = names["train"]
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 5), torch.nn.Flatten(), torch.nn.LazyLinear(2)
    )
    network(torch.zeros(1, 1, 64, 64))
    first = next(network.parameters())
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)
    before = first.detach().clone()
    train(catalogue, manifest, network, optimiser, tmp_path, 1)
    assert not torch.equal(before, first)
    saved = json.loads((tmp_path / "position.json").read_text())
    assert (saved["epoch"], saved["position"]) == (1, 0)
    assert train(catalogue, manifest, network, optimiser, tmp_path, 2).epoch == 2


def test_every_kind_and_every_input_is_explained() -> None:
    for name in (*get_args(PatchKind), *INPUTS):
        assert f"| `{name}` |" in HOW_TO
