"""When a photosite became a defect: the change point of its series over dark sessions; pure.

Its posterior over the gaps between sessions gives the interval of the onset, so that a session
which could not have seen the defect widens it instead of ending it (reconstructed).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.defects.fit import Floats
from training.defects.mapping_events import ABSENT, NOT_DETECTABLE, PRESENT
from training.defects.parameters import LedgerParameters

Bools = NDArray[np.bool_]


class History:
    """Change point of one photosite's series, with its posterior.

    Parameters
    ----------
    values, errors
        The photosite's signal in each session and its error, shape (sessions,); an infinite error
        where a session measured nothing.
    parameters
        Thresholds.

    Attributes
    ----------
    start, last_seen
        First and last session of the defect.
    interval
        Sessions between which it arose; the first is None where it was there before.
    amplitude
        Its signal since then.
    state
        int8 of shape (sessions,): `PRESENT`, `ABSENT` where the session would have shown it, else
        `NOT_DETECTABLE`.
    accepted
        Whether it hangs on more than one session's word.
    """

    def __init__(self, values: Floats, errors: Floats, parameters: LedgerParameters) -> None:
        self._parameters = parameters
        self.z = values / errors
        self.amplitude = 0.0
        present = self.z >= parameters.presence_sigmas
        self.start, last = self._change_point(values, errors), len(values) - 1
        absent = self._absent(values, errors)
        shown = np.flatnonzero(present)
        self.last_seen = int(shown[-1]) if len(shown) else last
        self.annealed = bool(np.count_nonzero(absent[self.last_seen + 1 :]) >= 2)
        if self.annealed:
            self.start = self._change_point(
                values[: self.last_seen + 1], errors[: self.last_seen + 1]
            )
        first = int(shown[0]) if len(shown) else self.start
        self.blinking = bool(absent[first : self.last_seen + 1].any() and len(shown) >= 2)
        if self.blinking:
            earlier = np.flatnonzero(absent[:first])
            before = int(earlier[-1]) if len(earlier) else None
            self.start, self.interval = first, (before, first)
            self.pre_existing_probability = float(before is None)
        self.accepted = self._persists(present)
        self.state = np.full(len(values), NOT_DETECTABLE, np.int8)
        self.state[self._absent(values, errors)] = ABSENT
        self.state[present] = PRESENT

    def _absent(self, values: Floats, errors: Floats) -> Bools:
        """Return the sessions that would have shown the defect and do not."""
        detectable = self.amplitude / errors >= self._parameters.detection_sigmas
        missing: Bools = detectable & (values < self.amplitude / 3)
        return missing

    def _change_point(self, values: Floats, errors: Floats) -> int:
        """Set amplitude, interval and probabilities; return the first session of the defect.

        A start at session j has the likelihood N(0, e) before and N(A, e, scatter) from j on,
        with A the weighted mean from j on. The prior of a start is flat over the gaps (sessions
        are what onsets are resolved by) beside that of a defect older than the first session.
        """
        scatter, count = self._parameters.amplitude_scatter, len(values)
        finite = np.isfinite(errors)
        safe = np.where(finite, errors, 1.0)
        weights = np.where(finite, 1 / safe**2, 0.0)
        amplitudes = np.zeros(count)
        log_likelihood = np.full(count, -np.inf)
        for start in range(count):
            own = weights[start:]
            if own.sum() <= 0:
                continue
            amplitude = (
                float(np.median(values[start:]))
                if count - start > 2
                else float(own @ values[start:] / own.sum())
            )
            for _ in range(2):
                variance = safe[start:] ** 2 + (scatter * amplitude) ** 2
                pooled = np.where(finite[start:], 1 / variance, 0.0)
                amplitude = float(pooled @ values[start:] / pooled.sum())
            variance = safe[start:] ** 2 + (scatter * amplitude) ** 2
            amplitudes[start] = amplitude
            if amplitude <= 0:
                continue
            after = np.where(
                finite[start:],
                (values[start:] - amplitude) ** 2 / variance + np.log(variance),
                0.0,
            )
            before = np.where(
                finite[:start], (values[:start] / safe[:start]) ** 2 + 2 * np.log(safe[:start]), 0.0
            )
            log_likelihood[start] = -(after.sum() + before.sum()) / 2
        if not np.isfinite(log_likelihood).any():
            self.interval, self.pre_existing_probability = (None, 0), 1.0
            return 0
        prior = np.full(count, (1 - self._parameters.pre_existing_prior) / max(count - 1, 1))
        prior[0] = self._parameters.pre_existing_prior
        posterior = np.exp(log_likelihood - log_likelihood.max()) * prior
        posterior /= posterior.sum()
        self.pre_existing_probability = float(posterior[0])
        if posterior[0] >= 0.5:
            start = 0
            self.interval = (None, 0)
        else:
            start = 1 + int(np.argmax(posterior[1:]))
            self.interval = self._credible(posterior, start)
        self.amplitude = amplitudes[start]
        return start

    def _credible(self, posterior: Floats, start: int) -> tuple[int, int]:
        """Widen the interval from its most probable gap until it is credible enough."""
        wanted = self._parameters.credibility * posterior[1:].sum()
        low = high = start
        while posterior[low : high + 1].sum() < wanted:
            below = posterior[low - 1] if low > 1 else -1.0
            above = posterior[high + 1] if high + 1 < len(posterior) else -1.0
            if below >= above:
                low -= 1
            else:
                high += 1
        return low - 1, high

    def _persists(self, present: Bools) -> bool:
        since = self.z[self.start :]
        if np.count_nonzero(present) >= 2:
            return True
        if self.start == len(self.z) - 1:
            return bool(since[-1] >= self._parameters.single_session_sigmas)
        others = np.delete(since, int(np.argmax(since)))
        pooled = others.sum() / np.sqrt(len(others))
        return bool(pooled >= self._parameters.other_sessions_sigmas)
