"""The pictures of a camera's defects, from the catalogue into files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from datastore.catalogue import Catalogue
from datastore.tables import Camera, DefectExtraction
from training.defects.errors import LedgerError
from training.defects.ledger_records import dark_session_times, newest_ledger, read_ledger
from training.defects.measurements import linearity_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from training.defects.growth_records import GrowthReport


MAP: Final = ("defect-map",)
ALL: Final = ("defect-map", "growth", "linearity")
"""Every picture of a ledger, by name."""


def plot_ledger(
    catalogue: Catalogue, camera_id: int, folder: Path, names: Sequence[str] = ALL
) -> list[Path]:
    """Draw the defects of a camera into a folder and return the files.

    Parameters
    ----------
    catalogue
        Where the ledger is.
    camera_id
        Row number of the camera.
    folder
        Made where it is not there.
    names
        Which of `ALL`. The linearity is that of the newest session, where its exposures tell.

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
    figures = {
        "defect-map": lambda: plots.defect_map(defects, (summary["rows"], summary["columns"])),
        "growth": lambda: plots.growth_curve(defects, sessions),
    }
    judged = linearity_of(summary)
    if judged is not None:
        figures["linearity"] = lambda: plots.response_curves(judged)
    return [
        _save(figures[name](), folder, f"camera-{camera_id}-{name}")
        for name in names
        if name in figures
    ]


def plot_growth(report: GrowthReport, folder: Path) -> list[Path]:
    """Draw what the tests of growth found into a folder and return the files."""
    from training.defects import growth_plots

    figures = {
        "rate": growth_plots.rate_per_gap(report.constancy, report.watch),
        "places": growth_plots.l_function(report.uniformity),
    }
    return [
        _save(figure, folder, f"camera-{report.camera_id}-{name}")
        for name, figure in figures.items()
    ]


def _save(figure: Figure, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=150)
    return path
