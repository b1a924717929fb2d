"""The report on dated images: sections of a page that say what each answer rests on."""

from __future__ import annotations

from collections.abc import Sequence

from training.estimators.date_estimate import DateEstimate, iso
from training.estimators.dated_file import DatedFile, day
from training.estimators.dating_figures import dating_figure
from training.evidence.page import Check, Section, Table, picture_of, render_page

MOST_PHOTOSITES = 12
"""Rows of the table; the others are told as a number."""

NOISE_SCALE_AT_MOST = 2.0
SHARE_BEYOND_AT_MOST = 0.05
"""Of controls beyond three standard deviations. Normal noise has 0.0027, and simulated scenes with
sharp edges up to 0.03, to which their texture adds."""

LOG10_ODDS_AT_MOST = 2.0


def dating_page(dated: Sequence[DatedFile]) -> str:
    """Return the report on some files as one self-contained HTML page."""
    title = "Date of " + ", ".join(one.name for one in dated)
    sections = [section for one in dated for section in sections_of(one)]
    return render_page(title, " ".join(f"{one.sentence}." for one in dated), sections)


def sections_of(dated: DatedFile) -> list[Section]:
    """Return what is told of one file: the answer, the photosites, the controls, the lineage."""
    estimate = dated.estimate
    found = [_answer_section(dated)]
    if estimate is not None:
        found.append(_photosites_section(dated, estimate))
        found.append(Section(f"{dated.name}: controls", checks=control_checks(dated)))
    found.append(
        Section(
            f"{dated.name}: lineage",
            paragraphs=dated.notes,
            tables=[Table(("what", "value"), lineage_rows(dated))],
        )
    )
    return found


def control_checks(dated: DatedFile) -> list[Check]:
    """Return what would have to hold for the answer to be believed."""
    estimate = dated.estimate
    assert estimate is not None
    controls = estimate.controls
    checks = [
        Check(
            "its noise is that of the trusted images",
            f"{controls.noise_scale:.2f} times, at {controls.photosites} photosites without defect",
            f"at most {NOISE_SCALE_AT_MOST:g}",
            controls.noise_scale <= NOISE_SCALE_AT_MOST,
        ),
        Check(
            "photosites without defect look so",
            f"{controls.share_beyond_3:.2%} beyond three standard deviations",
            f"at most {SHARE_BEYOND_AT_MOST:.0%}",
            controls.share_beyond_3 <= SHARE_BEYOND_AT_MOST,
        ),
    ]
    if dated.displaced is not None:
        # of what is no defect, odds of 100 for a defect have a probability of 1 % at most
        odds = sum(one.log10_ratio for one in dated.displaced.evidence)
        checks.append(
            Check(
                "neighbours of the photosites, asked as if they were the defects, show none",
                f"log10 of the odds for defects {odds:+.1f}",
                f"at most {LOG10_ODDS_AT_MOST:g}",
                odds <= LOG10_ODDS_AT_MOST,
            )
        )
    return checks


def photosite_rows(estimate: DateEstimate, most: int = MOST_PHOTOSITES) -> list[tuple[str, ...]]:
    """Return the most telling photosites as rows of text."""
    return [
        (
            f"({one.row}, {one.column})",
            f"{day(iso(one.onset_after)) or 'before'} to {day(iso(one.onset_before)) or 'after'}",
            "saturated" if one.residual_dn is None else f"{one.residual_dn:.1f}",
            f"{one.expected_dn:.1f}",
            f"{one.noise_dn:.1f}",
            f"{one.log10_ratio:+.2f}",
        )
        for one in estimate.evidence[:most]
    ]


PHOTOSITE_COLUMNS = ("photosite", "onset", "shows (DN)", "defect (DN)", "noise (DN)", "log10 ratio")


def lineage_rows(dated: DatedFile) -> list[tuple[str, str]]:
    """Return where the answer comes from, as rows of text."""
    lineage = dated.lineage
    camera = lineage.get("camera", {})
    rows = [
        ("questioned file", f"{dated.name}, sha256 {dated.sha256}"),
        ("it says of itself", _said(dated)),
        ("estimator", f"{dated.estimator}, sha256 {dated.estimator_sha256}"),
        ("camera", " ".join(str(camera.get(one, "")) for one in ("make", "model", "serial"))),
        ("dataset", f"{lineage.get('dataset')}, version {lineage.get('dataset_version')}"),
        (
            "trusted images",
            (
                f"{lineage.get('images')} of {lineage.get('sessions')} sessions,"
                f" {day(lineage.get('first_image'))} to {day(lineage.get('last_image'))}"
            ),
        ),
        ("ledger", _ledger(dated)),
        ("fitted by", str(lineage.get("code_version"))),
        ("answered by", dated.code_version),
    ]
    if lineage.get("simulated"):
        rows.insert(4, ("simulated", "the camera is a simulated one"))
    return rows


def _answer_section(dated: DatedFile) -> Section:
    probabilities = dated.timeslot.probabilities
    pictures = []
    if dated.estimate is not None:
        caption = (
            "Likelihood at the times of the trusted images, and what each photosite said over its"
            " onset: above 0 its defect is there, so that the image is later."
        )
        pictures.append(picture_of(dating_figure(dated.estimate), caption))
    paragraphs = [f"{dated.sentence}."]
    if dated.is_suspect:
        paragraphs.append(
            "The estimator is suspect: what it reads need not be defects. It is told for comparison"
            " and is no evidence of age."
        )
    return Section(
        f"{dated.name}: when it was taken",
        paragraphs=paragraphs,
        tables=[
            Table(
                ("timeslot", "probability"),
                [(name, f"{value:.1%}") for name, value in probabilities.items()],
            )
        ],
        pictures=pictures,
    )


def _photosites_section(dated: DatedFile, estimate: DateEstimate) -> Section:
    more = len(estimate.evidence) - MOST_PHOTOSITES
    paragraphs = [f"{more} others said less."] if more > 0 else []
    if not estimate.evidence:
        paragraphs = ["No photosite of this camera went bad within the trusted images."]
    return Section(
        f"{dated.name}: the photosites",
        paragraphs=paragraphs,
        tables=[Table(PHOTOSITE_COLUMNS, photosite_rows(estimate))],
    )


def _said(dated: DatedFile) -> str:
    said = [f"{name} {value}" for name, value in dated.facts.items() if value is not None]
    return (", ".join(said) or "nothing") + " (its time is not used)"


def _ledger(dated: DatedFile) -> str:
    lineage = dated.lineage
    if lineage.get("ledger") is None:
        return "not used"
    return f"number {lineage['ledger']} of the catalogue, {lineage['ledger_defects']} defects"
