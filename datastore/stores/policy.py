"""Replication policy: which stores are to keep which assets; knows no bytes and no rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datastore.store import LOCAL_STORE
from datastore.stores.description import ALL_ROLES
from datastore.tables import AssetRole


@dataclass(frozen=True)
class Policy:
    """What each store keeps, by the store's name; the home's own store keeps everything.

    Attributes
    ----------
    keeps
        Roles of the assets of which each store is to have a copy.
    """

    keeps: Mapping[str, frozenset[AssetRole]]

    def stores_for(self, role: AssetRole) -> tuple[str, ...]:
        """Return the names of the stores that are to have a copy of an asset of this role."""
        return tuple(name for name, roles in self.keeps.items() if role in roles)

    def copies_wanted(self, role: AssetRole) -> int:
        """Return how many copies of an asset of this role there are to be."""
        return len(self.stores_for(role))


def policy_of(keeps: Mapping[str, tuple[AssetRole, ...]]) -> Policy:
    """Return the policy of a home's settings, in which its own store needs no mention."""
    own = {LOCAL_STORE: frozenset(ALL_ROLES)}
    return Policy(own | {name: frozenset(roles) for name, roles in keeps.items()})
