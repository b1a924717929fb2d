"""The runner of the proofs, on folders of made-up ones."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSING = '''
"""A module's own words.

And more of them.
"""
import pytest

@pytest.mark.prove
@pytest.mark.parametrize("seed", [1, 2])
def test_first_of_all(seed, record_property):
    """Sums are what they are."""
    record_property("recall", seed / 3)
    record_property("frames", 10 * seed)

@pytest.mark.prove
def test_second():
    pass

def test_quick_one():
    raise AssertionError("no proof, never run")
'''
FAILING = PASSING.replace("pass\n", "assert 1 == 2\n", 1)
SKIPPING = PASSING.replace("pass\n", "pytest.skip('not here')\n", 1)


def start(folder: Path, content: str, *options: str) -> subprocess.Popen[str]:
    proofs = folder / "proofs"
    proofs.mkdir(exist_ok=True)
    (proofs / "test_made_up.py").write_text(content)
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.proofs", str(proofs)),
            *("--report", str(folder / "report.md"), *options),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def prove(folder: Path, content: str, *options: str) -> tuple[int, str, str]:
    """Return the exit status, what was shown, and the report."""
    with start(folder, content, *options) as process:
        shown, _ = process.communicate(timeout=60)
    report = folder / "report.md"
    return process.returncode, shown, report.read_text() if report.exists() else ""


def test_the_report_holds_claims_counts_and_figures(tmp_path: Path) -> None:
    status, shown, report = prove(tmp_path, PASSING)
    assert status == 0
    assert "test_first_of_all[1] PASSED" in shown
    assert "3 of 3 cases passed" in report
    first, second = report.split("\n## ")[1:]
    assert first.startswith("First of all\n\nSums are what they are. (`")
    assert "| 2 | 2 | 0 | 0 | 0 |" in first
    assert "| case | recall | frames |\n| --- | --- | --- |\n| 1 | 0.3333 | 10 |" in first
    assert second.startswith("Second\n\nA module's own words. (`")
    assert "figures" not in second and "case |" not in second
    assert "quick" not in report
    for fact in ("- Newest: 20", "UTC, code 0.", "\n\nRan 20", " cores, ", "Python 3."):
        assert fact in report


def test_sections_of_files_that_did_not_run_stay_with_their_dates(tmp_path: Path) -> None:
    other = (
        "\n## Of long ago\n\nA claim. (`tests/other/test_other.py`)\n\nRan 2020-01-01.\n\n"
        "| cases | passed | failed | skipped | seconds |\n| --- | --- | --- | --- | --- |\n"
        "| 5 | 4 | 1 | 0 | 7 |\n"
    )
    _, _, first = prove(tmp_path, FAILING)
    (tmp_path / "report.md").write_text(first + other)
    status, _, second = prove(tmp_path, PASSING)
    assert status == 0
    assert other.strip() in second
    assert "7 of 8 cases passed in 7 s" in second
    # what ran again is told anew, once
    assert second.count("## First of all") == second.count("## Second") == 1
    assert "**Failed**" in first and "**Failed**" not in second


def test_several_processes_write_the_same_report(tmp_path: Path) -> None:
    reports = []
    for name, options in (("one", ()), ("two", ("--processes", "2"))):
        (tmp_path / name).mkdir()
        status, shown, report = prove(tmp_path / name, PASSING, *options)
        assert status == 0, shown
        told = report.replace(f"/{name}/", "/").partition("cases passed in")[2]
        # a minute may pass between the two
        reports.append(re.sub(r"Ran \d{4}-\d\d-\d\d \d\d:\d\d UTC", "Ran", told))
    assert reports[0].partition("\n")[2] == reports[1].partition("\n")[2]


def test_a_failed_proof_is_reported_and_fails_the_run(tmp_path: Path) -> None:
    status, _, report = prove(tmp_path, FAILING)
    assert status == 1
    assert "2 of 3 cases passed" in report
    assert "**Failed**: `test_second`" in report


def test_a_skipped_proof_does_not_count_as_passed(tmp_path: Path) -> None:
    status, _, report = prove(tmp_path, SKIPPING)
    assert status == 0
    assert "2 of 3 cases passed" in report
    assert "| 1 | 0 | 0 | 1 | 0 |" in report


@pytest.mark.parametrize("content", ["def test_quick(): pass\n", "import nothing_of_this_name\n"])
def test_a_run_without_proofs_writes_nothing_and_fails(tmp_path: Path, content: str) -> None:
    assert prove(tmp_path, content)[::2] == (1, "")


def test_an_interrupted_run_writes_nothing(tmp_path: Path) -> None:
    began = tmp_path / "began"
    waiting = PASSING.replace("pass\n", f"open({str(began)!r}, 'w').close(); time.sleep(60)\n", 1)
    with start(tmp_path, waiting.replace("import pytest", "import pytest, time")) as process:
        while not began.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert not (tmp_path / "report.md").exists()
