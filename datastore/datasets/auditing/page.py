"""An audit as one self-contained page: the verdict first, then every rule with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from datastore.datasets.auditing.audit import DEFINITION
from datastore.datasets.auditing.drift_plot import drift_plot, legend_path
from datastore.datasets.auditing.report import Association, AuditReport, RuleVerdict
from datastore.errors import MissingPackageError

if TYPE_CHECKING:
    from datastore.datasets.manifest import Header, Manifest

_LEADS = {
    "pass": "Nothing that was recorded or is easily seen goes with the label.",
    "warn": "Nothing fails, but not everything could be decided or was looked at.",
    "fail": "Something other than age goes with the label: no result on this dataset can be"
    " credited to age.",
}
_ORDER: tuple[RuleVerdict, ...] = ("fail", "warn", "inconclusive", "not-run", "pass")


@dataclass(frozen=True)
class Bar:
    """An association as a bar: places in percent of the width, None where there is no interval."""

    name: str
    measure: str
    value: str
    verdict: RuleVerdict
    at: float
    low: float | None
    high: float | None
    p: str


def write_audit_page(
    report: AuditReport,
    file: Path,
    *,
    header: Header | None = None,
    parents: Sequence[Manifest] = (),
) -> None:
    """Write an audit as HTML that needs no other file and runs no script.

    Parameters
    ----------
    report
        What was found.
    file
        Where to write it.
    header
        Of the manifest, for its name, its cameras and what was waived or forced.
    parents
        The datasets that it was drawn from or continues, its parent first.

    Raises
    ------
    MissingPackageError
        If Jinja2 is not installed.
    """
    file.write_text(render_audit(report, header=header, parents=parents), encoding="utf-8")


def render_audit(
    report: AuditReport, *, header: Header | None = None, parents: Sequence[Manifest] = ()
) -> str:
    """Return the page as text, every name in it escaped; raises as `write_audit_page`."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise MissingPackageError(
            "pages of audits need the extra `reports`: pip install 'agetrace[reports]'"
        ) from None
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        name="dataset" if header is None else header.name,
        report=report,
        header=header,
        parents=[(one.header.name, one.version) for one in parents],
        definition=DEFINITION,
        plots=[plot for plot in map(drift_plot, report.drifts) if plot is not None],
        legend_path=legend_path,
        lead=_LEADS[report.verdict],
        rules=sorted(report.rules, key=lambda rule: _ORDER.index(rule.verdict)),
        bars=[_bar(one) for one in report.associations if one.value is not None],
        limit=100 * report.parameters.negligible,
        number=_number,
        percent=lambda value: "" if value is None else f"{value:.0%}",
    )


def _bar(one: Association) -> Bar:
    """Return an association on the scale of V, on which eta squared is its root."""
    assert one.value is not None
    is_squared = one.measure == "eta-squared"

    def place(value: float) -> float:
        return 100 * min(1.0, sqrt(max(value, 0.0)) if is_squared else value)

    return Bar(
        name=one.nuisance,
        measure="eta²" if is_squared else "V",
        value=_number(one.value),
        verdict=one.verdict,
        at=place(one.value),
        low=None if one.low is None else place(one.low),
        high=None if one.high is None else place(one.high),
        p="by design" if one.p_corrected is None else _number(one.p_corrected),
    )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
