"""What an audit found: plain values that go to JSON and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

RuleVerdict = Literal["pass", "warn", "fail", "inconclusive", "not-run"]
"""`inconclusive` where no result could have been significant; `not-run` where nothing was tried."""

AuditVerdict = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class AuditParameters:
    """Levels, thresholds and randomness of an audit.

    Attributes
    ----------
    alpha
        Level of every family of tests, corrected after Westfall and Young (1993).
    permutations
        Relabellings of sessions that are drawn where there are more than that.
    resamples
        Bootstrap samples of sessions behind each interval.
    seed
        Of both.
    negligible
        Association (Cramér's V, square root of eta squared) that does no harm.
    duplicate_bits
        Differing bits of 256 up to which two frames look the same.
    """

    alpha: float = 0.05
    permutations: int = 1999
    resamples: int = 999
    seed: int = 0
    negligible: float = 0.1
    duplicate_bits: int = 10


@dataclass(frozen=True)
class RuleResult:
    """One rule's verdict, its reason in a sentence, and its numbers."""

    rule: str
    verdict: RuleVerdict
    sentence: str
    numbers: dict[str, float | int | str | None]


@dataclass(frozen=True)
class Association:
    """Association of one nuisance with the label.

    `measure` is `cramers-v` or `eta-squared`, both corrected for bias; `low` and `high` bound it by
    a bootstrap of whole sessions. `p` comes from relabelling sessions and is None for a controlled
    factor. `p_corrected` compares with the strongest nuisance of each relabelling (Westfall and
    Young 1993): few sessions permit few p-values, and Holm's factor would put all of them above the
    level. `smallest_p` is what perfect association would have got.
    """

    nuisance: str
    controlled: bool
    measure: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    p_corrected: float | None
    smallest_p: float | None
    unknown: int
    verdict: RuleVerdict


@dataclass(frozen=True)
class Nesting:
    """A factor that lies within another: each level of `factor` has one level of `within`."""

    factor: str
    within: str
    levels: int
    sentence: str


@dataclass(frozen=True)
class SessionMean:
    """A quantity's mean in one session, content taken off; `at_s` is in seconds since 1970 UTC."""

    class_name: str
    at_s: float
    mean: float


@dataclass(frozen=True)
class Drift:
    """A quantity's course within and between classes.

    `means` and `slopes_per_day` are by class, over session means; None where unknown. `sessions`
    are those means, by time; empty in reports of before they were kept.
    """

    quantity: str
    unit: str
    means: dict[str, float | None]
    slopes_per_day: dict[str, float | None]
    verdict: RuleVerdict
    sentence: str
    sessions: tuple[SessionMean, ...] = ()

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Drift:
        """Return the drift of a report's document."""
        sessions = tuple(SessionMean(**one) for one in document.get("sessions", ()))
        return cls(**{**document, "sessions": sessions})


@dataclass(frozen=True)
class BaselineResult:
    """How well a baseline that must fail recognises the class on one test block.

    The p-value permutes labels over whole test sessions; `chance_low` and `chance_high` bound what
    chance gives. `p_corrected` compares with the best baseline of each relabelling (Westfall and
    Young 1993), so that `smallest_p` is also the smallest corrected one.
    """

    name: str
    block: str
    accuracy: float | None
    chance_low: float | None
    chance_high: float | None
    p: float | None
    p_corrected: float | None
    smallest_p: float | None
    items: int
    sessions: int
    verdict: RuleVerdict


@dataclass(frozen=True)
class Duplicates:
    """Frames of train and of a test block that look the same."""

    compared: int
    without_hash: int
    pairs: int
    nearest_bits: int | None
    examples: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class AuditReport:
    """Everything that an audit found; `verdict` is the worst of its rules'."""

    manifest_version: str
    verdict: AuditVerdict
    rules: tuple[RuleResult, ...]
    associations: tuple[Association, ...]
    nestings: tuple[Nesting, ...]
    drifts: tuple[Drift, ...]
    baselines: tuple[BaselineResult, ...]
    duplicates: Duplicates
    parameters: AuditParameters

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> AuditReport:
        """Return the report that `to_json` made a document of."""
        duplicates = document["duplicates"]
        return cls(
            manifest_version=document["manifest_version"],
            verdict=document["verdict"],
            rules=tuple(RuleResult(**one) for one in document["rules"]),
            associations=tuple(Association(**one) for one in document["associations"]),
            nestings=tuple(Nesting(**one) for one in document["nestings"]),
            drifts=tuple(Drift.from_json(one) for one in document["drifts"]),
            baselines=tuple(BaselineResult(**one) for one in document["baselines"]),
            duplicates=Duplicates(
                **{
                    **duplicates,
                    "examples": tuple((a, b, bits) for a, b, bits in duplicates["examples"]),
                }
            ),
            parameters=AuditParameters(**document["parameters"]),
        )
