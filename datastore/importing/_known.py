"""What the catalogue knows already of files and places; reads rows, writes none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session as Transaction

from datastore.importing._layout import Declared
from datastore.tables import Asset, AssetReference, Camera, Session, Shot


@dataclass(frozen=True)
class KnownFile:
    """An asset with its shot, and the place where an import found it.

    `folder`, `path` and `referred_at` are None for a file that no import brought, what is of the
    shot for one that no shutter made.
    """

    asset_id: int
    bytes: int
    shot_id: int | None
    shot_uuid: str | None
    kind: str | None
    triggered_at: datetime | None
    time_uncertainty_s: float | None
    is_imported: bool
    camera_make: str | None
    camera_model: str | None
    camera_serial: str | None
    folder: str | None
    path: str | None
    referred_at: datetime | None

    @property
    def place(self) -> str:
        """Where it was found first, as text."""
        return "a capture" if self.folder is None else f"{self.folder}/{self.path}"

    def contradictions(self, declared: Declared) -> list[str]:
        """Return what speaks against this shot in what is declared of another place.

        Only what is declared can: the bytes are the same, and so is what they say.
        """
        found = []
        camera, stated = declared.options.camera, declared.options.model_fields_set
        for what, ours, theirs in (
            ("camera", self.camera_serial, camera.serial or camera.alias),
            ("kind", self.kind, declared.options.kind if "kind" in stated else None),
        ):
            if ours is not None and theirs is not None and ours != theirs:
                found.append(f"its {what} is {ours} there, and {theirs} here")
        slot = declared.timeslot
        if slot is not None and self.triggered_at is not None:
            off = timedelta(seconds=self.time_uncertainty_s or 0)
            slack = timedelta(seconds=0 if off else declared.tolerance_s)
            begins, ends = self.triggered_at - off, self.triggered_at + off
            if (
                ends < slot.starts_at - slack
                or begins >= slot.ends_at + slack
                or (off and (ends == slot.starts_at or begins == slot.ends_at))
            ):
                found.append(
                    f"its time is {self.triggered_at.isoformat()} there, and in timeslot"
                    f" {slot.ordinal} of {declared.scheme} here"
                )
        return found


def find_by_hash(session: Transaction, hashes: Sequence[str]) -> dict[str, KnownFile]:
    """Return the files of these bytes, each with the place where it was found first."""
    if not hashes:
        return {}
    first = (
        select(AssetReference.id)
        .where(AssetReference.asset_id == Asset.id)
        .order_by(AssetReference.id)
        .limit(1)
        .correlate(Asset)
        .scalar_subquery()
    )
    query = _known().add_columns(Asset.sha256).outerjoin(
        AssetReference, AssetReference.id == first
    )  # fmt: skip
    rows = session.execute(query.where(Asset.sha256.in_(hashes)))
    return {row[-1]: KnownFile(*row[:-1]) for row in rows}


def find_by_place(
    session: Transaction, folder: str, paths: Sequence[str]
) -> dict[str, list[KnownFile]]:
    """Return what imports found at these paths of a folder, by path."""
    if not paths:
        return {}
    query = _known().join(AssetReference, AssetReference.asset_id == Asset.id)
    rows = session.execute(
        query.where(AssetReference.folder == folder, AssetReference.path.in_(paths))
    )
    found: dict[str, list[KnownFile]] = {}
    for fields in rows:
        known = KnownFile(*fields)
        found.setdefault(str(known.path), []).append(known)
    return found


def _known() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Asset.id,
            Asset.bytes,
            Shot.id,
            Shot.uuid,
            Shot.kind,
            Shot.triggered_at,
            Shot.time_uncertainty_s,
            (Session.kind == "import"),
            Camera.make,
            Camera.model,
            Camera.serial,
            AssetReference.folder,
            AssetReference.path,
            AssetReference.at,
        )
        .select_from(Asset)
        .outerjoin(Shot, Shot.id == Asset.shot_id)
        .outerjoin(Session, Session.id == Shot.session_id)
        .outerjoin(Camera, Camera.id == Shot.camera_id)
    )
