"""The verdict on recorded experiments, and the page that shows what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datastore.catalogue import Catalogue
from datastore.datasets.auditing.records import newest_audit
from datastore.datasets.loading import load
from training.evidence.average_reading import AverageReading
from training.evidence.finding_sections import finding_sections
from training.evidence.findings import Findings
from training.evidence.page import Section, render_page
from training.evidence.recorded_baselines import recorded_baselines
from training.evidence.saliency_sections import saliency_finding_sections
from training.evidence.sections import evidence_sections
from training.evidence.verdict import DatasetStanding, Judgement, judge
from training.experiments.summary import ExperimentSummary, summarise


@dataclass(frozen=True)
class Examined:
    """An experiment with what was found out about it.

    Attributes
    ----------
    summary
        Its accuracies.
    findings
        What was tried after the fact; None where nothing was.
    judgement
        The verdict.
    """

    summary: ExperimentSummary
    findings: Findings | None
    judgement: Judgement

    def document(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return {
            "judgement": self.judgement.to_json(),
            "summary": self.summary.to_json(),
            "findings": None if self.findings is None else self.findings.to_json(),
        }

    def files(self) -> list[Path]:
        """Return the files that the document names by their hash."""
        saliency = None if self.findings is None else self.findings.saliency
        return [] if saliency is None else list(saliency.image_map_files.values())


def examine(
    catalogue: Catalogue,
    reference: str,
    placebos: Sequence[ExperimentSummary] = (),
    findings: Findings | None = None,
    calibration: Mapping[str, AverageReading] | None = None,
) -> Examined:
    """Apply the rules to a recorded experiment; parameters as of `judge`.

    Raises
    ------
    ExperimentError
        If there is no such experiment, or it was not judged on a clean block.
    """
    summary = summarise(catalogue, reference)
    standing = dataset_standing(catalogue, summary.dataset_version)
    # what is recorded counts although no network was asked
    found = findings or Findings(recorded_baselines(catalogue, summary.dataset_version))
    judgement = judge(summary, standing, placebos, found, calibration)
    return Examined(summary, findings, judgement)


def write_report(
    catalogue: Catalogue,
    examined: Sequence[Examined],
    output: Path,
    placebos: Sequence[ExperimentSummary] = (),
) -> None:
    """Write the evidence page of one or more experiments.

    Parameters
    ----------
    catalogue
        Where the experiments are recorded.
    examined
        The experiments with their verdicts.
    output
        The HTML file; its folder is made when missing.
    placebos
        Experiments on classes without an age between them.
    """
    lead = " ".join(
        f"{one.summary.name}: {one.judgement.verdict.replace('-', ' ')}: {one.judgement.reason}."
        f" {_lead(one.summary)}"
        for one in examined
    )
    found = {one.summary.name: one.findings for one in examined if one.findings is not None}
    summaries = [*(one.summary for one in examined), *placebos]
    page = render_page(
        "Evidence: " + ", ".join(one.summary.name for one in examined),
        lead,
        [
            verdict_section([one.judgement for one in examined]),
            *finding_sections(found),
            *saliency_finding_sections(found),
            *evidence_sections(catalogue, summaries),
        ],
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8")


def dataset_standing(catalogue: Catalogue, version: str) -> DatasetStanding:
    """Return what the record of a dataset says of its content control."""
    manifest = load(catalogue, version)
    header = manifest.header
    found = newest_audit(catalogue, manifest.unforced_version)
    return DatasetStanding(
        name=header.name,
        audit=None if found is None else found.report.verdict,
        forced=None if header.forced is None else header.forced.reason,
        waived=tuple(one.constraint for one in header.waived),
        uncontrolled=header.uncontrolled,
    )


def verdict_section(judgements: Sequence[Judgement]) -> Section:
    """Show the rules, declared beforehand, with what was measured for each experiment."""
    return Section(
        title="Verdict",
        paragraphs=[
            *(
                f"{one.experiment}: {one.verdict.replace('-', ' ')}, because {one.reason}."
                for one in judgements
            ),
            (
                "The conditions were written down before anything was trained, and sessions are the"
                " unit of each. Those in grey are told and decide nothing."
            ),
        ],
        checks=[
            replace(check, statement=f"{one.experiment}: {check.statement}")
            for one in judgements
            for check in one.checks
        ],
    )


def _lead(summary: ExperimentSummary) -> str:
    clean = summary.evaluation("clean")
    return (
        f"{summary.name}: on scenes and sessions that training never saw, {clean.accuracy:.1%} of"
        f" {clean.images} images are dated rightly (mean of {summary.runs} runs; without a trace"
        f" {clean.chance_low:.1%} to {clean.chance_high:.1%} would be expected, p ="
        f" {clean.p_value:.3g} with sessions as the unit): {clean.verdict.replace('-', ' ')}."
    )
