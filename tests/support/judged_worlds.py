"""The verdict on networks that were trained in a generated world.

They are trained in memory, asked about the clean block and about the changed frames that
`training.evidence.gathering` asks about, and judged as a recorded experiment is. The audit's own
baselines look at the same frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from datastore.datasets.auditing.baselines import judge_baselines, tabular_features
from datastore.datasets.auditing.facts import BaselineFeatures, ItemFacts, Nuisance
from datastore.datasets.auditing.report import AuditParameters
from datastore.frames import Frame
from tests.support.generated_worlds import (
    BLACK,
    CLEAN_SCENES,
    CLEAN_SESSIONS,
    COLUMNS,
    DOUBLING_K,
    OWN_SESSIONS,
    PATCH,
    ROWS,
    SWAPPED_SESSIONS,
    TRAIN_SCENES,
    TRAIN_SESSIONS,
    WHITE,
    World,
)
from training.baselines.features import BASELINES, features_of, grids_of_frame
from training.evidence.contrasts_within import content_swap, of_frames
from training.evidence.effects import flips_of
from training.evidence.findings import BaselineFinding, CameraFinding, Findings
from training.evidence.trials import (
    CameraChange,
    frames_of_class,
    mask_control_frames,
    masked_frames,
    transplanted_frames,
)
from training.evidence.verdict import DatasetStanding, Judgement, judge
from training.experiments.answers import ImageAnswers, RunAnswers
from training.experiments.evaluate import predict
from training.experiments.frame_set import FrameSet
from training.experiments.loop import train_network
from training.experiments.predictions import Predictions
from training.experiments.spec import ExperimentSpec
from training.experiments.summary import (
    EvaluationSummary,
    ExperimentSummary,
    summarise_evaluation,
)
from training.interventions import Exposure, Transplant

CLASS_NAMES = ("early", "late")


def spec_of(steps: int = 90) -> ExperimentSpec:
    """Return the short training that worlds are judged by."""
    return ExperimentSpec.model_validate(
        {
            "name": "world", "dataset": "generated", "patch_size": PATCH, "steps": steps,
            "batch_size": 16, "runs": 2, "learning_rate": 0.02, "precision": "float32",
            "channels_last": True, "threads": 1, "evaluation_crops": 6,
            "evaluations": [{"name": "swapped", "block": "swapped"}],
        }
    )  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """What the verdict on a world rests on."""

    summary: ExperimentSummary
    standing: DatasetStanding
    findings: Findings

    def verdict(self) -> Judgement:
        """Judge it."""
        return judge(self.summary, self.standing, findings=self.findings)


def evidence_in(world: World, runs: int = 2) -> Evidence:
    """Train networks in a world, and try on them what decides.

    Parameters
    ----------
    world
        The world.
    runs
        How many networks.
    """
    spec = spec_of()
    shares_scenes = world.variety.scenes == "same"
    # twice as many where each class sees half of them
    scenes = TRAIN_SCENES if shares_scenes else range(2 * len(TRAIN_SCENES))
    train = world.block(scenes, TRAIN_SESSIONS, None if shares_scenes else 0)
    clean = world.block(CLEAN_SCENES, CLEAN_SESSIONS)
    networks = [
        train_network(spec, train, 2, seed).network
        for seed in range(1000 * world.seed, 1000 * world.seed + runs)
    ]

    def ask(frames: FrameSet) -> list[Predictions]:
        return [predict(spec, network, frames) for network in networks]

    answered = ask(clean)
    evaluations = [_summarised("clean", answered)]
    waived: tuple[str, ...] = ()
    if not shares_scenes:
        waived = ("same-scenes",)
        for name, sessions, own in (
            ("new-session", OWN_SESSIONS, 0),
            ("swapped", SWAPPED_SESSIONS, 1),
        ):
            said = ask(world.block(scenes, sessions, own))
            evaluations.append(_summarised(name, said))
    summary = ExperimentSummary(
        uuid="1",
        name="world",
        dataset="generated",
        dataset_version="0" * 64,
        code_version="1",
        specification=spec.model_dump(mode="json"),
        runs=runs,
        evaluations=tuple(evaluations),
    )
    standing = DatasetStanding("generated", "pass", None, waived, uncontrolled=False)
    return Evidence(summary, standing, _findings(world, train, clean, answered, ask))


def _findings(
    world: World,
    train: FrameSet,
    clean: FrameSet,
    answered: Sequence[Predictions],
    ask: Callable[[FrameSet], list[Predictions]],
) -> Findings:
    """Try what `gathering` tries: masks, transplants, swapped contents, the audit's baselines."""
    new = len(world.new)
    arisen = Transplant(
        world.new, np.full(new, world.amplitude_e), np.zeros(new), np.zeros(new, bool)
    )
    cameras = {"camera": CameraChange(world.defects, world.new, arisen, 1.0)}
    sources = frames_of_class(clean, 0)
    young = clean.subset(sources)
    exposures = [
        Exposure(1.0, 100, 2 ** ((world.temperature_c(_number(name)) - 20) / DOUBLING_K))
        for name in young.sessions.tolist()
    ]

    def transplanted(*, elsewhere: bool) -> list[Predictions]:
        return ask(
            transplanted_frames(young, cameras, exposures, elsewhere=elsewhere, seed=world.seed)
        )

    return Findings(
        baselines=_baselines(world, train, clean),
        cameras=(CameraFinding("camera", len(world.defects), new, new),),
        masked=_summarised("masked", ask(masked_frames(clean, cameras))),
        mask_control=_summarised(
            "mask-control", ask(mask_control_frames(clean, cameras, world.seed))
        ),
        transplant=flips_of(
            "transplant",
            [of_frames(one, sources) for one in answered],
            transplanted(elsewhere=False),
            transplanted(elsewhere=True),
            target=1,
        ),
        content_swap=content_swap(answered),
    )


