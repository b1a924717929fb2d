"""Replication: every asset that a store is to keep gets a copy there, and only then a row.

Nothing is remembered between two runs but the rows of copies that are durable: whoever is killed
goes on with the assets that have none, and reads at most those files again that were on their way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, exists, func, select, update

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.errors import DatastoreError, StoreFullError, StoreUnavailableError
from datastore.locks import lock_until_commit
from datastore.stores._examination import Pace, StoppedError
from datastore.stores._transfer import Transfer, transfer
from datastore.stores.protocol import AssetStore
from datastore.stores.registry import register_store
from datastore.tables import Asset, AssetLocation, AssetRole, Store

_PAGE: Final = 500
_TRANSFERS_AT_ONCE: Final = 4
_BYTES_AT_ONCE: Final = 256_000_000
"""Of the files on their way, each of which a store may hold in memory; a larger one goes alone."""
_FAILURES_SHOWN: Final = 1000


@dataclass(frozen=True)
class Failure:
    """An asset that has no copy in the store yet, with the reason."""

    sha256: str
    bytes: int
    role: str
    original_name: str | None
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the failure as JSON."""
        return {
            "sha256": self.sha256,
            "bytes": self.bytes,
            "role": self.role,
            "original_name": self.original_name,
            "reason": self.reason,
        }


