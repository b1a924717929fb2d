"""The demo's report: what came out, against what would have to come out, and all it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from sqlalchemy import select

from agetrace.demo import plan
from agetrace.demo.results import DemoResults
from datastore.catalogue import Catalogue
from datastore.tables import Asset, Camera, Scene, SceneRevision, Shot
from training.evidence.figures import contact_sheet
from training.evidence.page import Check, Section, Table, picture_of, render_page
from training.evidence.report import verdict_section
from training.evidence.sections import evidence_sections
from training.evidence.verdict import VerdictName
from training.experiments.summary import EvaluationSummary


def write_demo_report(
    catalogue: Catalogue, results: DemoResults, summary: Mapping[str, Any], output: Path
) -> None:
    """Write the report of a demo as one self-contained page."""
    conditions = conditions_of(results)
    sections = [
        Section(
            title="What was to be shown",
            paragraphs=[
                (
                    "Each line was fixed before the run. Accuracy is image-level, the mean over the"
                    " runs; the chance interval comes from permuting class labels over"
                    " whole sessions. An interval of a single value means that the network gave"
                    " every image the same answer."
                )
            ],
            checks=conditions,
        ),
        _virtual_section(catalogue, results),
        _ledger_section(results),
        _audit_section(results),
        verdict_section(list(results.judgements.values())),
        *evidence_sections(catalogue, list(results.experiments.values())),
        Section(
            title="Summary",
            tables=[Table(["key", "value"], [[key, str(value)] for key, value in summary.items()])],
        ),
    ]
    page = render_page("Image content or age?", lead_of(results, conditions), sections)
    output.write_text(page, encoding="utf-8")


def lead_of(results: DemoResults, conditions: list[Check]) -> str:
    """Return the answer in a few sentences, with this run's numbers."""
    own = results.evaluation("biased", "new-session").accuracy
    biased_clean = results.evaluation("biased", "clean").accuracy
    swapped = results.evaluation("biased", "swapped").accuracy
    clean = results.evaluation("controlled", "clean").accuracy
    masked = results.evaluation("controlled", "clean-masked-by-ledger").accuracy
    failed = [check for check in conditions if check.holds is not True]
    outcome = (
        "Every condition below holds."
        if not failed
        else f"{len(failed)} of {len(conditions)} conditions below do not hold or could not be"
        " decided."
    )
    return (
        f"A network trained on images whose classes have their own scenes dates {own:.0%} of such"
        f" images rightly, {biased_clean:.0%} of images with scenes and sessions that it never saw,"
        f" and {swapped:.0%} when the contents are swapped. Trained on a content-controlled set,"
        f" the same network dates {clean:.0%} of the unseen scenes and sessions, and {masked:.0%}"
        f" once the defects that arose in between are masked. {outcome}"
    )


def conditions_of(results: DemoResults) -> list[Check]:
    """Judge the pre-declared conditions on this run's numbers."""
    own = results.evaluation("biased", "new-session")
    controlled = results.evaluation("controlled", "clean")
    random_mask = results.evaluation("controlled", "clean-masked-at-random")
    swapped = results.evaluation("biased", "swapped")
    return [
        _audited(results, "controlled", "pass", "Controlled set: passes its audit"),
        _audited(results, "biased", "fail", "Biased set: fails its audit"),
        _above(own, "Biased set: high accuracy on its own kind of test (own scenes, new sessions)"),
        _within(results.evaluation("biased", "clean"), "Biased set: falls on the clean block"),
        Check(
            "Biased set: falls below one half when the contents are swapped",
            f"{swapped.accuracy:.1%}",
            "below 50 %",
            swapped.accuracy < 0.5,
        ),
        _above(controlled, "Controlled set: above chance on the clean block"),
        _within(
            results.evaluation("controlled", "clean-masked-by-ledger"),
            "Controlled set: at chance when the ledger's new defects are masked",
        ),
        _within(
            results.evaluation("controlled", "clean-masked-by-truth"),
            "Controlled set: at chance when the true new defects are masked",
        ),
        Check(
            "Controlled set: masking as many sound photosites changes little",
            f"{random_mask.accuracy:.1%} against {controlled.accuracy:.1%}",
            "falls by less than 5 points",
            random_mask.accuracy > controlled.accuracy - 0.05,
        ),
        _within(
            results.evaluation("retrained-masked", "clean"),
            "Controlled set, new defects masked in training too: at chance",
        ),
        _within(results.evaluation("without-ageing", "clean"), "Camera without ageing: at chance"),
        _judged(results, "controlled", "defect-trace-supported"),
        _judged(results, "biased", "content-suspected"),
    ]


def _judged(results: DemoResults, name: str, required: VerdictName) -> Check:
    judgement = results.judgements[name]
    return Check(
        f"{name.capitalize()} set: the verdict by the rules",
        f"{judgement.verdict.replace('-', ' ')}: {judgement.reason}",
        required.replace("-", " "),
        judgement.verdict == required,
    )


def _audited(results: DemoResults, name: str, required: str, statement: str) -> Check:
    report = results.datasets[name].audit
    told = [rule.rule for rule in report.rules if rule.verdict not in ("pass", "not-run")]
    measured = f"{report.verdict}{': ' if told else ''}{', '.join(told)}"
    return Check(statement, measured, required, report.verdict == required)


