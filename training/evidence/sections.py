"""The sections that every report has, from the catalogue alone: runs, defects, lineage."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.datasets.auditing.records import newest_audit
from datastore.datasets.loading import load
from datastore.tables import Asset, Camera, DefectLedger, Experiment, Run, SaliencyMap
from training.defects import ledger_records, plots
from training.defects.ledger_places import LedgerPlaces, ledger_places
from training.evidence.figures import SaliencyPanel, saliency_figure
from training.evidence.page import Picture, Section, Table, picture_of
from training.experiments.experiment_plots import runs_per_block
from training.experiments.summary import ROW_COLUMNS, ExperimentSummary
from training.saliency.maps import cells_over_sensor


def evidence_sections(
    catalogue: Catalogue, summaries: Sequence[ExperimentSummary]
) -> list[Section]:
    """Return the sections that every report has: runs, saliency, defects, lineage."""
    return [
        accuracy_section(summaries),
        dataset_section(catalogue, summaries),
        saliency_section(catalogue, summaries),
        defect_section(catalogue),
        lineage_section(catalogue, summaries),
    ]


def accuracy_section(summaries: Sequence[ExperimentSummary]) -> Section:
    """Show the runs per block as a box plot, and the table behind it."""
    tables = [
        Table(
            columns=[column.replace("_", " ") for column in ROW_COLUMNS],
            rows=[[str(row[column]) for column in ROW_COLUMNS] for row in summary.rows()],
            caption=f"{summary.name}: image-level accuracy, mean of {summary.runs} runs",
        )
        for summary in summaries
    ]
    return Section(
        title="Accuracy of the runs",
        paragraphs=[
            (
                "Each point is one run, grey is chance. The chance interval and p come"
                " from permuting the class labels over whole sessions, because images of"
                " one session"
                " are not independent."
            )
        ],
        tables=tables,
        pictures=[
            picture_of(
                runs_per_block({summary.name: summary for summary in summaries}),
                "Image-level accuracy of every run, per block and further evaluation.",
            )
        ],
    )


def saliency_section(catalogue: Catalogue, summaries: Sequence[ExperimentSummary]) -> Section:
    """Mean activation maps of the last class, with the defects of the ledger marked."""
    pictures: list[Picture] = []
    rows: list[list[str]] = []
    for summary in summaries:
        panels, measured = _panels(catalogue, summary)
        rows += measured
        if panels:
            pictures.append(
                picture_of(
                    saliency_figure(panels),
                    f"{summary.name}: mean activation for an image's own class over the clean"
                    " block and all runs. Circles are the defects that the ledger saw arise.",
                )
            )
    columns = [
        "experiment", "camera", "class", "correlation between scenes",
        "correlation with luminance", "AUC at new defects", "p of mass at defects",
    ]  # fmt: skip
    return Section(
        title="Where the networks look",
        paragraphs=[
            (
                "A map that follows age does not change with the scene (high correlation between"
                " scenes), does not follow brightness (low correlation with luminance) and"
                " is higher"
                " at the defects that arose between the classes (AUC above one half)."
            )
        ],
        tables=[Table(columns, rows, "Means over the runs")] if rows else [],
        pictures=pictures,
    )


def _panels(
    catalogue: Catalogue, summary: ExperimentSummary
) -> tuple[list[SaliencyPanel], list[list[str]]]:
    panels: list[SaliencyPanel] = []
    rows: list[list[str]] = []
    with catalogue.reading() as session:
        maps = session.execute(
            select(SaliencyMap, Camera, Asset.sha256)
            .join(Run, Run.id == SaliencyMap.run_id)
            .join(Camera, Camera.id == SaliencyMap.camera_id)
            .join(Asset, Asset.id == SaliencyMap.map_asset_id)
            .join(Experiment, Experiment.id == Run.experiment_id)
            .where(Experiment.uuid == summary.uuid)
            .order_by(Camera.serial, SaliencyMap.class_name, Run.ordinal)
        ).all()
        groups: dict[tuple[str, str], list[tuple[SaliencyMap, Camera, str]]] = {}
        for saliency, camera, sha256 in maps:
            groups.setdefault((camera.serial, saliency.class_name), []).append(
                (saliency, camera, sha256)
            )
        for (serial, class_name), members in groups.items():
            camera = members[0][1]
            geometry = members[0][0].measures
            mean = np.mean([_read_map(catalogue, sha256) for _, _, sha256 in members], axis=0)
            places = ledger_places(session, camera) or LedgerPlaces(_NONE, _NONE)
            panels.append(
                SaliencyPanel(
                    title=f"camera {serial}, class {class_name}",
                    map=cells_over_sensor(mean.astype(np.float32), geometry),
                    sensor_shape=(geometry["height"], geometry["width"]),
                    defects=places.new,
                )
            )
            measures = [saliency.measures for saliency, _, _ in members]
            rows.append(
                [
                    summary.name,
                    serial,
                    class_name,
                    _mean(measures, "correlation_between_scenes"),
                    _mean(measures, "correlation_with_luminance"),
                    _mean([one.get("defects") or {} for one in measures], "auc"),
                    _mean([one.get("defects") or {} for one in measures], "p_value"),
                ]
            )
    return panels, rows


_NONE: NDArray[np.int64] = np.empty((0, 2), np.int64)


def _read_map(catalogue: Catalogue, sha256: str) -> NDArray[np.float32]:
    content = catalogue.store.path(sha256).read_bytes()
    cells: NDArray[np.float32] = np.load(io.BytesIO(content), allow_pickle=False)
    return cells


def _mean(measures: Sequence[dict[str, float | None]], name: str) -> str:
    values = [value for one in measures if (value := one.get(name)) is not None]
    return f"{np.mean(values):.2f}" if values else "not defined"


def defect_section(catalogue: Catalogue) -> Section:
    """Defect map and growth of every camera that has a ledger."""
    pictures: list[Picture] = []
    rows: list[list[str]] = []
    with catalogue.reading() as session:
        cameras = session.scalars(
            select(Camera)
            .where(Camera.id.in_(select(DefectLedger.camera_id)))
            .order_by(Camera.serial)
        ).all()
    for camera in cameras:
        defects = ledger_records.read_ledger(catalogue, camera.id)
        sessions = ledger_records.dark_session_times(catalogue, camera.id)
        new = [defect for defect in defects if not defect.pre_existing]
        rows.append(
            [
                camera.serial,
                str(len(sessions)),
                str(len(defects)),
                str(len(new)),
                ledger_records.growth_sentence(new, sessions),
            ]
        )
        if defects and camera.height and camera.width:
            shape = (camera.height, camera.width)
            pictures += [
                picture_of(
                    plots.defect_map(defects, shape),
                    f"Camera {camera.serial}: defects by kind; open circles were there from the"
                    " first dark session on.",
                ),
                picture_of(
                    plots.growth_curve(defects, sessions),
                    f"Camera {camera.serial}: defects over time; bars are the onset intervals.",
                ),
            ]
    columns = ["camera", "dark sessions", "defects", "arisen under watch", "growth"]
    return Section(
        title="Defects of the sensors",
        paragraphs=["Measured from the dark fields; onsets are intervals between dark sessions."],
        tables=[Table(columns, rows)],
        pictures=pictures,
    )


def dataset_section(catalogue: Catalogue, summaries: Sequence[ExperimentSummary]) -> Section:
    """Say what stands behind each dataset: its audit, what was waived or forced, and why."""
    rows = []
    for version in dict.fromkeys(one.dataset_version for one in summaries):
        manifest = load(catalogue, version)
        header = manifest.header
        found = newest_audit(catalogue, manifest.unforced_version)
        failed = "no"
        if header.forced is not None:
            failed = f"against {', '.join(header.forced.failed)}: {header.forced.reason}"
        rows.append(
            [
                header.name,
                "none recorded" if found is None else found.report.verdict,
                failed,
                "; ".join(f"{one.constraint}: {one.reason}" for one in header.waived) or "nothing",
                "uncontrolled" if header.uncontrolled else "controlled",
                "yes" if header.simulated else "no",
            ]
        )
    return Section(
        title="What the datasets are worth",
        paragraphs=[
            (
                "An audit holds everything recorded, and what thumbnails, colours, EXIF and"
                " temperature tell, against the label. A dataset that fails it can show what a"
                " network does with content; no accuracy on it can be credited to age."
            )
        ],
        tables=[Table(["dataset", "audit", "forced", "waived", "content", "simulated"], rows)],
    )


def lineage_section(catalogue: Catalogue, summaries: Sequence[ExperimentSummary]) -> Section:
    """List what a reader needs to walk back from the page to the bytes."""
    with catalogue.reading() as session:
        head = audit.head(session)
        models = session.execute(
            select(Experiment.name, Run.uuid, Run.seed, Asset.sha256)
            .join(Experiment, Experiment.id == Run.experiment_id)
            .join(Asset, Asset.id == Run.model_asset_id)
            .where(Experiment.uuid.in_([one.uuid for one in summaries]))
            .order_by(Run.id)
        ).all()
    experiments = Table(
        ["experiment", "identifier", "dataset", "dataset version", "code"],
        [
            [one.name, one.uuid, one.dataset, one.dataset_version, one.code_version]
            for one in summaries
        ],
    )
    runs = Table(
        ["experiment", "run", "seed", "weights (sha256)"],
        [[name, uuid, str(seed), sha256] for name, uuid, seed, sha256 in models],
    )
    return Section(
        title="Lineage",
        paragraphs=[
            (
                "A dataset's version is the sha256 of its manifest, which lists the sha256 of every"
                f" file. The head of the audit chain was {head} when this page was written."
            )
        ],
        tables=[experiments, runs],
    )
