"""The demo's scorer on ledgers whose score is known by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from agetrace.demo.scoring import TrueDefect, Truth, add_scores, detectability, score_ledger

FIRST = datetime(2020, 1, 1, tzinfo=UTC)
LAST = datetime(2023, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class Found:
    row: int
    column: int
    onset_before: datetime
    onset_after: datetime | None = None
    pre_existing: bool = False


def defect(row: int, onset: datetime | None, kind: str = "hot", rate: float = 100.0) -> TrueDefect:
    return TrueDefect(row, 0, kind, onset, dark_rate_dn_per_s=rate, offset_dn=0.0)


def truth(*defects: TrueDefect) -> Truth:
    return Truth("1", 2.0, 8.0, 1000.0, 4.0, defects)


def score(of: Truth, *found: Found):  # type: ignore[no-untyped-def]
    return score_ledger(
        of, found, exposure_s=1.0, iso=100, first_dark_session=FIRST, last_dark_session=LAST
    )


def test_a_perfect_ledger() -> None:
    of = truth(defect(1, None), defect(2, FIRST + 10 * DAY))
    result = score(
        of,
        Found(1, 0, onset_before=FIRST, pre_existing=True),
        Found(2, 0, onset_after=FIRST + 9 * DAY, onset_before=FIRST + 11 * DAY),
    )
    assert (result.precision, result.recall, result.onset_interval_coverage) == (1.0, 1.0, 1.0)
    assert (result.true, result.found, result.onsets) == (2, 2, 1)


def test_a_find_without_a_true_defect_is_false() -> None:
    result = score(truth(defect(1, None)), Found(1, 0, FIRST), Found(9, 9, FIRST))
    assert result.precision == 0.5
    assert result.recall == 1.0


def test_weak_and_blinking_defects_count_neither_way() -> None:
    # Read noise is 4 DN at ISO 100: 8 DN is the threshold.
    of = truth(
        defect(1, None, rate=7.9), defect(2, None, rate=8.0), defect(3, None, kind="blinking")
    )
    nothing = score(of)
    assert (nothing.true, nothing.recall, nothing.precision) == (1, 0.0, None)
    weak_found = score(of, Found(1, 0, FIRST), Found(3, 0, FIRST))
    assert (weak_found.found_false, weak_found.recall) == (0, 0.0)


def test_a_defect_that_arose_after_the_last_session_is_not_expected() -> None:
    assert score(truth(defect(1, LAST + DAY))).true == 0


@pytest.mark.parametrize(
    ("after", "before", "covered"),
    [(9, 11, 1), (10, 11, 1), (11, 12, 0), (5, 9, 0), (None, 11, 0)],
)
def test_onset_intervals_must_hold_the_true_onset(
    after: int | None, before: int, covered: int
) -> None:
    found = Found(
        1,
        0,
        onset_after=None if after is None else FIRST + after * DAY,
        onset_before=FIRST + before * DAY,
    )
    result = score(truth(defect(1, FIRST + 10 * DAY)), found)
    assert (result.onsets, result.onsets_covered) == (1, covered)


def test_scores_of_several_cameras_pool_their_counts() -> None:
    one = score(truth(defect(1, None)), Found(1, 0, FIRST))
    two = score(truth(defect(1, None)), Found(2, 0, FIRST))
    total = add_scores([one, two])
    assert (total.precision, total.recall) == (0.5, 0.5)


def test_detectability_is_signal_over_noise_in_electrons() -> None:
    # 100 DN/s for 1 s at 2 e/DN are 200 e; 400 DN of light are 800 e: sqrt(800 + 64) e of noise.
    of = truth(defect(1, None))
    (value,) = detectability(of, of.defects, exposure_s=1.0, iso=100, scene_signal_dn=400.0)
    assert value == pytest.approx(200 / 864**0.5)
