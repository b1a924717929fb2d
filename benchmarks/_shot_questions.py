"""What people ask a catalogue of synthetic shots for, as our filters and by hand."""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from benchmarks._hand_written_queries import Condition
from benchmarks._synthetic_catalogue import (
    BEGIN,
    EXPOSURES,
    ISOS,
    Synthetic,
    camera_serial,
    scene_name,
    session_uuid,
)
from datastore.queries import ShotFilter


@dataclass(frozen=True)
class Question:
    """A filter, by ours and in SQL."""

    name: str
    ours: ShotFilter
    theirs: tuple[Condition, ...]
    since: datetime


def questions(synthetic: Synthetic, count: int, seed: int = 1) -> list[Question]:
    """Return filters that people ask for, in turn."""
    generator = random.Random(seed)
    makers = (
        _camera_kind_time,
        _quarantined,
        _failed,
        _scene_camera,
        _session,
        _iso_exposure,
        _timeslot,
        _accepted_camera,
        _kind,
    )
    found = []
    for number in range(count):
        since = BEGIN + (synthetic.end - BEGIN) * generator.random()
        question = makers[number % len(makers)](synthetic, generator, since)
        found.append(replace(question, ours=replace(question.ours, since=question.since)))
    return found


def _camera_kind_time(synthetic: Synthetic, generator: random.Random, since: datetime) -> Question:
    camera = generator.randrange(synthetic.cameras)
    until = since + timedelta(days=90)
    return Question(
        "camera-kind-time",
        ShotFilter(cameras=(camera_serial(camera),), kinds=("dark-field",), until=until),
        (
            Condition("shot.camera_id = ?", (camera + 1,)),
            Condition("shot.kind = ?", ("dark-field",)),
            Condition("shot.triggered_at < ?", (until,)),
        ),
        since,
    )


def _quarantined(_: Synthetic, _generator: random.Random, since: datetime) -> Question:
    return Question(
        "quarantined",
        ShotFilter(verdicts=("quarantined",)),
        (Condition("shot_status.verdict = ?", ("quarantined",), of_status=True),),
        since,
    )


def _failed(_: Synthetic, _generator: random.Random, since: datetime) -> Question:
    return Question(
        "failed",
        ShotFilter(states=("failed",)),
        (Condition("shot_status.state = ?", ("failed",), of_status=True),),
        since,
    )


def _scene_camera(synthetic: Synthetic, generator: random.Random, since: datetime) -> Question:
    scene, camera = generator.randrange(synthetic.scenes), generator.randrange(synthetic.cameras)
    return Question(
        "scene-camera",
        ShotFilter(scenes=(scene_name(scene),), cameras=(camera_serial(camera),)),
        (
            Condition("shot.scene_revision_id = ?", (scene + 1,)),
            Condition("shot.camera_id = ?", (camera + 1,)),
        ),
        since,
    )


def _session(synthetic: Synthetic, generator: random.Random, _: datetime) -> Question:
    session = generator.randrange(synthetic.sessions)
    return Question(
        "session",
        ShotFilter(session=session_uuid(session)),
        (Condition("shot.session_id = ?", (session + 1,)),),
        synthetic.started_at(session),
    )


def _iso_exposure(_: Synthetic, generator: random.Random, since: datetime) -> Question:
    iso, (_text, exposure_s) = generator.choice(ISOS), generator.choice(EXPOSURES)
    return Question(
        "iso-exposure",
        ShotFilter(isos=(iso,), exposures_s=(exposure_s,)),
        (
            Condition("shot.iso = ?", (iso,)),
            Condition("shot.exposure_s = ?", (exposure_s,)),
        ),
        since,
    )


def _timeslot(synthetic: Synthetic, generator: random.Random, _: datetime) -> Question:
    month = generator.randrange(12 * synthetic.years)
    starts_at, ends_at = (
        BEGIN.replace(year=BEGIN.year + number // 12, month=number % 12 + 1)
        for number in (month, month + 1)
    )
    return Question(
        "timeslot",
        ShotFilter(timeslots=(month + 1,)),
        (Condition("shot.triggered_at < ?", (ends_at,)),),
        starts_at + (ends_at - starts_at) * generator.random(),
    )


def _accepted_camera(synthetic: Synthetic, generator: random.Random, since: datetime) -> Question:
    camera = generator.randrange(synthetic.cameras)
    return Question(
        "accepted-camera",
        ShotFilter(verdicts=("accepted",), cameras=(camera_serial(camera),)),
        (
            Condition("shot_status.verdict = ?", ("accepted",), of_status=True),
            Condition("shot.camera_id = ?", (camera + 1,)),
        ),
        since,
    )


def _kind(_: Synthetic, _generator: random.Random, since: datetime) -> Question:
    return Question(
        "kind",
        ShotFilter(kinds=("flat-field",)),
        (Condition("shot.kind = ?", ("flat-field",)),),
        since,
    )
