"""The pictures of a camera's defects, from the catalogue into files."""

from __future__ import annotations

from pathlib import Path

from datastore.catalogue import Catalogue
from datastore.tables import Camera, DefectExtraction
from training.defects.errors import LedgerError
from training.defects.ledger_records import dark_session_times, newest_ledger, read_ledger
from training.defects.measurements import linearity_of


def plot_ledger(catalogue: Catalogue, camera_id: int, folder: Path) -> list[Path]:
    """Draw the defects of a camera into a folder and return the files: map, growth, linearity.

    The linearity is that of the newest session, where its exposures tell.

    Raises
    ------
    LedgerError
        If the camera has no ledger.
    """
    from training.defects import plots

    defects = read_ledger(catalogue, camera_id)
    sessions = dark_session_times(catalogue, camera_id)
    with catalogue.reading() as transaction:
        camera = transaction.get_one(Camera, camera_id)
        newest = newest_ledger(transaction, camera_id)
        if newest is None:
            raise LedgerError(
                f"camera {camera.serial} has no ledger yet: run `agetrace defects extract`"
            )
        summary = transaction.get_one(DefectExtraction, newest.inputs[-1]).summary
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "defect-map": plots.defect_map(defects, (summary["rows"], summary["columns"])),
        "growth": plots.growth_curve(defects, sessions),
    }
    judged = linearity_of(summary)
    if judged is not None:
        figures["linearity"] = plots.response_curves(judged)
    paths = []
    for name, figure in figures.items():
        path = folder / f"camera-{camera_id}-{name}.png"
        figure.savefig(path, dpi=150)
        paths.append(path)
    return paths
