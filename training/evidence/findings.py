"""What was found out about an experiment beyond its accuracies; plain values, no torch.

Each finding is None where it was not tried, and `not_tried` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from training.evidence.average_reading import AverageReading
from training.evidence.contrasts_within import ContentSwap, CropsContrast
from training.evidence.distraction import Distraction
from training.evidence.effects import Effect, Flips
from training.evidence.saliency_findings import SaliencyFindings
from training.experiments.summary import EvaluationSummary


@dataclass(frozen=True)
class BaselineFinding:
    """What a classifier that cannot see age tells of the clean block.

    Attributes
    ----------
    name
        Such as `thumbnail`.
    accuracy, p_corrected, smallest_p
        On the clean block, corrected over all baselines and blocks; None where it could not be
        trained.
    verdict
        `pass` at chance, `fail` above, else why it says nothing.
    """

    name: str
    accuracy: float | None
    p_corrected: float | None
    smallest_p: float | None
    verdict: str


@dataclass(frozen=True)
class CameraFinding:
    """What the ledger of a camera offers to tell the classes apart by.

    Attributes
    ----------
    serial
        Of the camera.
    known, new, arisen
        Defects of its ledger: all, those that arose under watch, those that arose between the
        middle of the first class and that of the last.
    """

    serial: str
    known: int
    new: int
    arisen: int


@dataclass(frozen=True)
class Findings:
    """Everything that was tried on an experiment's networks after the fact.

    Attributes
    ----------
    baselines
        Of the newest audit of the dataset that the clean block is of.
    cameras
        What the ledgers offer.
    masked, mask_control
        Accuracy with the ledger's new defects inpainted, and with as many sound photosites changed
        by as much.
    mask_effect
        The difference of the two.
    transplant
        Frames of the first class with the last class's defects, and with these elsewhere.
    shift
        Frames that were shifted against the sensor, beside unshifted ones; a diagnostic.
    content_swap
        Same defects, other scene against same scene, other class.
    crops
        Crops with against without a defect of the ledger.
    averages, averages_with_noise
        Readings of average images, as they are and with the noise of single frames.
    distraction
        Where the networks leave what they learned for a cue; `distraction_of_runs` of each by
        itself.
    saliency
        Where the networks look.
    not_tried
        Why not, by the name of the finding.
    """

    baselines: tuple[BaselineFinding, ...] = ()
    cameras: tuple[CameraFinding, ...] = ()
    masked: EvaluationSummary | None = None
    mask_control: EvaluationSummary | None = None
    mask_effect: Effect | None = None
    transplant: Flips | None = None
    shift: Effect | None = None
    content_swap: ContentSwap | None = None
    crops: CropsContrast | None = None
    averages: tuple[AverageReading, ...] = ()
    averages_with_noise: tuple[AverageReading, ...] = ()
    distraction: Distraction | None = None
    distraction_of_runs: tuple[Distraction, ...] = ()
    saliency: SaliencyFindings | None = None
    not_tried: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        document = asdict(replace(self, saliency=None))
        for name in ("transplant", "distraction", "saliency"):
            found = getattr(self, name)
            document[name] = None if found is None else found.to_json()
        return document
