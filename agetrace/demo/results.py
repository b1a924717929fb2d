"""What a demo found: the ledger against the truth, the accuracies, and the conditions on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from agetrace.demo import plan
from agetrace.demo.scoring import (
    LedgerScore,
    Truth,
    add_scores,
    detectability,
    read_truth,
    score_ledger,
)
from datastore.catalogue import Catalogue
from datastore.datasets.freeze import Frozen
from datastore.frames import read_frame
from datastore.tables import Asset, Camera, Shot
from training.defects import ledger_records
from training.evidence.verdict import Judgement
from training.experiments.summary import EvaluationSummary, ExperimentSummary


@dataclass(frozen=True)
class FixtureScore:
    """The ledgers of the ageing cameras against the ground truth."""

    cameras: Mapping[str, LedgerScore]
    total: LedgerScore
    new_places: Mapping[str, list[list[int]]]
    """Photosites that went bad under watch in truth, by serial."""
    new_detectability: tuple[float, ...]
    """d' of each of them in one scene frame."""
    acceleration_count: float
    acceleration_amplitude: float


@dataclass(frozen=True)
class DemoResults:
    """Everything that the report and the summary state."""

    amounts: plan.Amounts
    size: str
    seed: int
    cameras: int
    shots: Mapping[str, int]
    score: FixtureScore
    datasets: Mapping[str, Frozen]
    experiments: Mapping[str, ExperimentSummary]
    judgements: Mapping[str, Judgement]
    """On what is recorded alone; `agetrace evidence` asks the networks more."""

    def evaluation(self, experiment: str, name: str) -> EvaluationSummary:
        """Return one evaluation of one experiment."""
        return self.experiments[experiment].evaluation(name)

    def summary(self, seconds: float) -> dict[str, Any]:
        """Return the content of `summary.json`: image-level means over the runs."""
        total = self.score.total

        def accuracy(experiment: str, name: str) -> float:
            return round(self.evaluation(experiment, name).accuracy, 4)

        return {
            "cameras": self.cameras,
            "sessions": self.shots["sessions"],
            "shots_registered": self.shots["registered"],
            "shots_quarantined": self.shots["quarantined"],
            "defects_true": total.true,
            "defects_found": total.found,
            "ledger_precision": _rounded(total.precision),
            "ledger_recall": _rounded(total.recall),
            "onset_interval_coverage": _rounded(total.onset_interval_coverage),
            "biased_accuracy_own_test": accuracy("biased", "new-session"),
            "biased_accuracy_clean": accuracy("biased", "clean"),
            "biased_accuracy_swapped": accuracy("biased", "swapped"),
            "controlled_accuracy_clean": accuracy("controlled", "clean"),
            "controlled_accuracy_masked": accuracy("controlled", "clean-masked-by-ledger"),
            "controlled_accuracy_random_mask": accuracy("controlled", "clean-masked-at-random"),
            "noage_accuracy_clean": accuracy("without-ageing", "clean"),
            "verdicts": {name: one.verdict for name, one in self.judgements.items()},
            "audits": {name: frozen.audit.verdict for name, frozen in self.datasets.items()},
            "runs": self.amounts.runs,
            "acceleration_count": self.score.acceleration_count,
            "acceleration_amplitude": self.score.acceleration_amplitude,
            "seconds": seconds,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def score_cameras(catalogue: Catalogue, truth_folder: Path, amounts: plan.Amounts) -> FixtureScore:
    """Score the newest ledger of every ageing camera against its ground truth.

    Recall counts in the most sensitive cell of the dark-field grid, the longest exposure.
    """
    times = plan.session_times(amounts)
    first, last = times["early"][0], times["late"][-1]
    exposure_s = max(plan.exposure_s(text) for text in plan.DARK_EXPOSURES)
    scores: dict[str, LedgerScore] = {}
    places: dict[str, list[list[int]]] = {}
    distances: list[float] = []
    truth: Truth | None = None
    for serial in plan.AGEING_SERIALS:
        truth = read_truth(truth_folder / f"{serial}.json")
        with catalogue.reading() as session:
            camera_id = session.scalars(select(Camera.id).where(Camera.serial == serial)).one()
        scores[serial] = score_ledger(
            truth,
            ledger_records.read_ledger(catalogue, camera_id),
            exposure_s=exposure_s,
            iso=plan.SCENE_ISO,
            first_dark_session=first,
            last_dark_session=last,
        )
        new = [
            defect
            for defect in truth.active_at(last)
            if defect.onset is not None and defect.onset > first
        ]
        places[serial] = [[defect.row, defect.column] for defect in new]
        distances += detectability(
            truth,
            new,
            exposure_s=plan.exposure_s(plan.SCENE_EXPOSURE),
            iso=plan.SCENE_ISO,
            scene_signal_dn=_scene_signal_dn(catalogue, camera_id),
        )
    assert truth is not None
    return FixtureScore(
        cameras=scores,
        total=add_scores(scores.values()),
        new_places=places,
        new_detectability=tuple(distances),
        acceleration_count=truth.acceleration_count,
        acceleration_amplitude=truth.acceleration_amplitude,
    )


def _scene_signal_dn(catalogue: Catalogue, camera_id: int, frames: int = 8) -> float:
    """Return the median signal above black of a few scene frames."""
    with catalogue.reading() as session:
        hashes = session.scalars(
            select(Asset.sha256)
            .join(Shot, Shot.id == Asset.shot_id)
            .where(
                Shot.camera_id == camera_id,
                Shot.kind == "fixed-background",
                Asset.role == "raw",
            )
            .order_by(Asset.id)
            .limit(frames)
        ).all()
    signals = []
    for sha256 in hashes:
        frame = read_frame(catalogue.store.path(sha256))
        black = 0.0 if frame.black_level is None else float(np.mean(frame.black_level))
        signals.append(float(np.median(frame.mosaic)) - black)
    return float(np.median(signals))
