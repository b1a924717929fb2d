"""What a camera's newest ledger says of the growth of its defects, all tests together.

Reads the catalogue and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from math import isfinite
from typing import Any, cast

from datastore.catalogue import Catalogue
from datastore.tables import Camera, DefectExtraction
from training.defects.absolute_age import Age, age_of
from training.defects.constancy import Constancy, constancy_of
from training.defects.growth import (
    Growth,
    WindowGrowth,
    growth_by_epoch,
    growth_by_kind,
    growth_of,
    pooled_growth,
)
from training.defects.growth_prior import PriorComparison, compare_with_prior
from training.defects.ledger_records import (
    dark_session_times,
    read_history,
    read_ledger,
    require_ledger,
)
from training.defects.uniformity import Area, Uniformity, uniformity_of
from training.defects.watch import Watch
from training.power.growth import SensorType


@dataclass(frozen=True)
class GrowthReport:
    """Growth of one camera's defects.

    Attributes
    ----------
    camera_id, camera
        Its row number and its serial.
    defects, pre_existing
        How many its ledger has, and how many of them were there at the first session.
    watch
        The dark sessions and the epochs that mapping events begin.
    growth, by_kind
        New defects from the first to the last session.
    epochs, pooled
        The growth of each epoch, and of all together.
    constancy, uniformity, prior, age
        Whether the rate was constant, whether defects lie anywhere alike, how the rate compares
        with what sensors of the kind have, and how old the sensor is.
    mapping_events
        As the ledger recorded them.
    doubling
        The kelvins that double the dark current, as JSON values; None in ledgers of before they
        were fitted.
    seed
        Of the Monte-Carlo tests.
    """

    camera_id: int
    camera: str
    defects: int
    pre_existing: int
    watch: Watch
    growth: Growth
    by_kind: dict[str, Growth]
    epochs: list[WindowGrowth]
    pooled: WindowGrowth
    constancy: Constancy
    uniformity: Uniformity
    prior: PriorComparison
    age: Age
    mapping_events: list[dict[str, Any]]
    doubling: dict[str, Any] | None
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values, times in ISO 8601."""
        document = asdict(self)
        document["watch"] = {
            "sessions": self.watch.sessions,
            "epoch_starts": self.watch.epoch_starts,
            "years": self.watch.exposure_years(),
        }
        found: dict[str, Any] = _plain(document)
        return found

    def to_text(self) -> list[str]:
        """Return lines for people."""
        rate, place = self.pooled, self.uniformity
        begun = (
            f"{self.camera}: {self.defects} defects in {len(self.watch.sessions)} dark sessions,"
            f" {self.pre_existing} of them there at the first"
        )
        lines = [begun]
        if rate.rate_per_year is not None:
            lines.append(
                f"growth: {rate.rate_per_year:.3g} a year ({rate.confidence:.0%} interval"
                f" {rate.low_per_year:.3g} to {rate.high_per_year:.3g}) in {rate.years:.2f} years"
            )
        lines += [
            f"  {kind}: {one.rate_per_year:.3g} a year ({one.low_per_year:.3g} to"
            f" {one.high_per_year:.3g})"
            for kind, one in self.by_kind.items()
        ]
        lines += [
            _constancy_sentence(self.constancy),
            f"places on the sensor: {place.verdict} (p = {place.p_value:.2g} of {place.count})",
            *(
                f"  {name} {line.index} holds {line.count} defects"
                for name, found in (("column", place.columns), ("row", place.rows))
                for line in found
            ),
            f"prior: {self.prior.sentence}",
            _age_sentence(self.age),
            *([] if self.doubling is None else [_doubling_sentence(self.doubling)]),
            *(
                f"mapped out between {event['after'][:10]} and {event['at'][:10]}:"
                f" {event['vanished']} of {event['at_risk']} defects (p = {event['p']:.2g})"
                for event in self.mapping_events
            ),
        ]
        return lines


