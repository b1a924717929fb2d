"""Sessions at which many defects vanished at once: the camera or a service mapped them out; pure.

Mapped-out photosites read as their neighbours do and never come back, so that each event begins a
new epoch of the sensor. Defects also anneal, one by one, and blink; an event is what that does not
explain. Knows no files. Reconstructed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from training.defects.errors import LedgerError

PRESENT, ABSENT, NOT_DETECTABLE = 1, 0, -1

_PRIOR_WORTH = 20.0  # defects at risk that the prior share counts as much as
_SMALLEST = 1e-9


@dataclass(frozen=True)
class MappingEvent:
    """A mass disappearance.

    Attributes
    ----------
    session
        Number of the first session that lacks the defects; a new epoch begins with it.
    after
        Number of the last session before it that saw one of them: the event lies between the two.
    vanished, at_risk
        Defects that vanished for good, and those that were there before and could have.
    expected
        How many would ordinarily have vanished.
    p
        Probability of so many by chance, times the number of gaps tested.
    confirmed
        Whether the defects stayed away in a second session.
    defects
        int64, rows of the vanished ones in the matrix.
    """

    session: int
    after: int
    vanished: int
    at_risk: int
    expected: float
    p: float
    confirmed: bool
    defects: NDArray[np.int64]


@dataclass(frozen=True)
class Epochs:
    """The epochs of a sensor.

    Attributes
    ----------
    starts
        Number of the first session of each epoch, the first of them 0.
    events
        The event that began each epoch but the first.
    gaps
        Gaps between sessions with defects at risk, each tested once.
    ordinary_share
        Share of the defects at risk that vanished per gap outside the events, blinking ones
        included; None where no defect was at risk.
    """

    starts: tuple[int, ...]
    events: tuple[MappingEvent, ...]
    gaps: int
    ordinary_share: float | None


def find_mapping_events(
    presence: ArrayLike,
    *,
    elapsed_days: ArrayLike | None = None,
    significance: float = 0.01,
    least_share: float = 0.1,
    prior_share: float = 0.05,
) -> Epochs:
    """Find the sessions at which improbably many defects disappeared at once.

    A defect is at risk at session j if it was present when it could last be seen, and can be seen
    in j and once more (once, where too few can be twice, as in the newest session); it vanished if
    it is absent both times. With K of N defects at risk vanished in the other gaps, the number in
    gap j follows the beta-binomial distribution of ``n_j`` draws with the parameters
    ``a = 20 s + K`` and ``b = 20 (1 - s) + N - K``: the exact binomial predictive probability,
    beginning with the prior share s as if it had been seen in 20 defects. Where times are given,
    N is also counted in proportion to the gaps' lengths, as annealing is, and the larger
    probability holds, as blinking is not. It is multiplied by the number of gaps (Bonferroni). The
    most significant event is set aside and the others are tested again.

    Parameters
    ----------
    presence
        Shape (defects, sessions), in the order of time: 1 present, 0 absent although it could have
        been seen, -1 could not be seen.
    elapsed_days
        When each session was, shape (sessions,); where None, gaps count alike.
    significance
        Chance of any false event.
    least_share
        Smaller shares of the defects at risk are no mass disappearance.
    prior_share
        Share that ordinarily vanishes in a gap, before anything is seen.

    Raises
    ------
    LedgerError
        If the matrix holds something else, or the times do not fit or run backwards.
    """
    state = np.asarray(presence)
    if state.ndim != 2 or not np.isin(state, (PRESENT, ABSENT, NOT_DETECTABLE)).all():
        raise LedgerError("presence is a matrix of defects and sessions of -1, 0 and 1")
    state = state.astype(np.int8)
    lengths = _gap_lengths(elapsed_days, state.shape[1])
    history = _History.of(state)
    once, twice = history.counted(1), history.counted(2)
    testable = once.at_risk.sum(axis=0) > 0
    gaps = int(testable.sum())
    events: list[MappingEvent] = []
    for _ in range(gaps):
        found = _most_significant(
            history, once, twice, testable, lengths, gaps, least_share, prior_share
        )
        if found is None or found.p > significance:
            break
        events.append(found)
        testable[found.session] = False
        # defects that were last seen before the event may have gone with it
        spanning = history.previous < found.session
        spanning[:, : found.session] = False
        once, twice = once.without(spanning), twice.without(spanning)
    events.sort(key=lambda event: event.session)
    remaining = int(once.at_risk[:, testable].sum())
    return Epochs(
        starts=(0, *(event.session for event in events)),
        events=tuple(events),
        gaps=gaps,
        ordinary_share=(float(once.vanished[:, testable].sum()) / remaining if remaining else None),
    )


@dataclass(frozen=True)
class _Counted:
    """Defects at risk at each session and those that vanished there, bool (defects, sessions)."""

    at_risk: NDArray[np.bool_]
    vanished: NDArray[np.bool_]

    def without(self, spanning: NDArray[np.bool_]) -> _Counted:
        return _Counted(self.at_risk & ~spanning, self.vanished & ~spanning)


@dataclass(frozen=True)
class _History:
    """States with the sessions that could see each defect last before and next after each."""

    state: NDArray[np.int8]
    previous: NDArray[np.int64]
    """Number of the session before, -1 where there is none."""
    before: NDArray[np.int8]
    after: NDArray[np.int8]

    @classmethod
    def of(cls, state: NDArray[np.int8]) -> _History:
        previous = _previous_seen(state)
        following = state.shape[1] - 1 - _previous_seen(state[:, ::-1])[:, ::-1]
        following = np.where(following < state.shape[1], following, -1)
        return cls(
            state=state,
            previous=previous,
            before=_states_at(state, previous),
            after=_states_at(state, following),
        )

    def counted(self, sessions: int) -> _Counted:
        """Count absences that last for one or two sessions that could see the defect."""
        at_risk = (self.before == PRESENT) & (self.state != NOT_DETECTABLE)
        vanished = at_risk & (self.state == ABSENT)
        if sessions == 2:
            at_risk = at_risk & (self.after != NOT_DETECTABLE)
            vanished = vanished & (self.after == ABSENT)
        return _Counted(at_risk, vanished)


def _previous_seen(state: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the number of the last earlier session that could see each defect, else -1."""
    numbers = np.where(state != NOT_DETECTABLE, np.arange(state.shape[1]), -1)
    seen = np.maximum.accumulate(numbers, axis=1)
    return np.concatenate([np.full((len(state), 1), -1), seen[:, :-1]], axis=1)


