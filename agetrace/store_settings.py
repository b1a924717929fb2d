"""Adding a store to a home: tried out first, then its row, then its section of the settings."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agetrace.errors import HomeError
from agetrace.settings import SETTINGS_NAME, Home, Settings
from datastore.catalogue import Catalogue
from datastore.descriptions import describe_problems
from datastore.durable import write_durably
from datastore.errors import StoreSettingsError
from datastore.stores.description import LocalDescription, S3Description, StoreDescription
from datastore.stores.mounted import create_local_store
from datastore.stores.protocol import AssetStore
from datastore.stores.registry import open_store, register_store
from datastore.stores.self_test import self_test


@dataclass(frozen=True)
class AddedStore:
    """A store that was added.

    Attributes
    ----------
    store, description
        The store and what the settings say of it from now on.
    notes
        What whoever added it should know, in sentences.
    """

    store: AssetStore
    description: StoreDescription
    notes: tuple[str, ...]


def read_store_description(name: str, content: dict[str, Any]) -> StoreDescription:
    """Return a store's description from what somebody said of it.

    Raises
    ------
    StoreSettingsError
        If the name or a field of it is wrong; names all that are.
    """
    try:
        settings = Settings.model_validate({"stores": {name: content}})
    except ValidationError as error:
        problems = describe_problems(error)
        for loc in (f"stores.{name}.{content['kind']}.", f"stores.{name}.", "[key]: "):
            problems = problems.replace(loc, "")
        raise StoreSettingsError(f"the store {name!r} cannot be: {problems}") from None
    return settings.stores[name]


def add_store(
    home: Home, catalogue: Catalogue, name: str, description: StoreDescription, at: datetime
) -> AddedStore:
    """Try a store out, add its row to the catalogue and its section to the home's settings.

    Parameters
    ----------
    home, catalogue
        Of the store; a failure leaves them as they were.
    name, description
        Of the store. Whether what is put into a bucket must be read back is found out here.
    at
        Civil time.

    Raises
    ------
    StoreSettingsError
        If the home has such a store, or another one lies at the same place.
    UnfitStoreError
        If it does not do what an asset store needs.
    StoreUnavailableError
        If it cannot be reached.
    """
    if name in home.settings.stores:
        raise StoreSettingsError(f"this home has a store {name!r} already")
    _require_place_of_its_own(home, description)
    notes: list[str] = []
    if isinstance(description, LocalDescription):
        store: AssetStore = create_local_store(name, description)
        self_test(store)
        if _same_disk(description.root, home.store_root):
            notes.append(
                f"{description.root} is on the same disk as the home's own store: it helps against"
                " a flipped bit, not against the loss of the disk"
            )
    else:
        store = open_store(name, description)
        checks_sha256 = self_test(store).checks_sha256
        if checks_sha256 and description.verify_after_put:
            description = description.model_copy(update={"verify_after_put": False})
            store = open_store(name, description)
            notes.append("the server checks the sha256 of what it gets: nothing is read back")
        elif not checks_sha256:
            notes.append(
                "the server does not check the sha256 of what it gets: every file is read back"
                " after it was put"
            )
    with catalogue.writing() as session:
        register_store(session, store, at)
    _append(home, name, description)
    return AddedStore(store, description, tuple(notes))


def _require_place_of_its_own(home: Home, description: StoreDescription) -> None:
    """Refuse two stores at one place: their copies would be one."""
    own = LocalDescription(kind="local", root=home.store_root)
    others = {"local": own, **home.settings.stores}
    for name, other in others.items():
        if _overlap(description, home.describe_store(other)):
            raise StoreSettingsError(
                f"the store {name!r} lies at the same place: two stores need two places"
            )


def _overlap(one: StoreDescription, other: StoreDescription) -> bool:
    if isinstance(one, LocalDescription) and isinstance(other, LocalDescription):
        first, second = one.root.resolve(), other.root.resolve()
        return first.is_relative_to(second) or second.is_relative_to(first)
    if isinstance(one, S3Description) and isinstance(other, S3Description):
        if (one.endpoint, one.bucket) != (other.endpoint, other.bucket):
            return False
        first, second = Path("/", one.prefix), Path("/", other.prefix)
        return first.is_relative_to(second) or second.is_relative_to(first)
    return False


def _same_disk(one: Path, other: Path) -> bool:
    return other.exists() and one.stat().st_dev == other.stat().st_dev


def _append(home: Home, name: str, description: StoreDescription) -> None:
    path = home.folder / SETTINGS_NAME
    text = path.read_text(encoding="utf-8")
    fields = {
        "kind": description.kind,
        **description.model_dump(mode="json", exclude_defaults=True),
    }
    section = "".join(
        f"{field} = {json.dumps(value, ensure_ascii=False)}\n" for field, value in fields.items()
    )
    extended = f"{text.rstrip()}\n\n[stores.{name}]\n{section}"
    try:
        read = Settings.model_validate(tomllib.loads(extended)).stores.get(name)
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise HomeError(f"{path}: no section [stores.{name}] fits at its end: {error}") from None
    if read != description:
        raise HomeError(f"{path}: the section [stores.{name}] would not be read as it is meant")
    write_durably(path, extended.encode())
