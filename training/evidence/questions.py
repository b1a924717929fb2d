"""Which changed frames the networks of a fold are asked about, and why some are not asked.

Knows the catalogue's ledgers and records through what `defects_between` reads of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from training.evidence.averages import AverageKind, average_frames
from training.evidence.cues import drawn_cue, opposed_classes, with_cue
from training.evidence.defects_between import CameraDefects, defects_between, exposures_of
from training.evidence.errors import EvidenceError
from training.evidence.noise import NoiseModel, measure_noise
from training.evidence.recorded_networks import CleanBlock
from training.evidence.trials import (
    SHIFT_PHOTOSITES,
    CameraChange,
    mask_control_frames,
    masked_frames,
    shifted_frames,
    transplanted_frames,
    usable_average_kinds,
)
from training.experiments.frame_set import FrameSet
from training.interventions import Exposure, InterventionError
from training.patches.errors import PatchError

CUE_STRENGTHS_SD = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Of the content cue, in standard deviations of a frame's own noise; stronger ones saturate."""

Name = str


@dataclass
class Questions:
    """What the networks of a fold are asked.

    Attributes
    ----------
    frames
        By the name of the question, what makes its frames.
    identities
        By the same name, what the answers are kept under.
    not_asked
        By the name of a finding, why it is not tried.
    cameras
        What the ledgers say, by serial.
    sources
        Numbers of the clean block's frames of the first class, to which defects are transplanted.
    averages
        Counts of the averages of each kind.
    cue_classes
        The class of each frame's cue.
    """

    frames: dict[Name, Callable[[], FrameSet]] = field(default_factory=dict)
    identities: dict[Name, str] = field(default_factory=dict)
    not_asked: dict[str, str] = field(default_factory=dict)
    cameras: dict[str, CameraDefects] = field(default_factory=dict)
    sources: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    averages: dict[AverageKind, tuple[int, ...]] = field(default_factory=dict)
    cue_classes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, name: Name, identity: list[object], make: Callable[[], FrameSet]) -> None:
        """Ask about frames that are made when they are needed."""
        self.frames[name] = make
        self.identities[name] = content_sha256([name, *identity])


def average_name(kind: AverageKind, count: int, *, noise: bool) -> Name:
    """Return the name of the question about averages."""
    return f"average {kind} of {count}" + (" with noise" if noise else "")


def cue_name(strength_sd: float) -> Name:
    """Return the name of the question about a cue of this strength."""
    return f"cue of {strength_sd:g}"


def questions_for(
    catalogue: Catalogue,
    block: CleanBlock,
    frames_name: str,
    *,
    is_raw: bool,
    is_masked: bool,
    folder: Path,
    seed: int,
) -> Questions:
    """Return everything that networks can be asked about a clean block.

    Parameters
    ----------
    catalogue
        Where the ledgers are.
    block
        The frames and their records.
    frames_name
        Names them by their content.
    is_raw
        Whether the networks see mosaics; nothing else is changed.
    is_masked
        Whether the frames have their defects masked already, so that there are none to remove.
    folder
        Where average images are kept.
    seed
        Of controls, noise, cues and dealing.
    """
    questions = Questions()
    if not is_raw:
        for name in ("masked", "transplant", "shift", "averages", "distraction", "crops"):
            questions.not_asked[name] = "only raw inputs are changed"
        return questions
    base: list[object] = [frames_name, seed]
    _ask_shifts(questions, block.frames, base)
    _ask_averages(questions, block.frames, base, folder, seed)
    _ask_cues(questions, block.frames, base, seed)
    _look_up_defects(questions, catalogue, block)
    if questions.cameras and is_masked:
        for name in ("masked", "transplant"):
            questions.not_asked[name] = "the networks learned from frames with masked defects"
    elif questions.cameras:
        _ask_about_defects(questions, catalogue, block, base, seed)
    return questions


def _ask_shifts(questions: Questions, frames: FrameSet, base: list[object]) -> None:
    for name, photosites in (("unshifted", 0), ("shifted", SHIFT_PHOTOSITES)):
        questions.add(name, [*base, photosites], partial(shifted_frames, frames, photosites))