def read_growth(catalogue: Catalogue, camera_id: int, *, seed: int = 0) -> GrowthReport:
    """Judge the growth that a camera's newest ledger shows.

    Parameters
    ----------
    catalogue
        Where the ledger is.
    camera_id
        Row number of the camera.
    seed
        Of the Monte-Carlo tests.

    Raises
    ------
    LedgerError
        If there is no ledger, or it has dark sessions at fewer than two times.
    """
    with catalogue.reading() as transaction:
        camera = transaction.get_one(Camera, camera_id)
        newest = require_ledger(transaction, camera)
        summary = transaction.get_one(DefectExtraction, newest.inputs[-1]).summary
        shares = newest.summary.get("detectable_shares")
        doubling = newest.summary.get("doubling")
    defects = read_ledger(catalogue, camera_id)
    sessions = dark_session_times(catalogue, camera_id)
    history = read_history(catalogue, camera_id)
    events = [] if history is None else history.mapping_events
    watch = _watch_of(sessions, [datetime.fromisoformat(event["at"]) for event in events], shares)
    isos = [cell["iso"] for cell in summary["cells"] if cell["iso"] is not None]
    epochs = growth_by_epoch(defects, watch)
    pooled = pooled_growth(epochs)
    area = Area(0, 0, summary["rows"], summary["columns"])
    return GrowthReport(
        camera_id=camera_id,
        camera=camera.serial,
        defects=len(defects),
        pre_existing=sum(one.pre_existing for one in defects),
        watch=watch,
        growth=growth_of(defects, sessions),
        by_kind=growth_by_kind(defects, sessions),
        epochs=epochs,
        pooled=pooled,
        constancy=constancy_of(defects, watch, seed=seed),
        uniformity=uniformity_of(
            [one.row for one in defects], [one.column for one in defects], area, seed=seed
        ),
        prior=compare_with_prior(
            pooled,
            # a camera's description is free text: what is neither has no prior
            sensor_type=cast(SensorType, camera.sensor_type)
            if camera.sensor_type in ("CMOS", "CCD")
            else None,
            pixel_pitch_um=camera.pixel_pitch_um,
            width=summary["columns"],
            height=summary["rows"],
            iso=max(isos, default=None),
        ),
        age=age_of(defects, watch, watch.sessions[-1]),
        mapping_events=events,
        doubling=doubling,
        seed=seed,
    )


def _watch_of(
    sessions: Sequence[datetime], epoch_starts: Sequence[datetime], shares: list[float] | None
) -> Watch:
    watch = Watch.of(sessions, epoch_starts)
    # sessions at one time have no gap of their own, and ledgers of before measured no shares
    if shares is None or len(shares) != len(watch.sessions) - 1:
        return watch
    return replace(watch, detectable_shares=tuple(shares))


def _constancy_sentence(constancy: Constancy) -> str:
    return (
        f"constancy of the rate: {constancy.verdict} (p = {constancy.p_value:.2g}, trend"
        f" {constancy.trend_p:.2g}, scatter {constancy.scatter_p:.2g}; smallest attainable"
        f" {constancy.smallest_p:.2g})"
    )


def _doubling_sentence(doubling: dict[str, Any]) -> str:
    if doubling["doubling_c"] is None:
        return f"doubling of the dark current: unknown, {doubling['reason']}"
    high = doubling["high_c"]
    return (
        f"dark current doubles every {doubling['doubling_c']:.3g} K"
        f" ({doubling['confidence']:.0%} interval {doubling['low_c']:.3g} to"
        f" {'no upper limit' if high is None else f'{high:.3g}'})"
    )


def _age_sentence(age: Age) -> str:
    high = "no upper limit" if age.high_years is None else f"{age.high_years:.3g}"
    point = "unknown" if age.years is None else f"{age.years:.3g} years"
    return (
        f"age since {age.since}: {point} ({age.confidence:.0%} interval {age.low_years:.3g} to"
        f" {high}; {age.source})"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not isfinite(value):
        # JSON knows neither infinities nor NaN
        return None
    return value
