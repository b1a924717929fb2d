"""Soaks: sessions with faults at random lose nothing, and long sessions hold no more than short."""

from __future__ import annotations

import json
import os
import statistics
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import select

from capture.errors import CaptureError
from datastore import audit
from datastore.metadata import read_metadata
from datastore.queries import newest_verdict
from datastore.tables import Asset, Camera, Session, Shot
from tests.capture.conftest import GENERIC, NIKON, Laboratory, recipe
from tests.support.processes import Held, family, held

SERIALS = (NIKON, GENERIC)
SESSIONS = 16
SHOTS_A_SESSION = 4
EXPOSURES = ("1/60", "1/30", "1/8", "1/2")
ISOS = (100, 200, 400, 800)
FAULTS = (
    "busy-on-capture", "store-full", "silent-capture", "repeated-files", "truncated-files",
    "zero-filled-raw", "close-mid-transfer", "settings-ignored", "dropped-connection",
)  # fmt: skip
MOST_GROWTH_MB = 40.0
ENDS = {"completed", "partial", "aborted", "failed"}


def run_with_faults(
    laboratory: Laboratory, generator: np.random.Generator, told: Counter[str]
) -> None:
    """Run one session; a fault or none waits for each camera."""
    exposures = generator.choice(EXPOSURES, SHOTS_A_SESSION)
    isos = generator.choice(ISOS, SHOTS_A_SESSION)
    shots = "".join(
        f'  - {{kind: dark-field, exposure: "{exposure}", iso: {iso}}}\n'
        for exposure, iso in zip(exposures, isos, strict=True)
    )
    for serial in SERIALS:
        faults = [str(fault) for fault in generator.choice(FAULTS, generator.integers(0, 3))]
        laboratory.virtual.set_faults(serial, *faults)
        told.update(faults)
    try:
        outcome = laboratory.run(recipe(shots), *SERIALS)
        told[f"session {outcome.state}"] += 1
    except CaptureError:
        told["session refused"] += 1


def quarantined_names(laboratory: Laboratory, serial: str) -> set[str | None]:
    """Return how the files of a camera's quarantined shots are called on its card."""
    with laboratory.catalogue.reading() as transaction:
        names = transaction.scalars(
            select(Asset.original_name)
            .join(Shot, Asset.shot_id == Shot.id)
            .join(Camera, Shot.camera_id == Camera.id)
            .where(Camera.serial == serial, newest_verdict() == "quarantined")
        )
        return set(names)


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sessions_with_random_faults_account_for_every_frame(
    laboratory: Laboratory, seed: int, record_property: Callable[[str, object], None]
) -> None:
    """Sessions back to back with faults at random: nothing is lost, mixed up or without an end."""
    generator = np.random.default_rng(seed)
    for serial in SERIALS:
        laboratory.empty_card(serial)
    before = {serial: laboratory.exposures(serial) for serial in SERIALS}
    told: Counter[str] = Counter()
    for _ in range(SESSIONS):
        run_with_faults(laboratory, generator, told)
    for serial in SERIALS:
        laboratory.virtual.set_faults(serial)
    last = laboratory.run(recipe('  - {kind: dark-field, exposure: "1/4", iso: 100}\n'), *SERIALS)
    assert last.state == "completed", last.reason

    shots = laboratory.shots()
    with laboratory.catalogue.reading() as transaction:
        assert audit.verify(transaction) == []
        for session in transaction.scalars(select(Session)):
            assert session.events[-1].name in ENDS
    assert {shot["events"][-1] for shot in shots} <= {"registered", "failed"}
    registered = [shot for shot in shots if shot["events"][-1] == "registered"]
    for shot in registered:
        (sha256,) = shot["assets"].values()
        laboratory.catalogue.store.verify(sha256)
        if shot["verdict"] == "accepted":
            metadata = read_metadata(laboratory.catalogue.store.path(sha256))
            assert (metadata.serial, metadata.iso) == (shot["serial"], shot["iso"])
            assert metadata.exposure_s == pytest.approx(shot["exposure_s"], rel=0.01)
    failed = [shot for shot in shots if shot["events"][-1] == "failed"]
    assert all(shot["reason"] and shot["assets"] == {} for shot in failed)
    hashes = [sha256 for shot in registered for sha256 in shot["assets"].values()]
    assert len(hashes) == len(set(hashes))

    owners = {shot["uuid"]: shot["serial"] for shot in shots}
    aside: dict[str, set[str]] = {serial: set() for serial in SERIALS}
    for sidecar in laboratory.spool_folder.glob("unclaimed/*.json"):
        content = json.loads(sidecar.read_text())
        names = {file["camera_name"] for file in content["files"]}
        aside[owners[content["shot_uuid"]]] |= names
    kept = exposures = 0
    for serial in SERIALS:
        # a frame may lie on the card and aside: its name there tells
        elsewhere = set(laboratory.empty_card(serial)) | aside[serial]
        # the card's copy of a damaged file is kept, though the frame is registered
        elsewhere -= quarantined_names(laboratory, serial)
        exposed = laboratory.exposures(serial) - before[serial]
        count = sum(shot["serial"] == serial for shot in registered)
        assert count + len(elsewhere) == exposed, elsewhere
        kept += len(elsewhere)
        exposures += exposed
    assert [path for path in laboratory.spool_folder.iterdir() if path.is_file()] == []

    record_property("sessions", SESSIONS + 1)
    record_property("faults set", sum(told[fault] for fault in FAULTS))
    record_property("exposures", exposures)
    record_property("accepted", sum(shot["verdict"] == "accepted" for shot in registered))
    record_property("quarantined", sum(shot["verdict"] == "quarantined" for shot in registered))
    record_property("failed attempts", len(failed))
    record_property("frames on card or aside", kept)


