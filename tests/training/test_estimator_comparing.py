"""Estimators beside each other: abstentions count, sessions are the unit, the simpler one wins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.estimators.comparing import ABSTAINED, Answers, Comparison, compare
from training.estimators.errors import EstimatorError

CLASSES = ("early", "late")


def _answers(
    name: str, wrong: dict[int, str], *, kind: str = "classical", runs: int = 1
) -> Answers:
    """Return answers about 8 sessions of 4 images, right but for some images."""
    sessions = np.repeat([f"s{number}" for number in range(8)], 4)
    true = np.repeat(["early", "late"], 16)
    named = true.astype("<U10")
    for image, said in wrong.items():
        named[image] = said
    return Answers(
        name=name,
        kind="network" if kind == "network" else "classical",
        is_suspect=False,
        images=np.array([f"i{number}" for number in range(32)]),
        true_classes=true,
        named_classes=np.tile(named, (runs, 1)),
        sessions=sessions,
    )


def _by_name(comparison: Comparison) -> dict[str, float]:
    return {one.name: one.accuracy for one in comparison.standings}


def test_an_abstention_is_not_right_and_is_told() -> None:
    wrong = {0: "late", 1: ABSTAINED, 2: ABSTAINED, 3: ABSTAINED}
    (found,) = compare("clean", CLASSES, [_answers("bayes", wrong)]).standings
    assert found.accuracy == 28 / 32
    assert found.answered == 29 / 32
    assert found.accuracy_of_answered == 28 / 29
    assert found.confusion == ((12, 1, 3), (0, 16, 0))
    assert found.difference is None and found.compared_with is None
    silent = _answers("silent", dict.fromkeys(range(32), ABSTAINED))
    (found,) = compare("clean", CLASSES, [silent]).standings
    assert found.accuracy == 0 and found.accuracy_of_answered is None
    assert found.verdict == "at-chance"


def test_sessions_are_the_unit() -> None:
    (found,) = compare("clean", CLASSES, [_answers("perfect", {})]).standings
    # 70 ways to share eight sessions out to two classes
    assert found.p_value == found.smallest_p == pytest.approx(1 / 70)
    assert (found.sessions, found.images, found.runs) == (8, 32, 1)
    # one whole session wrong: 95 % by images would span far less than by sessions
    wrong = _answers("one session", dict.fromkeys(range(4), "late"))
    (found,) = compare("clean", CLASSES, [wrong]).standings
    assert found.interval.low <= 0.7 and found.interval.high == 1.0


def test_the_best_comes_first_and_is_held_against_the_second() -> None:
    # each session of the other has two wrong images
    half = _answers("half", {4 * s + i: "nobody" for s in range(8) for i in (0, 1)})
    found = compare("clean", CLASSES, [half, _answers("perfect", {})])
    assert list(_by_name(found)) == ["perfect", "half"]
    best, second = found.standings
    assert (best.compared_with, second.compared_with) == ("half", "perfect")
    assert best.difference == 0.5 == -(second.difference or 0)
    # all eight signs alike, two-sided
    assert best.difference_p == best.difference_smallest_p == pytest.approx(2 / 256)


def test_runs_of_a_network_count_by_the_share_that_is_right() -> None:
    one, two = _answers("net", {}, kind="network"), _answers("net", {0: "late"}, kind="network")
    both = replace(one, named_classes=np.concatenate([one.named_classes, two.named_classes]))
    (found,) = compare("clean", CLASSES, [both]).standings
    assert found.accuracy == pytest.approx(63 / 64)
    assert found.runs == 2


@pytest.mark.parametrize(
    ("classical", "network", "sentence"),
    [
        (0, 16, "the simpler method wins: bayes, 100.0% against 50.0% of nano"),
        (16, 0, "the network wins: nano, 100.0% against 50.0% of bayes"),
        (
            0,
            1,
            "the simpler method wins: bayes, 100.0% against 96.9% of nano, which these sessions",
        ),
        (1, 1, "bayes does as well as nano, and is the simpler"),
    ],
)
def test_where_a_simpler_method_wins_it_is_said(
    classical: int, network: int, sentence: str
) -> None:
    def spread(count: int) -> dict[int, str]:
        return {(5 * number) % 32: "nobody" for number in range(count)}

    found = compare(
        "clean",
        CLASSES,
        [_answers("bayes", spread(classical)), _answers("nano", spread(network), kind="network")],
    )
    assert found.sentence.startswith(sentence)


def test_what_is_suspect_is_no_rival_and_wins_nothing() -> None:
    suspect = replace(_answers("ahmed", {}), is_suspect=True)
    found = compare("clean", CLASSES, [suspect, _answers("bayes", {0: "late"})])
    assert [one.name for one in found.standings] == ["ahmed", "bayes"]
    assert found.standings[1].compared_with is None
    assert found.sentence.startswith("bayes is right most often")
    assert "none of them is evidence" in compare("clean", CLASSES, [suspect]).sentence


def test_nothing_above_chance_is_nobodys_win() -> None:
    swapped = _answers("bayes", dict.fromkeys(range(16), "late"))
    assert "no estimator is above chance" in compare("clean", CLASSES, [swapped]).sentence


def test_answers_about_other_images_are_not_compared() -> None:
    bayes = _answers("bayes", {})
    other = replace(bayes, name="other", images=np.array([f"j{number}" for number in range(32)]))
    with pytest.raises(EstimatorError, match="other was judged on other images than bayes"):
        compare("clean", CLASSES, [bayes, other])
    with pytest.raises(EstimatorError, match="bayes is named twice"):
        compare("clean", CLASSES, [bayes, bayes])
    with pytest.raises(EstimatorError, match="nothing to compare"):
        compare("clean", CLASSES, [])
