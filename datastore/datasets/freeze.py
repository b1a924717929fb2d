"""Freezing a dataset into the catalogue and the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from datastore import audit
from datastore.assets import find_asset_ids, register_asset
from datastore.bulk_rows import insert_rows
from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from datastore.datasets._collector import held_off
from datastore.datasets.audited import PixelFeatures, audit_once
from datastore.datasets.auditing.records import StoredAudit
from datastore.datasets.auditing.report import AuditParameters, AuditReport
from datastore.datasets.constraints import Finding
from datastore.datasets.errors import AuditFailedError, SpecError
from datastore.datasets.items import BLOCKS
from datastore.datasets.loading import load
from datastore.datasets.manifest import (
    Manifest,
    make_manifest,
    specification_document,
)
from datastore.datasets.own_scenes import draw_own_scenes
from datastore.datasets.selection import find_cameras, find_classes, find_frames
from datastore.datasets.solver import solve
from datastore.datasets.spec import DatasetSpec, OwnScenesSpec, Spec, Waiver
from datastore.datasets.summary import BalanceSummary, summarize_balance
from datastore.store import StoredFile
from datastore.tables import Dataset, DatasetFreeze, DatasetItem


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
    `forced_reason` is None unless the audit failed. `bound` is what no way to share scenes and
    sessions out could exceed; it is None for a dataset that was drawn from its parent.
    """

    version: str
    name: str
    created: bool
    counts: tuple[Count, ...]
    left_out: dict[str, int]
    constraints: tuple[Finding, ...]
    waived: tuple[Waiver, ...]
    summary: BalanceSummary
    audit: AuditReport
    forced_reason: str | None
    bound: int | None

    @property
    def items(self) -> int:
        """How many items there are in all blocks."""
        return sum(count.items for count in self.counts)

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
            "audit": {
                "verdict": self.audit.verdict,
                "rules": {rule.rule: rule.verdict for rule in self.audit.rules},
            },
            "forced_reason": self.forced_reason,
            "items": self.items,
            "bound": self.bound,
        }

    def to_text(self) -> str:
        """Return lines for people: counts, constraints, what was left out, associations."""
        done = "frozen" if self.created else "was frozen before"
        lines = [f"{self.name} {self.version} {done}"]
        lines += [f"  {c.block} {c.class_name} {c.camera_serial}: {c.items}" for c in self.counts]
        lines += [f"  {one.constraint}: {one.state}: {one.sentence}" for one in self.constraints]
        lines += [f"  waived {one.constraint}: {one.reason}" for one in self.waived]
        lines += [f"  left out {number}: {why}" for why, number in self.left_out.items()]
        if self.bound:
            gap = 1 - self.items / self.bound
            lines.append(f"  {self.items} of at most {self.bound} items: gap {gap:.1%}")
        lines.append(f"  audit: {self.audit.verdict}")
        lines += [
            f"    {rule.verdict}: {rule.sentence}"
            for rule in self.audit.rules
            if rule.verdict != "pass"
        ]
        if self.forced_reason is not None:
            lines.append(f"  forced: {self.forced_reason}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Selected:
    """A dataset that was selected and proved, and not frozen yet.

    `left_out` counts frames by reason; `bound` is as in `Frozen`; `asset_ids` are rows that were
    seen on the way, by sha256.
    """

    manifest: Manifest
    left_out: dict[str, int]
    bound: int | None
    asset_ids: dict[str, int] = field(default_factory=dict)


def freeze(
    catalogue: Catalogue,
    spec: Spec,
    at: datetime,
    *,
    force: str | None = None,
    parameters: AuditParameters | None = None,
    pixels: PixelFeatures | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Frozen:
    """Select, prove, audit and freeze a dataset.

    The manifest is durable in the store before its rows are committed in one transaction. Freezing
    the same selection again changes nothing and gives the same version.

    Parameters
    ----------
    catalogue
        An open catalogue.
    spec
        What to freeze; one with folds has to name its fold.
    at
        Civil time of the freeze; it is not part of the manifest.
    force
        Why the dataset is to be frozen although its audit fails. It becomes part of the manifest
        where the audit does fail, and nothing where it does not.
    parameters
        Levels, thresholds and seed of the audit.
    pixels
        Gives what the pixel baselines see; without it their rules are not run.
    progress
        Called with the audit's steps done and their total.

    Raises
    ------
    SpecError
        If the specification names something that is not in the catalogue.
    ConstraintError
        If no selection satisfies a constraint that was not waived.
    AuditFailedError
        If the audit fails and `force` is not given.
    UnknownDatasetError
        If the parent is unknown.
    """
    selected = select_manifest(catalogue, spec)
    audit_found = audit_once(
        catalogue,
        selected.manifest,
        at,
        parameters=parameters,
        pixels=pixels,
        progress=progress,
    )
    return _freeze_selected(catalogue, selected, audit_found, at, force, None)


def freeze_family(
    catalogue: Catalogue,
    spec: DatasetSpec,
    at: datetime,
    *,
    force: str | None = None,
    parameters: AuditParameters | None = None,
    pixels: PixelFeatures | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Frozen, ...]:
    """Freeze every fold of a specification; parameters and errors as for `freeze`.

    All folds are selected, proved and audited before the first of them is stored, so that a fold
    that cannot be frozen leaves nothing behind but audits.
    """
    if spec.folds is None:
        raise SpecError(f"folds: dataset {spec.name} has none")
    chosen = []
    family = content_sha256(specification_document(spec))
    for fold in range(spec.folds.number):
        selected = select_manifest(catalogue, spec.of_fold(fold))
        found = audit_once(catalogue, selected.manifest, at, parameters=parameters, pixels=pixels)
        _require_pass(selected.manifest, found.report, force)
        chosen.append((selected, found, Member(family, fold)))
        if progress is not None:
            progress(fold + 1, spec.folds.number)
    return tuple(
        _freeze_selected(catalogue, selected, found, at, force, member)
        for selected, found, member in chosen
    )


@dataclass(frozen=True)
class Member:
    """Which fold of which family a dataset is; a family is the hash of its specification."""

    family: str
    fold: int


def _require_pass(manifest: Manifest, report: AuditReport, force: str | None) -> None:
    if report.verdict == "fail" and force is None:
        failed = [(one.rule, one.sentence) for one in report.rules if one.verdict == "fail"]
        raise AuditFailedError(manifest.header.name, failed)


def _freeze_selected(
    catalogue: Catalogue,
    selected: Selected,
    found: StoredAudit,
    at: datetime,
    force: str | None,
    member: Member | None,
) -> Frozen:
    manifest, report = selected.manifest, found.report
    _require_pass(manifest, report, force)
    reason = None
    if report.verdict == "fail" and force is not None:
        reason = force
        manifest = manifest.forced(
            force, [one.rule for one in report.rules if one.verdict == "fail"]
        )
    stored = catalogue.store.put_bytes(manifest.content)
    try:
        with held_off():
            created = _record(catalogue, manifest, stored, at, found, member, selected.asset_ids)
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
        counts=count_items(manifest),
        left_out=selected.left_out,
        constraints=header.constraints,
        waived=header.waived,
        summary=summarize_balance(manifest.items, header.class_names),
        audit=report,
        forced_reason=reason,
        bound=selected.bound,
    )


def select_manifest(catalogue: Catalogue, spec: Spec) -> Selected:
    """Select and prove a dataset without freezing it; raises as `freeze` does."""
    parent = None if spec.parent is None else load(catalogue, spec.parent)
    if parent is not None:
        spec = spec.model_copy(update={"parent": parent.version})
    if isinstance(spec, OwnScenesSpec):
        assert parent is not None
        drawn = draw_own_scenes(spec, parent)
        header = parent.header
        manifest = make_manifest(spec, header.kind, header.role, header.classes, drawn.items)
        return Selected(manifest, drawn.left_out, None)
    if spec.folds is not None and spec.fold is None:
        raise SpecError(
            f"folds: dataset {spec.name} has {spec.folds.number} folds; freeze them together, or"
            " name one by `fold`"
        )
    with catalogue.reading() as session:
        classes = find_classes(session, spec)
        with held_off():
            frames, passed_over, asset_ids = find_frames(
                session, spec, find_cameras(session, spec.cameras)
            )
    with held_off():
        selection = solve(spec, classes, frames)
        manifest = make_manifest(spec, spec.kind, spec.role, classes, selection.items)
    left_out = {**selection.left_out, **passed_over}
    return Selected(manifest, left_out, selection.bound, asset_ids)


def _find_version(session: Session, version: str) -> Dataset | None:
    return session.scalar(select(Dataset).where(Dataset.version == version))


def _record(
    catalogue: Catalogue,
    manifest: Manifest,
    stored: StoredFile,
    at: datetime,
    found: StoredAudit,
    member: Member | None,
    known_ids: dict[str, int],
) -> bool:
    """Commit the rows of a dataset; False where the version is recorded already."""
    header = manifest.header
    with catalogue.writing() as session:
        if _find_version(session, manifest.version) is not None:
            return False
        unknown = [item.sha256 for item in manifest.items if item.sha256 not in known_ids]
        asset_ids = {**known_ids, **_asset_ids(session, unknown)}
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
        insert_rows(
            session,
            DatasetItem.metadata.tables[DatasetItem.__tablename__],
            ("dataset_id", "position", "asset_id", "class_name", "block"),
            (
                (dataset.id, position, asset_ids[item.sha256], item.class_name, item.block)
                for position, item in enumerate(manifest.items)
            ),
        )
        session.add(
            DatasetFreeze(
                dataset_id=dataset.id,
                audit_id=found.id,
                forced_reason=None if header.forced is None else header.forced.reason,
                family=None if member is None else member.family,
                fold=None if member is None else member.fold,
            )
        )
        entry = {
            "version": manifest.version,
            "name": header.name,
            "items": header.items,
            "audit": found.report.verdict,
            "forced_reason": None if header.forced is None else header.forced.reason,
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


def count_items(manifest: Manifest) -> tuple[Count, ...]:
    """Count the items of a manifest by block, class and camera."""
    tally = Counter((item.block, item.class_name, item.camera.serial) for item in manifest.items)
    return tuple(
        Count(block, class_name, camera.serial, tally[block, class_name, camera.serial])
        for block in BLOCKS
        if any(item.block == block for item in manifest.items)
        for class_name in manifest.header.class_names
        for camera in manifest.header.cameras
    )
