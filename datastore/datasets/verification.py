"""Proving a frozen dataset again: its manifest, its rows, its audit and its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.datasets.auditing.records import newest_audit
from datastore.datasets.loading import load
from datastore.datasets.manifest import Manifest
from datastore.errors import AssetCorruptError, AssetMissingError
from datastore.tables import Asset, Dataset, DatasetFreeze, DatasetItem


@dataclass(frozen=True)
class Problem:
    """Something that is not as it was frozen: `sha256` of the file concerned, None of no file."""

    sha256: str | None
    sentence: str


@dataclass(frozen=True)
class VerifiedDataset:
    """What verifying found: no problems, where the dataset is whole.

    `is_audited` is false of datasets that were frozen before there were audits.
    """

    name: str
    version: str
    items: int
    is_audited: bool
    bytes_read: bool
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def verify_dataset(
    catalogue: Catalogue,
    reference: str,
    *,
    read_bytes: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> VerifiedDataset:
    """Prove a dataset again, and look for every file of it in the home's own store.

    Parameters
    ----------
    catalogue
        An open catalogue.
    reference
        Version, beginning of one, or name.
    read_bytes
        Whether every file is read whole and hashed; otherwise it only has to be there.
    progress
        Called with the files done and their total.

    Raises
    ------
    UnknownDatasetError
        If nothing, or more than one version, answers to the reference.
    ManifestError, AssetMissingError, AssetCorruptError
        If the manifest itself is lost, damaged or does not show what it states.
    """
    manifest = load(catalogue, reference)
    problems = []
    with catalogue.reading() as session:
        problems += list(_row_problems(session, manifest))
    is_audited = False
    try:
        is_audited = newest_audit(catalogue, manifest.unforced_version) is not None
    except (AssetCorruptError, AssetMissingError) as error:
        problems.append(Problem(None, f"its audit cannot be read: {error}"))
    total = len(manifest.items)
    for number, item in enumerate(manifest.items):
        if progress is not None:
            progress(number, total)
        sentence = _file_problem(catalogue, item.sha256, read_bytes)
        if sentence is not None:
            problems.append(Problem(item.sha256, sentence))
    if progress is not None:
        progress(total, total)
    header = manifest.header
    return VerifiedDataset(
        header.name, manifest.version, total, is_audited, read_bytes, tuple(problems)
    )


def _row_problems(session: Session, manifest: Manifest) -> Iterator[Problem]:
    """Compare the rows of a dataset with its manifest."""
    dataset = session.scalars(select(Dataset).where(Dataset.version == manifest.version)).one()
    rows = session.execute(
        select(Asset.sha256, DatasetItem.class_name, DatasetItem.block)
        .join(Asset, Asset.id == DatasetItem.asset_id)
        .where(DatasetItem.dataset_id == dataset.id)
        .order_by(DatasetItem.position)
    )
    expected = [(item.sha256, item.class_name, item.block) for item in manifest.items]
    if [tuple(row) for row in rows] != expected:
        yield Problem(None, "its rows in the catalogue are not those of its manifest")
    forced = session.scalar(
        select(DatasetFreeze.forced_reason).where(DatasetFreeze.dataset_id == dataset.id)
    )
    stated = manifest.header.forced
    if forced != (None if stated is None else stated.reason):
        yield Problem(None, "catalogue and manifest do not agree on whether it was forced")


def _file_problem(catalogue: Catalogue, sha256: str, read_bytes: bool) -> str | None:
    if not read_bytes:
        return None if catalogue.store.path(sha256).is_file() else "the file is not in the store"
    try:
        catalogue.store.verify(sha256)
    except AssetMissingError:
        return "the file is not in the store"
    except AssetCorruptError as error:
        return str(error)
    return None