def soak(laboratory: Laboratory, shots: int) -> tuple[Held, Held]:
    """Run a long session; return what its processes held in its second and in its last quarter."""
    samples: list[Held] = []

    def sample(_done: int, _total: int) -> None:
        samples.append(held(family(os.getpid())))

    long = f'  - {{kind: dark-field, exposure: "1/60", iso: 100, count: {shots}}}\n'
    outcome = laboratory.run(recipe(long), NIKON, progress=sample)
    assert (outcome.state, outcome.frames_registered) == ("completed", shots)
    assert outcome.attempts_failed == 0
    quarter = shots // 4
    return _middle(samples[quarter : 2 * quarter]), _middle(samples[-quarter:])


def _middle(samples: list[Held]) -> Held:
    return Held(
        round(statistics.median(sample.processes for sample in samples)),
        statistics.median(sample.megabytes for sample in samples),
        round(statistics.median(sample.descriptors for sample in samples)),
    )


def test_a_session_holds_no_more_as_it_goes_on(laboratory: Laboratory) -> None:
    early, late = soak(laboratory, 60)
    assert late.processes == early.processes
    assert abs(late.descriptors - early.descriptors) <= 2
    assert late.megabytes - early.megabytes < MOST_GROWTH_MB


@pytest.mark.prove
@pytest.mark.timeout(1500)
def test_two_thousand_shots_leave_memory_and_descriptors_flat(
    laboratory: Laboratory, record_property: Callable[[str, object], None]
) -> None:
    """Session, worker and decoders hold as much at the end of 2,000 shots as at their beginning."""
    early, late = soak(laboratory, 2000)
    for when, sample in (("second quarter", early), ("last quarter", late)):
        record_property(f"processes, {when}", sample.processes)
        record_property(f"descriptors, {when}", sample.descriptors)
        record_property(f"megabytes, {when}", sample.megabytes)
    assert late.processes == early.processes
    assert abs(late.descriptors - early.descriptors) <= 2
    assert late.megabytes - early.megabytes < MOST_GROWTH_MB
