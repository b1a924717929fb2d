"""Runs an experiment of the catalogue: frames in, runs, predictions and saliency maps recorded.

The training itself knows no catalogue; here its inputs are looked up and its results kept.
Finished runs lie in a work folder until they are recorded, and unfinished ones as far as they came,
so that an interruption costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from training.code_version import code_version
from training.experiments.distributed import joined_processes
from training.experiments.errors import ExperimentError
from training.experiments.frame_set import FrameSet
from training.experiments.frame_sets import FrameSets
from training.experiments.preparing import (
    Judged,
    PreparedFold,
    prepare_folds,
    with_versions,
)
from training.experiments.records import (
    is_recorded,
    record_experiment,
    record_run,
    recorded_execution,
)
from training.experiments.runs import CHECKPOINT_S, Fold, RunFolder, evaluate_run
from training.experiments.saliency_records import record_saliency
from training.experiments.spec import ExperimentSpec, recorded_spec
from training.experiments.summary import ExperimentSummary, find_experiment, summarise


def run_experiment(
    catalogue: Catalogue,
    spec: ExperimentSpec,
    *,
    work_folder: Path,
    clock: CivilClock,
    progress: Callable[[int, int], None] | None = None,
    decoding: Callable[[int, int], None] | None = None,
    checkpoint_s: float = CHECKPOINT_S,
) -> ExperimentSummary:
    """Train what is not trained yet, judge it, and record everything.

    Started by `torchrun`, all processes train together and the first of them records. Started
    several times, each process takes the next run that no other one has.

    Parameters
    ----------
    catalogue
        The catalogue that holds the dataset and will hold the results.
    spec
        What to train and on what to judge it.
    work_folder
        Decoded frames and finished runs; deleting it costs only time.
    clock
        Civil time of the records.
    progress
        Called with the training steps done and their total.
    decoding
        Called before that with the frames decoded and their total.
    checkpoint_s
        Seconds between two writings of an unfinished run's state.

    Returns
    -------
    ExperimentSummary
        Accuracies of the runs on every evaluation.

    Raises
    ------
    ExperimentError
        If the dataset and the evaluations do not fit together.
    TrainingError
        If a frame, a run's folder or the training itself fails; what was done stays.
    """
    spec = with_versions(catalogue, spec)
    folds = prepare_folds(catalogue, spec)
    class_names = folds[0].manifest.header.class_names
    classes = len(class_names)
    frame_sets = FrameSets(catalogue, work_folder / "frames", spec, class_names)
    frame_sets.decode(_learned_blocks(spec, folds), decoding)
    learned = [
        Fold(
            frame_sets.of(fold.train),
            None
            if spec.validation_every is None or fold.validation is None
            else frame_sets.of(fold.validation),
        )
        for fold in folds
    ]
    with joined_processes() as processes:
        experiment_id, identity = record_experiment(
            catalogue, spec, folds, [one.train.sha256() for one in learned], clock
        )
        runs = RunFolder(
            work_folder / "runs" / _training_identity(spec, learned, classes)[:32],
            spec,
            learned,
            classes,
            processes=processes,
            recorded_execution=recorded_execution(catalogue, experiment_id),
        )
        tell = _step_counter(spec, progress)
        blocks: dict[int, dict[str, FrameSet]] = {}
        for run in runs.train(tell, checkpoint_s=checkpoint_s):
            tell(run.number, spec.steps, 0.0)
            if not processes.is_first or is_recorded(catalogue, experiment_id, run.number):
                continue
            number = run.number % len(folds)
            fold = folds[number]
            # only now: an experiment whose runs are all recorded decodes nothing for them
            if number not in blocks:
                blocks[number] = {one.name: frame_sets.of(one) for one in fold.judged}
            predictions = evaluate_run(spec, run, classes, blocks[number])
            run_id = record_run(catalogue, experiment_id, run, fold, predictions, clock)
            record_saliency(
                catalogue,
                run_id,
                run.execution.applied(spec),
                run.network(spec, classes),
                blocks[number]["clean"],
                fold.manifest,
                clock,
            )
        processes.wait()
    return summarise(catalogue, identity)


def resume_experiment(
    catalogue: Catalogue,
    reference: str,
    *,
    work_folder: Path,
    clock: CivilClock,
    progress: Callable[[int, int], None] | None = None,
    decoding: Callable[[int, int], None] | None = None,
) -> ExperimentSummary:
    """Go on with an experiment as it was recorded when it began; parameters as `run_experiment`.

    Raises
    ------
    ExperimentError
        If there is none, or another version of the code began it: its runs would not be alike.
    """
    with catalogue.reading() as session:
        experiment = find_experiment(session, reference)
        specification, begun_by = experiment.specification, experiment.code_version
    if begun_by != code_version():
        raise ExperimentError(
            f"experiment {reference} was begun by {begun_by} and this is {code_version()}: runs of"
            " both would not be alike; run its specification anew, or install that version"
        )
    return run_experiment(
        catalogue,
        recorded_spec(specification, reference),
        work_folder=work_folder,
        clock=clock,
        progress=progress,
        decoding=decoding,
    )


def _learned_blocks(spec: ExperimentSpec, folds: Sequence[PreparedFold]) -> list[Judged]:
    blocks = [fold.train for fold in folds]
    if spec.validation_every is not None:
        blocks += [fold.validation for fold in folds if fold.validation is not None]
    return blocks


def _step_counter(
    spec: ExperimentSpec, progress: Callable[[int, int], None] | None
) -> Callable[[int, int, float], None]:
    """Return what counts the steps of all runs; those of other processes count when they end."""
    done = dict.fromkeys(range(spec.runs), 0)

    def tell(number: int, step: int, _loss: float) -> None:
        done[number] = step
        if progress is not None:
            progress(sum(done.values()), spec.runs * spec.steps)

    return tell


def _training_identity(spec: ExperimentSpec, folds: list[Fold], classes: int) -> str:
    facts = [
        spec.training_sha256(),
        [one.train.sha256() for one in folds],
        [None if one.validation is None else one.validation.sha256() for one in folds],
        classes,
        code_version(),
    ]
    return content_sha256(facts)
