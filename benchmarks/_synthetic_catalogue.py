"""Catalogues of synthetic shots in any number: the same seed gives the same rows.

A session takes a thousand shots with every camera in turn: dark fields, flat fields and scenes.
Every fiftieth session is an import of natural images, some of which have no time.
"""

import hashlib
import os
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from datastore.bulk import (
    BulkAsset,
    BulkEvent,
    BulkMeasures,
    BulkShot,
    BulkVerdict,
)
from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue, open_catalogue
from datastore.tables import (
    Camera,
    Fixture,
    FixtureRevision,
    Scene,
    SceneRevision,
    Session,
    SessionEvent,
    Store,
)
from datastore.timeslots import MonthlyScheme, add_scheme
from migrations import runner

BEGIN = datetime(2022, 1, 1, tzinfo=UTC)
SCHEME = "monthly"
SHOTS_A_SESSION = 1000
SESSIONS_AN_IMPORT = 50
EXPOSURES = (("1/30", 1 / 30), ("1/8", 0.125), ("1/2", 0.5), ("1", 1.0), ("4", 4.0))
ISOS = (100, 200, 400, 800, 1600)
KINDS = ("dark-field", "flat-field", "fixed-background", "natural")
DARK, FLAT, BACKGROUND, NATURAL = range(4)
SHARE_DARK, SHARE_FLAT = 0.2, 0.1
SHARE_FAILED = 0.002
SHARE_QUARANTINED = 0.005
SHARE_WITHOUT_TIME = 0.1
"""Of the natural images alone."""
CODE_VERSION = "synthetic"
RAW_BYTES = 24_000_000
_CACHE_KIB = 1_000_000
_FILLED_TABLES = (
    *("shot", "shot_event", "shot_status", "asset", "asset_location", "frame_measures", "verdict"),
)


