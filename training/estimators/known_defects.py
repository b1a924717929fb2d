"""Defects that dark fields have shown, as age estimators take them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from training.estimators.errors import EstimatorError


@dataclass(frozen=True)
class KnownDefect:
    """One defect of a camera's ledger.

    Attributes
    ----------
    row, column
        Photosite, in the coordinates of the frames.
    onset_after, onset_before
        The onset's interval: the last dark session without it and the first with it; UTC where
        they have no zone. None where it is open: such as before the first session.
    dark_rate_dn_per_s, offset_dn
        D and c as of ISO 100; None where unknown, or where the frames' digital numbers are not
        those of the dark fields (JPEG files). The sensor's gain raises both; D by the exposure
        factor, but c must be given as of the frames' ISO setting.
    pre_existing
        Whether the first dark session has it; it then tells no age.
    """

    row: int
    column: int
    onset_after: datetime | None = None
    onset_before: datetime | None = None
    dark_rate_dn_per_s: float | None = None
    offset_dn: float | None = None
    pre_existing: bool = False

    def __post_init__(self) -> None:
        """Check the interval; raises EstimatorError where it ends before it begins."""
        if (
            self.onset_after is not None
            and self.onset_before is not None
            and _utc(self.onset_after) > _utc(self.onset_before)
        ):
            raise EstimatorError(
                f"defect at ({self.row}, {self.column}): onset after {self.onset_after} and before"
                f" {self.onset_before}, which is no interval"
            )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, times in ISO 8601."""
        return dict(self.__dict__) | {
            "onset_after": None if self.onset_after is None else self.onset_after.isoformat(),
            "onset_before": None if self.onset_before is None else self.onset_before.isoformat(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Return the defect of what `to_json` gave."""
        times = {
            name: None if document[name] is None else datetime.fromisoformat(document[name])
            for name in ("onset_after", "onset_before")
        }
        return cls(**{**document, **times})


class LedgerDefectLike(Protocol):
    """A defect of a ledger, such as `training.defects.ledger.LedgerEntry`."""

    @property
    def row(self) -> int:
        """Row of the photosite."""
        ...

    @property
    def column(self) -> int:
        """Column of the photosite."""
        ...

    @property
    def pre_existing(self) -> bool:
        """Whether the first dark session has it."""
        ...

    @property
    def onset_after(self) -> datetime | None:
        """The last dark session without it."""
        ...

    @property
    def onset_before(self) -> datetime:
        """The first dark session with it."""
        ...

    @property
    def dark_rate_dn_per_s(self) -> float | None:
        """D at ISO 100."""
        ...

    @property
    def offset_dn(self) -> float | None:
        """Offset c at ISO 100."""
        ...


def known_defects(entries: Sequence[LedgerDefectLike]) -> list[KnownDefect]:
    """Return the defects of a ledger, as estimators of age take them."""
    return [
        KnownDefect(
            one.row,
            one.column,
            one.onset_after,
            one.onset_before,
            one.dark_rate_dn_per_s,
            one.offset_dn,
            one.pre_existing,
        )
        for one in entries
    ]


def places_of(defects: Sequence[KnownDefect]) -> NDArray[np.int64]:
    """Return (row, column) of each, int64 of shape (defects, 2)."""
    return np.array([(one.row, one.column) for one in defects], np.int64).reshape(-1, 2)


def onset_limits(
    defects: Sequence[KnownDefect],
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Return both ends of the onsets' intervals, datetime64[us] in UTC; NaT where open."""
    after = [_as_datetime64(one.onset_after) for one in defects]
    before = [_as_datetime64(one.onset_before) for one in defects]
    return np.array(after, "datetime64[us]"), np.array(before, "datetime64[us]")


def _as_datetime64(at: datetime | None) -> np.datetime64:
    if at is None:
        return np.datetime64("NaT", "us")
    return np.datetime64(_utc(at).replace(tzinfo=None), "us")


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
