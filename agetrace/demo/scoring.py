"""Scores a ledger against the virtual fixture's ground truth; pure, and used by nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


class FoundDefect(Protocol):
    """What the scorer needs to know of a ledger's defect."""

    @property
    def row(self) -> int:
        """Row in full sensor space."""

    @property
    def column(self) -> int:
        """Column in full sensor space."""

    @property
    def onset_after(self) -> datetime | None:
        """Last dark session before the onset's interval; None if it was always there."""

    @property
    def onset_before(self) -> datetime:
        """First dark session after the onset's interval."""


@dataclass(frozen=True)
class TrueDefect:
    """A defect of the virtual sensor; amplitudes in DN at ISO 100."""

    row: int
    column: int
    kind: str
    onset: datetime | None
    dark_rate_dn_per_s: float
    offset_dn: float

    def amplitude_dn(self, exposure_s: float, iso: int) -> float:
        """Mean signal above black at the reference temperature."""
        return iso / 100 * (self.dark_rate_dn_per_s * exposure_s + self.offset_dn)


@dataclass(frozen=True)
class Truth:
    """Ground truth of one virtual sensor."""

    serial: str
    gain_e_per_dn_at_iso100: float
    read_noise_e: float
    acceleration_count: float
    acceleration_amplitude: float
    defects: tuple[TrueDefect, ...]

    def read_noise_dn(self, iso: int) -> float:
        """Read noise at an ISO setting."""
        return self.read_noise_e / self.gain_e_per_dn_at_iso100 * iso / 100

    def active_at(self, time: datetime) -> list[TrueDefect]:
        """Defects that had arisen by a time."""
        return [defect for defect in self.defects if defect.onset is None or defect.onset <= time]


@dataclass(frozen=True)
class LedgerScore:
    """Counts behind the precision, the recall and the coverage of onset intervals."""

    true: int
    """Non-blinking true defects of at least twice the read noise in the named cell."""
    true_found: int
    found: int
    found_false: int
    """Found where the truth has no defect at all."""
    onsets: int
    """Found defects, not blinking, that arose between the first and last dark session."""
    onsets_covered: int

    @property
    def precision(self) -> float | None:
        """Share of what was found that the truth knows; None if nothing was found."""
        return None if not self.found else 1 - self.found_false / self.found

    @property
    def recall(self) -> float | None:
        """Share of the true defects that was found; None if there are none."""
        return None if not self.true else self.true_found / self.true

    @property
    def onset_interval_coverage(self) -> float | None:
        """Share of onset intervals that hold the true onset; None if there are none."""
        return None if not self.onsets else self.onsets_covered / self.onsets


def read_truth(path: Path) -> Truth:
    """Read the ground truth of one camera."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return Truth(
        serial=document["serial"],
        gain_e_per_dn_at_iso100=document["gain_e_per_dn_at_iso100"],
        read_noise_e=document["read_noise_e"],
        acceleration_count=document["acceleration_count"],
        acceleration_amplitude=document["acceleration_amplitude"],
        defects=tuple(
            TrueDefect(
                row=defect["row"],
                column=defect["column"],
                kind=defect["kind"],
                onset=None if defect["onset"] is None else datetime.fromisoformat(defect["onset"]),
                dark_rate_dn_per_s=defect["dark_rate_dn_per_s"],
                offset_dn=defect["offset_dn"],
            )
            for defect in document["defects"]
        ),
    )


def score_ledger(
    truth: Truth,
    found: Sequence[FoundDefect],
    *,
    exposure_s: float,
    iso: int,
    first_dark_session: datetime,
    last_dark_session: datetime,
) -> LedgerScore:
    """Compare a ledger with the truth.

    Recall counts true defects, blinking ones apart, whose amplitude in the cell of `exposure_s`
    and `iso` is at least twice the read noise; weaker ones count neither way. A found defect is
    false where the truth has none. Onset intervals are judged for defects that arose between the
    first and the last dark session, blinking ones apart.
    """
    active = {(defect.row, defect.column): defect for defect in truth.active_at(last_dark_session)}
    ledger = {(defect.row, defect.column): defect for defect in found}
    threshold = 2 * truth.read_noise_dn(iso)
    expected = {
        place
        for place, defect in active.items()
        if defect.kind != "blinking" and defect.amplitude_dn(exposure_s, iso) >= threshold
    }
    onsets = covered = 0
    for place, entry in ledger.items():
        defect = active.get(place)
        if defect is None or defect.kind == "blinking" or defect.onset is None:
            continue
        if defect.onset <= first_dark_session:
            continue
        onsets += 1
        covered += (
            entry.onset_after is not None
            and entry.onset_after <= defect.onset <= entry.onset_before
        )
    return LedgerScore(
        true=len(expected),
        true_found=len(expected & ledger.keys()),
        found=len(ledger),
        found_false=len(ledger.keys() - active.keys()),
        onsets=onsets,
        onsets_covered=covered,
    )


def add_scores(scores: Iterable[LedgerScore]) -> LedgerScore:
    """Pool the counts of several cameras."""
    parts = list(scores)
    return LedgerScore(
        true=sum(part.true for part in parts),
        true_found=sum(part.true_found for part in parts),
        found=sum(part.found for part in parts),
        found_false=sum(part.found_false for part in parts),
        onsets=sum(part.onsets for part in parts),
        onsets_covered=sum(part.onsets_covered for part in parts),
    )


def detectability(
    truth: Truth,
    defects: Sequence[TrueDefect],
    *,
    exposure_s: float,
    iso: int,
    scene_signal_dn: float,
) -> list[float]:
    """Return d' of each defect in one scene frame: its electrons over the local noise.

    Parameters
    ----------
    truth
        The sensor.
    defects
        Defects to judge.
    exposure_s, iso
        Settings of the scene frame.
    scene_signal_dn
        Typical signal above black in the scene frames, DN at `iso`.
    """
    electrons_per_dn = truth.gain_e_per_dn_at_iso100 * 100 / iso
    noise_e = math.sqrt(scene_signal_dn * electrons_per_dn + truth.read_noise_e**2)
    return [defect.amplitude_dn(exposure_s, iso) * electrons_per_dn / noise_e for defect in defects]
