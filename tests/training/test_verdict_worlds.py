"""The verdict is right where the truth is known: networks are trained in generated worlds.

What is right was written down in `tests.support.generated_worlds` before any world was judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from scipy import stats

from tests.support.generated_worlds import TRACES, VARIETIES, Variety, World
from tests.support.judged_worlds import evidence_in
from training.evidence.verdict import Judgement

WITH_A_TRACE: Mapping[str, int] = {
    "trace, 8 per crop at d' 50": 8,
    "trace, 4 per crop at d' 50": 8,
    "trace, 8 per crop at d' 40": 8,
    "trace, 4 per crop at d' 30": 5,
    "trace, 2 per crop at d' 10": 5,
    "trace, 4 per crop at d' 4": 5,
    "both, own scenes of another kind": 6,
    "both, light redder by 20 %": 6,
}
WITHOUT_A_TRACE: Mapping[str, int] = {
    "content, own scenes of another kind": 8,
    "content, own scenes of one kind": 6,
    "content, light redder by 20 %": 6,
    "content, light redder by 3 %": 6,
    "neither, new defects too faint to show": 5,
    "neither, new defects in both classes": 5,
    "neither, light of sessions varies by 10 %": 8,
    "neither, gain of sessions varies by 5 %": 8,
    "neither, temperature varies by 5 K": 8,
    "neither, new defects in random sessions": 8,
}
LEAST_SHARE_RIGHT = 0.95
CONFIDENCE = 0.95

Judged = list[tuple[World, Judgement]]
Record = Callable[[str, object], None]


def most(count: int, of: int) -> float:
    """Upper bound of a share of which ``count`` were seen (Clopper and Pearson, one-sided)."""
    return 1.0 if count == of else float(stats.beta.ppf(CONFIDENCE, count + 1, of - count))


def _is_right(world: World, found: Judgement) -> bool:
    return found.verdict in world.variety.right


def _judge_all(counts: Mapping[str, int], record: Record) -> Judged:
    """Judge as many worlds of each variety, each of a seed of its own, and say what came out."""
    judged: Judged = []
    order = list(VARIETIES)
    for name, count in counts.items():
        # those below 50 were looked at before the worlds were as they are, and those below 84
        # before the rules were
        first = 100 * (1 + order.index(name)) + 84
        worlds = [World(VARIETIES[name], seed) for seed in range(first, first + count)]
        found = [(world, evidence_in(world).verdict()) for world in worlds]
        tally = Counter(judgement.verdict for _, judgement in found)
        record(name, ", ".join(f"{number} {verdict}" for verdict, number in tally.most_common()))
        judged += found
    clear = [pair for pair in judged if pair[0].variety.is_clear]
    wrong = [pair for pair in judged if not _is_right(*pair)]
    wrong_and_clear = sum(world.variety.is_clear for world, _ in wrong)
    record("worlds", len(judged))
    record("clear ones", len(clear))
    record("wrong in clear ones", wrong_and_clear)
    record("at most, in clear ones (95 %)", most(wrong_and_clear, len(clear)))
    record("wrong in others", len(wrong) - wrong_and_clear)
    record(
        "wrong",
        "; ".join(
            f"{world.variety.name} (seed {world.seed}): {found.verdict}: {found.reason}"
            for world, found in wrong
        ),
    )
    return judged


def _share_right(judged: Judged) -> float:
    clear = [_is_right(*pair) for pair in judged if pair[0].variety.is_clear]
    return sum(clear) / len(clear)


def test_the_bound_of_none_seen_is_that_of_a_textbook() -> None:
    assert most(0, 60) == pytest.approx(1 - 0.05 ** (1 / 60))
    assert most(3, 3) == 1.0


def test_every_variety_is_judged_and_enough_worlds_have_no_trace() -> None:
    assert {**WITH_A_TRACE, **WITHOUT_A_TRACE}.keys() == VARIETIES.keys()
    kinds = {VARIETIES[name].kind for name in WITHOUT_A_TRACE}
    assert kinds == {"content", "neither"}
    assert sum(WITHOUT_A_TRACE.values()) >= 60


@pytest.mark.parametrize(
    "variety",
    [
        VARIETIES["trace, 8 per crop at d' 50"],
        VARIETIES["content, own scenes of another kind"],
        VARIETIES["both, light redder by 20 %"],
        VARIETIES["neither, new defects in both classes"],
    ],
    ids=lambda variety: variety.kind,
)
def test_the_verdict_on_a_network_is_what_there_was_to_learn(variety: Variety) -> None:
    found = evidence_in(World(variety, 1), runs=1).verdict()
    assert found.verdict in variety.right, found.reason


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_verdicts_on_networks_trained_in_generated_worlds(record_property: Record) -> None:
    """The verdict is right in 95 % of clear worlds, and without a trace none is called one."""
    judged = _judge_all({**WITHOUT_A_TRACE, **WITH_A_TRACE}, record_property)
    without = [pair for pair in judged if pair[0].variety.name in WITHOUT_A_TRACE]
    called = sum(found.verdict in TRACES for _, found in without)
    record_property("worlds without a trace", len(without))
    record_property("called a trace", called)
    record_property("called a trace at most (95 %)", most(called, len(without)))
    assert called == 0
    assert all(_is_right(*pair) for pair in judged if not pair[0].variety.is_clear)
    assert _share_right(judged) >= LEAST_SHARE_RIGHT
