"""Going through the sessions that wait to be measured: one that cannot be stops no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select

from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from datastore.errors import DatastoreError
from datastore.tables import FrameKind, Session, Shot
from training.defects.errors import DefectError


def extraction_identity(parameters: Any, version: str, inputs: Sequence[str]) -> str:
    """Return the hash by which an extraction is known again: parameters, code and frames.

    Parameters
    ----------
    parameters
        A dataclass of them.
    version
        Of the code.
    inputs
        sha256 of every frame, in order.
    """
    return content_sha256(
        {"parameters": asdict(parameters), "code_version": version, "inputs": list(inputs)}
    )


@dataclass(frozen=True)
class Pending:
    """What became of the sessions that waited.

    Attributes
    ----------
    added
        Row numbers of the new extractions.
    failed
        What is wrong with the sessions that could not be measured, by their UUID.
    """

    added: list[int]
    failed: dict[str, str]


def extract_each(
    catalogue: Catalogue,
    kind: FrameKind,
    camera_ids: Sequence[int] | None,
    before: set[int],
    extract_one: Callable[[int, int], int | None],
    progress: Callable[[int, int], None] | None,
) -> Pending:
    """Measure the sessions with frames of a kind, in the order of their times.

    Parameters
    ----------
    catalogue
        Where the shots are.
    kind
        ``dark-field`` or ``flat-field``.
    camera_ids
        Row numbers of the cameras; all where None.
    before
        Extractions that were there already.
    extract_one
        Measures a session and camera by their row numbers; returns the extraction's, None where
        there is nothing to measure.
    progress
        Called with sessions done and sessions in all.
    """
    statement = (
        select(Shot.session_id, Shot.camera_id, Session.uuid)
        .join(Session, Session.id == Shot.session_id)
        .where(Shot.kind == kind, Shot.camera_id.is_not(None))
        .group_by(Shot.session_id, Shot.camera_id, Session.started_at, Session.uuid)
        .order_by(Session.started_at, Shot.session_id, Shot.camera_id)
    )
    if camera_ids is not None:
        statement = statement.where(Shot.camera_id.in_(camera_ids))
    with catalogue.reading() as transaction:
        waiting = [
            (session_id, camera_id, uuid)
            for session_id, camera_id, uuid in transaction.execute(statement)
            if camera_id is not None
        ]
    added: list[int] = []
    failed: dict[str, str] = {}
    for number, (session_id, camera_id, uuid) in enumerate(waiting):
        try:
            found = extract_one(session_id, camera_id)
        except (DefectError, DatastoreError) as error:
            failed[uuid] = str(error)
        else:
            if found is not None and found not in before:
                added.append(found)
        if progress is not None:
            progress(number + 1, len(waiting))
    return Pending(added, failed)
