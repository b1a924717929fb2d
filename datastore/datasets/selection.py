"""The query behind a dataset: frames, timeslots and cameras as portable facts; chooses nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from datastore import tables
from datastore.datasets.errors import SpecError
from datastore.datasets.items import CameraIdentity, Frame, TimeslotBounds
from datastore.datasets.manifest import ClassBounds
from datastore.datasets.spec import DatasetSpec, rational_text


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
) -> tuple[list[Frame], Counter[str], dict[str, int]]:
    """Read every registered frame of a specification's cameras, kind and role.

    Returns
    -------
    list of Frame
        In no particular order.
    Counter
        How many shots were passed over, by reason.
    dict
        The row of each frame's asset by its sha256.
    """
    frames: list[Frame] = []
    asset_ids: dict[str, int] = {}
    passed_over: Counter[str] = Counter()
    sessions, scenes = _sessions(session), _scenes(session)
    for (
        sha256,
        asset_id,
        camera_id,
        session_id,
        scene_revision_id,
        triggered_at,
        warm_up,
        iso,
        exposure,
        exposure_s,
        f_number,
        state,
        verdict,
        read_back_c,
        exif_c,
        read_back_firmware,
        exif_firmware,
    ) in session.execute(_frames_query(spec, list(cameras))):
        if state != "registered":
            passed_over["not registered"] += 1
            continue
        if warm_up:
            passed_over["warm-up"] += 1
            continue
        if triggered_at is None:
            passed_over["time unknown"] += 1
            continue
        try:
            exposure_text, f_number_text = _exposure(exposure, exposure_s), _f_number(f_number)
        except ValueError:
            # `bulb`, or an aperture of 0: nothing that could be equal in every class
            passed_over["settings are no numbers"] += 1
            continue
        fixture, scene = scenes[scene_revision_id]
        session_uuid, session_started_at = sessions[session_id]
        temperature_c = exif_c if read_back_c is None else read_back_c
        asset_ids[sha256] = asset_id
        frames.append(
            # by place, in the order of its fields: names cost a third more
            Frame(
                sha256,
                spec.role,
                spec.kind,
                cameras[camera_id],
                exif_firmware if read_back_firmware is None else read_back_firmware,
                fixture,
                scene,
                session_uuid,
                session_started_at,
                triggered_at,
                iso,
                exposure_text,
                f_number_text,
                None if temperature_c is None else round(temperature_c * 1000),
                verdict,
            )
        )
    return frames, passed_over, asset_ids


def _sessions(session: Session) -> dict[int, tuple[str, datetime]]:
    """Return the identifier and start of every session by row: read once, not per frame."""
    rows = session.execute(
        select(tables.Session.id, tables.Session.uuid, tables.Session.started_at)
    )
    return {row: (uuid, started_at) for row, uuid, started_at in rows}


def _scenes(session: Session) -> dict[int | None, tuple[str | None, str | None]]:
    """Return the fixture and `name@revision` of every revision of a scene by row."""
    rows = session.execute(
        select(
            tables.SceneRevision.id,
            tables.Fixture.name,
            tables.Scene.name,
            tables.SceneRevision.revision,
        )
        .join(tables.Scene, tables.Scene.id == tables.SceneRevision.scene_id)
        .join(tables.Fixture, tables.Fixture.id == tables.Scene.fixture_id)
    )
    known: dict[int | None, tuple[str | None, str | None]] = {
        row: (fixture, f"{name}@{revision}") for row, fixture, name, revision in rows
    }
    return {**known, None: (None, None)}


def _frames_query(spec: DatasetSpec, camera_ids: list[int]) -> Select[Any]:
    # of tables rather than mapped classes: the mapper costs as much again as reading the rows
    shot, status, asset, settings = (
        mapped.__table__
        for mapped in (tables.Shot, tables.ShotStatus, tables.Asset, tables.ShotSettings)
    )
    read_back, exif = settings.alias("read_back"), settings.alias("exif")
    found: Select[Any] = (
        select(
            asset.c.sha256,
            asset.c.id,
            shot.c.camera_id,
            shot.c.session_id,
            shot.c.scene_revision_id,
            shot.c.triggered_at,
            shot.c.warm_up,
            shot.c.iso,
            shot.c.exposure,
            shot.c.exposure_s,
            shot.c.f_number,
            status.c.state,
            status.c.verdict,
            read_back.c.temperature_c,
            exif.c.temperature_c,
            read_back.c.firmware,
            exif.c.firmware,
        )
        .select_from(shot)
        .join(asset, asset.c.shot_id == shot.c.id)
        .join(status, status.c.shot_id == shot.c.id)
        .outerjoin(
            read_back,
            (read_back.c.shot_id == shot.c.id) & (read_back.c.source == "read-back"),
        )
        .outerjoin(exif, (exif.c.shot_id == shot.c.id) & (exif.c.source == "exif"))
        .where(
            shot.c.camera_id.in_(camera_ids),
            shot.c.kind == spec.kind,
            asset.c.role == spec.role,
        )
    )
    return found


@lru_cache(maxsize=4096)
def _exposure(exposure: str | None, exposure_s: float | None) -> str | None:
    if exposure is not None:
        return rational_text(exposure)
    if exposure_s is None:
        return None
    return rational_text(Fraction(exposure_s).limit_denominator(100_000))


@lru_cache(maxsize=4096)
def _f_number(f_number: float | None) -> str | None:
    # nominal f-numbers are decimals of one or two digits; the float is their nearest
    return None if f_number is None else rational_text(Fraction(f_number).limit_denominator(100))
