"""Run the long proofs, the tests marked `prove`, and write down what they showed.

`python -m tests.proofs` shows their progress and rewrites docs/proofs.md; `--processes` runs
several at once. Figures are what a test hands to pytest's `record_property`. Exits with 0 where
every proof passed, 1 where one did not, and 130 after an interrupt, which leaves the file as it
was.
"""

from __future__ import annotations

import argparse
import os
import platform
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


def render(proofs: Sequence[Proof], at: datetime, code: str, machine: str) -> str:
    """Return the Markdown of docs/proofs.md."""
    passed = sum(proof.count("passed") for proof in proofs)
    cases = sum(len(proof.cases) for proof in proofs)
    seconds = sum(proof.seconds for proof in proofs)
    lines = [
        "# Proofs",
        "",
        "What the long tests showed when they last ran. `make prove` runs them and rewrites this",
        "file; nobody edits it.",
        "",
        f"- Date: {at:%Y-%m-%d %H:%M} UTC",
        f"- Code: {code}",
        f"- Machine: {machine}",
        f"- {passed} of {cases} cases passed in {seconds:.0f} s",
    ]
    for proof in proofs:
        lines += ["", *_section(proof)]
    return "\n".join(lines) + "\n"


def _section(proof: Proof) -> list[str]:
    path, _, test = proof.name.partition("::")
    title = test.removeprefix("test_").replace("_", " ")
    lines = [
        f"## {title[:1].upper()}{title[1:]}",
        "",
        f"{proof.claim} (`{path}`)",
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
        report = render(recorder.proofs, datetime.now(UTC), code, describe_machine())
        request.report.write_text(report, encoding="utf-8")
    return 0 if status == pytest.ExitCode.OK else 1


if __name__ == "__main__":
    sys.exit(main())
