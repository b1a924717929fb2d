"""`agetrace demo`: the whole line on the virtual fixture."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, print_json


class Size(StrEnum):
    """How much the demo replays."""

    small = "small"
    full = "full"


def demo(
    output: Annotated[Path, typer.Option(help="Folder of the demo's home and report.")] = Path(
        "demo"
    ),
    size: Annotated[Size, typer.Option(help="small takes two minutes, full under ten.")] = (
        Size.full
    ),
    seed: Annotated[int, typer.Option(help="Seed of the sensors, the splits and the runs.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Replay years of captures of ageing cameras, train on them, and write the report.

    Example: agetrace demo --output demo --size small
    """
    from agetrace.demo.run import run_demo

    summary = run_demo(output, size=size.value, seed=seed, quiet=as_json)
    if as_json:
        print_json(summary)