def _audit_section(results: DemoResults) -> Section:
    tables = [
        Table(
            ["rule", "verdict", "reason"],
            [
                [rule.rule, rule.verdict, rule.sentence]
                for rule in frozen.audit.rules
                if rule.verdict != "pass" or rule.rule.startswith("baseline")
            ],
            caption=f"{name}: {frozen.audit.verdict}",
        )
        for name, frozen in results.datasets.items()
    ]
    return Section(
        title="The datasets' audits",
        paragraphs=[
            (
                "Before a dataset is frozen, every recorded nuisance and five baselines that cannot"
                " see age are held against its label. The folder audits has the whole pages; here"
                " are the baselines, and what did not pass."
            )
        ],
        tables=tables,
    )


def _above(evaluation: EvaluationSummary, statement: str) -> Check:
    return Check(
        statement,
        f"{evaluation.accuracy:.1%}, p = {evaluation.p_value:.3g} ({evaluation.sessions} sessions)",
        f"above {evaluation.chance_high:.1%}, p at most 0.05",
        None if evaluation.verdict == "inconclusive" else evaluation.verdict == "above-chance",
    )


def _within(evaluation: EvaluationSummary, statement: str) -> Check:
    return Check(
        statement,
        f"{evaluation.accuracy:.1%}, p = {evaluation.p_value:.3g}",
        f"{evaluation.chance_low:.1%} to {evaluation.chance_high:.1%}",
        evaluation.is_within_chance,
    )


def _virtual_section(catalogue: Catalogue, results: DemoResults) -> Section:
    amounts, score = results.amounts, results.score
    quartiles = np.percentile(score.new_detectability, [25, 50, 75])
    prior = plan.prior_defects_per_year(amounts)
    return Section(
        title="What was simulated, and how far from real ageing",
        paragraphs=[
            (
                f"{results.cameras} virtual cameras of {amounts.width} x {amounts.height}"
                f" photosites"
                f" ({', '.join(plan.AGEING_SERIALS)} age, {plan.CONTROL_SERIAL} does not) answered"
                f" over PTP/IP and were driven by libgphoto2 through {results.shots['sessions']}"
                f" sessions over {plan.YEARS:.1f} simulated years."
            ),
            (
                "Ageing is strongly accelerated. The field's prior expects"
                f" {prior:.3f} new defects a year on a sensor of this size; the count is"
                f" multiplied by"
                f" {score.acceleration_count:,.0f} and the amplitude of every defect by"
                f" {score.acceleration_amplitude:g}. Real sensors of a few years hold a"
                f" handful of new"
                " defects on many millions of photosites: blind crops such as those used here would"
                " miss them, and whole-frame evidence or defect-centred patches would be needed."
            ),
            (
                f"At the scenes' settings ({plan.SCENE_EXPOSURE} s, ISO {plan.SCENE_ISO}) a"
                f" new defect"
                f" stands out of the local noise by d' = {quartiles[1]:.1f} in the median"
                f" (quartiles"
                f" {quartiles[0]:.1f} and {quartiles[2]:.1f}); there are"
                f" {len(score.new_detectability)} of them on the ageing cameras,"
                f" {amounts.new_defects_per_mille:g} per thousand photosites each."
            ),
        ],
        pictures=[
            picture_of(
                contact_sheet(_previews(catalogue)),
                "The carousel as the first camera saw it in the first session.",
            )
        ],
    )


def _previews(catalogue: Catalogue, width: int = 160) -> list[tuple[str, Any]]:
    with catalogue.reading() as session:
        rows = session.execute(
            select(Scene.name, Asset.sha256, Shot.id)
            .join(SceneRevision, SceneRevision.scene_id == Scene.id)
            .join(Shot, Shot.scene_revision_id == SceneRevision.id)
            .join(Asset, Asset.shot_id == Shot.id)
            .join(Camera, Camera.id == Shot.camera_id)
            .where(
                Camera.serial == plan.AGEING_SERIALS[0],
                Shot.kind == "fixed-background",
                Asset.role == "jpeg",
            )
            .order_by(Shot.id)
        ).all()
    pictures: dict[str, Any] = {}
    for name, sha256, _ in rows:
        if name not in pictures:
            image = simplejpeg.decode_jpeg(catalogue.store.path(sha256).read_bytes())
            step = max(1, image.shape[1] // width)
            pictures[name] = image[::step, ::step]
    return sorted(pictures.items())


def _ledger_section(results: DemoResults) -> Section:
    rows = [
        [
            serial,
            str(score.true),
            str(score.found),
            _share(score.precision),
            _share(score.recall),
            _share(score.onset_interval_coverage),
            str(score.onsets),
        ]
        for serial, score in (*results.score.cameras.items(), ("both", results.score.total))
    ]
    return Section(
        title="The ledger against the truth",
        paragraphs=[
            (
                "A found defect is false where the virtual sensor has none at all. Recall counts"
                " non-blinking defects of at least twice the read noise in one frame of the longest"
                " dark exposure; weaker ones count neither way. Coverage is the share of onset"
                " intervals that hold the true onset, for defects that arose under watch."
            )
        ],
        tables=[
            Table(
                ["camera", "true", "found", "precision", "recall", "onset coverage", "onsets"],
                rows,
            )
        ],
    )


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"
