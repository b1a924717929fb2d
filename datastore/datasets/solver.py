"""Choosing frames that satisfy the constraints, and their blocks; pure, opens no catalogue.

Frames are matched rather than whole scenes or sessions dropped: within a camera and a block, every
combination of scene and settings keeps as many frames in each class as the class with the fewest
has. For a given split that is the largest selection with equal counts; how much another split could
keep is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from datastore.datasets.blocks import number_of
from datastore.datasets.bound import upper_bound
from datastore.datasets.columns import Codes, Columns, Mask, codes_of, combined, counts_by
from datastore.datasets.errors import ConstraintError, SpecError
from datastore.datasets.items import (
    BLOCKS,
    Frame,
    Item,
    content_order,
)
from datastore.datasets.labels import Labels
from datastore.datasets.manifest import ClassBounds
from datastore.datasets.spec import DatasetSpec
from datastore.datasets.splitting import Split, split_frames


@dataclass(frozen=True)
class Selection:
    """The items of a dataset, and what was left out of it and why.

    `bound` is what no way to share scenes and sessions out could exceed; None where nothing was
    shared out.
    """

    items: tuple[Item, ...]
    left_out: dict[str, int]
    bound: int | None = None

    @property
    def gap(self) -> float | None:
        """Share of the bound that is missing: 0 where no other split can keep more."""
        return None if not self.bound else 1 - len(self.items) / self.bound


@dataclass
class _Pool:
    """The frames that are still in, and how many were left out, by reason."""

    columns: Columns
    left_out: Counter[str] = field(default_factory=Counter)

    def keep(self, mask: Mask, why: str) -> None:
        """Go on with the frames of a mask, counting the others under `why`."""
        lost = int((~mask).sum())
        if lost:
            self.left_out[why] += lost
            self.columns = self.columns.only(mask)

    def mask(self, rule: Iterable[bool]) -> Mask:
        """Return what a rule says of each frame."""
        return np.fromiter(rule, np.bool_, len(self.columns))


def solve(spec: DatasetSpec, classes: Sequence[ClassBounds], frames: Iterable[Frame]) -> Selection:
    """Choose the frames of a dataset and share them out to blocks.

    The result depends on the frames and the seed alone, never on the order of the frames.

    Parameters
    ----------
    spec
        The constraints, blocks and seed; cameras and kind were applied by the query.
    classes
        The classes with the bounds of their timeslots.
    frames
        Every frame of the specification's cameras, kind and role, in any order.

    Raises
    ------
    ConstraintError
        If no selection satisfies a constraint; the message names the constraint and what lacks.
    SpecError
        If a camera has no usable frame, or a scene that the blocks name is not there.
    """
    labels = Labels(classes)
    ordered = sorted(frames, key=content_order)
    pool = _Pool(Columns(ordered, labels.find(ordered)[0], len(classes)))
    _keep_eligible(spec, pool)
    if "one-pipeline" not in spec.waived:
        _keep_one_firmware(spec, labels, pool)
    _require_cameras(spec, pool)
    _refuse_simulated_mix(spec, pool)
    _keep_shared(spec, labels, pool)
    best: Split | None = None
    failure: Exception | None = None
    for number in range(spec.splits or 1):
        try:
            split = split_frames(spec, labels, pool.columns, number)
        except (ConstraintError, SpecError) as error:
            failure = failure or error
            continue
        if best is None or int(split.kept.sum()) > int(best.kept.sum()):
            best = split
    if best is None:
        assert failure is not None
        raise failure
    scenes = spec.blocks.scenes
    held = 0
    if scenes is not None:
        held = number_of(scenes.validation, len(pool.columns.scene_units[1]))
    left_out = +(pool.left_out + best.left_out)
    return Selection(
        _items(spec, labels, pool.columns, best),
        dict(sorted(left_out.items())),
        upper_bound(spec, pool.columns, held),
    )


def _keep_eligible(spec: DatasetSpec, pool: _Pool) -> None:
    """Apply what can be judged frame by frame: labels, filters, scenes, verdicts, sessions."""
    scenes, isos, exposures = spec.scenes, spec.isos, spec.exposures
    pool.keep(pool.columns.classes >= 0, "outside every class's timeslots")
    pool.keep(
        pool.mask(
            (scenes is None or f.scene_unit in scenes)
            and (isos is None or f.iso in isos)
            and (exposures is None or f.exposure in exposures)
            for f in pool.columns.frames
        ),
        "outside the filters",
    )
    if spec.kind != "natural":
        pool.keep(pool.mask(f.scene is not None for f in pool.columns.frames), "without a scene")
    if "accepted-only" not in spec.waived:
        accepted = pool.mask(f.verdict == "accepted" for f in pool.columns.frames)
        if len(accepted) and not accepted.any():
            raise ConstraintError("accepted-only", f"none of {len(accepted)} frames is accepted")
        pool.keep(accepted, "accepted-only: not accepted")
    if len(pool.columns):
        sessions, _ = pool.columns.session_units
        seen = counts_by(sessions, pool.columns.classes, pool.columns.number) > 0
        pool.keep(seen.sum(axis=1)[sessions] == 1, "session in two classes")


def _keep_one_firmware(spec: DatasetSpec, labels: Labels, pool: _Pool) -> None:
    """Keep, per camera, the firmware in every class whose matched frames are the most."""
    columns = pool.columns
    if not len(columns):
        return
    cells = columns.cells(spec.waived)
    kept = np.zeros(len(columns), np.bool_)
    codes, firmwares = codes_of(frame.firmware for frame in columns.frames)
    for camera in range(int(columns.cameras.max()) + 1):
        mine = columns.cameras == camera
        by_firmware = {firmwares[code]: mine & (codes == code) for code in np.unique(codes[mine])}
        complete = []
        for firmware, of in by_firmware.items():
            counts = np.bincount(columns.classes[of], minlength=columns.number)
            if (counts > 0).all():
                table = counts_by(cells[of], columns.classes[of], columns.number)
                matched_frames = int(table.min(axis=1).sum())
                complete.append((-matched_frames, -int(counts.sum()), str(firmware or ""), of))
        if not complete and len(by_firmware) > 1:
            raise ConstraintError("one-pipeline", _no_firmware(columns, labels, by_firmware))
        if complete:
            kept |= min(complete, key=lambda entry: entry[:3])[3]
        else:
            kept |= mine
    pool.keep(kept, "one-pipeline: another firmware")


def _no_firmware(columns: Columns, labels: Labels, by_firmware: dict[Hashable, Mask]) -> str:
    told = "; ".join(
        f"{firmware or 'unknown'} only in "
        + ", ".join(sorted(labels.names[code] for code in np.unique(columns.classes[of])))
        for firmware, of in sorted(by_firmware.items(), key=lambda entry: str(entry[0]))
    )
    first = next(iter(by_firmware.values()))
    camera = columns.frames[int(np.flatnonzero(first)[0])].camera
    return f"camera {camera}: no firmware is in every class: {told}"


def _require_cameras(spec: DatasetSpec, pool: _Pool) -> None:
    present = {frame.camera.serial for frame in pool.columns.frames}
    reasons = "; ".join(f"{why}: {number}" for why, number in sorted(pool.left_out.items()))
    for serial in spec.cameras:
        if serial not in present:
            raise SpecError(
                f"cameras: camera {serial} has no usable {spec.role} frame of kind {spec.kind} in"
                f" the classes' timeslots (left out of all cameras: {reasons or 'nothing'})"
            )


def _refuse_simulated_mix(spec: DatasetSpec, pool: _Pool) -> None:
    if "no-simulated-mix" in spec.waived:
        return
    kinds = {frame.camera.simulated: frame.camera for frame in pool.columns.frames}
    if len(kinds) == 2:
        raise ConstraintError(
            "no-simulated-mix",
            f"camera {kinds[True]} is simulated, camera {kinds[False]} is real",
        )


def _keep_shared(spec: DatasetSpec, labels: Labels, pool: _Pool) -> None:
    """Keep scenes, then settings, that occur in every class of the same camera."""
    if "same-scenes" not in spec.waived and spec.kind != "natural":
        _keep_present(pool, labels, "same-scenes", pool.columns.scenes)
    if "same-settings" not in spec.waived:
        _keep_present(pool, labels, "same-settings", pool.columns.settings)


def _keep_present(pool: _Pool, labels: Labels, constraint: str, values: Codes) -> None:
    columns = pool.columns
    groups = combined(columns.cameras, values)
    kept = columns.in_every_class(groups)
    for camera in range(int(columns.cameras.max()) + 1):
        mine = columns.cameras == camera
        if not (kept & mine).any():
            raise ConstraintError(constraint, _told_lacking(columns, labels, constraint, mine))
    pool.keep(kept, f"{constraint}: not in every class")


def _told_lacking(columns: Columns, labels: Labels, constraint: str, mine: Mask) -> str:
    seen: dict[str, set[str]] = {}
    places = np.flatnonzero(mine).tolist()
    for place in places:
        frame = columns.frames[place]
        value = (frame.fixture, frame.scene) if constraint == "same-scenes" else frame.settings
        told = " ".join(str(part) for part in value if part is not None) or "unknown"
        seen.setdefault(told, set()).add(labels.names[columns.classes[place]])
    lacks = sorted(f"{told} only in {', '.join(sorted(found))}" for told, found in seen.items())
    camera = columns.frames[places[0]].camera
    return f"camera {camera}: nothing is in every class: {'; '.join(lacks[:3])}"


def _items(spec: DatasetSpec, labels: Labels, columns: Columns, split: Split) -> tuple[Item, ...]:
    places = np.flatnonzero(split.kept)
    frames = [columns.frames[place] for place in places.tolist()]
    codes, timeslots = labels.find(frames)
    return tuple(
        labels.item(frame, code, timeslot, BLOCKS[block], spec.age_s(frame.triggered_at))
        for frame, code, timeslot, block in zip(
            frames,
            codes.tolist(),
            timeslots.tolist(),
            split.blocks[places].tolist(),
            strict=True,
        )
    )