@dataclass(frozen=True)
class Synthetic:
    """What a synthetic catalogue holds."""

    shots: int
    cameras: int = 10
    scenes: int = 20
    years: int = 4
    seed: int = 1

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return -(-self.shots // SHOTS_A_SESSION)

    @property
    def end(self) -> datetime:
        """When the last timeslot ends."""
        return BEGIN.replace(year=BEGIN.year + self.years)

    def started_at(self, session: int) -> datetime:
        """Return when a session starts; sessions count from 0."""
        spacing = (self.end - BEGIN) / self.sessions
        return BEGIN + timedelta(seconds=int((spacing * session).total_seconds()))


@dataclass(frozen=True)
class SessionShots:
    """The shots of one session, a list a column; the rows of cameras, scenes count from 1."""

    session_id: int
    first_id: int
    uuids: list[str]
    camera_ids: list[int]
    kinds: list[str]
    scene_revision_ids: list[int | None]
    times: list[str | None]
    """As SQLite keeps them."""
    exposures: list[str]
    exposures_s: list[float]
    isos: list[int]
    failed: list[bool]
    quarantined: list[bool]
    hashes: list[str]
    means_dn: list[float]
    temperatures_c: list[float]


def sessions_of(synthetic: Synthetic) -> Iterator[SessionShots]:
    """Return the shots, session by session."""
    for session in range(synthetic.sessions):
        first = session * SHOTS_A_SESSION
        count = min(SHOTS_A_SESSION, synthetic.shots - first)
        yield _session(synthetic, session, first + 1, count)


def _session(synthetic: Synthetic, session: int, first_id: int, count: int) -> SessionShots:
    generator = np.random.default_rng((synthetic.seed, session))
    is_import = session % SESSIONS_AN_IMPORT == SESSIONS_AN_IMPORT - 1
    draw = generator.random(count)
    kind = np.full(count, NATURAL)
    if not is_import:
        kind[:] = BACKGROUND
        kind[draw < SHARE_DARK + SHARE_FLAT] = FLAT
        kind[draw < SHARE_DARK] = DARK
    scene = generator.integers(1, synthetic.scenes + 1, count)
    exposure = generator.integers(0, len(EXPOSURES), count)
    spacing_us = int((synthetic.end - BEGIN).total_seconds() * 1e6) // synthetic.sessions
    start = np.datetime64(synthetic.started_at(session).replace(tzinfo=None), "us")
    offsets = np.sort(generator.integers(0, max(spacing_us - 1, 1), count))
    texts = np.char.replace(np.datetime_as_string(start + offsets), "T", " ").tolist()
    timeless = (kind == NATURAL) & (generator.random(count) < SHARE_WITHOUT_TIME)
    names = generator.bytes(16 * count)
    hashes = generator.bytes(32 * count).hex()
    draw = generator.random(count)
    return SessionShots(
        session_id=session + 1,
        first_id=first_id,
        uuids=[
            str(uuid.UUID(bytes=names[16 * shot : 16 * shot + 16], version=4))
            for shot in range(count)
        ],
        camera_ids=generator.integers(1, synthetic.cameras + 1, count).tolist(),
        kinds=[KINDS[number] for number in kind],
        scene_revision_ids=[
            int(number) if is_scene else None
            for number, is_scene in zip(scene, kind == BACKGROUND, strict=True)
        ],
        times=[None if unknown else text for text, unknown in zip(texts, timeless, strict=True)],
        exposures=[EXPOSURES[number][0] for number in exposure],
        exposures_s=[EXPOSURES[number][1] for number in exposure],
        isos=[ISOS[number] for number in generator.integers(0, len(ISOS), count)],
        failed=(draw < SHARE_FAILED).tolist(),
        quarantined=(draw > 1.0 - SHARE_QUARANTINED).tolist(),
        hashes=[hashes[64 * shot : 64 * shot + 64] for shot in range(count)],
        means_dn=np.round(generator.uniform(500.0, 9000.0, count), 2).tolist(),
        temperatures_c=np.round(generator.normal(24.0, 4.0, count), 1).tolist(),
    )


def bulk_shots(synthetic: Synthetic) -> Iterator[BulkShot]:
    """Return the shots as the bulk writer takes them."""
    for session in sessions_of(synthetic):
        started_at = synthetic.started_at(session.session_id - 1)
        for place in range(len(session.uuids)):
            yield _bulk_shot(session, place, started_at)


def _bulk_shot(session: SessionShots, place: int, started_at: datetime) -> BulkShot:
    text = session.times[place]
    triggered_at = None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
    at = triggered_at or started_at
    failed = session.failed[place]
    measures = BulkMeasures(
        mean_dn=session.means_dn[place],
        temperature_c=session.temperatures_c[place],
        code_version=CODE_VERSION,
        measured_at=at,
    )
    asset = BulkAsset(
        sha256=session.hashes[place],
        bytes=RAW_BYTES,
        role="raw",
        created_at=at,
        verified_at=at,
        measures=measures,
    )
    quarantined = session.quarantined[place]
    verdict = BulkVerdict(
        verdict="quarantined" if quarantined else "accepted",
        reason="Too bright." if quarantined else "Nothing speaks against it.",
        author="synthetic",
        at=at,
    )
    return BulkShot(
        uuid=session.uuids[place],
        session_id=session.session_id,
        camera_id=session.camera_ids[place],
        sequence=place + 1,
        kind=session.kinds[place],
        scene_revision_id=session.scene_revision_ids[place],
        triggered_at=triggered_at,
        time_source=None if triggered_at is None else "civil",
        exposure=session.exposures[place],
        exposure_s=session.exposures_s[place],
        iso=session.isos[place],
        events=(
            BulkEvent("planned", at),
            BulkEvent("failed" if failed else "registered", at),
        ),
        assets=() if failed else (asset,),
        verdict=None if failed else verdict,
    )


def add_surroundings(catalogue: Catalogue, synthetic: Synthetic) -> None:
    """Add what the shots refer to: cameras, scenes, sessions, the store, a timeslot scheme."""
    with catalogue.writing() as transaction:
        transaction.add(Store(id=1, name="local", kind="local", created_at=BEGIN))
        for camera in range(synthetic.cameras):
            transaction.add(
                Camera(
                    id=camera + 1,
                    serial=camera_serial(camera),
                    identity_source="serial",
                    make="Synthetic",
                    model="S1",
                    simulated=True,
                    registered_at=BEGIN,
                )
            )
        transaction.add(Fixture(id=1, name="synthetic", simulated=True, created_at=BEGIN))
        transaction.flush()
        transaction.add(
            FixtureRevision(
                id=1,
                fixture_id=1,
                revision=1,
                content_sha256=content_sha256("synthetic"),
                description={},
                created_at=BEGIN,
            )
        )
        for scene in range(1, synthetic.scenes + 1):
            transaction.add(Scene(id=scene, fixture_id=1, name=scene_name(scene - 1)))
        transaction.flush()
        for scene in range(1, synthetic.scenes + 1):
            transaction.add(
                SceneRevision(
                    id=scene,
                    scene_id=scene,
                    revision=1,
                    fixture_revision_id=1,
                    background=f"background-{scene}",
                    foreground="none",
                    illumination="none",
                    content_sha256=content_sha256(scene),
                )
            )
    _add_sessions(catalogue, synthetic)
    scheme = MonthlyScheme(name=SCHEME, division="monthly", start=BEGIN, end=synthetic.end)
    add_scheme(catalogue, scheme, BEGIN)


def _add_sessions(catalogue: Catalogue, synthetic: Synthetic) -> None:
    with catalogue.writing() as transaction:
        for session in range(synthetic.sessions):
            is_import = session % SESSIONS_AN_IMPORT == SESSIONS_AN_IMPORT - 1
            started_at = synthetic.started_at(session)
            transaction.add(
                Session(
                    id=session + 1,
                    uuid=session_uuid(session),
                    kind="import" if is_import else "capture",
                    clock_source="simulated",
                    started_at=started_at,
                    events=[SessionEvent(name="completed", at=started_at)],
                )
            )


def camera_serial(camera: int) -> str:
    """Return the serial of a camera; cameras count from 0."""
    return f"{7_200_001 + camera}"


def scene_name(scene: int) -> str:
    """Return the name of a scene; scenes count from 0."""
    return f"scene-{scene + 1:02}"


def session_uuid(session: int) -> str:
    """Return the UUID of a session; sessions count from 0."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"synthetic session {session}"))


def cached_catalogue(synthetic: Synthetic) -> Path:
    """Return the file of a filled SQLite catalogue with statistics, made where there is none yet.

    It lies in the system's temporary folder, by what it holds and by the schema.
    """
    folder = Path(tempfile.gettempdir()) / "agetrace-synthetic"
    folder.mkdir(exist_ok=True)
    partial = folder / f"unfinished-{os.getpid()}.sqlite"
    partial.unlink(missing_ok=True)
    runner.create(f"sqlite:///{partial}")
    try:
        with closing(sqlite3.connect(partial)) as connection:
            definitions = connection.execute("select name, sql from sqlite_master order by name")
            schema = [(name, " ".join((sql or "").split())) for name, sql in definitions]
        key = hashlib.sha256(f"{schema}{sorted(asdict(synthetic).items())}".encode())
        final = folder / f"shots-{synthetic.shots}-{key.hexdigest()[:12]}.sqlite"
        if not final.exists():
            with open_catalogue(f"sqlite:///{partial}", folder / "store") as catalogue:
                add_surroundings(catalogue, synthetic)
            fill_quickly(partial, synthetic)
            partial.rename(final)
    finally:
        for suffix in ("", "-wal", "-shm"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)
    return final


def fill_quickly(path: Path, synthetic: Synthetic) -> None:
    """Add the shots to an SQLite catalogue that holds their surroundings.

    Indexes and triggers are taken off meanwhile, and a crash leaves a damaged file: for a
    catalogue that can be made again, never for one that people need.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = delete")
        for pragma in (
            "journal_mode = off",
            "synchronous = off",
            "locking_mode = exclusive",
            f"cache_size = -{_CACHE_KIB}",
        ):
            connection.execute(f"pragma {pragma}")
        taken = ", ".join(f"'{table}'" for table in _FILLED_TABLES)
        definitions = connection.execute(
            "select type, name, sql from sqlite_master where type in ('index', 'trigger')"
            f" and tbl_name in ({taken}) and sql is not null"
        ).fetchall()
        for kind, name, _ in definitions:
            connection.execute(f"drop {kind} {name}")
        connection.execute("begin")
        _insert_shots(connection, synthetic)
        for statement in _DERIVED_ROWS:
            connection.execute(statement)
        for _, _, definition in definitions:
            connection.execute(definition)
        connection.execute("commit")
        connection.execute("drop table temp.outcome")
        connection.execute("analyze")
        connection.execute("pragma locking_mode = normal")
        connection.execute("pragma journal_mode = wal")


def _insert_shots(connection: sqlite3.Connection, synthetic: Synthetic) -> None:
    connection.execute(
        "create temp table outcome (shot_id integer primary key, at text, failed, quarantined,"
        " mean_dn, temperature_c)"
    )
    for session in sessions_of(synthetic):
        ids = range(session.first_id, session.first_id + len(session.uuids))
        started_at = synthetic.started_at(session.session_id - 1).replace(tzinfo=None)
        at = [text or started_at.isoformat(" ", "microseconds") for text in session.times]
        connection.executemany(
            "insert into shot (id, uuid, session_id, camera_id, sequence, attempt, kind,"
            " scene_revision_id, triggered_at, time_source, exposure, exposure_s, iso, warm_up)"
            " values (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, 0)",
            zip(
                ids,
                session.uuids,
                [session.session_id] * len(ids),
                session.camera_ids,
                range(1, len(ids) + 1),
                session.kinds,
                session.scene_revision_ids,
                session.times,
                [None if text is None else "civil" for text in session.times],
                session.exposures,
                session.exposures_s,
                session.isos,
                strict=True,
            ),
        )
        outcomes: Iterator[tuple[Any, ...]] = zip(
            ids,
            at,
            session.failed,
            session.quarantined,
            session.means_dn,
            session.temperatures_c,
            strict=True,
        )
        connection.executemany("insert into outcome values (?, ?, ?, ?, ?, ?)", outcomes)
        connection.executemany(
            "insert into asset (id, sha256, bytes, role, shot_id, created_at)"
            f" values (?, ?, {RAW_BYTES}, 'raw', ?, ?)",
            [
                (shot_id, sha256, shot_id, created_at)
                for sha256, shot_id, created_at, failed in zip(
                    session.hashes, ids, at, session.failed, strict=True
                )
                if not failed
            ],
        )


_DERIVED_ROWS = (
    # two events of each shot, one behind the other
    """
    insert into shot_event (id, shot_id, name, at)
    select 2 * shot_id - 1 + step.number, shot_id,
        case when step.number = 0 then 'planned' when failed then 'failed' else 'registered' end,
        at
    from outcome cross join (select 0 as number union all select 1) step
    """,
    """
    insert into verdict (id, shot_id, verdict, reason, author, at)
    select shot_id, shot_id, iif(quarantined, 'quarantined', 'accepted'),
        iif(quarantined, 'Too bright.', 'Nothing speaks against it.'), 'synthetic', at
    from outcome where not failed
    """,
    """
    insert into asset_location (asset_id, store_id, verified_at)
    select shot_id, 1, at from outcome where not failed
    """,
    """
    insert into frame_measures (asset_id, mean_dn, temperature_c, code_version, measured_at)
    select shot_id, mean_dn, temperature_c, 'synthetic', at from outcome where not failed
    """,
    # what the triggers would have derived
    """
    insert into shot_status (shot_id, triggered_at, state, state_event_id, verdict, verdict_id)
    select shot_id, triggered_at, iif(failed, 'failed', 'registered'), 2 * shot_id,
        case when failed then null when quarantined then 'quarantined' else 'accepted' end,
        iif(failed, null, shot_id)
    from outcome join shot on shot.id = outcome.shot_id
    """,
)
