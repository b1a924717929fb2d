"""Finding frozen datasets by version or name, and loading them as they were frozen."""

from __future__ import annotations

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.datasets.errors import UnknownDatasetError
from datastore.datasets.manifest import Manifest, read_manifest
from datastore.tables import Dataset

_SHORTEST_PREFIX = 6


def load(catalogue: Catalogue, reference: str) -> Manifest:
    """Load a frozen dataset and prove it again.

    Parameters
    ----------
    catalogue
        An open catalogue.
    reference
        A version, the unique beginning of one (at least six digits), or a name, which means the
        newest dataset of that name.

    Raises
    ------
    UnknownDatasetError
        If nothing, or more than one version, answers to it.
    AssetMissingError, AssetCorruptError
        If the store has lost or damaged the manifest.
    ManifestError
        If the manifest does not show what it states.
    """
    with catalogue.reading() as session:
        version = resolve(session, reference)
    return read_manifest(catalogue.store.read_bytes(version), version)


def resolve(session: Session, reference: str) -> str:
    """Return the version that a reference means; see `load`."""
    newest = session.scalar(
        select(Dataset.version)
        .where(Dataset.name == reference)
        .order_by(Dataset.id.desc())
        .limit(1)
    )
    if newest is not None:
        return newest
    if not re.fullmatch(r"[0-9a-f]{1,64}", reference):
        raise UnknownDatasetError(f"there is no dataset {reference}")
    if len(reference) < _SHORTEST_PREFIX:
        raise UnknownDatasetError(
            f"{reference} is too short for a version: give at least {_SHORTEST_PREFIX} digits"
        )
    matches = session.scalars(
        select(Dataset.version).where(Dataset.version.startswith(reference)).limit(2)
    ).all()
    if not matches:
        raise UnknownDatasetError(f"there is no dataset whose version begins with {reference}")
    if len(matches) > 1:
        raise UnknownDatasetError(f"several datasets' versions begin with {reference}")
    return matches[0]


def lineage(catalogue: Catalogue, manifest: Manifest) -> list[Manifest]:
    """Return the datasets that a dataset was drawn from or continues, its parent first.

    Raises
    ------
    UnknownDatasetError
        If the catalogue does not have one of them.
    """
    found: list[Manifest] = []
    parent = manifest.header.parent
    while parent is not None:
        found.append(load(catalogue, parent))
        parent = found[-1].header.parent
    return found
