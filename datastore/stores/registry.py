"""The stores of a home, opened where they are needed, and their rows in the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore import audit
from datastore.errors import StoreSettingsError
from datastore.locks import lock_until_commit
from datastore.store import LOCAL_STORE, LocalStore
from datastore.stores.description import S3Description, StoreDescription
from datastore.stores.mounted import open_mounted_store
from datastore.stores.policy import Policy, policy_of
from datastore.stores.protocol import AssetStore, StoreKind
from datastore.tables import Store


class Stores(Mapping[str, AssetStore]):
    """The stores that a host's settings describe, the home's own first; each opened once.

    Parameters
    ----------
    own
        The home's own store.
    descriptions
        Of the others, by name; paths are absolute.
    """

    def __init__(self, own: LocalStore, descriptions: Mapping[str, StoreDescription]) -> None:
        self.descriptions = dict(descriptions)
        self._opened: dict[str, AssetStore] = {LOCAL_STORE: own}

    @property
    def policy(self) -> Policy:
        """What each store is to keep."""
        return policy_of({name: each.keeps for name, each in self.descriptions.items()})

    def __getitem__(self, name: str) -> AssetStore:
        """Return a store, opened.

        Raises
        ------
        StoreSettingsError
            If the settings have none of this name, or its secrets are not in the environment.
        StoreUnavailableError
            If its folder is not there.
        """
        if name not in self._opened:
            if name not in self.descriptions:
                raise StoreSettingsError(
                    f"the settings of this home have no store {name!r}, only"
                    f" {', '.join(self)}; `agetrace store add` makes one"
                )
            self._opened[name] = open_store(name, self.descriptions[name])
        return self._opened[name]

    def kind(self, name: str) -> StoreKind:
        """Return a store's kind; opens none."""
        return "local" if name == LOCAL_STORE else self.descriptions[name].kind

    def place(self, name: str) -> str:
        """Return where a store is, for people; opens none."""
        if name == LOCAL_STORE:
            return self._opened[name].place
        return self.descriptions[name].place

    def __contains__(self, name: object) -> bool:
        """Return whether the settings have a store of this name; opens none."""
        return name == LOCAL_STORE or name in self.descriptions

    def __iter__(self) -> Iterator[str]:
        """Return the names, the home's own store first."""
        yield LOCAL_STORE
        yield from self.descriptions

    def __len__(self) -> int:
        """Return how many stores there are."""
        return 1 + len(self.descriptions)


def open_store(name: str, description: StoreDescription) -> AssetStore:
    """Open a store of which the settings speak; the server of a bucket is not spoken to yet.

    Raises
    ------
    StoreSettingsError
        If its folder belongs to another store, its secrets are not in the environment, or the
        extra `s3` is not installed.
    StoreUnavailableError
        If its folder is not there: its disk may not be mounted.
    """
    if isinstance(description, S3Description):
        from datastore.stores.s3 import open_s3_store

        return open_s3_store(name, description)
    return open_mounted_store(name, description)


def register_store(session: Session, store: AssetStore, at: datetime) -> int:
    """Return the number of the store's row, which is added, and audited, where there is none.

    Several hosts that share a catalogue each describe the store in their own settings.

    Raises
    ------
    StoreSettingsError
        If the catalogue has a store of this name and of another kind.
    """
    lock_until_commit(session, "store")
    known = session.scalar(select(Store).where(Store.name == store.name))
    if known is not None:
        if known.kind != store.kind:
            raise StoreSettingsError(
                f"the catalogue's store {store.name!r} is of the kind {known.kind}, not"
                f" {store.kind}: choose another name"
            )
        return known.id
    added = Store(name=store.name, kind=store.kind, created_at=at)
    session.add(added)
    session.flush()
    entry = {"store": store.name, "kind": store.kind, "place": store.place}
    audit.append(session, "store.add", entry, at)
    return added.id