@dataclass
class ReplicationReport:
    """What a replication did.

    Attributes
    ----------
    store
        The store that was to get copies.
    copied, copied_bytes
        Assets whose bytes were brought there.
    already
        Assets whose bytes were there without a row, and were read.
    failed
        Assets without a sound copy there.
    failures
        The first thousand of them, with the reasons.
    stopped
        Why it ended early; None where it did not.
    """

    store: str
    copied: int = 0
    copied_bytes: int = 0
    already: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    stopped: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether everything that was to be copied was."""
        return not self.failed and self.stopped is None

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "store": self.store,
            "copied": self.copied,
            "copied_bytes": self.copied_bytes,
            "already": self.already,
            "failed": self.failed,
            "failures": [failure.to_json() for failure in self.failures],
            "stopped": self.stopped,
        }


def replicate(
    catalogue: Catalogue,
    sources: Mapping[str, AssetStore],
    target: AssetStore,
    *,
    keeps: Collection[AssetRole],
    clock: CivilClock,
    limit: int | None = None,
    bytes_per_s: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ReplicationReport:
    """Give a store a copy of every asset that it is to keep and has no sound copy of.

    Parameters
    ----------
    catalogue
        Of the assets.
    sources
        Stores that may have copies, by name, the nearest first; the target is passed over.
    target
        The store that gets copies.
    keeps
        Roles of the assets that it is to keep.
    clock
        Dates what was copied.
    limit
        Take on at most so many assets; None takes on all.
    bytes_per_s
        Read no faster from all sources together; None for as fast as it goes.
    progress
        Called with assets done and assets in all.

    Returns
    -------
    ReplicationReport
        Where the target could not be reached or was full, with the reason in `stopped`.

    Raises
    ------
    StoreSettingsError
        If the catalogue has a store of the target's name and of another kind.
    """
    with catalogue.writing() as session:
        store_id = register_store(session, target, clock.now())
    run = _Run(catalogue, sources, target, store_id, clock, Pace(bytes_per_s))
    lacking = _lacks(store_id, keeps)
    with catalogue.reading() as session:
        total = session.scalar(select(func.count()).select_from(Asset).where(*lacking)) or 0
    total = total if limit is None else min(limit, total)
    try:
        for done in run.take_on(_pages(catalogue, lacking, run.source_ids, total)):
            if progress is not None:
                progress(done, total)
    finally:
        run.note()
    return run.report


def count_lacking(catalogue: Catalogue, store_id: int, keeps: Collection[AssetRole]) -> int:
    """Return how many assets a store is to keep and has no sound copy of."""
    count = select(func.count()).select_from(Asset).where(*_lacks(store_id, keeps))
    with catalogue.reading() as session:
        return session.scalar(count) or 0


@dataclass(frozen=True)
class _Wanted:
    """An asset that the target lacks, with the stores that have sound copies by their rows."""

    asset_id: int
    sha256: str
    bytes: int
    role: str
    original_name: str | None
    store_names: tuple[str, ...]


class _Run:
    """One replication: at most a few files on their way, rows for those that arrived."""

    def __init__(
        self,
        catalogue: Catalogue,
        sources: Mapping[str, AssetStore],
        target: AssetStore,
        store_id: int,
        clock: CivilClock,
        pace: Pace,
    ) -> None:
        self._catalogue = catalogue
        self._sources = sources
        self._target = target
        self._store_id = store_id
        self._clock = clock
        self._pace = pace
        self._away: frozenset[str] = frozenset()
        self._on_their_way: dict[Future[Transfer], _Wanted] = {}
        self.report = ReplicationReport(target.name)
        with catalogue.reading() as session:
            rows = session.execute(select(Store.id, Store.name))
            names = {name: row_id for row_id, name in rows if name != target.name}
        self.source_ids = {names[name]: name for name in sources if name in names}

    def take_on(self, wanted: Iterator[_Wanted]) -> Iterator[int]:
        """Copy assets, and yield how many are done."""
        done = 0
        following = next(wanted, None)
        pool = ThreadPoolExecutor(_TRANSFERS_AT_ONCE, thread_name_prefix="replicating")
        try:
            while self.report.stopped is None:
                if following is not None and self._has_room(following):
                    self._on_their_way[pool.submit(self._transfer, following)] = following
                    following = next(wanted, None)
                elif self._on_their_way:
                    done += self._settle(wait(self._on_their_way, None, FIRST_COMPLETED).done)
                    yield done
                else:
                    break
        finally:
            # what arrives before the end still gets its row
            self._pace.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            done += self._settle({future for future in self._on_their_way if future.done()})
        if self.report.stopped is not None:
            yield done

    def note(self) -> None:
        """Link what was done to the audit."""
        if self.report.copied or self.report.already:
            entry = self.report.to_json()
            del entry["failures"]
            with self._catalogue.writing() as session:
                audit.append(session, "store.replicate", entry, self._clock.now())

    def _has_room(self, asset: _Wanted) -> bool:
        at_once = self._on_their_way.values()
        return not at_once or (
            len(at_once) < _TRANSFERS_AT_ONCE
            and asset.bytes + sum(other.bytes for other in at_once) <= _BYTES_AT_ONCE
        )

    def _transfer(self, asset: _Wanted) -> Transfer:
        sources, reasons = [], []
        for name in asset.store_names:
            if name in self._away:
                reasons.append(f"{name} could not be reached")
                continue
            try:
                sources.append(self._sources[name])
            except DatastoreError as error:
                reasons.append(str(error))
        ended = transfer(asset.sha256, asset.bytes, sources, self._target, self._pace)
        if ended.outcome == "failed" and reasons:
            reasons += [ended.reason] if sources else []
            return replace(ended, reason="; ".join(reasons))
        return ended

    def _settle(self, futures: Collection[Future[Transfer]]) -> int:
        """Write the rows of what arrived, and return how many assets are done."""
        arrived = []
        done = 0
        for future in futures:
            asset = self._on_their_way.pop(future)
            if future.cancelled():
                continue
            error = future.exception()
            if error is None:
                ended = future.result()
                # whoever waited for a store once does not wait again for each file
                self._away |= ended.away
                if ended.outcome == "failed":
                    self._fail(asset, ended.reason)
                else:
                    arrived.append((asset, ended))
                done += 1
            elif isinstance(error, (StoreUnavailableError, StoreFullError)):
                self.report.stopped = str(error)
            elif isinstance(error, (DatastoreError, OSError)):
                self._fail(asset, str(error))
                done += 1
            elif not isinstance(error, StoppedError):
                raise error
        self._record([asset.asset_id for asset, _ in arrived])
        for asset, ended in arrived:
            self.report.already += ended.outcome == "already"
            self.report.copied += ended.outcome == "copied"
            self.report.copied_bytes += asset.bytes if ended.outcome == "copied" else 0
        return done

    def _fail(self, asset: _Wanted, reason: str) -> None:
        self.report.failed += 1
        if len(self.report.failures) < _FAILURES_SHOWN:
            self.report.failures.append(
                Failure(asset.sha256, asset.bytes, asset.role, asset.original_name, reason)
            )

    def _record(self, asset_ids: list[int]) -> None:
        if not asset_ids:
            return
        at = self._clock.now()
        with self._catalogue.writing() as session:
            # a second replication into the same store may write the same rows
            lock_until_commit(session, f"store {self._store_id}")
            here = (
                AssetLocation.store_id == self._store_id,
                AssetLocation.asset_id.in_(asset_ids),
            )
            known = set(session.scalars(select(AssetLocation.asset_id).where(*here)))
            session.execute(
                update(AssetLocation)
                .where(*here)
                .values(verified_at=at, problem=None, problem_at=None)
            )
            session.add_all(
                AssetLocation(asset_id=asset_id, store_id=self._store_id, verified_at=at)
                for asset_id in asset_ids
                if asset_id not in known
            )


def _lacks(store_id: int, keeps: Collection[AssetRole]) -> tuple[ColumnElement[bool], ...]:
    has_copy = exists().where(
        AssetLocation.asset_id == Asset.id,
        AssetLocation.store_id == store_id,
        AssetLocation.problem.is_(None),
    )
    return Asset.role.in_(sorted(keeps)), ~has_copy


def _pages(
    catalogue: Catalogue,
    lacking: tuple[ColumnElement[bool], ...],
    source_ids: Mapping[int, str],
    limit: int,
) -> Iterator[_Wanted]:
    """Yield what the target lacks, by row number; no transaction stays open between two pages."""
    last = 0
    left = limit
    while left > 0 and (page := _page(catalogue, lacking, source_ids, last, min(left, _PAGE))):
        yield from page
        last = page[-1].asset_id
        left -= len(page)


def _page(
    catalogue: Catalogue,
    lacking: tuple[ColumnElement[bool], ...],
    source_ids: Mapping[int, str],
    last: int,
    size: int,
) -> list[_Wanted]:
    assets = (
        select(Asset.id, Asset.sha256, Asset.bytes, Asset.role, Asset.original_name)
        .where(*lacking, Asset.id > last)
        .order_by(Asset.id)
        .limit(size)
    )
    order = list(source_ids)
    with catalogue.reading() as session:
        rows = session.execute(assets).all()
        copies: dict[int, list[int]] = {}
        for asset_id, store_id in session.execute(
            select(AssetLocation.asset_id, AssetLocation.store_id).where(
                AssetLocation.asset_id.in_([row.id for row in rows]),
                AssetLocation.store_id.in_(order),
                AssetLocation.problem.is_(None),
            )
        ):
            copies.setdefault(asset_id, []).append(store_id)
    return [
        _Wanted(
            asset_id=row.id,
            sha256=row.sha256,
            bytes=row.bytes,
            role=row.role,
            original_name=row.original_name,
            store_names=tuple(
                source_ids[each] for each in sorted(copies.get(row.id, []), key=order.index)
            ),
        )
        for row in rows
    ]
