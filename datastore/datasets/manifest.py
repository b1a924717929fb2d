"""Manifests: the bytes of a frozen dataset, whose sha256 is its version; opens no catalogue.

Canonical JSON lines: a header, then one line per item in the order of camera, time and hash.
There are no floats, row numbers or creation times in it, so the same selection gives the same
bytes in every catalogue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from datastore.canonical import canonical_json
from datastore.datasets.blocks import prove_disjoint
from datastore.datasets.constraints import Finding, check_all
from datastore.datasets.errors import ConstraintError, LeakError, ManifestError, SpecError
from datastore.datasets.items import (
    CameraIdentity,
    Item,
    Portable,
    Sha256,
    StrictInt,
    TimeslotBounds,
    content_order,
)
from datastore.datasets.lines import item_reader, item_writer, read_line
from datastore.datasets.spec import DatasetSpec, Kind, Role, Spec, Waiver, make_spec
from datastore.descriptions import describe_problems


class ClassBounds(Portable):
    """A label with its timeslots, their bounds copied at the freeze."""

    name: str
    timeslots: Annotated[tuple[TimeslotBounds, ...], Field(min_length=1)]


class Forced(Portable):
    """That a dataset was frozen against its audit: the rules that it failed, and why all the same.

    Part of the manifest, so that it says so for ever.
    """

    reason: Annotated[str, Field(min_length=1)]
    failed: Annotated[tuple[str, ...], Field(min_length=1)]


class Header(Portable):
    """First line of a manifest: what was asked for, and what was proved about the items.

    `forced` is there only where the audit failed. `uncontrolled` is true where content could not be
    controlled (natural frames); `simulated` where any camera is simulated; `parent` is the version
    that the dataset was drawn from or continues; `disjoint` counts what was compared to prove that
    the blocks do not leak.
    """

    format: Literal["agetrace-dataset"] = "agetrace-dataset"
    format_version: Literal[1] = 1
    name: str
    specification: dict[str, Any]
    kind: Kind
    role: Role
    uncontrolled: bool
    simulated: bool
    cameras: Annotated[tuple[CameraIdentity, ...], Field(min_length=1)]
    classes: Annotated[tuple[ClassBounds, ...], Field(min_length=2)]
    constraints: tuple[Finding, ...]
    waived: tuple[Waiver, ...]
    disjoint: dict[str, StrictInt]
    parent: Sha256 | None
    items: StrictInt
    forced: Forced | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of the specification: the labels of a network."""
        return tuple(one.name for one in self.classes)

    @property
    def spec(self) -> Spec:
        """The specification as it was frozen."""
        return make_spec(self.specification, f"dataset {self.name}")


@dataclass(frozen=True)
class Manifest:
    """A frozen dataset: its version, header, items in their order for ever, and bytes."""

    version: str
    header: Header
    items: tuple[Item, ...]
    content: bytes

    def block(self, *names: str) -> tuple[Item, ...]:
        """Return the items of one or more blocks, in the manifest's order."""
        return tuple(item for item in self.items if item.block in names)

    @property
    def unforced_version(self) -> str:
        """The version of the same selection unforced, under which it is audited."""
        if self.header.forced is None:
            return self.version
        digest = hashlib.sha256(_header_line(self.header.model_copy(update={"forced": None})))
        digest.update(self.content[self.content.index(b"\n") :])
        return digest.hexdigest()

    def forced(self, reason: str, failed: Sequence[str]) -> Manifest:
        """Return the manifest that says that it was frozen against its audit, and why."""
        forced = Forced(reason=reason, failed=tuple(failed))
        header = self.header.model_copy(update={"forced": forced})
        content = _header_line(header) + self.content[self.content.index(b"\n") :]
        return Manifest(hashlib.sha256(content).hexdigest(), header, self.items, content)


def _header_line(header: Header) -> bytes:
    # without the field where nobody forced it, as in manifests from before there was one
    return canonical_json(header.model_dump(exclude=None if header.forced else {"forced"}))


def specification_document(spec: Spec) -> dict[str, Any]:
    """Return a specification as JSON values without floats."""
    return spec.model_dump(mode="json", exclude_none=True)


