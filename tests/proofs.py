"""Run the long proofs, the tests marked `prove`, and write down what they showed.

`python -m tests.proofs [FOLDER ...]` shows their progress and rewrites docs/proofs.md: the sections
of the test files that ran, while those of others stay with their own dates; `--processes` runs
several at once. Figures are what a test hands to pytest's `record_property`. Exits with 0 where
every proof passed, 1 where one did not, and 130 after an interrupt, which leaves the file as it
was.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from training.code_version import code_version

ROOT = Path(__file__).parents[1]
INTERRUPTED = 130

_PATH = re.compile(r"\(`([^`]+\.py)`\)")
_COUNTS = re.compile(r"\| (?P<cases>\d+) \| (?P<passed>\d+) \| \d+ \| \d+ \| (?P<seconds>\d+) \|")


@dataclass
class Case:
    """One case of a proof: its parameters, its end, how long it took, what it recorded."""

    name: str
    outcome: str = "passed"
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass
class Proof:
    """A marked test with its cases; `claim` says what it proves."""

    name: str
    claim: str
    cases: dict[str, Case] = field(default_factory=dict)

    def count(self, outcome: str) -> int:
        """Return how many cases ended so: `passed`, `failed` or `skipped`."""
        return sum(case.outcome == outcome for case in self.cases.values())

    @property
    def seconds(self) -> float:
        """How long all cases took."""
        return sum(case.seconds for case in self.cases.values())


class Recorder:
    """A pytest plugin that remembers what became of every case.

    Parameters
    ----------
    claims
        What each test claims, by its name with parameters, in the order of the report.
    """

    def __init__(self, claims: Mapping[str, str]) -> None:
        self.interrupted = False
        self._order = {node: place for place, node in enumerate(claims)}
        self._proofs: dict[str, Proof] = {}
        for node, claim in claims.items():
            name = _name_of(node)
            self._proofs.setdefault(name, Proof(name, claim))

    @property
    def proofs(self) -> list[Proof]:
        """The proofs of which at least one case ran, and these, in the order of collection."""
        proofs = [proof for proof in self._proofs.values() if proof.cases]
        for proof in proofs:
            # several processes end them in any order
            proof.cases = dict(sorted(proof.cases.items(), key=lambda case: self._order[case[0]]))
        return proofs

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of a case: its setup, its call or its end."""
        parameters = report.nodeid.partition("[")[2]
        proof = self._proofs[_name_of(report.nodeid)]
        case = proof.cases.setdefault(report.nodeid, Case(parameters.removesuffix("]")))
        case.seconds += report.duration
        case.figures.update(report.user_properties)
        if not report.passed:
            case.outcome = report.outcome

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Tell an interrupt from pytest's own end where a test module cannot be read."""
        self.interrupted = not isinstance(excinfo.value, pytest.Session.Interrupted)


class Collector:
    """A pytest plugin that notes what each test claims.

    Attributes
    ----------
    claims
        The first line of its docstring, else of its module's, by its name with parameters.
    """

    def __init__(self) -> None:
        self.claims: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what was collected."""
        for item in session.items:
            assert isinstance(item, pytest.Function)
            words = item.function.__doc__ or item.module.__doc__ or ""
            self.claims[item.nodeid] = words.strip().partition("\n")[0]


def _name_of(node: str) -> str:
    return node.partition("[")[0]


def describe_machine() -> str:
    """Return the cores that may be used, the architecture and the interpreter."""
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {platform.machine()}, Python {platform.python_version()}"


def render(proofs: Sequence[Proof], when: str, machine: str, previous: str = "") -> str:
    """Return the Markdown of docs/proofs.md.

    Parameters
    ----------
    proofs
        What ran.
    when
        The time and the code, in words.
    machine
        What it ran on.
    previous
        The report so far, whose sections of test files that did not run are kept.
    """
    ran = {proof.name.partition("::")[0] for proof in proofs}
    sections = [(path, text) for path, text in _sections_of(previous) if path not in ran]
    sections += [
        (proof.name.partition("::")[0], "\n".join(_section(proof, when))) for proof in proofs
    ]
    # of one file they stay in the order in which they were collected
    sections.sort(key=lambda section: section[0])
    counts = [counted for _, text in sections if (counted := _COUNTS.search(text)) is not None]
    passed, cases, seconds = (
        sum(int(counted[group]) for counted in counts) for group in ("passed", "cases", "seconds")
    )
    lines = [
        "# Proofs",
        "",
        "What the long tests showed when they last ran. `make prove` runs them and rewrites this",
        "file; nobody edits it. Every section says when its tests ran, and on which code.",
        "",
        f"- Newest: {when}",
        f"- Machine: {machine}",
        f"- {passed} of {cases} cases passed in {seconds} s",
    ]
    return "\n".join(lines) + "".join(f"\n\n{text}" for _, text in sections) + "\n"


def _sections_of(report: str) -> list[tuple[str, str]]:
    """Return the test file and the text of each section of a report."""
    found = []
    for part in report.split("\n## ")[1:]:
        path = _PATH.search(part)
        if path is not None:
            found.append((path[1], "## " + part.strip()))
    return found


def _section(proof: Proof, when: str) -> list[str]:
    path, _, test = proof.name.partition("::")
    title = test.removeprefix("test_").replace("_", " ")
    lines = [
        f"## {title[:1].upper()}{title[1:]}",
        "",
        f"{proof.claim} (`{path}`)",
        "",
        f"Ran {when}.",
        "",
        *_table(
            ["cases", "passed", "failed", "skipped", "seconds"],
            [
                [
                    len(proof.cases),
                    *(proof.count(outcome) for outcome in ("passed", "failed", "skipped")),
                    round(proof.seconds),
                ]
            ],
        ),
    ]
    cases = list(proof.cases.values())
    failed = [f"`{case.name or test}`" for case in cases if case.outcome == "failed"]
    if failed:
        lines += ["", f"**Failed**: {', '.join(failed)}"]
    figures = list(dict.fromkeys(name for case in cases for name in case.figures))
    if figures:
        rows = [[case.name, *(case.figures.get(name) for name in figures)] for case in cases]
        header = ["case", *figures]
        if not any(case.name for case in cases):
            header, rows = header[1:], [row[1:] for row in rows]
        lines += ["", *_table(header, rows)]
    return lines


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    cells = [[_cell(value) for value in row] for row in [header, *rows]]
    cells.insert(1, ["---"] * len(header))
    return [f"| {' | '.join(row)} |" for row in cells]


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proofs below the given folders and write the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / "tests"])
    parser.add_argument("--report", type=Path, default=ROOT / "docs" / "proofs.md")
    parser.add_argument("--processes", type=int, default=1)
    request = parser.parse_args(arguments)
    chosen = [
        *("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-m", "prove"),
        *map(str, request.folders),
    ]
    # with several processes, none of them sees both what was collected and what became of it
    collector = Collector()
    with redirect_stdout(StringIO()):
        pytest.main([*chosen, "--collect-only"], plugins=[collector])
    recorder = Recorder(collector.claims)
    code = code_version()
    several = ["--numprocesses", str(request.processes)] if request.processes > 1 else []
    status = pytest.main([*chosen, "-v", *several], plugins=[recorder])
    if recorder.interrupted:
        return INTERRUPTED
    if recorder.proofs:
        when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, code {code}"
        before = request.report.read_text("utf-8") if request.report.exists() else ""
        report = render(recorder.proofs, when, describe_machine(), before)
        request.report.write_text(report, encoding="utf-8")
    return 0 if status == pytest.ExitCode.OK else 1


if __name__ == "__main__":
    sys.exit(main())
