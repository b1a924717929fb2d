"""The ledger: what became of each photosite over the dark sessions of one camera; pure.

Every session is measured at every photosite that any session or any run of newest sessions
makes conspicuous (forced photometry). The onset is a change point of that series. Its posterior
over the gaps between sessions gives the interval, so that a session which could not have seen
the defect widens it instead of ending it (reconstructed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.defects.backgrounds import robust_spread
from training.defects.errors import LedgerError
from training.defects.fit import Floats
from training.defects.maps import SessionMaps
from training.defects.parameters import LedgerParameters

Bools = NDArray[np.bool_]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Observation:
    """What one session's extraction said of one photosite; NaN where it could not tell."""

    kind: str
    dark_rate_dn_per_s: float
    dark_rate_error: float
    offset_dn: float
    offset_error: float
    significance: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class DarkSession:
    """One dark-field session as the ledger reads it.

    Attributes
    ----------
    identifier
        UUID of the session.
    at
        Its time, with a zone.
    maps
        Its per-photosite measurement; may lie in a memory map.
    observations
        What it showed by itself, by (row, column).
    """

    identifier: str
    at: datetime
    maps: SessionMaps
    observations: dict[tuple[int, int], Observation]


@dataclass(frozen=True)
class LedgerEntry:
    """The history of one defect; the fields are those of the catalogue's ledger."""

    row: int
    column: int
    kind: str
    pre_existing: bool
    onset_after: datetime | None
    """Last session before the interval of the onset; None where it was there at the first."""
    onset_before: datetime
    last_seen: datetime
    dark_rate_dn_per_s: float | None
    dark_rate_error_dn_per_s: float | None
    offset_dn: float | None
    offset_error_dn: float | None
    amplitude_dn: float
    """Signal in the most sensitive cell of the newest session that shows it."""
    significance: float
    blinking: bool
    annealed: bool
    flags: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON, times in ISO 8601."""
        document = dict(self.__dict__)
        for name in ("onset_after", "onset_before", "last_seen"):
            at = document[name]
            document[name] = None if at is None else at.isoformat()
        return document | {"flags": list(self.flags)}


def build(
    sessions: Sequence[DarkSession], parameters: LedgerParameters | None = None
) -> list[LedgerEntry]:
    """Follow the defects of one camera over its sessions.

    A photosite is taken up if its significance, pooled from some session to the newest, passes
    the false-discovery rate over all photosites and starting sessions, and does not hang on one
    session alone (unless the newest is the only one to show it, very significantly); or if at
    least two sessions found it by themselves, each very significantly. A single blip among many
    sessions does neither.

    Parameters
    ----------
    sessions
        In the order of time, of one sensor size.
    parameters
        Thresholds; the defaults where None.

    Raises
    ------
    LedgerError
        If there are no sessions, they are out of order or differ in size.
    """
    parameters = parameters or LedgerParameters()
    _require_ordered(sessions)
    rows, columns, offset_like, significance = _candidates(sessions, parameters)
    if not len(rows):
        return []
    measured, error = _series(sessions, rows, columns, offset_like)
    entries = []
    for index in range(len(rows)):
        history = _History(measured[index], error[index], parameters)
        if not history.accepted:
            continue
        place = (int(rows[index]), int(columns[index]))
        entries.append(
            _entry(sessions, place, history, bool(offset_like[index]), float(significance[index]),
                   parameters)
        )  # fmt: skip
    return entries


def _require_ordered(sessions: Sequence[DarkSession]) -> None:
    if not sessions:
        raise LedgerError("there is no dark-field session yet: extract one first")
    for earlier, later in pairwise(sessions):
        if later.at < earlier.at:
            raise LedgerError(f"session {later.identifier} is older than the one before it")
        if later.maps.significance.shape != earlier.maps.significance.shape:
            raise LedgerError(
                f"session {later.identifier} has frames of another size than"
                f" {earlier.identifier}: a ledger follows one sensor"
            )


def _candidates(
    sessions: Sequence[DarkSession], parameters: LedgerParameters
) -> tuple[Places, Places, Bools, Floats]:
    """Return conspicuous photosites, whether each is rather an offset, and its significance."""
    shape = sessions[0].maps.significance.shape[1:]
    best = np.zeros(shape, np.float32)
    by_offset = np.zeros(shape, bool)
    for template in range(2):
        pooled = _pooled(sessions, template)
        better = pooled > best
        best[better] = pooled[better]
        by_offset[better] = template == 1
    tests = 2 * len(sessions) * best.size
    ordered = np.sort(best[best > 3.0].astype(np.float64))[::-1]
    allowed = parameters.false_discovery_rate * np.arange(1, len(ordered) + 1)
    passed = np.flatnonzero(stats.norm.sf(ordered) * tests <= allowed)
    threshold = ordered[passed[-1]] if len(passed) else np.inf
    chosen = best >= threshold
    seen: dict[tuple[int, int], int] = {}
    for session in sessions:
        for place, observation in session.observations.items():
            strong = observation.significance >= parameters.single_session_sigmas
            seen[place] = seen.get(place, 0) + strong
    for place, count in seen.items():
        if count >= 2:
            chosen[place] = True
    rows, columns = (places.astype(np.int64) for places in np.nonzero(chosen))
    return rows, columns, by_offset[rows, columns], best[rows, columns].astype(float)


def _pooled(sessions: Sequence[DarkSession], template: int) -> NDArray[np.float32]:
    """Return the largest significance of each photosite pooled from some session on.

    Each pool is calibrated on its own robust spread, as the fixed pattern of the sensor does not
    average out over sessions.
    """
    shape = sessions[0].maps.significance.shape[1:]
    period = sessions[0].maps.period
    total = np.zeros(shape, np.float32)
    best = np.full(shape, -np.inf, np.float32)
    for session in reversed(sessions):
        for plane in range(period * period):
            place = (slice(plane // period, None, period), slice(plane % period, None, period))
            error = session.maps.errors_of(template, plane)
            if error is None:
                continue
            view = total[place]
            view += session.maps.significance[template][place].astype(np.float32) / error
            spread = robust_spread(view)
            if spread > 0:
                best[place] = np.maximum(best[place], view / spread)
            else:
                own = session.maps.significance[template][place].astype(np.float32)
                best[place] = np.maximum(best[place], own)
    return best


def _series(
    sessions: Sequence[DarkSession], rows: Places, columns: Places, offset_like: Bools
) -> tuple[Floats, Floats]:
    """Measure every session at every candidate: values and errors, shape (candidates, sessions)."""
    values, errors = np.empty((2, len(rows), len(sessions)))
    choice = offset_like.astype(np.int64)
    everyone = np.arange(len(rows))
    for index, session in enumerate(sessions):
        measured, error = session.maps.measure_at(rows, columns)
        values[:, index] = measured[choice, everyone]
        # a filter that the session's grid does not have measures nothing
        errors[:, index] = np.where(error > 0, error, np.inf)[choice, everyone]
    return values, errors


class _History:
    """Change point of one photosite's series, with its posterior."""

    def __init__(self, values: Floats, errors: Floats, parameters: LedgerParameters) -> None:
        self._parameters = parameters
        self.z = values / errors
        self.amplitude = 0.0
        present = self.z >= parameters.presence_sigmas
        self.start, last = self._change_point(values, errors), len(values) - 1
        detectable = self.amplitude / errors >= parameters.detection_sigmas
        absent = detectable & (values < self.amplitude / 3)
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


