"""Mass disappearances among annealing and blinking defects, against what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from training.defects.errors import LedgerError
from training.defects.mapping_events import Epochs, find_mapping_events

Matrix = NDArray[np.int8]


def history(
    generator: np.random.Generator,
    *,
    defects: int = 100,
    sessions: int = 12,
    annealing: float = 0.02,
    blinking: float = 0.1,
    growing: float = 0.5,
    unseen: float = 0.1,
    events: dict[int, float] | None = None,
) -> Matrix:
    """What sessions show of defects that arise, anneal, blink, are mapped out or go unseen.

    `annealing` is the share per gap, `growing` the share that arises under watch, `unseen` the
    chance that a session could not show a defect, `events` the share mapped out by session.
    """
    onset = np.where(
        generator.random(defects) < growing, generator.integers(0, sessions, defects), 0
    )
    gone = onset + generator.geometric(max(annealing, 1e-9), defects)
    blinks = generator.random(defects) < blinking
    alive = np.ones((defects, sessions), bool)
    for session in range(sessions):
        alive[:, session] = (session >= onset) & (session < gone)
        for start, share in (events or {}).items():
            if session == start:
                mapped = alive[:, session] & (generator.random(defects) < share)
                gone[mapped] = start
                alive[mapped, session] = False
    shown = alive & ~(blinks[:, None] & (generator.random(alive.shape) < 0.5))
    matrix = shown.astype(np.int8)
    matrix[generator.random(alive.shape) < unseen] = -1
    return matrix


def test_planted_event_is_found_with_its_defects() -> None:
    generator = np.random.default_rng(1)
    matrix = history(generator, events={7: 0.8})
    epochs = find_mapping_events(matrix)
    assert epochs.starts == (0, 7)
    (event,) = epochs.events
    assert (event.session, event.after) == (7, 6)
    assert event.confirmed
    assert event.p < 1e-6
    assert event.vanished > 10 * event.expected
    assert event.vanished == len(event.defects) <= event.at_risk
    assert event.vanished / event.at_risk == pytest.approx(0.8, abs=0.15)
    # none of them is seen again
    assert not (matrix[event.defects, 7:] == 1).any()


@pytest.mark.parametrize("start", range(1, 12))
def test_events_are_found_at_any_session(start: int) -> None:
    generator = np.random.default_rng(100 + start)
    epochs = find_mapping_events(history(generator, growing=0.0, events={start: 0.7}))
    assert epochs.starts == (0, start)
    # the newest session has no second one to confirm it
    assert epochs.events[0].confirmed == (start < 11)


def test_two_events_do_not_hide_each_other() -> None:
    generator = np.random.default_rng(2)
    matrix = history(generator, defects=200, events={4: 0.9, 9: 0.9})
    assert find_mapping_events(matrix).starts == (0, 4, 9)


def test_event_beside_heavy_annealing_is_told_from_it() -> None:
    generator = np.random.default_rng(3)
    ordinary = history(generator, defects=300, annealing=0.12)
    assert find_mapping_events(ordinary).starts == (0,)
    share = find_mapping_events(ordinary).ordinary_share
    assert share is not None
    assert 0.12 < share < 0.2
    mapped = history(generator, defects=300, annealing=0.12, events={5: 0.8})
    assert find_mapping_events(mapped).starts == (0, 5)


def test_session_that_could_not_see_the_defects_delays_the_event() -> None:
    generator = np.random.default_rng(4)
    matrix = history(generator, blinking=0.0, unseen=0.0, events={6: 1.0})
    matrix[:, 6] = -1
    # a quarter is not seen at the next session either
    matrix[::4, 7] = -1
    epochs = find_mapping_events(matrix)
    assert epochs.starts == (0, 7)
    (event,) = epochs.events
    assert (event.session, event.after) == (7, 5)
    assert event.vanished == np.count_nonzero(matrix[:, 5] == 1)


def test_defects_that_return_were_not_mapped_out() -> None:
    matrix = np.ones((60, 8), np.int8)
    matrix[:, 4] = 0
    assert find_mapping_events(matrix).starts == (0,)


@pytest.mark.parametrize(
    ("present", "vanished", "is_event"),
    [(3, 3, False), (5, 5, True), (6, 1, False), (100, 5, False), (100, 60, True)],
)
def test_small_counts_and_a_single_gap(present: int, vanished: int, is_event: bool) -> None:
    matrix = np.ones((present, 2), np.int8)
    matrix[:vanished, 1] = 0
    epochs = find_mapping_events(matrix, significance=0.0005)
    assert bool(epochs.events) == is_event
    # the predictive probability by integration over the share, whose prior is Beta(1, 19)
    share = np.linspace(0, 1, 20_001)
    tail = stats.binom.sf(vanished - 1, present, share) * stats.beta.pdf(share, 1, 19)
    if is_event:
        assert epochs.events[0].p == pytest.approx(np.trapezoid(tail, share), rel=1e-3)


def alarms(seed: int, **circumstances: float) -> list[Epochs]:
    generator = np.random.default_rng(seed)
    epochs = []
    for _ in range(150):
        defects, sessions = int(generator.integers(3, 150)), int(generator.integers(2, 16))
        matrix = history(generator, defects=defects, sessions=sessions, **circumstances)  # type: ignore[arg-type]
        epochs.append(find_mapping_events(matrix))
    return epochs


@pytest.mark.parametrize("blinking", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("annealing", [0.0, 0.02, 0.1])
def test_ordinary_sensors_raise_few_false_alarms(annealing: float, blinking: float) -> None:
    found = alarms(5, annealing=annealing, blinking=blinking)
    assert sum(bool(one.events) for one in found) <= 5


def test_long_gap_explains_many_annealed_defects() -> None:
    generator = np.random.default_rng(6)
    elapsed_days = np.array([0, 7, 14, 21, 28, 365 + 28, 365 + 35, 365 + 42.0])
    lifetime = generator.exponential(500.0, 400)
    matrix = (lifetime[:, None] > elapsed_days[None, :]).astype(np.int8)
    assert find_mapping_events(matrix).starts == (0, 5)
    assert find_mapping_events(matrix, elapsed_days=elapsed_days).starts == (0,)
    matrix[generator.random(400) < 0.6, 3:] = 0
    assert find_mapping_events(matrix, elapsed_days=elapsed_days).starts == (0, 3)


def test_nothing_at_risk_is_no_event() -> None:
    for matrix in (np.zeros((0, 5)), np.zeros((5, 4)), np.full((5, 4), -1), np.ones((5, 1))):
        epochs = find_mapping_events(matrix)
        assert epochs == Epochs(starts=(0,), events=(), gaps=0, ordinary_share=None)


@pytest.mark.parametrize("matrix", [np.ones(4), np.full((2, 2), 2), np.full((2, 2), 0.5)])
def test_refuses_what_is_no_presence(matrix: NDArray[np.float64]) -> None:
    with pytest.raises(LedgerError, match="-1, 0 and 1"):
        find_mapping_events(matrix)


@pytest.mark.parametrize("elapsed_days", [[0.0, 1.0], [0.0, 2.0, 1.0]])
def test_refuses_times_that_do_not_fit(elapsed_days: list[float]) -> None:
    with pytest.raises(LedgerError, match="times"):
        find_mapping_events(np.ones((4, 3)), elapsed_days=elapsed_days)