def _ask_averages(
    questions: Questions, frames: FrameSet, base: list[object], folder: Path, seed: int
) -> None:
    questions.averages = usable_average_kinds(frames)
    if not questions.averages:
        questions.not_asked["averages"] = (
            "the clean block has too few sessions for averages of several frames"
        )
        return
    noise: NoiseModel | None
    try:
        noise = measure_noise(frames)
    except EvidenceError as error:
        noise = None
        questions.not_asked["averages_with_noise"] = str(error)
    for kind, counts in questions.averages.items():
        for count in counts:
            for added in (None, noise) if noise is not None and count > 1 else (None,):
                questions.add(
                    average_name(kind, count, noise=added is not None),
                    [*base, str(added)],
                    partial(
                        average_frames, frames, kind, count, noise=added, seed=seed, folder=folder
                    ),
                )


def _ask_cues(questions: Questions, frames: FrameSet, base: list[object], seed: int) -> None:
    sizes = {frame.size for frame in frames.frames}
    if len(sizes) > 1:
        questions.not_asked["distraction"] = "frames of several sizes have no cue in common"
        return
    classes = int(frames.labels.max()) + 1
    cue = drawn_cue(sizes.pop(), classes, seed)
    questions.cue_classes = opposed_classes(frames.labels, classes)
    for strength in CUE_STRENGTHS_SD:
        questions.add(
            cue_name(strength),
            [*base, cue.name],
            partial(with_cue, frames, cue, strength, questions.cue_classes, seed),
        )


def _look_up_defects(questions: Questions, catalogue: Catalogue, block: CleanBlock) -> None:
    serials = set(block.frames.cameras.tolist())
    names = block.manifest.header.class_names
    for camera in block.source.header.cameras:
        if camera.serial not in serials:
            continue
        found = defects_between(catalogue, camera, block.items, names[0], names[-1])
        if found is None:
            for name in ("masked", "transplant", "crops"):
                questions.not_asked[name] = (
                    f"camera {camera.serial} has no defect ledger: run `agetrace defects extract`"
                )
            questions.cameras.clear()
            return
        questions.cameras[camera.serial] = found


def _ask_about_defects(
    questions: Questions,
    catalogue: Catalogue,
    block: CleanBlock,
    base: list[object],
    seed: int,
) -> None:
    frames = block.frames
    if not any(len(one.new) for one in questions.cameras.values()):
        for name in ("masked", "transplant", "crops"):
            questions.not_asked[name] = "no defect of the ledgers arose under watch"
        return
    exposures = exposures_of(catalogue, block.items)
    changes = {
        serial: CameraChange(one.known, one.new, one.arisen, _gain(frames, serial, exposures))
        for serial, one in questions.cameras.items()
    }
    facts: list[object] = [
        [serial, one.masked.tolist(), one.known.tolist()] for serial, one in changes.items()
    ]
    try:
        mask_control_frames(frames, changes, seed)
    except (InterventionError, PatchError) as error:
        questions.not_asked["masked"] = str(error)
    else:
        questions.add("masked", [*base, facts], partial(masked_frames, frames, changes))
        control = partial(mask_control_frames, frames, changes, seed)
        questions.add("mask-control", [*base, facts], control)
    if exposures is None:
        questions.not_asked["transplant"] = "exposure or ISO of a frame is not known"
        return
    if not any(len(one.transplant.coordinates) for one in changes.values()):
        questions.not_asked["transplant"] = "no defect of the ledgers arose between the classes"
        return
    questions.sources = np.flatnonzero(frames.labels == 0)
    young = frames.subset(questions.sources)
    chosen = [exposures[number] for number in questions.sources.tolist()]
    amplitudes: list[object] = [
        [
            serial,
            one.transplant.coordinates.tolist(),
            one.transplant.dark_rates_dn_per_s.tolist(),
            one.transplant.offsets_dn.tolist(),
            one.dn_per_electron,
        ]
        for serial, one in changes.items()
    ]
    for name, elsewhere in (("transplanted", False), ("transplanted-elsewhere", True)):
        questions.add(
            name,
            [*base, amplitudes, [[one.exposure_s, one.iso, one.dark_factor] for one in chosen]],
            partial(transplanted_frames, young, changes, chosen, elsewhere=elsewhere, seed=seed),
        )


def _gain(frames: FrameSet, serial: str, exposures: tuple[Exposure, ...] | None) -> float | None:
    """Return the gain at ISO 100 in DN per electron; None where the frames do not tell it."""
    own = np.flatnonzero(frames.cameras == serial)
    isos = set() if exposures is None else {exposures[number].iso for number in own.tolist()}
    if len(isos) != 1:
        return None
    try:
        gain_dn = measure_noise(frames.subset(own)).gain_dn
    except EvidenceError:
        return None
    return gain_dn / (isos.pop() / 100) if gain_dn > 0 else None