def make_manifest(
    spec: Spec,
    kind: Kind,
    role: Role,
    classes: Sequence[ClassBounds],
    items: Sequence[Item],
) -> Manifest:
    """Prove the constraints and the blocks of a selection, and write its manifest.

    Parameters
    ----------
    spec
        The specification, with `parent` as a full version.
    kind, role
        Frame kind and role of every item.
    classes
        The labels with their timeslots.
    items
        The selection, in any order.

    Raises
    ------
    ConstraintError
        If a constraint that was not waived does not hold.
    LeakError
        If two blocks share what they must not.
    """
    ordered = sorted(items, key=content_order)
    findings = check_all(ordered, [one.name for one in classes], spec.waived)
    for finding in findings:
        if finding.state == "broken" and finding.constraint not in spec.waived:
            raise ConstraintError(finding.constraint, finding.sentence)
    distinct = dict.fromkeys(item.camera for item in ordered)
    cameras = {str(camera): camera for camera in distinct}
    header = Header(
        name=spec.name,
        specification=specification_document(spec),
        kind=kind,
        role=role,
        uncontrolled=kind == "natural",
        simulated=any(camera.simulated for camera in cameras.values()),
        cameras=tuple(cameras.values()),
        classes=tuple(classes),
        constraints=findings,
        waived=spec.waive,
        disjoint=prove_disjoint(ordered),
        parent=spec.parent,
        items=len(ordered),
    )
    lines = [_header_line(header)]
    lines += map(item_writer(), ordered)
    content = b"\n".join(lines) + b"\n"
    version = hashlib.sha256(content).hexdigest()
    return Manifest(version, header, tuple(ordered), content)


def read_manifest(content: bytes, version: str | None = None) -> Manifest:
    """Read a manifest and prove it again: hash, schema, order, constraints, disjoint blocks.

    Parameters
    ----------
    content
        The bytes of the manifest.
    version
        The sha256 that they must have, where it is known.

    Raises
    ------
    ManifestError
        If the bytes are not that version, are malformed, or do not show what their header states.
    """
    found = hashlib.sha256(content).hexdigest()
    if version is not None and found != version:
        raise ManifestError(f"the manifest has the sha256 {found}, expected {version}")
    if not content.endswith(b"\n"):
        raise ManifestError("the manifest is cut off: its last line has no end")
    lines = content[:-1].split(b"\n")
    number = 1
    try:
        header = Header.model_validate(read_line(1, lines[0]))
        items = []
        read_item = item_reader()
        for number, line in enumerate(lines[1:], start=2):
            items.append(read_item(number, line))
    except ValidationError as error:
        raise ManifestError(f"manifest line {number}: {describe_problems(error)}") from None
    if _header_line(header) != lines[0]:
        raise ManifestError("manifest line 1: not in canonical form")
    _prove_again(header, items)
    return Manifest(found, header, tuple(items), content)


def _prove_again(header: Header, items: list[Item]) -> None:
    """Recompute everything that the header states about the items."""
    if items != sorted(items, key=content_order):
        raise ManifestError("the manifest's items are not in their order")
    bounds = {one.name: set(one.timeslots) for one in header.classes}
    try:
        spec = header.spec
    except SpecError as error:
        raise ManifestError(f"the manifest breaks its own rules: {error}") from None
    for item in items:
        if isinstance(spec, DatasetSpec) and item.age_s != spec.age_s(item.triggered_at):
            raise ManifestError(f"item {item.sha256}: its age is not that of its time")
        if item.timeslot not in bounds.get(item.class_name, ()):
            raise ManifestError(
                f"item {item.sha256}: class {item.class_name} does not have its timeslot"
            )
        if not item.timeslot.starts_at <= item.triggered_at < item.timeslot.ends_at:
            raise ManifestError(f"item {item.sha256}: taken outside its timeslot")
    try:
        rebuilt = make_manifest(spec, header.kind, header.role, header.classes, items)
    except (SpecError, ConstraintError, LeakError) as error:
        raise ManifestError(f"the manifest breaks its own rules: {error}") from None
    except ValidationError as error:
        raise ManifestError(f"the manifest holds no valid dataset: {error}") from None
    if rebuilt.header != header.model_copy(update={"forced": None}):
        raise ManifestError("the manifest's header does not agree with its items")
