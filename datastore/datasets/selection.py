"""The query behind a dataset: frames, timeslots and cameras as portable facts; chooses nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from datastore import tables
from datastore.datasets.errors import SpecError
from datastore.datasets.items import CameraIdentity, Frame, TimeslotBounds
from datastore.datasets.manifest import ClassBounds
from datastore.datasets.spec import DatasetSpec


def find_classes(session: Session, spec: DatasetSpec) -> tuple[ClassBounds, ...]:
    """Look up the timeslots of every class.

    Raises
    ------
    SpecError
        If the scheme or a timeslot is unknown; the message names the field.
    """
    scheme = session.scalar(
        select(tables.TimeslotScheme).where(tables.TimeslotScheme.name == spec.scheme)
    )
    if scheme is None:
        known = session.scalars(
            select(tables.TimeslotScheme.name).order_by(tables.TimeslotScheme.name)
        ).all()
        raise SpecError(
            f"scheme: there is no timeslot scheme {spec.scheme};"
            f" there are: {', '.join(known) or 'none'}"
        )
    bounds = {
        timeslot.ordinal: TimeslotBounds(
            scheme=scheme.name,
            ordinal=timeslot.ordinal,
            starts_at=timeslot.starts_at,
            ends_at=timeslot.ends_at,
        )
        for timeslot in scheme.timeslots
    }
    if spec.age_bins is not None:
        return _bins(spec, list(bounds.values()))
    for position, one in enumerate(spec.classes or ()):
        for ordinal in one.timeslots:
            if ordinal not in bounds:
                raise SpecError(
                    f"classes.{position}.timeslots: scheme {scheme.name} has no timeslot {ordinal};"
                    f" it has {', '.join(map(str, sorted(bounds))) or 'none'}"
                )
    return tuple(
        ClassBounds(name=one.name, timeslots=tuple(bounds[ordinal] for ordinal in one.timeslots))
        for one in spec.classes or ()
    )


def _bins(spec: DatasetSpec, timeslots: list[TimeslotBounds]) -> tuple[ClassBounds, ...]:
    """Return the timeslots that lie in each age bin whole."""
    assert spec.age_bins is not None and spec.age_origin is not None
    found = []
    for name, starts_at, ends_at in spec.age_bins.bins(spec.age_origin):
        inside = tuple(
            one for one in timeslots if starts_at <= one.starts_at and one.ends_at <= ends_at
        )
        if not inside:
            raise SpecError(
                f"age_bins: no timeslot of scheme {spec.scheme} lies in {name} whole"
                f" ({starts_at:%Y-%m-%d} to {ends_at:%Y-%m-%d})"
            )
        found.append(ClassBounds(name=name, timeslots=inside))
    return tuple(found)


def find_cameras(session: Session, serials: Sequence[str]) -> dict[int, CameraIdentity]:
    """Look up cameras by serial, and return their identities by row.

    Raises
    ------
    SpecError
        If a serial is unknown, or two makes or models share it.
    """
    found: dict[int, CameraIdentity] = {}
    for serial in serials:
        rows = session.scalars(select(tables.Camera).where(tables.Camera.serial == serial)).all()
        if not rows:
            raise SpecError(f"cameras: there is no camera {serial} in the catalogue")
        if len(rows) > 1:
            models = ", ".join(sorted(f"{row.make} {row.model}" for row in rows))
            raise SpecError(f"cameras: the serial {serial} belongs to several cameras: {models}")
        row = rows[0]
        found[row.id] = CameraIdentity(
            make=row.make, model=row.model, serial=row.serial, simulated=row.simulated
        )
    return found


def find_frames(
    session: Session, spec: DatasetSpec, cameras: dict[int, CameraIdentity]
) -> tuple[list[Frame], Counter[str]]:
    """Read every registered frame of a specification's cameras, kind and role.

    Returns
    -------
    list of Frame
        In no particular order.
    Counter
        How many shots were passed over, by reason.
    """
    frames: list[Frame] = []
    passed_over: Counter[str] = Counter()
    for row in session.execute(_frames_query(spec, list(cameras))):
        shot: tables.Shot = row.Shot
        if row.state != "registered":
            passed_over["not registered"] += 1
        elif shot.warm_up:
            passed_over["warm-up"] += 1
        elif shot.triggered_at is None:
            passed_over["time unknown"] += 1
        else:
            try:
                frames.append(_frame(spec, cameras, row))
            except ValueError:
                # `bulb`, or an aperture of 0: nothing that could be equal in every class
                passed_over["settings are no numbers"] += 1
    return frames, passed_over


def _newest(table: Any, *columns: Any) -> Any:
    """Return a correlated subquery for the newest row of a shot in an append-only table."""
    return (
        select(*columns)
        .where(table.shot_id == tables.Shot.id)
        .order_by(table.id.desc())
        .limit(1)
        .correlate(tables.Shot)
        .scalar_subquery()
    )


def _frames_query(spec: DatasetSpec, camera_ids: list[int]) -> Select[Any]:
    read_back, exif = aliased(tables.ShotSettings), aliased(tables.ShotSettings)
    return (
        select(
            tables.Shot,
            tables.Asset.sha256,
            tables.Session.uuid.label("session_uuid"),
            tables.Session.started_at.label("session_started_at"),
            tables.Scene.name.label("scene_name"),
            tables.SceneRevision.revision.label("scene_revision"),
            tables.Fixture.name.label("fixture_name"),
            _newest(tables.ShotEvent, tables.ShotEvent.name).label("state"),
            _newest(tables.Verdict, tables.Verdict.verdict).label("verdict"),
            read_back.temperature_c.label("read_back_temperature_c"),
            exif.temperature_c.label("exif_temperature_c"),
            read_back.firmware.label("read_back_firmware"),
            exif.firmware.label("exif_firmware"),
        )
        .join(tables.Asset, tables.Asset.shot_id == tables.Shot.id)
        .join(tables.Session, tables.Session.id == tables.Shot.session_id)
        .outerjoin(tables.SceneRevision, tables.SceneRevision.id == tables.Shot.scene_revision_id)
        .outerjoin(tables.Scene, tables.Scene.id == tables.SceneRevision.scene_id)
        .outerjoin(tables.Fixture, tables.Fixture.id == tables.Scene.fixture_id)
        .outerjoin(
            read_back,
            (read_back.shot_id == tables.Shot.id) & (read_back.source == "read-back"),
        )
        .outerjoin(exif, (exif.shot_id == tables.Shot.id) & (exif.source == "exif"))
        .where(
            tables.Shot.camera_id.in_(camera_ids),
            tables.Shot.kind == spec.kind,
            tables.Asset.role == spec.role,
        )
    )


def _first_known(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _exposure(shot: tables.Shot) -> str | None:
    if shot.exposure is not None:
        return str(Fraction(shot.exposure))
    if shot.exposure_s is None:
        return None
    return str(Fraction(shot.exposure_s).limit_denominator(100_000))


def _frame(spec: DatasetSpec, cameras: dict[int, CameraIdentity], row: Any) -> Frame:
    shot: tables.Shot = row.Shot
    assert shot.camera_id is not None
    temperature_c = _first_known(row.read_back_temperature_c, row.exif_temperature_c)
    return Frame.checked(
        {
            "sha256": row.sha256,
            "role": spec.role,
            "kind": spec.kind,
            "camera": cameras[shot.camera_id],
            "firmware": _first_known(row.read_back_firmware, row.exif_firmware),
            "fixture": row.fixture_name,
            "scene": (None if row.scene_name is None else f"{row.scene_name}@{row.scene_revision}"),
            "session": row.session_uuid,
            "session_started_at": row.session_started_at,
            "triggered_at": shot.triggered_at,
            "iso": shot.iso,
            "exposure": _exposure(shot),
            # nominal f-numbers are decimals of one or two digits; the float is their nearest
            "f_number": (
                None
                if shot.f_number is None
                else str(Fraction(shot.f_number).limit_denominator(100))
            ),
            "temperature_millidegrees": (
                None if temperature_c is None else round(temperature_c * 1000)
            ),
            "verdict": row.verdict,
        }
    )
