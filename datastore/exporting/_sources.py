"""What is exported: a selection of shots or a frozen dataset, as items; writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Row, select

from datastore.errors import AssetMissingError
from datastore.exporting._items import Item, suffix_of
from datastore.tables import Asset, FrameMeasures, Shot

if TYPE_CHECKING:
    from datastore.catalogue import Catalogue
    from datastore.datasets.items import Item as DatasetItem
    from datastore.datasets.manifest import Manifest
    from datastore.selections import Selection, ShotRecord

UNFIT_VERDICTS = ("quarantined", "rejected")
_BATCH = 500
_MEASURES = ("black_level_dn", "mean_dn", "clipped_share", "sharpness", "temperature_c")


class Source(Protocol):
    """Something that gives items in an order of its own."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes in their order; none where nothing is labelled."""
        ...

    @property
    def left_out(self) -> dict[str, int]:
        """How many shots were left out, by reason, as far as the items were read."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return in JSON what is exported; the same description means the same request."""
        ...

    def items(self) -> Iterator[Item]:
        """Read the items."""
        ...


@dataclass
class SelectionSource:
    """The files of the shots of a selection, in the order of time.

    Attributes
    ----------
    selection
        The shots.
    roles
        Of their files, those of these roles.
    include_quarantined
        Whether shots whose newest verdict is quarantined or rejected are exported too.
    """

    selection: Selection
    roles: tuple[str, ...] = ("raw", "jpeg")
    include_quarantined: bool = False
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """None: shots have no labels."""
        return ()

    def describe(self) -> dict[str, Any]:
        """Return the expression and what else was asked for."""
        return {
            "expression": str(self.selection.condition),
            "timeslot_scheme": self.selection.scheme,
            "roles": list(self.roles),
            "include_quarantined": self.include_quarantined,
        }

    def items(self) -> Iterator[Item]:
        """Read the items page by page."""
        left_out: Counter[str] = Counter()
        position = 0
        for record in self.selection:
            if record.verdict in UNFIT_VERDICTS and not self.include_quarantined:
                left_out[record.verdict] += 1
            else:
                for item in self._items_of(record, position):
                    yield item
                    position += 1
        self.left_out = dict(left_out)

    def _items_of(self, record: ShotRecord, position: int) -> Iterator[Item]:
        files = [asset for asset in record.assets if asset.role in self.roles]
        for place, asset in enumerate(files, position):
            yield Item(
                position=place,
                shot_id=record.id,
                session_id=record.session_id,
                camera_serial=record.camera_serial,
                kind=record.kind,
                scene=record.scene,
                scene_revision=record.scene_revision,
                timeslot=record.timeslot,
                timeslot_scheme=None if record.timeslot is None else self.selection.scheme,
                triggered_at=record.triggered_at,
                exposure_s=record.exposure_s,
                iso=record.iso,
                f_number=record.f_number,
                state=record.state,
                verdict=record.verdict,
                **{name: getattr(asset.measures, name, None) for name in _MEASURES},
                role=asset.role,
                sha256=asset.sha256,
                bytes=asset.bytes,
                suffix=suffix_of(asset.original_name, asset.role),
                label=None,
                block=None,
            )


@dataclass
class DatasetSource:
    """The items of a frozen dataset, in the manifest's order, with their labels and blocks.

    Facts are those that were frozen; identifiers, sizes and measures are the catalogue's.
    """

    catalogue: Catalogue
    manifest: Manifest
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes in the order of the specification."""
        return self.manifest.header.class_names

    def describe(self) -> dict[str, Any]:
        """Return the dataset's name and version."""
        return {"dataset": self.manifest.header.name, "version": self.manifest.version}

    def items(self) -> Iterator[Item]:
        """Read the items in batches.

        Raises
        ------
        AssetMissingError
            If the catalogue does not have a file of the dataset.
        """
        remaining = enumerate(self.manifest.items)
        while batch := list(islice(remaining, _BATCH)):
            rows = self._rows([item.sha256 for _, item in batch])
            for position, item in batch:
                if item.sha256 not in rows:
                    raise AssetMissingError(
                        f"the catalogue does not have the file {item.sha256} of the dataset"
                        f" {self.manifest.header.name}: import its frames first"
                    )
                yield _frozen(position, item, rows[item.sha256])

    def _rows(self, hashes: Sequence[str]) -> dict[str, Row[*tuple[Any, ...]]]:
        statement = (
            select(
                Asset.sha256,
                Asset.bytes,
                Asset.original_name,
                Shot.uuid,
                *(getattr(FrameMeasures, name) for name in _MEASURES),
            )
            .join(Shot, Shot.id == Asset.shot_id)
            .outerjoin(FrameMeasures, FrameMeasures.asset_id == Asset.id)
            .where(Asset.sha256.in_(hashes))
        )
        with self.catalogue.reading() as transaction:
            return {row.sha256: row for row in transaction.execute(statement)}


def _frozen(position: int, item: DatasetItem, row: Row[*tuple[Any, ...]]) -> Item:
    scene, _, revision = (item.scene or "").rpartition("@")
    return Item(
        position=position,
        shot_id=row.uuid,
        session_id=item.session,
        camera_serial=item.camera.serial,
        kind=item.kind,
        scene=scene or None,
        scene_revision=int(revision) if scene else None,
        timeslot=item.timeslot.ordinal,
        timeslot_scheme=item.timeslot.scheme,
        triggered_at=item.triggered_at,
        exposure_s=_number(item.exposure),
        iso=item.iso,
        f_number=_number(item.f_number),
        state="registered",
        verdict=item.verdict,
        **{name: getattr(row, name) for name in _MEASURES},
        role=item.role,
        sha256=item.sha256,
        bytes=row.bytes,
        suffix=suffix_of(row.original_name, item.role),
        label=item.class_name,
        block=item.block,
    )


def _number(rational: str | None) -> float | None:
    return None if rational is None else float(Fraction(rational))
