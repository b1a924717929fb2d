"""`agetrace evidence`: tell whether an experiment saw age or content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, progress_bar, say

if TYPE_CHECKING:
    from agetrace.settings import Home
    from datastore.catalogue import Catalogue
    from training.evidence.average_reading import AverageReading
    from training.evidence.findings import Findings
    from training.saliency.methods import MapMethod


def evidence(
    context: typer.Context,
    experiment: Annotated[list[str], typer.Argument(help="Names or identifiers of experiments.")],
    output: Annotated[Path, typer.Option(help="File of the report.")] = Path("evidence.html"),
    placebo: Annotated[
        list[str] | None,
        typer.Option(help="Experiment on classes without an age between them; may be repeated."),
    ] = None,
    known_trace: Annotated[
        str | None,
        typer.Option(help="Experiment known to have learned a trace: calibrates average images."),
    ] = None,
    known_content: Annotated[
        str | None,
        typer.Option(help="Experiment known to have learned content: calibrates average images."),
    ] = None,
    recorded_only: Annotated[
        bool,
        typer.Option("--recorded-only", help="Ask no network: judge by what is recorded."),
    ] = False,
    map_method: Annotated[
        list[str] | None,
        typer.Option(help="Map where networks look by this method only; may be repeated."),
    ] = None,
    map_crops: Annotated[
        int, typer.Option(min=1, help="Crops of the clean block that are mapped, at most.")
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of controls, cues and resamplings.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Try the networks of experiments with changed frames, and write the verdict as one page.

    What networks answered is kept: interrupted work goes on where it was. The verdict with all its
    numbers is recorded in the catalogue too.

    Example: agetrace evidence controlled --placebo without-ageing --output evidence.html
    """
    from agetrace.errors import RequestError

    if (known_trace is None) != (known_content is None):
        raise RequestError("--known-trace and --known-content calibrate together: give both")
    if recorded_only and known_trace is not None:
        raise RequestError("--recorded-only asks no network: leave --known-trace out")
    maps = _Maps(tuple(map_method or ()), map_crops)
    maps.methods()
    if not recorded_only:
        from training.threads import prepare_process

        prepare_process()
    from datastore.clocks import HostClock
    from training.evidence.records import record_report
    from training.evidence.report import examine, write_report
    from training.experiments.summary import summarise

    with catalogue_of(context) as (home, catalogue):
        placebos = [summarise(catalogue, one) for one in placebo or ()]
        asked = [] if recorded_only else [*experiment, known_trace, known_content]
        found = {
            one: _gathered(home, catalogue, one, seed, _one_of(placebo), maps, quiet=as_json)
            for one in dict.fromkeys(asked)
            if one is not None
        }
        known = None
        if known_trace is not None and known_content is not None:
            known = (found[known_trace], found[known_content])
        examined = [
            examine(
                catalogue,
                reference,
                placebos,
                found.get(reference),
                _calibration(found.get(reference), known),
            )
            for reference in experiment
        ]
        write_report(catalogue, examined, output, placebos)
        parameters = {
            "seed": seed,
            "placebos": [one.uuid for one in placebos],
            "known_trace": known_trace,
            "known_content": known_content,
            "recorded_only": recorded_only,
            "map_methods": list(maps.methods()),
            "map_crops": map_crops,
        }
        at = HostClock().now()
        for one in examined:
            record_report(catalogue, one.summary.uuid, one.document(), parameters, at, one.files())
    if as_json:
        documents = [one.document() for one in examined]
        print_json(
            {
                "report": str(output),
                "judgements": [one["judgement"] for one in documents],
                "findings": [one["findings"] for one in documents],
            }
        )
        return
    for one in examined:
        judgement = one.judgement
        say(f"{judgement.experiment}: {judgement.verdict.replace('-', ' ')}: {judgement.reason}")
    say(f"wrote {output}")


@dataclass(frozen=True)
class _Maps:
    """What is mapped, as asked for."""

    asked: tuple[str, ...]
    crops: int

    def methods(self) -> tuple[MapMethod, ...]:
        """Return the methods, all where none was named."""
        from agetrace.errors import RequestError
        from training.saliency.methods import MAP_METHODS

        unknown = sorted(set(self.asked) - set(MAP_METHODS))
        if unknown:
            raise RequestError(f"--map-method {unknown[0]}: choose from {', '.join(MAP_METHODS)}")
        return tuple(one for one in MAP_METHODS if not self.asked or one in self.asked)


def _gathered(
    home: Home,
    catalogue: Catalogue,
    reference: str,
    seed: int,
    placebo: str | None,
    maps: _Maps,
    *,
    quiet: bool,
) -> Findings:
    from training.evidence.gathering import gather

    with progress_bar(reference, quiet=quiet) as advance:
        return gather(
            catalogue,
            reference,
            work_folder=home.work_root,
            seed=seed,
            placebo=placebo,
            map_methods=maps.methods(),
            map_crops=maps.crops,
            progress=advance,
        )


def _one_of(placebos: list[str] | None) -> str | None:
    return placebos[0] if placebos else None


def _calibration(
    findings: Findings | None, known: tuple[Findings, Findings] | None
) -> dict[str, AverageReading] | None:
    """Return the readings of averages as known cases leave them, by kind."""
    if findings is None or known is None:
        return None
    from training.evidence.average_reading import calibrated

    trace, content = ({one.kind: one for one in each.averages} for each in known)
    return {
        one.kind: calibrated(one, trace[one.kind], content[one.kind])
        for one in findings.averages
        if one.kind in trace and one.kind in content
    }
