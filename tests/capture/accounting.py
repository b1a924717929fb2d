"""What must hold after any session, whatever went wrong in it: no frame lost, none mixed up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from capture.attendance import ENDS
from datastore import audit
from datastore.metadata import read_metadata
from datastore.tables import Camera, Session, Shot, Verdict
from tests.capture.conftest import Laboratory


def failures(laboratory: Laboratory) -> list[str]:
    """Return why shots failed or were quarantined, for the message of an assertion."""
    return [
        f"{shot['serial']} {shot['sequence']}.{shot['attempt']}:"
        f" {shot['reason'] or shot['verdict_reason']}"
        for shot in laboratory.shots()
        if shot["verdict"] != "accepted"
    ]


def require_records_closed(laboratory: Laboratory) -> None:
    """The audit is unbroken, every session has an end and every shot is settled, with a reason."""
    with laboratory.catalogue.reading() as transaction:
        assert audit.verify(transaction) == []
        for session in transaction.scalars(select(Session)):
            assert session.events[-1].name in ENDS
    for shot in laboratory.shots():
        assert shot["events"][-1] in ("registered", "failed")
        assert shot["events"].count("registered") + shot["events"].count("failed") == 1
        if shot["events"][-1] == "failed":
            assert shot["reason"]
            assert shot["assets"] == {}


def require_files_of_their_shots(laboratory: Laboratory) -> None:
    """Registered bytes are whole, of one shot each, and accepted ones say what their row says."""
    hashes: list[str] = []
    store = laboratory.catalogue.store
    for shot in laboratory.shots():
        hashes += shot["assets"].values()
        for sha256 in shot["assets"].values():
            store.verify(sha256)
            if shot["verdict"] == "accepted":
                metadata = read_metadata(store.path(sha256))
                assert (metadata.iso, metadata.serial) == (shot["iso"], shot["serial"])
                assert metadata.exposure_s == pytest.approx(shot["exposure_s"], rel=0.01)
    assert len(hashes) == len(set(hashes))


def require_no_orphan(laboratory: Laboratory) -> None:
    """The store has the files of registered shots alone, and nothing waits in the spool."""
    hashes = {sha256 for shot in laboratory.shots() for sha256 in shot["assets"].values()}
    stored = {path.name for path in (laboratory.catalogue.store.root / "sha256").glob("*/*/*")}
    assert stored == hashes
    assert [path for path in laboratory.spool_folder.iterdir() if path.is_file()] == []


def require_each_frame_once(
    laboratory: Laboratory, session_uuid: str, serials: Sequence[str], frames: int
) -> None:
    """A session has every frame of its plan once; others are quarantined."""
    with laboratory.catalogue.reading() as transaction:
        accepted = transaction.execute(
            select(Camera.serial, Shot.sequence)
            .join(Shot, Shot.camera_id == Camera.id)
            .join(Session, Shot.session_id == Session.id)
            .join(Verdict, Verdict.shot_id == Shot.id)
            .where(Session.uuid == session_uuid, Verdict.verdict == "accepted")
        )
        found = Counter((serial, sequence) for serial, sequence in accepted)
    assert found == {(serial, number): 1 for serial in serials for number in range(1, frames + 1)}


def frames_elsewhere(laboratory: Laboratory, serial: str) -> set[str]:
    """Empty a camera's card; return the names of frames there and set aside in the spool."""
    owners = {shot["uuid"]: shot["serial"] for shot in laboratory.shots()}
    # a frame may lie on the card and aside: its name there tells
    names = set(laboratory.empty_card(serial))
    for shot in _set_aside(laboratory):
        if owners[shot["shot_uuid"]] == serial:
            names |= {file["camera_name"] for file in shot["files"]}
    return names


def _set_aside(laboratory: Laboratory) -> list[dict[str, Any]]:
    sidecars = laboratory.spool_folder.glob("unclaimed/*.json")
    return [json.loads(sidecar.read_text()) for sidecar in sidecars]


def registered_raw_names(laboratory: Laboratory, serial: str) -> list[str]:
    """Return the camera's own names of the registered frames of a camera, RAW files alone."""
    with laboratory.catalogue.reading() as transaction:
        shots = transaction.scalars(select(Shot).join(Camera).where(Camera.serial == serial))
        return [
            asset.original_name or ""
            for shot in shots
            for asset in shot.assets
            if asset.role == "raw"
        ]


def require_every_exposure(laboratory: Laboratory, exposed: Mapping[str, int]) -> int:
    """What each shutter's own counter says is registered, on the card or aside.

    Returns how many frames are elsewhere than in the store.
    """
    kept = 0
    for serial, count in exposed.items():
        registered = registered_raw_names(laboratory, serial)
        elsewhere = frames_elsewhere(laboratory, serial) - set(registered)
        others = [name for name in elsewhere if not name.endswith("JPG")]
        assert len(registered) + len(others) == count, (serial, registered, others)
        kept += len(others)
    return kept
