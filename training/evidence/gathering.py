"""Finds out about a recorded experiment what its accuracies do not tell; resumable.

Every network is asked once about every changed set of frames, and what it says is kept. Memory is
bounded by one frame and the answers; frames are changed again for every network.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from datastore.catalogue import Catalogue
from training.evidence.average_reading import AverageReading, read_averages
from training.evidence.contrasts_within import content_swap, crops_contrast, joined, of_frames
from training.evidence.distraction import Distraction, distraction_of
from training.evidence.effects import effect_of, flips_of
from training.evidence.findings import CameraFinding, Findings
from training.evidence.looking import MOST_CROPS, looks_for
from training.evidence.questions import (
    CUE_STRENGTHS_SD,
    Questions,
    average_name,
    cue_name,
    questions_for,
)
from training.evidence.recorded_baselines import recorded_baselines
from training.evidence.recorded_networks import CLEAN, RecordedNetworks, RecordedRun
from training.experiments.answers import RunAnswers
from training.experiments.predictions import Predictions
from training.experiments.stored_predictions import read_answers
from training.experiments.summary import EvaluationSummary, find_experiment, summarise_evaluation
from training.saliency.methods import MAP_METHODS, MapMethod

Progress = Callable[[int, int], None]


def gather(
    catalogue: Catalogue,
    reference: str,
    *,
    work_folder: Path,
    seed: int = 0,
    placebo: str | None = None,
    map_methods: Collection[MapMethod] = MAP_METHODS,
    map_crops: int = MOST_CROPS,
    progress: Progress | None = None,
) -> Findings:
    """Ask the networks of a recorded experiment everything that decides what they have learned.

    Interrupted work goes on where it was.

    Parameters
    ----------
    catalogue
        Where the experiment is recorded.
    reference
        Its name or identifier.
    work_folder
        Decoded frames, average images and answers; deleting it costs only time.
    seed
        Of controls, noise, cues, and of the resamplings of the statistics.
    placebo
        Experiment on classes without an age between them, whose networks show how maps look then.
    map_methods, map_crops
        How to map where the networks look, and how many crops at most.
    progress
        Called with the answers and maps that are there and their total.

    Raises
    ------
    ExperimentError
        If there is no such experiment.
    EvidenceError
        If none of its runs is recorded, or there is no clean block.
    """
    networks = RecordedNetworks(catalogue, reference, work_folder)
    asked = {
        version: questions_for(
            catalogue,
            block,
            networks.frames_name(version),
            is_raw=networks.is_raw,
            is_masked=networks.spec.mask is not None,
            folder=work_folder / "evidence" / "averages",
            seed=seed,
        )
        for version, block in networks.folds.items()
    }
    arisen = {
        serial: one.new for questions in asked.values() for serial, one in questions.cameras.items()
    }
    stranger = None
    if placebo is not None:
        stranger = RecordedNetworks(catalogue, placebo, work_folder)
    looks = looks_for(
        networks,
        arisen,
        stranger=stranger,
        methods=map_methods,
        most_crops=map_crops,
        seed=seed,
    )
    answers_total = sum(1 + len(asked[run.fold].frames) for run in networks.runs)
    advance = _Advance(progress, answers_total + looks.total)
    answers = _ask(networks, asked, advance)
    findings = _concluded(catalogue, networks, asked, answers, seed)
    return replace(findings, saliency=looks.look(advance))


class _Advance:
    """Counts what is there, and tells."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


Answers = Mapping[str, Mapping[int, Predictions]]
"""By the name of the question and the number of the run."""


def _ask(
    networks: RecordedNetworks, asked: Mapping[str, Questions], advance: Callable[[], None]
) -> Answers:
    answers: dict[str, dict[int, Predictions]] = {}

    def keep(name: str, run: RecordedRun, said: Predictions) -> None:
        answers.setdefault(name, {})[run.number] = said
        advance()

    for run in networks.runs:
        keep(CLEAN, run, networks.recorded_answer(run))
        questions = asked[run.fold]
        for name, make in questions.frames.items():
            keep(name, run, networks.answer(run, questions.identities[name], make))
    return answers


class _Rounds:
    """The runs of an experiment as rounds over its folds, each as one run for all their frames."""

    def __init__(self, networks: RecordedNetworks, answers: Answers) -> None:
        folds = list(networks.folds)
        by_fold = {fold: [run for run in networks.runs if run.fold == fold] for fold in folds}
        complete = min(len(runs) for runs in by_fold.values())
        self._answers = answers
        self.rounds = [[by_fold[fold][turn] for fold in folds] for turn in range(complete)]

    def of(self, name: str) -> list[Predictions]:
        """Return what each round said to a question."""
        said = self._answers[name]
        return [joined([said[run.number] for run in members]) for members in self.rounds]

    def of_sources(self, asked: Mapping[str, Questions]) -> list[Predictions]:
        """Return what each round said of the frames that defects are transplanted to."""
        said = self._answers[CLEAN]
        return [
            joined([of_frames(said[run.number], asked[run.fold].sources) for run in members])
            for members in self.rounds
        ]


