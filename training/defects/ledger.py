"""The ledger: what became of each photosite over the dark sessions of one camera; pure.

Every session is measured at every photosite that any session or any run of newest sessions
makes conspicuous (forced photometry); the change point of that series is its onset. Many that
vanish at once were mapped out by the camera (reconstructed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np

from training.defects.candidates import conspicuous_photosites, measured_series
from training.defects.errors import LedgerError
from training.defects.fit import Floats
from training.defects.history import History
from training.defects.mapping_events import Epochs, find_mapping_events
from training.defects.maps import SessionMaps
from training.defects.parameters import LedgerParameters
from training.defects.series import AmplitudeSeries


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
    temperature_c
        Its mean temperature; None where unknown.
    """

    identifier: str
    at: datetime
    maps: SessionMaps
    observations: dict[tuple[int, int], Observation]
    temperature_c: float | None = None


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
    mapped_out: bool | None
    """Whether the camera replaces it since; None in ledgers of before that was judged."""
    flags: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON, times in ISO 8601."""
        document = dict(self.__dict__)
        for name in ("onset_after", "onset_before", "last_seen"):
            at = document[name]
            document[name] = None if at is None else at.isoformat()
        return document | {"flags": list(self.flags)}


@dataclass(frozen=True)
class Ledger:
    """The defects of one camera over its sessions.

    Attributes
    ----------
    entries
        The defects, by row and column.
    series
        Their amplitudes in every session, in the same order.
    epochs
        When the camera mapped photosites out; each time begins a new epoch.
    """

    entries: tuple[LedgerEntry, ...]
    series: AmplitudeSeries
    epochs: Epochs


def build(sessions: Sequence[DarkSession], parameters: LedgerParameters | None = None) -> Ledger:
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
    rows, columns, offset_like, significance = conspicuous_photosites(sessions, parameters)
    measured, error = measured_series(sessions, rows, columns, offset_like)
    followed = [History(*one, parameters) for one in zip(measured, error, strict=True)]
    kept = np.flatnonzero([history.accepted for history in followed])
    histories = [followed[place] for place in kept]
    series = AmplitudeSeries(
        sessions=tuple(session.identifier for session in sessions),
        at=tuple(session.at for session in sessions),
        temperature_c=tuple(session.temperature_c for session in sessions),
        row=rows[kept],
        column=columns[kept],
        offset_like=offset_like[kept],
        amplitude=measured[kept],
        error=error[kept],
        state=np.array([history.state for history in histories], np.int8).reshape(
            len(kept), len(sessions)
        ),
    )
    days = [(session.at - sessions[0].at).total_seconds() / 86_400 for session in sessions]
    epochs = find_mapping_events(series.state, elapsed_days=days)
    mapped_out = np.zeros(len(kept), bool)
    for event in epochs.events:
        mapped_out[event.defects] = True
    entries = [
        _entry(sessions, (int(rows[place]), int(columns[place])), history,
               bool(offset_like[place]), float(significance[place]), bool(gone), parameters)
        for place, history, gone in zip(kept, histories, mapped_out, strict=True)
    ]  # fmt: skip
    return Ledger(tuple(entries), series, epochs)


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


def _entry(
    sessions: Sequence[DarkSession],
    place: tuple[int, int],
    history: History,
    offset_like: bool,
    significance: float,
    mapped_out: bool,
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
        annealed=history.annealed and not mapped_out,
        mapped_out=mapped_out,
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
