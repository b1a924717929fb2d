"""The verdict follows rules that were declared beforehand, and says which number decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from training.evidence.average_reading import AverageReading
from training.evidence.contrasts_within import ContentSwap
from training.evidence.effects import Difference, Flips
from training.evidence.findings import BaselineFinding, Findings
from training.evidence.verdict import DatasetStanding, judge
from training.experiments.errors import ExperimentError
from training.experiments.run_results import RunsInterval
from training.experiments.summary import EvaluationSummary, ExperimentSummary
from training.statistics import Interval

SOUND = DatasetStanding("controlled", "pass", None, (), uncontrolled=False)
BLIND = Findings(
    baselines=tuple(
        BaselineFinding(name, 0.5, 1.0, 0.014, "pass") for name in ("thumbnail", "exif")
    )
)
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
    found = judge(_summary(MASKS, clean=0.95, masked=0.5, spared=0.93), SOUND, findings=BLIND)
    assert found.verdict == "defect-trace-supported"
    assert all(check.holds for check in found.checks)
    stated = {check.statement: check.measured for check in found.checks}
    assert "95.0% of 64 images" in stated["a trace is seen (clean)"]


def test_a_trace_that_survives_masking_is_another_trace() -> None:
    survives = _summary(MASKS, clean=0.95, masked=0.9, spared=0.93)
    found = judge(survives, SOUND, findings=BLIND)
    assert found.verdict == "other-device-age-trace"
    assert [check.holds for check in found.checks].count(False) == 1
    # as long as nobody looked whether light and colour tell as much
    assert judge(survives, SOUND).verdict == "inconclusive"


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


def test_a_baseline_that_cannot_see_age_and_tells_the_classes_blocks_the_claim() -> None:
    light = BaselineFinding("mean-colour", 0.9, 0.014, 0.014, "fail")
    found = judge(
        _summary(MASKS, clean=0.95, masked=0.93, spared=0.93),
        SOUND,
        findings=replace(BLIND, baselines=(*BLIND.baselines, light)),
    )
    assert found.verdict == "content-suspected"
    assert "mean-colour" in found.reason


def test_what_a_baseline_tells_is_no_reason_where_the_answers_go_with_the_defects() -> None:
    """Masked frames keep their light and colour; answers that are lost did not rest on them."""
    light = BaselineFinding("mean-colour", 0.7, 0.03, 0.014, "fail")
    seen = replace(BLIND, baselines=(*BLIND.baselines, light))
    found = judge(_summary(MASKS, clean=0.95, masked=0.5, spared=0.93), SOUND, findings=seen)
    assert found.verdict == "defect-trace-supported"
    told = next(one for one in found.checks if one.statement.startswith("mean-colour"))
    assert told.holds is False
    # unless that was not tried, little was lost, or the control lost it too
    for masks in ({}, {"masked": 0.69, "spared": 0.73}, {"masked": 0.5, "spared": 0.5}):
        found = judge(_summary(MASKS, clean=0.95, **masks), SOUND, findings=seen)
        assert found.verdict == "content-suspected"


def test_a_trace_is_claimed_only_beyond_doubt() -> None:
    """One experiment of twenty without a trace is above chance at p = 0.05."""
    for masked in (0.5, 0.9):
        summary = _summary(MASKS, clean=0.95, masked=masked, spared=0.93)
        doubtful = tuple(
            replace(one, p_value=0.024) if one.evaluation == "clean" else one
            for one in summary.evaluations
        )
        found = judge(replace(summary, evaluations=doubtful), SOUND, findings=BLIND)
        assert found.verdict == "inconclusive"
        assert "p = 0.024 by 8 sessions; a trace is claimed at 0.02 or less" in found.reason
        line = next(one for one in found.checks if "beyond doubt" in one.statement)
        assert line.holds is False


def test_a_trace_beside_the_defects_has_to_beat_what_cannot_see_age() -> None:
    """A baseline that is as often right, if not beyond chance, explains as much."""
    thumbnail = BaselineFinding("thumbnail", 0.95, 0.06, 0.014, "pass")
    survives = _summary(MASKS, clean=0.95, masked=0.9, spared=0.93)
    found = judge(survives, SOUND, findings=Findings(baselines=(thumbnail,)))
    assert found.verdict == "inconclusive"
    assert "thumbnail" in found.reason
    below = replace(thumbnail, accuracy=0.9)
    found = judge(survives, SOUND, findings=Findings(baselines=(below,)))
    assert found.verdict == "other-device-age-trace"


def test_masking_that_takes_little_away_is_no_difference() -> None:
    """One at chance and the other not, four points apart, is not a difference."""
    found = judge(_summary(MASKS, clean=0.8, masked=0.69, spared=0.73), SOUND, findings=BLIND)
    assert found.verdict == "inconclusive"
    assert "too little" in found.reason


def _difference(intervention: float, control: float, p_value: float) -> Difference:
    change = intervention - control
    interval = Interval(change - 0.1, change + 0.1, 0.95)
    return Difference(intervention, control, change, interval, p_value, 0.0078)


@pytest.mark.parametrize(
    ("held", "followed", "p_value", "verdict"),
    [
        (1.0, 0.0, 0.0078, "defect-trace-supported"),
        (0.5, 1.0, 0.0078, "content-suspected"),
        (0.6, 0.7, 0.3, "defect-trace-supported"),
    ],
)
def test_answers_that_stay_with_the_scene_are_content(
    held: float, followed: float, p_value: float, verdict: str
) -> None:
    swap = ContentSwap(_difference(held, followed, p_value), 10, 64, 8)
    found = judge(
        _summary(MASKS, clean=0.95, masked=0.5, spared=0.93),
        SOUND,
        findings=replace(BLIND, content_swap=swap),
    )
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("rate", "verdict"), [(0.9, "defect-trace-supported"), (0.1, "inconclusive")]
)
def test_transplanted_defects_have_to_turn_answers(rate: float, verdict: str) -> None:
    interval = Interval(rate - 0.1, rate + 0.1, 0.95)
    flips = Flips("transplant", rate, rate, interval, interval, None, 40, 4)
    found = judge(
        _summary(MASKS, clean=0.95, masked=0.5, spared=0.93),
        SOUND,
        findings=replace(BLIND, transplant=flips),
    )
    assert found.verdict == verdict
    line = next(one for one in found.checks if "defects added" in one.statement)
    assert line.holds is (rate > 0.5)


def test_averages_decide_only_where_known_cases_were_read_rightly() -> None:
    falls = AverageReading("same-class-different-scenes", (), "content", "it falls to chance")
    unknown = replace(falls, outcome="uncalibrated", reason="a known trace reads as nothing")
    summary = _summary(MASKS, clean=0.95, masked=0.5, spared=0.93)
    findings = replace(BLIND, averages=(falls,))
    assert judge(summary, SOUND, findings=findings).verdict == "defect-trace-supported"
    for reading, verdict in ((falls, "content-suspected"), (unknown, "defect-trace-supported")):
        calibration = {"same-class-different-scenes": reading}
        found = judge(summary, SOUND, findings=findings, calibration=calibration)
        assert found.verdict == verdict


def test_masks_of_equal_amplitude_count_before_those_of_the_specification() -> None:
    """The specification's random mask harms nothing; the control of equal amplitude does."""
    masked, control = _evaluation("masked", 0.5), _evaluation("mask-control", 0.5)
    found = judge(
        _summary(MASKS, clean=0.95, masked=0.5, spared=0.93),
        SOUND,
        findings=replace(BLIND, masked=masked, mask_control=control),
    )
    assert found.verdict == "inconclusive"
    assert "masking itself harms" in found.reason