def _concluded(
    catalogue: Catalogue,
    networks: RecordedNetworks,
    asked: Mapping[str, Questions],
    answers: Answers,
    seed: int,
) -> Findings:
    first = next(iter(asked.values()))
    rounds = _Rounds(networks, answers)
    clean = rounds.of(CLEAN)
    runs = len(networks.runs)
    not_tried = dict(first.not_asked)

    def everywhere(name: str) -> bool:
        return len(answers.get(name, {})) == runs

    findings = Findings(
        baselines=recorded_baselines(catalogue, next(iter(networks.folds))),
        cameras=tuple(
            CameraFinding(serial, len(one.known), len(one.new), len(one.arisen.coordinates))
            for serial, one in first.cameras.items()
        ),
        content_swap=content_swap(clean, seed),
    )
    if findings.content_swap is None:
        not_tried["content_swap"] = "no session shows two scenes of which another class shows one"
    if everywhere("masked") and everywhere("mask-control"):
        findings = replace(
            findings,
            masked=_summarised(catalogue, networks, "masked", answers["masked"]),
            mask_control=_summarised(catalogue, networks, "mask-control", answers["mask-control"]),
            mask_effect=effect_of(
                "mask", rounds.of("masked"), rounds.of("mask-control"), seed=seed
            ),
        )
    if everywhere("transplanted"):
        findings = replace(
            findings,
            transplant=flips_of(
                "transplant",
                rounds.of_sources(asked),
                rounds.of("transplanted"),
                rounds.of("transplanted-elsewhere"),
                target=len(networks.class_names) - 1,
                seed=seed,
            ),
        )
    if everywhere("shifted"):
        shift = effect_of("shift", rounds.of("shifted"), rounds.of("unshifted"), seed=seed)
        findings = replace(findings, shift=shift)
    if first.cameras and any(len(one.new) for one in first.cameras.values()):
        places = {serial: one.new for serial, one in first.cameras.items()}
        crops = crops_contrast(clean, places, networks.spec.patch_size, seed)
        findings = replace(findings, crops=crops)
        if crops is None:
            not_tried["crops"] = "no image has crops with a defect and crops without one"
    if everywhere(cue_name(CUE_STRENGTHS_SD[-1])):
        whole, single = _distractions(networks, rounds, asked, answers, seed)
        findings = replace(findings, distraction=whole, distraction_of_runs=single)
    return replace(
        findings,
        averages=_readings(first, rounds, everywhere, seed, noise=False),
        averages_with_noise=_readings(first, rounds, everywhere, seed, noise=True),
        not_tried=not_tried,
    )


def _distractions(
    networks: RecordedNetworks,
    rounds: _Rounds,
    asked: Mapping[str, Questions],
    answers: Answers,
    seed: int,
) -> tuple[Distraction, tuple[Distraction, ...]]:
    names = {0.0: CLEAN} | {one: cue_name(one) for one in CUE_STRENGTHS_SD}
    cues = np.concatenate([asked[run.fold].cue_classes for run in rounds.rounds[0]])
    whole = distraction_of({one: rounds.of(name) for one, name in names.items()}, cues, seed=seed)
    single = tuple(
        distraction_of(
            {one: [answers[name][run.number]] for one, name in names.items()},
            asked[run.fold].cue_classes,
            seed=seed,
        )
        for run in networks.runs
    )
    return whole, single


def _readings(
    questions: Questions,
    rounds: _Rounds,
    everywhere: Callable[[str], bool],
    seed: int,
    *,
    noise: bool,
) -> tuple[AverageReading, ...]:
    readings = []
    for kind, counts in questions.averages.items():
        # single frames have the noise of single frames
        names = {count: average_name(kind, count, noise=noise and count > 1) for count in counts}
        if all(everywhere(name) for name in names.values()):
            said = {count: rounds.of(name) for count, name in names.items()}
            readings.append(read_averages(kind, said, seed=seed))
    return tuple(readings)


def _summarised(
    catalogue: Catalogue,
    networks: RecordedNetworks,
    name: str,
    answers: Mapping[int, Predictions],
) -> EvaluationSummary:
    """Summarise answers to changed frames of the clean block as those to the block itself."""
    with catalogue.reading() as session:
        experiment = find_experiment(session, networks.uuid)
        recorded = read_answers(catalogue, session, experiment, [CLEAN]).evaluations[CLEAN]
    changed = [_answered(run, answers[run.number], networks.class_names) for run in recorded]
    return summarise_evaluation(name, changed, networks.class_names)


def _answered(run: RunAnswers, said: Predictions, class_names: Sequence[str]) -> RunAnswers:
    right = said.crop_classes() == said.labels[said.crop_frames]
    return replace(
        run,
        images=replace(run.images, named_classes=np.array(class_names)[said.image_classes()]),
        crops=len(right),
        crops_correct=int(right.sum()),
        predictions=said,
    )