def _states_at(state: NDArray[np.int8], numbers: NDArray[np.int64]) -> NDArray[np.int8]:
    found = np.take_along_axis(state, np.maximum(numbers, 0), axis=1)
    return np.where(numbers >= 0, found, NOT_DETECTABLE).astype(np.int8)


def _gap_lengths(elapsed_days: ArrayLike | None, sessions: int) -> NDArray[np.float64] | None:
    """Return the length of the gap before each session, of the first one too."""
    if elapsed_days is None:
        return None
    elapsed = np.asarray(elapsed_days, float)
    if elapsed.shape != (sessions,) or np.any(np.diff(elapsed) < 0):
        raise LedgerError(f"{sessions} sessions need as many times, in order")
    return np.concatenate([[1.0], np.maximum(np.diff(elapsed), _SMALLEST)])


def _most_significant(
    history: _History,
    once: _Counted,
    twice: _Counted,
    testable: NDArray[np.bool_],
    lengths: NDArray[np.float64] | None,
    gaps: int,
    least_share: float,
    prior_share: float,
) -> MappingEvent | None:
    best: MappingEvent | None = None
    for session in np.flatnonzero(testable).tolist():
        confirmed = bool(2 * twice.at_risk[:, session].sum() >= once.at_risk[:, session].sum())
        counted = twice if confirmed else once
        at_risk, vanished = counted.at_risk.sum(axis=0), counted.vanished.sum(axis=0)
        count, number = int(vanished[session]), int(at_risk[session])
        if not number or count < least_share * number:
            continue
        others = testable.copy()
        others[session] = False
        p, expected = _chance(
            count, number, at_risk, vanished, others, session, lengths, prior_share
        )
        if best is None or gaps * p < best.p:
            best = _event(history, counted, session, expected, min(gaps * p, 1.0), confirmed)
    return best


def _chance(
    count: int,
    number: int,
    at_risk: NDArray[np.int64],
    vanished: NDArray[np.int64],
    others: NDArray[np.bool_],
    session: int,
    lengths: NDArray[np.float64] | None,
    prior_share: float,
) -> tuple[float, float]:
    """Return the probability of so many and the number expected."""
    total = float(vanished[others].sum())
    exposures = [float(at_risk[others].sum())]
    if lengths is not None:
        exposures.append(float(at_risk[others] @ lengths[others]) / lengths[session])
    p, expected = 0.0, 0.0
    for exposure in exposures:
        a = _PRIOR_WORTH * prior_share + total
        b = max(_PRIOR_WORTH * (1 - prior_share) + exposure - total, _SMALLEST)
        chance = float(stats.betabinom.sf(count - 1, number, a, b))
        if chance >= p:
            p, expected = chance, number * a / (a + b)
    return p, expected


def _event(
    history: _History,
    counted: _Counted,
    session: int,
    expected: float,
    p: float,
    confirmed: bool,
) -> MappingEvent:
    # those that could be seen again only later count once they are known to have gone
    later = (history.previous < session) & (history.before == PRESENT)
    later[:, : session + 1] = False
    gone = counted.vanished[:, session] | (later & (history.state == ABSENT)).any(axis=1)
    gone &= ~(history.state[:, session:] == PRESENT).any(axis=1)
    watched = counted.at_risk[:, session] | (later & (history.state != NOT_DETECTABLE)).any(axis=1)
    defects = np.flatnonzero(gone)
    return MappingEvent(
        session=session,
        after=int(history.previous[counted.vanished[:, session], session].max()),
        vanished=len(defects),
        at_risk=int(watched.sum()),
        expected=expected,
        p=p,
        confirmed=confirmed,
        defects=defects.astype(np.int64),
    )
