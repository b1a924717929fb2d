"""The page of an audit: whole, readable without anything else, and safe with hostile names."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import threading
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from datastore.datasets.auditing.audit import DEFINITION, audit_items
from datastore.datasets.auditing.facts import Nuisance
from datastore.datasets.auditing.page import render_audit, write_audit_page
from datastore.datasets.auditing.report import AuditParameters, AuditReport
from tests.support.audit_facts import make_facts, own_scenes, pixel_baselines, with_nuisance
from tests.support.dataset_frames import dataset_spec, freeze_frames, make_frames

FEW = AuditParameters(permutations=199, resamples=50)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


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


def test_the_course_of_every_quantity_is_drawn_session_by_session(report: AuditReport) -> None:
    html = render_audit(report)
    page = Page(html)
    # eight sessions of each of two classes, as marks with words of their own
    assert html.count('class="mark"') == 16 * len(report.drifts) > 0
    assert html.count('class="mean"') == 2 * len(report.drifts)
    for drift in report.drifts:
        assert len(drift.sessions) == 16
        for one in drift.sessions:
            day = datetime.fromtimestamp(one.at_s, UTC).strftime("%Y-%m-%d")
            assert f"{one.class_name}, {day}: {one.mean:.4g} {drift.unit}" in page.text
        for name, mean in drift.means.items():
            own = [one.mean for one in drift.sessions if one.class_name == name]
            assert mean == pytest.approx(np.mean(own))


def test_a_report_of_before_session_means_were_kept_is_read_and_drawn_without(
    report: AuditReport,
) -> None:
    document = report.to_json()
    assert AuditReport.from_json(json.loads(json.dumps(document))) == report
    for drift in document["drifts"]:
        del drift["sessions"]
    older = AuditReport.from_json(document)
    assert "<svg" not in render_audit(older) and "Drift" in render_audit(older)


def test_lineage_and_rules_are_told(report: AuditReport) -> None:
    parent = freeze_frames(dataset_spec(), make_frames())
    page = Page(render_audit(report, header=parent.header, parents=[parent]))
    assert parent.version in page.text and "Drawn from or continuing:" in page.text
    assert DEFINITION in page.text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt install chromium")
def test_a_browser_shows_it_whole_and_asks_for_nothing(report: AuditReport, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    page, picture = tmp_path / "audit.html", tmp_path / "audit.png"
    write_audit_page(report, page)
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: object = "-", size: object = "-") -> None:
            asked.append(self.path)

    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shown = subprocess.run(
            [
                *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--window-size=1000,6000", f"--screenshot={picture}"),
                *("--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"),
                f"http://127.0.0.1:{server.server_port}/audit.html",
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=90,
        )
        server.shutdown()
    assert set(asked) <= {"/audit.html", "/favicon.ico"}
    # what a page complains of, a refused style for one, is told as a message of its console
    assert "CONSOLE" not in shown.stderr
    pixels = cv2.imread(str(picture))
    assert pixels is not None and pixels.shape[1] == 1000
    blue, green, red = (pixels[..., channel].astype(int) for channel in range(3))
    # the marks of the first class, #1d3f6e, and of the second, #a3212b, blended with white
    is_blue = (blue - red > 50) & (blue > green)
    is_red = (red - blue > 60) & (red - green > 60)
    for mask in (is_blue, is_red):
        places = cv2.connectedComponents(mask.astype(np.uint8))[0] - 1
        assert places >= 8 * len(report.drifts)


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
