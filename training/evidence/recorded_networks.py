"""The networks of a recorded experiment, asked again about changed frames; what they say is kept.

Each answer lies in a folder of the run under the hash of the question, so that interrupted work
goes on where it was. Knows nothing of what the questions are for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load
from sqlalchemy import select
from torch import nn

from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from datastore.datasets.items import Item
from datastore.datasets.loading import load as load_dataset
from datastore.datasets.manifest import Manifest
from datastore.tables import Asset, Dataset, Experiment, Run, RunExecution
from training.evidence.errors import EvidenceError
from training.experiments.computing import network_for_weights
from training.experiments.evaluate import predict
from training.experiments.execution import Execution
from training.experiments.frame_set import FrameSet
from training.experiments.frame_sets import FrameSets
from training.experiments.masks import resolve_mask
from training.experiments.predictions import Predictions
from training.experiments.preparing import Judged
from training.experiments.spec import ExperimentSpec, recorded_spec
from training.experiments.stored_predictions import read_predictions
from training.experiments.summary import find_experiment

CLEAN = "clean"


@dataclass(frozen=True)
class RecordedRun:
    """A finished run.

    Attributes
    ----------
    id, uuid, number
        Of its row, here and everywhere, and within its experiment.
    seed
        Of its weights and order.
    spec
        The experiment with the means that the run was computed by.
    weights_sha256
        Of its network.
    fold
        Version of the dataset that it learned from.
    """

    id: int
    uuid: str
    number: int
    seed: int
    spec: ExperimentSpec
    weights_sha256: str
    fold: str


@dataclass(frozen=True)
class CleanBlock:
    """What the runs of a fold are judged on.

    Attributes
    ----------
    manifest
        The dataset that they learned from.
    source
        The dataset that the frames are of.
    items
        The frames' records, in the order of the predictions.
    frames
        The frames.
    """

    manifest: Manifest
    source: Manifest
    items: tuple[Item, ...]
    frames: FrameSet


class RecordedNetworks:
    """The trained networks of an experiment and the frames that decide about it.

    Parameters
    ----------
    catalogue
        Where they are recorded.
    reference
        Name or identifier of the experiment.
    work_folder
        Decoded frames and answers; deleting it costs only time.

    Raises
    ------
    ExperimentError
        If there is none.
    EvidenceError
        If none of its runs is recorded, or it was not judged on a clean block.
    """

    def __init__(self, catalogue: Catalogue, reference: str, work_folder: Path) -> None:
        self.catalogue = catalogue
        self.work_folder = work_folder
        with catalogue.reading() as session:
            experiment = find_experiment(session, reference)
            self.id, self.uuid, self.name = experiment.id, experiment.uuid, experiment.name
            own = experiment.dataset.version
            self.spec = recorded_spec(experiment.specification, experiment.name)
        self.runs = _recorded_runs(catalogue, self.id, self.spec, own)
        if not self.runs:
            raise EvidenceError(
                f"experiment {self.name}: none of its runs is recorded yet; go on with it by"
                f" `agetrace experiment resume {self.name}`"
            )
        folds = tuple(dict.fromkeys(run.fold for run in self.runs))
        self.class_names = load_dataset(catalogue, folds[0]).header.class_names
        self.frame_sets = FrameSets(catalogue, work_folder / "frames", self.spec, self.class_names)
        self.folds = {version: self._clean_block(version) for version in folds}
        self._network: tuple[int, nn.Module] | None = None

    @property
    def is_raw(self) -> bool:
        """Whether the networks see mosaics, which interventions change."""
        return self.spec.input.startswith("raw-")

    def _clean_block(self, version: str) -> CleanBlock:
        manifest = load_dataset(self.catalogue, version)
        source, items, mask = manifest, manifest.block("clean"), self.spec.mask
        named = next((one for one in self.spec.evaluations if one.name == CLEAN), None)
        if not items and named is not None and named.block != "swapped":
            if named.dataset is not None:
                source = load_dataset(self.catalogue, named.dataset)
            items, mask = source.block(named.block), named.mask or mask
        if not items:
            raise EvidenceError(
                f"experiment {self.name} was not judged on a clean block, which decides: add an"
                " evaluation called clean"
            )
        masks = None
        if mask is not None:
            masks = resolve_mask(self.catalogue, mask, source.header.cameras)
        frames = self.frame_sets.of(Judged(CLEAN, tuple(items), masks))
        return CleanBlock(manifest, source, tuple(items), frames)

    def train_frames(self, version: str) -> FrameSet:
        """Return the frames that the runs of a fold learned from."""
        items = tuple(
            item
            for item in self.folds[version].manifest.block("train")
            if self.spec.cameras is None or item.camera.serial in self.spec.cameras
        )
        return self.frame_sets.of(Judged("train", items, None))

    def network(self, run: RecordedRun) -> nn.Module:
        """Return a run's network in evaluation mode; the last one asked for is kept.

        Raises
        ------
        AssetMissingError, AssetCorruptError
            If the store has lost or damaged its weights.
        """
        if self._network is None or self._network[0] != run.id:
            network = network_for_weights(run.spec, len(self.class_names))
            network.load_state_dict(load(self.catalogue.store.read_bytes(run.weights_sha256)))
            self._network = (run.id, network.eval())
        return self._network[1]

    def run_folder(self, run: RecordedRun) -> Path:
        """Return where what is found out about a run is kept."""
        return self.work_folder / "evidence" / run.uuid

    def recorded_answer(self, run: RecordedRun) -> Predictions:
        """Return what a run said of the clean block, from its record or by asking it again."""
        with self.catalogue.reading() as session:
            found = read_predictions(self.catalogue, session, run.id, CLEAN)
        frames = self.folds[run.fold].frames
        return found or self.answer(run, self.frames_name(run.fold), lambda: frames)

    def answer(
        self, run: RecordedRun, question: str, make_frames: Callable[[], FrameSet]
    ) -> Predictions:
        """Return what a run says of frames, computing it only where it is not kept.

        Parameters
        ----------
        run
            The run.
        question
            Names the frames by their content: what they are made of, and how.
        make_frames
            Makes the frames, where they are needed.
        """
        facts = [run.weights_sha256, run.spec.evaluation_crops, question]
        path = self.run_folder(run) / f"answer-{content_sha256(facts)[:32]}.npz"
        if path.exists():
            return Predictions.load(path)
        said = predict(run.spec, self.network(run), make_frames())
        path.parent.mkdir(parents=True, exist_ok=True)
        said.save(path)
        return said

    def frames_name(self, version: str) -> str:
        """Return the hash of the records of a fold's clean block and of what is masked there."""
        block = self.folds[version]
        facts = [block.frames.frames[0].key, *(item.sha256 for item in block.items)]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _recorded_runs(
    catalogue: Catalogue, experiment_id: int, spec: ExperimentSpec, own: str
) -> tuple[RecordedRun, ...]:
    with catalogue.reading() as session:
        rows: Sequence[tuple[Run, str, dict[str, object] | None, str | None]] = [
            tuple(row)
            for row in session.execute(
                select(Run, Asset.sha256, RunExecution.execution, Dataset.version)
                .select_from(Run)
                .join(Experiment, Experiment.id == Run.experiment_id)
                .join(Asset, Asset.id == Run.model_asset_id)
                .outerjoin(RunExecution, RunExecution.run_id == Run.id)
                .outerjoin(Dataset, Dataset.id == RunExecution.dataset_id)
                .where(Run.experiment_id == experiment_id)
                .order_by(Run.ordinal)
            )
        ]
        return tuple(
            RecordedRun(
                id=run.id,
                uuid=run.uuid,
                number=run.ordinal,
                seed=run.seed,
                spec=spec if execution is None else Execution.from_json(execution).applied(spec),
                weights_sha256=sha256,
                fold=version or own,
            )
            for run, sha256, execution, version in rows
        )
