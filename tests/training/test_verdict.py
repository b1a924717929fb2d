"""The verdict follows rules that were declared beforehand, and says which number decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from training.evidence.verdict import DatasetStanding, judge
from training.experiments.errors import ExperimentError
from training.experiments.run_results import RunsInterval
from training.experiments.summary import EvaluationSummary, ExperimentSummary

SOUND = DatasetStanding("controlled", "pass", None, (), uncontrolled=False)
MASKS: list[dict[str, Any]] = [
    {"name": "masked", "block": "clean", "mask": {"by": "ledger"}},
    {"name": "spared", "block": "clean", "mask": {"by": "random"}},
]


def _evaluation(name: str, accuracy: float, smallest_p: float = 0.014) -> EvaluationSummary:
    """Return an evaluation by eight sessions, for which chance is 30 to 70 %."""
    verdict = "above-chance" if accuracy > 0.7 else "at-chance"
    return EvaluationSummary(
        evaluation=name,
        images=64,
        sessions=8,
        run_accuracies=(accuracy, accuracy),
        crop_accuracy=accuracy,
        chance_low=0.3,
        chance_high=0.7,
        p_value=smallest_p if accuracy > 0.7 else 0.5,
        smallest_p=smallest_p,
        verdict="inconclusive" if smallest_p > 0.05 else verdict,
        interval=RunsInterval(
            mean=accuracy,
            standard_deviation=0.0,
            low=None,
            high=None,
            confidence=0.95,
            runs=2,
            splits=1,
            meaning="seeds",
        ),
        balanced_accuracy=accuracy,
        kappa=2 * accuracy - 1,
        confusion=((1, 0), (0, 1)),
        class_names=("early", "late"),
        cameras=(),
        crops=None,
    )


def _summary(
    evaluations: list[dict[str, Any]] | None = None, name: str = "nano", **accuracies: float
) -> ExperimentSummary:
    found = [_evaluation(one.replace("_", "-"), value) for one, value in accuracies.items()]
    return ExperimentSummary(
        uuid="1",
        name=name,
        dataset="controlled",
        dataset_version="0" * 64,
        code_version="1",
        specification={"evaluations": evaluations or []},
        runs=2,
        evaluations=tuple(found),
    )


def test_a_trace_that_goes_with_the_ledgers_defects_is_a_defect_trace() -> None:
    found = judge(_summary(MASKS, clean=0.95, masked=0.5, spared=0.93), SOUND)
    assert found.verdict == "defect-trace-supported"
    assert all(check.holds for check in found.checks)
    stated = {check.statement: check.measured for check in found.checks}
    assert "95.0% of 64 images" in stated["a trace is seen (clean)"]


def test_a_trace_that_survives_masking_is_another_trace() -> None:
    found = judge(_summary(MASKS, clean=0.95, masked=0.9, spared=0.93), SOUND)
    assert found.verdict == "other-device-age-trace"
    assert [check.holds for check in found.checks].count(False) == 1


@pytest.mark.parametrize(
    ("masks", "accuracies", "reason"),
    [
        ([], {}, "whether it is defects is open"),
        (MASKS[:1], {"masked": 0.5}, "whether it is defects is open"),
        (MASKS, {"masked": 0.5, "spared": 0.5}, "masking itself harms"),
    ],
)
def test_a_trace_without_the_controls_of_masking_is_open(
    masks: list[dict[str, Any]], accuracies: dict[str, float], reason: str
) -> None:
    found = judge(_summary(masks, clean=0.95, **accuracies), SOUND)
    assert found.verdict == "inconclusive"
    assert reason in found.reason


def test_too_few_sessions_decide_nothing_however_good_the_accuracy() -> None:
    summary = _summary(MASKS, clean=1.0, masked=0.5, spared=1.0)
    few = tuple(replace(one, smallest_p=1 / 6) for one in summary.evaluations)
    found = judge(replace(summary, evaluations=few), SOUND)
    assert found.verdict == "inconclusive"
    assert "no accuracy gives a p below 0.17" in found.reason


def test_answers_that_follow_swapped_contents_are_content() -> None:
    swapped = [{"name": "swapped", "block": "swapped"}]
    biased = replace(SOUND, waived=("same-scenes",))
    found = judge(_summary(swapped, new_session=1.0, clean=0.5, swapped=0.0), biased)
    assert found.verdict == "content-suspected"
    assert "the answers follow the scenes" in found.reason
    # whatever else holds
    trace = judge(
        _summary([*MASKS, *swapped], clean=0.95, masked=0.5, spared=0.9, swapped=0.1), SOUND
    )
    assert trace.verdict == "content-suspected"
    sound = judge(
        _summary([*MASKS, *swapped], clean=0.95, masked=0.5, spared=0.9, swapped=0.9), SOUND
    )
    assert sound.verdict == "defect-trace-supported"


def test_own_scenes_alone_are_content_where_they_differ_and_nothing_where_not() -> None:
    own = _summary(new_session=1.0, clean=0.5)
    assert judge(own, replace(SOUND, waived=("same-scenes",))).verdict == "content-suspected"
    assert judge(own, SOUND).verdict == "no-evidence"


@pytest.mark.parametrize(
    "standing",
    [
        replace(SOUND, waived=("same-counts",)),
        replace(SOUND, forced="to see"),
        replace(SOUND, audit="fail"),
        replace(SOUND, uncontrolled=True),
    ],
)
def test_nothing_is_credited_to_age_without_content_control(standing: DatasetStanding) -> None:
    found = judge(_summary(MASKS, clean=0.95, masked=0.5, spared=0.93), standing)
    assert found.verdict == "content-suspected"
    assert [check.holds for check in found.checks].count(False) == 1


def test_a_placebo_that_is_told_apart_takes_every_claim_back() -> None:
    summary = _summary(MASKS, clean=0.95, masked=0.5, spared=0.93)
    found = judge(summary, SOUND, [_summary(name="placebo", clean=0.9)])
    assert found.verdict == "content-suspected"
    assert "placebo" in found.reason
    assert judge(summary, SOUND, [_summary(name="placebo", clean=0.5)]).verdict == (
        "defect-trace-supported"
    )


def test_what_was_not_audited_is_not_said_to_hold() -> None:
    found = judge(_summary(MASKS, clean=0.5, masked=0.5, spared=0.5), replace(SOUND, audit=None))
    assert found.verdict == "no-evidence"
    (controlled,) = [one for one in found.checks if one.statement.startswith("content")]
    assert controlled.holds is None


def test_a_verdict_needs_a_clean_block() -> None:
    with pytest.raises(ExperimentError, match="no evaluation called clean"):
        judge(_summary(new_session=1.0), SOUND)
