"""Deliberately biased datasets: each class sees only its own scenes, as in everyday collections.

They are drawn from a controlled parent and judged on it: a network that learned content is right
on its own kind of test, wrong where the contents are swapped, and at chance on the clean block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from datastore.datasets.blocks import seeded_order
from datastore.datasets.errors import ConstraintError, LeakError, SpecError
from datastore.datasets.items import Block, Frame, Item, content_order
from datastore.datasets.manifest import Manifest
from datastore.datasets.matching import match_frames
from datastore.datasets.solver import Selection
from datastore.datasets.spec import OwnScenesSpec

_DRAWN: tuple[tuple[Block, Block], ...] = (
    ("train", "train"),
    ("train", "new-session"),
    ("validation", "validation"),
)
"""Which block's scenes are shared out, and which of the parent's blocks is drawn by them."""


def draw_own_scenes(spec: OwnScenesSpec, parent: Manifest) -> Selection:
    """Give each class its own share of the parent's scenes.

    Train, validation and new-session items are the parent's items of the same block whose scene
    belongs to their class; new-scene and clean stay with the parent.

    Parameters
    ----------
    spec
        The specification; its seed shares out the scenes.
    parent
        A controlled dataset of fixed-background frames.

    Raises
    ------
    SpecError
        If the parent is no controlled dataset.
    ConstraintError
        If the parent has fewer scenes in a block than there are classes, or a camera did not see
        the scenes of every class.
    """
    controls = {"same-scenes", "same-settings", "same-counts"}
    if parent.header.uncontrolled or controls & parent.header.spec.waived:
        raise SpecError(
            f"parent: dataset {parent.header.name} is not content-controlled: draw own scenes from"
            " one that waives none of " + ", ".join(sorted(controls))
        )
    classes = parent.header.class_names
    left_out: Counter[str] = Counter()
    chosen: list[Item] = []
    for owning, drawn in _DRAWN:
        owners = _owners(spec, classes, parent.block(owning), owning)
        own = _own_items(parent.block(drawn), owners, left_out)
        matched = _matched(spec, classes, own, left_out)
        _require_cameras(parent, drawn, matched)
        chosen += matched
    return Selection(tuple(sorted(chosen, key=content_order)), dict(sorted((+left_out).items())))


def _owners(
    spec: OwnScenesSpec, classes: Sequence[str], items: Sequence[Item], block: Block
) -> dict[str, str]:
    """Return the class that owns each scene; equal shares, a remainder belongs to none."""
    scenes = seeded_order(
        (item.scene_unit for item in items if item.scene_unit is not None), spec.seed, "own-scenes"
    )
    share = len(scenes) // len(classes)
    if scenes and share == 0:
        raise ConstraintError(
            "same-scenes",
            f"the parent's {block} block has {len(scenes)} scenes, which do not go round"
            f" {len(classes)} classes that own different ones",
        )
    return {scene: classes[at // share] for at, scene in enumerate(scenes[: share * len(classes)])}


def _require_cameras(parent: Manifest, block: Block, items: Sequence[Item]) -> None:
    lost = {item.camera for item in parent.block(block)} - {item.camera for item in items}
    if lost:
        raise ConstraintError(
            "same-counts",
            f"block {block} of camera {min(map(str, lost))} has no frames of each class's own"
            " scenes: try another seed",
        )


def _own_items(items: Sequence[Item], owners: dict[str, str], left_out: Counter[str]) -> list[Item]:
    own = [item for item in items if owners.get(item.scene_unit or "") == item.class_name]
    left_out["own-scenes: the scene of another class, or of none"] += len(items) - len(own)
    return own


def _matched(
    spec: OwnScenesSpec, classes: Sequence[str], items: list[Item], left_out: Counter[str]
) -> list[Item]:
    """Give every class equally many frames of the same settings."""
    class_of = {item.sha256: item.class_name for item in items}
    kept: Sequence[Frame] = match_frames(
        spec.waived, spec.seed, lambda frame: class_of[frame.sha256], classes, items
    )
    hashes = {frame.sha256 for frame in kept}
    left_out["same-counts: more than another class has"] += len(items) - len(kept)
    return [item for item in items if item.sha256 in hashes]


def scene_owners(biased: Manifest) -> dict[str, str]:
    """Return the class that each scene stands for in a biased dataset's training."""
    owners: dict[str, str] = {}
    for item in biased.block("train"):
        if item.scene_unit is None or owners.setdefault(item.scene_unit, item.class_name) != (
            item.class_name
        ):
            raise SpecError(
                f"dataset {biased.header.name}: its classes do not own different scenes, there is"
                " nothing to swap"
            )
    return owners


def swapped_items(biased: Manifest, parent: Manifest) -> tuple[Item, ...]:
    """Return the parent's new-session items that show the scene of another class.

    The label of such an item is right, its content is what the biased network learned for another
    label: a network that looks at content answers with the owner of the scene.

    Parameters
    ----------
    biased
        A dataset with own scenes.
    parent
        The controlled dataset that it was drawn from.

    Raises
    ------
    SpecError
        If `parent` is not its parent, or its classes do not own different scenes.
    """
    if biased.header.parent != parent.version:
        raise SpecError(
            f"dataset {biased.header.name} was not drawn from dataset {parent.header.name}"
            f" ({parent.version})"
        )
    owners = scene_owners(biased)
    cameras = set(biased.header.cameras)
    return tuple(
        item
        for item in parent.block("new-session")
        if item.camera in cameras
        and owners.get(item.scene_unit or "", item.class_name) != item.class_name
    )


def check_evaluation(train_manifest: Manifest, items: Sequence[Item]) -> None:
    """Refuse items that were not unseen in training in the way that their block claims.

    `clean` and `validation` items share neither scene nor session with training, `new-scene` items
    no scene, `new-session` items no session; none is a training file. Validation chooses the
    network, so for the test blocks it counts as training.

    Parameters
    ----------
    train_manifest
        The dataset that the network was trained and chosen on.
    items
        The items to judge it on, of this or another dataset.

    Raises
    ------
    LeakError
        If an item was seen; the message names it and what was seen.
    """
    train = train_manifest.block("train")
    seen_by_network = _Seen(train)
    seen_by_choice = _Seen(train_manifest.block("train", "validation"))
    for item in items:
        if item.block == "train":
            raise LeakError(f"item {item.sha256} is of a training block: it is no test")
        seen = seen_by_network if item.block == "validation" else seen_by_choice
        told = seen.what(item)
        if told is not None:
            raise LeakError(
                f"item {item.sha256} claims block {item.block}, but {told} was in the training of"
                f" dataset {train_manifest.header.name}"
            )


class _Seen:
    """The files, scenes and sessions of a training."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._files = {item.sha256 for item in items}
        self._scenes = {item.scene_unit for item in items} - {None}
        self._sessions = {item.session_unit for item in items}

    def what(self, item: Item) -> str | None:
        """Return what an item shares against its block's claim, None where nothing."""
        if item.sha256 in self._files:
            return "the file itself"
        if item.block != "new-session" and item.scene_unit in self._scenes:
            return f"its scene {item.scene_unit}"
        if item.block != "new-scene" and item.session_unit in self._sessions:
            return f"its session {item.session_unit}"
        return None