def _entry(
    sessions: Sequence[DarkSession],
    place: tuple[int, int],
    history: _History,
    offset_like: bool,
    significance: float,
    parameters: LedgerParameters,
) -> LedgerEntry:
    since = sessions[history.start : history.last_seen + 1] or sessions[history.start :]
    observations = [one.observations[place] for one in since if place in one.observations]
    after, before = history.interval
    flags = {flag for one in observations for flag in one.flags}
    if after is not None and history.pre_existing_probability > 1 - parameters.credibility:
        flags.add("possibly-pre-existing")
    kinds = [one.kind for one in observations]
    kind = (
        max(sorted(set(kinds)), key=kinds.count)
        if kinds
        else ("partially-stuck" if offset_like else "hot")
    )
    blinking = history.blinking or kind == "blinking"
    dark_rate, dark_rate_error, offset, offset_error = _response(since, observations, place)
    newest = since[-1].maps
    scale = newest.gain if offset_like else newest.gain * newest.seconds
    return LedgerEntry(
        row=place[0],
        column=place[1],
        kind="blinking" if blinking else kind,
        pre_existing=after is None,
        onset_after=None if after is None else sessions[after].at,
        onset_before=sessions[before].at,
        last_seen=sessions[max(history.last_seen, before)].at,
        dark_rate_dn_per_s=dark_rate,
        dark_rate_error_dn_per_s=dark_rate_error,
        offset_dn=offset,
        offset_error_dn=offset_error,
        amplitude_dn=history.amplitude * scale,
        significance=significance,
        blinking=blinking,
        annealed=history.annealed,
        flags=tuple(sorted(flags)),
    )


def _response(
    sessions: Sequence[DarkSession], observations: Sequence[Observation], place: tuple[int, int]
) -> tuple[float | None, float | None, float | None, float | None]:
    """Pool dark rate and offset: the sessions' own fits, else the maps' weaker evidence."""
    fitted = np.array(
        [
            (one.dark_rate_dn_per_s, one.dark_rate_error, one.offset_dn, one.offset_error)
            for one in observations
        ]
    ).reshape(-1, 4)
    fitted = fitted[np.isfinite(fitted).all(axis=1)]
    if len(fitted):
        rate, rate_error = _weighted_mean(fitted[:, 0], fitted[:, 1])
        offset, offset_error = _weighted_mean(fitted[:, 2], fitted[:, 3])
        return rate, rate_error, offset, offset_error
    row, column = np.array([place[0]]), np.array([place[1]])
    total, moments = np.zeros((2, 2)), np.zeros(2)
    for session in sessions:
        plane = int(session.maps.planes_of(row, column)[0])
        information = session.maps.information[plane]
        values, _ = session.maps.measure_at(row, column)
        total += information
        moments += np.diag(information) * values[:, 0]
    if np.linalg.det(total) <= 1e-9 * total[0, 0] * total[1, 1]:
        return None, None, None, None
    covariance = np.linalg.inv(total)
    estimate = covariance @ moments
    errors = np.sqrt(np.diag(covariance))
    return float(estimate[0]), float(errors[0]), float(estimate[1]), float(errors[1])


def _weighted_mean(values: Floats, errors: Floats) -> tuple[float, float]:
    weights = 1 / errors**2
    return float(weights @ values / weights.sum()), float(1 / np.sqrt(weights.sum()))
