"""Repairing: copies with which something is wrong are restored from others, verified on the way.

Damaged bytes are set aside, never deleted. The bytes are durable in the store before its row says
that they are sound, so that whoever is killed in between only reads one file again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session as Transaction

from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.errors import (
    AssetCorruptError,
    AssetMissingError,
    StoreSettingsError,
    StoreUnavailableError,
)
from datastore.store import LocalStore
from datastore.stores._examination import Pace, examine
from datastore.stores._locations import (
    MOST_LISTED,
    PAGE,
    Location,
    note_repaired,
    of_asset,
)
from datastore.stores._transfer import transfer
from datastore.stores._uses import Use, uses_of_asset
from datastore.stores.protocol import AssetStore
from datastore.stores.verification import Notes, require_present
from datastore.tables import AssetLocation, Store

_QUARANTINE: Final = "quarantine"
_NO_COPY: Final = "No other store has a sound copy."


@dataclass(frozen=True)
class Unrepaired:
    """A copy that could not be restored.

    Attributes
    ----------
    store
        Where it should be.
    location
        Its row.
    is_lost
        Whether no store at all has a sound copy; False where one that may have it did not answer.
    detail
        What was tried.
    uses
        What research rests on the file.
    """

    store: str
    location: Location
    is_lost: bool
    detail: str
    uses: tuple[Use, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "store": self.store,
            "problem": self.location.problem,
            **self.location.to_json(),
            "lost": self.is_lost,
            "detail": self.detail,
            "uses": [use.to_json() for use in self.uses],
        }


@dataclass
class RepairReport:
    """What a repair did, or would do.

    Attributes
    ----------
    repaired, repaired_bytes
        Copies that were restored; in a dry run, those for which a row names a sound copy.
    sound_again
        Copies that were sound already when they were read.
    failed, lost
        All others, and those of them of which no store has a sound copy.
    unrepaired
        The others one by one, the first ten thousand of them.
    """

    repaired: int = 0
    repaired_bytes: int = 0
    sound_again: int = 0
    failed: int = 0
    lost: int = 0
    unrepaired: list[Unrepaired] = field(default_factory=list)

    def add(self, one: Unrepaired) -> None:
        """Add a copy that could not be restored."""
        self.failed += 1
        self.lost += one.is_lost
        if len(self.unrepaired) < MOST_LISTED:
            self.unrepaired.append(one)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "repaired": self.repaired,
            "repaired_bytes": self.repaired_bytes,
            "sound_again": self.sound_again,
            "failed": self.failed,
            "lost": self.lost,
            "unrepaired": [one.to_json() for one in self.unrepaired],
        }


def repair(
    catalogue: Catalogue,
    stores: Mapping[str, AssetStore],
    *,
    clock: CivilClock,
    names: Collection[str] | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> RepairReport:
    """Restore every copy of which its row says that something is wrong.

    A copy is read first: it may be sound again. Bytes come from the other stores, then from what
    the store itself has set aside, and have the asset's hash when they arrive.

    Parameters
    ----------
    catalogue
        With the rows.
    stores
        The stores by name, the nearest first.
    clock
        Dates what is restored.
    names
        Restore copies in these stores only; None for all. Bytes come from any.
    dry_run
        Read and change nothing; tell what the rows promise.
    progress
        Called with copies done and copies in all.

    Raises
    ------
    StoreFullError
        If a store has no room; what was restored until then counts.
    """
    run = _Repair(catalogue, stores, clock)
    with catalogue.reading() as session:
        total = session.scalar(select(func.count()).where(*_is_wrong(session, names))) or 0
    done = 0
    try:
        for copies in _copies_of_each(catalogue, names, list(stores)):
            done += len(copies.wrong)
            if dry_run:
                run.promise(copies)
            else:
                run.restore(copies)
            if progress is not None:
                progress(min(done, total), total)
    finally:
        run.close()
    return run.report


@dataclass(frozen=True)
class _Copies:
    """The copies of an asset, by the names of their stores.

    Attributes
    ----------
    wrong
        Those that are to be restored.
    sound
        Those with which nothing is wrong, the nearest first.
    """

    wrong: dict[str, Location]
    sound: dict[str, Location]


class _Repair:
    """One run; remembers which stores do not answer, so that each is waited for once."""

    def __init__(
        self, catalogue: Catalogue, stores: Mapping[str, AssetStore], clock: CivilClock
    ) -> None:
        self.report = RepairReport()
        self._catalogue = catalogue
        self._stores = stores
        self._clock = clock
        self._out_of_reach: dict[str, str] = {}
        self._notes: dict[str, Notes] = {}

    def close(self) -> None:
        """Write down what awaits it."""
        for notes in self._notes.values():
            notes.commit()

    def promise(self, copies: _Copies) -> None:
        """Count what the rows say could be restored."""
        for name, location in copies.wrong.items():
            if any(each in self._stores for each in copies.sound):
                self._count(location)
            elif copies.sound:
                detail = f"The settings lack the store {', '.join(copies.sound)}."
                self._give_up(name, location, detail, is_lost=False)
            else:
                self._give_up(name, location, _NO_COPY, is_lost=True)

    def restore(self, copies: _Copies) -> None:
        """Restore what is wrong with an asset's copies."""
        sound = dict(copies.sound)
        left = {}
        for name, location in copies.wrong.items():
            store = self._open(name)
            if store is not None and self._reads_sound(store, location):
                self.report.sound_again += 1
                sound[name] = location
            else:
                left[name] = location
        for name, location in left.items():
            reasons = self._restore_copy(name, location, sound)
            if reasons is None:
                sound[name] = location
            else:
                is_lost = not self._out_of_reach.keys() & {name, *sound}
                self._give_up(name, location, " ".join(reasons) or _NO_COPY, is_lost=is_lost)

    def _reads_sound(self, store: AssetStore, location: Location) -> bool:
        """Read a copy and note what it showed; damaged bytes are set aside."""
        try:
            examined = examine(store, location.sha256, Pace())
        except StoreUnavailableError as error:
            self._out_of_reach[store.name] = str(error)
            return False
        notes = self._notes.setdefault(store.name, Notes(self._catalogue, store, self._clock))
        return notes.take(location, examined) is None

    def _restore_copy(
        self, name: str, location: Location, sound: dict[str, Location]
    ) -> list[str] | None:
        """Bring the bytes from the first store that gives them; else return why none does.

        Stores whose copies turn out not to be sound are taken out of `sound`.
        """
        target = self._open(name)
        if target is None:
            return [self._out_of_reach[name]]
        reasons = []
        for source_name, copy in list(sound.items()):
            source = self._open(source_name)
            if source is None:
                reasons.append(self._out_of_reach[source_name])
                continue
            try:
                with suppress(AssetMissingError):
                    # what lies there cannot be read, and is in the way
                    target.set_aside(location.sha256)
                ended = transfer(location.sha256, location.bytes, [source], target, Pace())
            except StoreUnavailableError as error:
                self._out_of_reach[name] = str(error)
                return [str(error)]
            except OSError as error:
                return [f"{target.place} does not take it: {error.strerror or error}."]
            if ended.outcome != "failed":
                self._note_repaired(name, location, source_name)
                return None
            reasons.append(f"{ended.reason[:1].upper()}{ended.reason[1:]}.")
            if not self._reads_sound(source, copy) and source_name not in self._out_of_reach:
                del sound[source_name]
        if isinstance(target, LocalStore) and _restore_from_quarantine(target, location.sha256):
            self._note_repaired(name, location, _QUARANTINE)
            return None
        return reasons

    def _open(self, name: str) -> AssetStore | None:
        """Return a store; None for one that does not answer or that the settings lack."""
        if name in self._out_of_reach:
            return None
        if name not in self._stores:
            self._out_of_reach[name] = f"The settings lack the store {name}."
            return None
        try:
            store = self._stores[name]
            require_present(store)
        except (StoreSettingsError, StoreUnavailableError) as error:
            self._out_of_reach[name] = str(error)
            return None
        return store

    def _note_repaired(self, name: str, location: Location, source: str) -> None:
        at = self._clock.now()
        with self._catalogue.writing() as session:
            note_repaired(session, location, name, source, at)
        self._count(location)

    def _count(self, location: Location) -> None:
        self.report.repaired += 1
        self.report.repaired_bytes += location.bytes

    def _give_up(self, name: str, location: Location, detail: str, *, is_lost: bool) -> None:
        with self._catalogue.reading() as session:
            uses = tuple(uses_of_asset(session, location.asset_id))
        self.report.add(Unrepaired(name, location, is_lost, detail, uses))


