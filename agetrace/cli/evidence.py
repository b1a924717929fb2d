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
    placebo: Annotated[
        list[str] | None,
        typer.Option(help="Experiment on classes without an age between them; may be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one self-contained page: verdict, runs per block, defects, saliency, lineage.

    Example: agetrace evidence controlled-nano --placebo without-ageing --output evidence.html
    """
    from training.evidence.report import write_report

    with catalogue_of(context) as (_, catalogue):
        judgements = write_report(catalogue, experiment, output, placebo or ())
    if as_json:
        verdicts = [one.to_json() for one in judgements]
        print_json({"report": str(output), "judgements": verdicts})
        return
    for one in judgements:
        say(f"{one.experiment}: {one.verdict.replace('-', ' ')}: {one.reason}")
    say(f"wrote {output}")
