"""Freezing a dataset into the catalogue and the store, and loading it again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from datastore import audit
from datastore.assets import find_asset_ids, register_asset
from datastore.catalogue import Catalogue
from datastore.datasets.constraints import Finding
from datastore.datasets.errors import SpecError, UnknownDatasetError
from datastore.datasets.items import BLOCKS
from datastore.datasets.manifest import Manifest, make_manifest, read_manifest
from datastore.datasets.own_scenes import draw_own_scenes
from datastore.datasets.selection import find_cameras, find_classes, find_frames
from datastore.datasets.solver import solve
from datastore.datasets.spec import OwnScenesSpec, Spec, Waiver
from datastore.datasets.summary import BalanceSummary, summarize_balance
from datastore.store import StoredFile
from datastore.tables import Dataset, DatasetItem

_SHORTEST_PREFIX = 6


@dataclass(frozen=True)
class Count:
    """How many items a block holds of one class and one camera."""

    block: str
    class_name: str
    camera_serial: str
    items: int


@dataclass(frozen=True)
class Frozen:
    """What a freeze made.

    `created` is false where this version was frozen before; `left_out` counts frames by reason.
    """

    version: str
    name: str
    created: bool
    counts: tuple[Count, ...]
    left_out: dict[str, int]
    constraints: tuple[Finding, ...]
    waived: tuple[Waiver, ...]
    summary: BalanceSummary

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "version": self.version,
            "name": self.name,
            "created": self.created,
            "counts": [asdict(count) for count in self.counts],
            "left_out": self.left_out,
            "constraints": [finding.model_dump() for finding in self.constraints],
            "waived": [waiver.model_dump() for waiver in self.waived],
            "summary": asdict(self.summary),
        }

    def to_text(self) -> str:
        """Return lines for people: counts, constraints, what was left out, associations."""
        done = "frozen" if self.created else "was frozen before"
        lines = [f"{self.name} {self.version} {done}"]
        lines += [f"  {c.block} {c.class_name} {c.camera_serial}: {c.items}" for c in self.counts]
        lines += [f"  {one.constraint}: {one.state}: {one.sentence}" for one in self.constraints]
        lines += [f"  waived {one.constraint}: {one.reason}" for one in self.waived]
        lines += [f"  left out {number}: {why}" for why, number in self.left_out.items()]
        lines += [
            f"  {factor.factor} and label: Cramér's V {factor.cramers_v:.2f}"
            for factor in self.summary.factors
            if factor.cramers_v is not None
        ]
        return "\n".join(lines)


def freeze(catalogue: Catalogue, spec: Spec, at: datetime) -> Frozen:
    """Select, prove and freeze a dataset.

    The manifest is durable in the store before its rows are committed in one transaction. Freezing
    the same selection again changes nothing and gives the same version.

    Parameters
    ----------
    catalogue
        An open catalogue.
    spec
        What to freeze.
    at
        Civil time of the freeze; it is not part of the manifest.

    Raises
    ------
    SpecError
        If the specification names something that is not in the catalogue.
    ConstraintError
        If no selection satisfies a constraint that was not waived.
    UnknownDatasetError
        If the parent is unknown.
    """
    manifest, left_out = select_manifest(catalogue, spec)
    stored = catalogue.store.put_bytes(manifest.content)
    try:
        created = _record(catalogue, manifest, stored, at)
    except IntegrityError:
        # another process may have frozen the same version between our look and our insert
        with catalogue.reading() as session:
            if _find_version(session, manifest.version) is None:
                raise
        created = False
    header = manifest.header
    return Frozen(
        version=manifest.version,
        name=header.name,
        created=created,
        counts=_count(manifest),
        left_out=left_out,
        constraints=header.constraints,
        waived=header.waived,
        summary=summarize_balance(manifest.items, header.class_names),
    )


def select_manifest(catalogue: Catalogue, spec: Spec) -> tuple[Manifest, dict[str, int]]:
    """Select and prove a dataset without freezing it; raises as `freeze` does.

    Returns
    -------
    Manifest
        What would be frozen.
    dict
        How many frames were left out, by reason.
    """
    parent = None if spec.parent is None else load(catalogue, spec.parent)
    if parent is not None:
        spec = spec.model_copy(update={"parent": parent.version})
    if isinstance(spec, OwnScenesSpec):
        assert parent is not None
        drawn = draw_own_scenes(spec, parent)
        header = parent.header
        manifest = make_manifest(spec, header.kind, header.role, header.classes, drawn.items)
        return manifest, drawn.left_out
    with catalogue.reading() as session:
        classes = find_classes(session, spec)
        frames, passed_over = find_frames(session, spec, find_cameras(session, spec.cameras))
    selection = solve(spec, classes, frames)
    manifest = make_manifest(spec, spec.kind, spec.role, classes, selection.items)
    return manifest, {**selection.left_out, **passed_over}


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
        version = _resolve(session, reference)
    return read_manifest(catalogue.store.read_bytes(version), version)


def _resolve(session: Session, reference: str) -> str:
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


def _find_version(session: Session, version: str) -> Dataset | None:
    return session.scalar(select(Dataset).where(Dataset.version == version))


def _record(catalogue: Catalogue, manifest: Manifest, stored: StoredFile, at: datetime) -> bool:
    """Commit the rows of a dataset; False where the version is recorded already."""
    header = manifest.header
    with catalogue.writing() as session:
        if _find_version(session, manifest.version) is not None:
            return False
        asset_ids = _asset_ids(session, [item.sha256 for item in manifest.items])
        dataset = Dataset(
            version=manifest.version,
            name=header.name,
            specification=header.specification,
            waived=[waiver.model_dump() for waiver in header.waived],
            manifest_asset_id=register_asset(session, stored, "manifest", at).id,
            created_at=at,
        )
        session.add(dataset)
        session.flush()
        session.execute(
            insert(DatasetItem),
            [
                {
                    "dataset_id": dataset.id,
                    "position": position,
                    "asset_id": asset_ids[item.sha256],
                    "class_name": item.class_name,
                    "block": item.block,
                }
                for position, item in enumerate(manifest.items)
            ],
        )
        entry = {
            "version": manifest.version,
            "name": header.name,
            "items": header.items,
            "waived": [waiver.model_dump() for waiver in header.waived],
        }
        audit.append(session, "dataset.freeze", entry, at)
    return True


def _asset_ids(session: Session, hashes: Sequence[str]) -> dict[str, int]:
    """Look up assets; SpecError if the catalogue lacks one."""
    found = find_asset_ids(session, hashes)
    missing = next((sha256 for sha256 in hashes if sha256 not in found), None)
    if missing is not None:
        raise SpecError(f"the catalogue has no asset {missing}: import the frames first")
    return found


def _count(manifest: Manifest) -> tuple[Count, ...]:
    tally = Counter((item.block, item.class_name, item.camera.serial) for item in manifest.items)
    return tuple(
        Count(block, class_name, camera.serial, tally[block, class_name, camera.serial])
        for block in BLOCKS
        if any(item.block == block for item in manifest.items)
        for class_name in manifest.header.class_names
        for camera in manifest.header.cameras
    )
