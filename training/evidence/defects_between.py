"""The defects of a camera's ledger that arose between two classes, for masks and transplants.

Reads the catalogue; what the defects do to frames is `training.interventions`'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.datasets.items import CameraIdentity, Item
from datastore.tables import DefectExtraction
from training.defects.ledger import LedgerEntry
from training.defects.ledger_places import find_camera, ledger_places
from training.defects.ledger_records import read_ledger
from training.interventions import Coordinates, Exposure, Transplant


@dataclass(frozen=True)
class CameraDefects:
    """What a camera's newest ledger says for an experiment.

    Attributes
    ----------
    known
        (row, column) of every defect, shape (defects, 2).
    new
        Of those that were not there in the first dark session.
    arisen
        Those that the first class does not have yet and the last class has, as measured.
    """

    known: Coordinates
    new: Coordinates
    arisen: Transplant


def defects_between(
    catalogue: Catalogue, camera: CameraIdentity, items: Sequence[Item], source: str, target: str
) -> CameraDefects | None:
    """Return the defects that tell two classes of a camera's frames apart.

    A defect arose between them if its onset lies after the middle of the source's frames and
    before the middle of the target's, by the bounds of the ledger's interval: present in the first
    dark session before the one, absent in the last dark session before the other.

    Parameters
    ----------
    catalogue
        Where the ledger is.
    camera
        The camera.
    items
        Frames, of whatever cameras and classes.
    source, target
        The classes without and with the defects.

    Returns
    -------
    CameraDefects or None
        None where the camera has no ledger.
    """
    with catalogue.reading() as session:
        row = find_camera(session, camera)
        camera_id, places = row.id, ledger_places(session, row)
    if places is None:
        return None
    own = [item for item in items if item.camera == camera]
    before = _middle([item.triggered_at for item in own if item.class_name == source])
    after = _middle([item.triggered_at for item in own if item.class_name == target])
    entries = read_ledger(catalogue, camera_id)
    arisen = [one for one in entries if _arose_between(one, before, after)]
    return CameraDefects(places.known, places.new, Transplant.of(arisen))


def _middle(times: Sequence[datetime]) -> datetime | None:
    return sorted(times)[len(times) // 2] if times else None


def _arose_between(one: LedgerEntry, before: datetime | None, after: datetime | None) -> bool:
    if one.pre_existing or one.annealed or one.mapped_out or before is None or after is None:
        return False
    return before < one.onset_before <= after


def exposures_of(catalogue: Catalogue, items: Sequence[Item]) -> tuple[Exposure, ...] | None:
    """Return the settings that decide what a defect adds to frames; None where one is unknown.

    The temperature counts only where it is known, as in the measurement of the dark rates.
    """
    laws: dict[CameraIdentity, tuple[float, float] | None] = {}
    exposures = []
    for item in items:
        if item.exposure is None or item.iso is None:
            return None
        if item.camera not in laws:
            laws[item.camera] = _temperature_law(catalogue, item.camera)
        law, factor = laws[item.camera], 1.0
        if item.temperature_millidegrees is not None and law is not None:
            reference_c, doubling_c = law
            factor = 2 ** ((item.temperature_millidegrees / 1000 - reference_c) / doubling_c)
        exposures.append(Exposure(float(Fraction(item.exposure)), item.iso, factor))
    return tuple(exposures)


def _temperature_law(catalogue: Catalogue, camera: CameraIdentity) -> tuple[float, float] | None:
    """Return the temperature that dark rates are stated at, and the kelvins that double them.

    None where they were measured at an unknown temperature.
    """
    with catalogue.reading() as session:
        newest = session.scalars(
            select(DefectExtraction)
            .where(DefectExtraction.camera_id == find_camera(session, camera).id)
            .order_by(DefectExtraction.id.desc())
            .limit(1)
        ).one_or_none()
        if newest is None or newest.summary.get("temperature_c") is None:
            return None
        parameters = newest.parameters
        return parameters["reference_temperature_c"], parameters["doubling_temperature_c"]
