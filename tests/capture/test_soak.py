"""Sessions back to back with faults at random: nothing is lost, mixed up or left without an end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import select

from capture.errors import CaptureError
from datastore import audit
from datastore.metadata import read_metadata
from datastore.tables import Session
from tests.capture.conftest import GENERIC, NIKON, Laboratory, recipe

SERIALS = (NIKON, GENERIC)
SESSIONS = 16
SHOTS_A_SESSION = 4
EXPOSURES = ("1/60", "1/30", "1/8", "1/2")
ISOS = (100, 200, 400, 800)
FAULTS = (
    "busy-on-capture", "store-full", "silent-capture", "repeated-files", "truncated-files",
    "zero-filled-raw", "close-mid-transfer", "settings-ignored", "dropped-connection",
)  # fmt: skip
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


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sessions_with_random_faults_account_for_every_frame(
    laboratory: Laboratory, seed: int, record_property: Callable[[str, object], None]
) -> None:
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