def _restore_from_quarantine(store: LocalStore, sha256: str) -> bool:
    """Restore a file from what the store has set aside under its name, if any of it is sound."""
    for kept in store.set_aside_before(sha256):
        with suppress(AssetCorruptError, OSError):
            store.put_file(kept, sha256=sha256)
            return True
    return False


def _copies_of_each(
    catalogue: Catalogue, names: Collection[str] | None, order: list[str]
) -> Iterator[_Copies]:
    """Yield the copies of every asset that has one to restore, in pages of assets."""
    last = 0
    while True:
        with catalogue.reading() as session:
            page = session.scalars(
                select(AssetLocation.asset_id)
                .distinct()
                .where(*_is_wrong(session, names), AssetLocation.asset_id > last)
                .order_by(AssetLocation.asset_id)
                .limit(PAGE)
            ).all()
        if not page:
            return
        for asset_id in page:
            with catalogue.reading() as session:
                copies = of_asset(session, asset_id)
            nearest = sorted(copies, key=lambda name: order.index(name) if name in order else 999)
            yield _Copies(
                {
                    name: one
                    for name, one in copies.items()
                    if one.problem is not None and (names is None or name in names)
                },
                {name: copies[name] for name in nearest if copies[name].problem is None},
            )
        last = page[-1]


def _is_wrong(session: Transaction, names: Collection[str] | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [AssetLocation.problem.is_not(None)]
    if names is not None:
        # with numbers instead of a subquery, one store's rows come in the order of its index
        chosen = session.scalars(select(Store.id).where(Store.name.in_(names))).all()
        conditions.append(AssetLocation.store_id.in_(chosen))
    return conditions
