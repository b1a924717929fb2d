"""What is told of one questioned file: its facts, the answer, and what that rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.estimators.date_estimate import DateEstimate, iso


@dataclass(frozen=True)
class TimeslotAnswer:
    """The timeslot of one image.

    Attributes
    ----------
    probabilities
        Of each timeslot by its name, in the order of time.
    low, high
        First and last timeslot that it may be of.
    confidence
        Of that.
    most_likely
        None where the estimator abstains.
    """

    probabilities: Mapping[str, float]
    low: str
    high: str
    confidence: float
    most_likely: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return dict(self.__dict__) | {"probabilities": dict(self.probabilities)}


@dataclass(frozen=True)
class DatedFile:
    """One questioned file with the answer.

    Attributes
    ----------
    name, sha256
        Of the file.
    facts
        What the file says of itself; its own time is told and not used.
    notes
        What was assumed of it.
    timeslot
        The answer in timeslots.
    estimate
        The answer in dates; None for estimators that know no dates.
    displaced
        The same photosites' neighbours asked as if they were the defects: should know nothing.
    estimator, estimator_file, estimator_sha256
        Which answered.
    is_suspect
        Whether it is told for comparison alone.
    lineage
        Of what it was fitted to.
    code_version
        That answered.
    """

    name: str
    sha256: str
    facts: Mapping[str, Any]
    notes: tuple[str, ...]
    timeslot: TimeslotAnswer
    estimate: DateEstimate | None
    displaced: DateEstimate | None
    estimator: str
    estimator_file: str
    estimator_sha256: str
    is_suspect: bool
    lineage: Mapping[str, Any]
    code_version: str

    @property
    def sentence(self) -> str:
        """The answer in a sentence."""
        if self.estimate is not None:
            return self._dates(self.estimate)
        answer = self.timeslot
        if answer.most_likely is None:
            return f"{self.name}: nothing tells its timeslot"
        within = answer.low if answer.low == answer.high else f"{answer.low} to {answer.high}"
        suspect = " (a suspect estimator: no evidence of age)" if self.is_suspect else ""
        return (
            f"{self.name}: of timeslot {within} ({answer.confidence:.0%}), most likely"
            f" {answer.most_likely} with {answer.probabilities[answer.most_likely]:.0%}{suspect}"
        )

    def _dates(self, estimate: DateEstimate) -> str:
        low, high = day(iso(estimate.low)), day(iso(estimate.high))
        if estimate.abstained or (low is None and high is None):
            return f"{self.name}: nothing in it tells when it was taken"
        if low is None:
            said = f"taken before {high}"
        elif high is None:
            said = f"taken after {low}"
        else:
            said = f"taken between {low} and {high}"
        return f"{self.name}: {said} ({estimate.confidence:.0%})"

    def to_json(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return dict(self.__dict__) | {
            "facts": dict(self.facts),
            "notes": list(self.notes),
            "timeslot": self.timeslot.to_json(),
            "estimate": None if self.estimate is None else self.estimate.to_json(),
            "displaced": None if self.displaced is None else self.displaced.to_json(),
            "lineage": dict(self.lineage),
            "sentence": self.sentence,
        }


def day(time: str | None) -> str | None:
    """Return the date of an ISO 8601 time."""
    return None if time is None else time[:10]