def _number(session: str) -> int:
    return int(session.removeprefix("session "))


def _summarised(name: str, answers: Sequence[Predictions]) -> EvaluationSummary:
    """Summarise answers as those of recorded runs are."""
    names = np.array(CLASS_NAMES)
    runs = []
    for number, said in enumerate(answers):
        images = ImageAnswers(
            asset_ids=np.arange(len(said.labels)),
            true_classes=names[said.labels],
            named_classes=names[said.image_classes()],
            sessions=said.sessions,
            cameras=said.cameras,
        )
        right = said.crop_classes() == said.labels[said.crop_frames]
        runs.append(
            RunAnswers(
                number, images, len(right), int(right.sum()), "train", len(TRAIN_SESSIONS), said
            )
        )
    return summarise_evaluation(name, runs, CLASS_NAMES)


def _baselines(world: World, train: FrameSet, clean: FrameSet) -> tuple[BaselineFinding, ...]:
    """Judge what cannot see age by the audit's own classifiers, on the same frames."""
    frames = [*train.frames, *clean.frames]
    sessions, session_codes = np.unique(
        np.concatenate([train.sessions, clean.sessions]), return_inverse=True
    )
    scenes, scene_codes = np.unique(
        np.concatenate([train.scenes, clean.scenes]), return_inverse=True
    )
    count = len(frames)
    temperatures = np.array([world.temperature_c(_number(name)) for name in sessions.tolist()])
    facts = ItemFacts(
        manifest_version="0" * 64,
        class_names=CLASS_NAMES,
        labels=np.concatenate([train.labels, clean.labels]),
        sessions=session_codes,
        session_names=tuple(sessions.tolist()),
        cameras=np.zeros(count, np.int64),
        camera_names=("camera",),
        scenes=scene_codes,
        scene_names=tuple(scenes.tolist()),
        blocks=np.repeat(["train", "clean"], [len(train.frames), len(clean.frames)]),
        triggered_s=np.arange(count, dtype=np.float64),
        nuisances=(Nuisance("temperature_c", temperatures[session_codes], None, controlled=False),),
        hashes=np.zeros((count, 4), np.uint64),
        hashed=np.zeros(count, np.bool_),
        natural=False,
    )
    found = []
    for one in frames:
        frame = Frame(one.pixels, "RGGB", WHITE, (float(BLACK),) * 4, (0, 0, ROWS, COLUMNS))
        grids = grids_of_frame(frame)
        assert grids is not None
        found.append(features_of(grids))
    known = np.ones(count, np.bool_)
    seen = [
        BaselineFeatures(name, np.array([one[name] for one in found]), known) for name in BASELINES
    ]
    results = judge_baselines(facts, [*seen, *tabular_features(facts)], AuditParameters())
    return tuple(
        BaselineFinding(one.name, one.accuracy, one.p_corrected, one.smallest_p, one.verdict)
        for one in results
        if one.block == "clean"
    )
