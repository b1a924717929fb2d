"""The pictures of a camera's defects, from the catalogue into files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.frames import DecodingWorker
from datastore.tables import Camera, DefectExtraction
from training.defects.dark_shots import dark_shots
from training.defects.errors import LedgerError
from training.defects.ledger_records import (
    dark_session_times,
    read_history,
    read_ledger,
    require_ledger,
)
from training.defects.measurements import linearity_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from training.defects.growth_records import GrowthReport


MAP: Final = ("defect-map",)
ALL: Final = ("defect-map", "growth", "linearity", "temperature")
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
        Which of `ALL`. The linearity is that of the newest session, where its exposures tell;
        temperatures are drawn where one is known.

    Raises
    ------
    LedgerError
        If the camera has no ledger.
    """
    from training.defects import history_plots, plots

    defects = read_ledger(catalogue, camera_id)
    sessions = dark_session_times(catalogue, camera_id)
    with catalogue.reading() as transaction:
        camera = transaction.get_one(Camera, camera_id)
        newest = require_ledger(transaction, camera)
        summaries = [transaction.get_one(DefectExtraction, one).summary for one in newest.inputs]
        at = [transaction.get_one(DefectExtraction, one).started_at for one in newest.inputs]
    summary = summaries[-1]
    figures = {
        "defect-map": lambda: plots.defect_map(defects, (summary["rows"], summary["columns"])),
        "growth": lambda: plots.growth_curve(defects, sessions),
    }
    # extractions of before temperatures were kept have none
    temperatures_c = [one.get("temperatures_c", ()) for one in summaries]
    if any(one is not None for session in temperatures_c for one in session):
        figures["temperature"] = lambda: history_plots.temperature_over_time(at, temperatures_c)
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


def plot_defect(
    catalogue: Catalogue, camera_id: int, row: int, column: int, folder: Path
) -> list[Path]:
    """Draw one defect's amplitudes over the sessions, and its surroundings before and after.

    The surroundings are means of the frames of the longest exposure, in the last session without
    the defect and the first one with it; they are left out of defects that were there at first,
    and where the files are not in this computer's store.

    Raises
    ------
    LedgerError
        If the newest ledger has no such defect, or was built before amplitudes were kept.
    """
    from training.defects import history_plots

    history = read_history(catalogue, camera_id)
    number = None if history is None else history.series.place_of(row, column)
    if history is None or number is None:
        raise LedgerError(
            f"no amplitudes are kept of a defect at row {row}, column {column}: run `agetrace"
            " defects extract`"
        )
    name = f"camera-{camera_id}-defect-{row}-{column}"
    amplitudes = history_plots.amplitude_over_time(history.series, number)
    paths = [_save(amplitudes, folder, f"{name}-amplitude")]
    (defect,) = [
        one for one in read_ledger(catalogue, camera_id) if (one.row, one.column) == (row, column)
    ]
    if defect.onset_after is None:
        return paths
    both = defect.onset_after, defect.onset_before
    means = [_mean_dark(catalogue, camera_id, at) for at in both]
    if means[0] is not None and means[1] is not None:
        crops = history_plots.before_and_after(means[0], means[1], row, column, *both)
        paths.append(_save(crops, folder, f"{name}-before-and-after"))
    return paths


def _mean_dark(catalogue: Catalogue, camera_id: int, at: datetime) -> NDArray[np.float64] | None:
    """Return the mean of the longest dark frames of the camera's session at a time."""
    with catalogue.reading() as transaction:
        session_id = transaction.scalars(
            select(DefectExtraction.session_id)
            .where(DefectExtraction.camera_id == camera_id, DefectExtraction.started_at == at)
            .order_by(DefectExtraction.id.desc())
            .limit(1)
        ).one()
    shots = dark_shots(catalogue, session_id, camera_id)
    longest = max((shot.iso or 0, shot.exposure_s) for shot in shots)
    chosen = [shot for shot in shots if (shot.iso or 0, shot.exposure_s) == longest]
    if not all(catalogue.store.contains(shot.sha256) for shot in chosen):
        return None
    total: NDArray[np.float64] | None = None
    with DecodingWorker() as worker:
        for shot in chosen:
            mosaic = worker.read_frame(catalogue.store.path(shot.sha256)).mosaic
            total = mosaic.astype(np.float64) if total is None else total + mosaic
    return None if total is None else total / len(chosen)


def _save(figure: Figure, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=150)
    return path
