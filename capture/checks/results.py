"""The result of a check: its number, its threshold, its verdict; and findings seen as results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datastore.frames import Finding

Number = int | float | str | None


@dataclass(frozen=True)
class CheckResult:
    """What one check says of a frame; recorded whether the frame passed or not.

    Attributes
    ----------
    name
        Of the check, such as ``registration``.
    value
        What was measured; None where it could not be measured, and then `sentence` says why.
    threshold
        What the value was held against; None where nothing was.
    unit
        Of both, such as ``photosites``; empty for a plain ratio.
    passed
        The verdict.
    sentence
        The same for a reader.
    numbers
        Everything else that was measured, as JSON values.
    """

    name: str
    value: float | None
    threshold: float | None
    unit: str
    passed: bool
    sentence: str
    numbers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what JSON cannot hold."""
        values = (self.value, self.threshold, *self.numbers.values())
        if any(isinstance(value, float) and not math.isfinite(value) for value in values):
            raise ValueError(f"the check {self.name} measured a number that is not finite")


def unmeasured(
    name: str, threshold: float | None, unit: str, why: str, numbers: Mapping[str, Any] = {}
) -> CheckResult:
    """Return the result of a check that could not be made: nothing speaks against the frame."""
    return CheckResult(name, None, threshold, unit, True, why, dict(numbers))


def findings_result(name: str, findings: Sequence[Finding], sound: str) -> CheckResult:
    """Return findings as one result that passed where there are none.

    Parameters
    ----------
    name
        Of the check.
    findings
        What was found wrong.
    sound
        Sentence for a frame with no findings.
    """
    return CheckResult(
        name,
        float(len(findings)),
        0.0,
        "findings",
        not findings,
        sentences(findings) or sound,
        numbers(findings),
    )


def sentences(findings: Iterable[Finding]) -> str:
    """Return what was found as one reason."""
    return " ".join(finding.sentence for finding in findings)


def numbers(findings: Iterable[Finding]) -> dict[str, dict[str, int | float | str]]:
    """Return the numbers of what was found, by the name of the check."""
    return {finding.name: finding.numbers for finding in findings}
