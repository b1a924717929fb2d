"""The page of an audit: whole, readable without anything else, and safe with hostile names."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from datastore.datasets.auditing.audit import audit_items
from datastore.datasets.auditing.facts import Nuisance
from datastore.datasets.auditing.page import render_audit, write_audit_page
from datastore.datasets.auditing.report import AuditParameters, AuditReport
from tests.support.audit_facts import make_facts, own_scenes, pixel_baselines, with_nuisance
from tests.support.dataset_frames import dataset_spec, freeze_frames, make_frames

FEW = AuditParameters(permutations=199, resamples=50)


class Page(HTMLParser):
    """Collects the tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)


@pytest.fixture(scope="module")
def report() -> AuditReport:
    facts = make_facts(1)
    return audit_items(facts, FEW, pixel_baselines(facts, 1))


def test_the_verdict_comes_first_and_every_rule_and_number_is_there(report: AuditReport) -> None:
    page = Page(render_audit(report))
    assert page.text.index("pass Nothing that was recorded") < page.text.index("Rules")
    for rule in report.rules:
        assert rule.sentence in page.text
    for one in report.baselines:
        assert f"{one.accuracy:.0%}" in page.text
    assert report.manifest_version in page.text


def test_it_needs_no_other_file_and_runs_no_script(report: AuditReport) -> None:
    page = Page(render_audit(report))
    assert page.references == []
    assert not {"script", "iframe", "object", "link", "img"} & set(page.tags)


def test_failing_rules_are_told_before_the_others() -> None:
    failed = audit_items(own_scenes(make_facts(1)), FEW)
    page = Page(render_audit(failed))
    assert "no result on this dataset can be credited to age" in page.text
    assert page.text.index("the classes do not show the same") < page.text.index("is the same in")


def test_hostile_names_stay_text() -> None:
    facts = make_facts(1)
    codes = (facts.labels == 0).astype(np.int64)
    hostile = Nuisance("<script>alert(1)</script>", codes, ("a", "b"), controlled=True)
    html = render_audit(audit_items(with_nuisance(facts, hostile), FEW))
    assert "<script" not in html
    assert "<script>alert(1)</script>" in Page(html).text


def test_waivers_and_force_are_told(report: AuditReport, tmp_path: Path) -> None:
    waive = [{"constraint": "one-pipeline", "reason": "the <b>firmware</b> was never recorded"}]
    manifest = freeze_frames(dataset_spec(waive=waive), make_frames())
    forced = manifest.forced("because & only because", ["scene"])
    file = tmp_path / "audit.html"
    write_audit_page(replace(report, verdict="fail"), file, header=forced.header)
    page = Page(file.read_text(encoding="utf-8"))
    assert "Frozen against scene:" in page.text and "because & only because" in page.text
    assert "Waived one-pipeline:" in page.text and "the <b>firmware</b> was" in page.text
    assert "Audit of controlled" in page.text
