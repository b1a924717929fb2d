"""`agetrace evidence`: the report of an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, say


def evidence(
    context: typer.Context,
    experiment: Annotated[list[str], typer.Argument(help="Names or identifiers of experiments.")],
    output: Annotated[Path, typer.Option(help="File of the report.")] = Path("evidence.html"),
    as_json: JsonOption = False,
) -> None:
    """Write one self-contained page: runs per block, defects, growth, saliency, lineage.

    Example: agetrace evidence controlled-nano --output evidence.html
    """
    from training.evidence.report import write_report

    with catalogue_of(context) as (_, catalogue):
        write_report(catalogue, experiment, output)
    if as_json:
        print_json({"report": str(output)})
    else:
        say(f"wrote {output}")
