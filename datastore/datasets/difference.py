"""What two frozen datasets do not have in common; pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from datastore.datasets.items import Item
from datastore.datasets.manifest import Manifest


@dataclass(frozen=True)
class Change:
    """A file that both datasets hold, as other things: `fact` is its label or its block."""

    sha256: str
    fact: str
    before: str
    after: str


@dataclass(frozen=True)
class Difference:
    """From one dataset to another.

    Attributes
    ----------
    specification
        Fields that differ, with both values; None where a field is not there.
    removed, added
        Files that only the one, or only the other, holds.
    changed
        Files of both whose label or block differs.
    same
        How many files are the same in both.
    """

    specification: dict[str, tuple[Any, Any]]
    removed: tuple[Item, ...]
    added: tuple[Item, ...]
    changed: tuple[Change, ...]
    same: int

    def to_json(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        return {
            "specification": {name: list(pair) for name, pair in self.specification.items()},
            "removed": [_told(item) for item in self.removed],
            "added": [_told(item) for item in self.added],
            "changed": [asdict(change) for change in self.changed],
            "same": self.same,
        }


def _told(item: Item) -> dict[str, str]:
    return {"sha256": item.sha256, "class_name": item.class_name, "block": item.block}


def compare(before: Manifest, after: Manifest) -> Difference:
    """Return what changed from one dataset to another."""
    old = {item.sha256: item for item in before.items}
    new = {item.sha256: item for item in after.items}
    changed = [
        Change(sha256, fact, getattr(old[sha256], fact), getattr(item, fact))
        for sha256, item in new.items()
        if sha256 in old
        for fact in ("class_name", "block")
        if getattr(old[sha256], fact) != getattr(item, fact)
    ]
    specifications = before.header.specification, after.header.specification
    fields = sorted(set(specifications[0]) | set(specifications[1]))
    return Difference(
        specification={
            name: (specifications[0].get(name), specifications[1].get(name))
            for name in fields
            if specifications[0].get(name) != specifications[1].get(name)
        },
        removed=tuple(item for item in before.items if item.sha256 not in new),
        added=tuple(item for item in after.items if item.sha256 not in old),
        changed=tuple(changed),
        same=len(set(old) & set(new)) - len({change.sha256 for change in changed}),
    )
