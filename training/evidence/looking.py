"""Maps where the networks of a recorded experiment look, method by method; kept and resumable.

Memory is bounded by the maps of one run and the means of all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from datastore.canonical import content_sha256
from training.evidence.examples import example_crops, values_of_crops
from training.evidence.kept_maps import KeptMaps
from training.evidence.map_samples import CropSample, sample_crops
from training.evidence.maps_together import (
    MappedImages,
    MapsTogether,
    compared_maps,
    superimposed_agreement,
)
from training.evidence.recorded_networks import RecordedNetworks, RecordedRun
from training.evidence.saliency_findings import MapsFinding, SaliencyFindings, Superimposed
from training.experiments.computing import class_scores, load_crops, network_for_weights, on_device
from training.experiments.evaluate import evaluation_batch
from training.experiments.frame_set import FrameSet
from training.experiments.spec import ExperimentSpec
from training.files import write_atomically
from training.saliency.mapping import crop_maps_of
from training.saliency.methods import MAP_METHODS, MapMethod, methods_for
from training.saliency.superimposed import Superimposition

MOST_CROPS = 200
"""Of an experiment's clean block: what every method maps for every run, if not said otherwise."""

Coordinates = NDArray[np.int64]


@dataclass(frozen=True)
class _Sampled:
    """A camera's crops in every fold, and what is known of their images."""

    images: MappedImages
    samples: Mapping[str, CropSample]
    numbers: Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Looks:
    """What is to be mapped; the number of networks that it takes is known beforehand.

    Attributes
    ----------
    methods
        Defined for the networks, the first compared with all others.
    not_mapped
        Why a method is not among them.
    """

    methods: tuple[MapMethod, ...]
    not_mapped: Mapping[str, str]
    _sampled: tuple[_Sampled, ...]
    _networks: RecordedNetworks
    _stranger: RecordedNetworks | None
    _seed: int

    @property
    def total(self) -> int:
        """How many networks are asked, camera by camera."""
        first = self._networks.runs[0].fold
        known = sum(run.fold in one.samples for run in self._networks.runs for one in self._sampled)
        controls = sum(first in one.samples for one in self._sampled)
        return known + controls * (1 if self._stranger is None else 2)

    def look(self, advance: Callable[[], None]) -> SaliencyFindings:
        """Map everything that is not kept yet, and measure it.

        Parameters
        ----------
        advance
            Called after each network.
        """
        found: list[MapsFinding] = []
        superimposed: list[Superimposed] = []
        examples = []
        stored: dict[str, Path] = {}
        target = len(self._networks.class_names) - 1
        for one in self._sampled:
            measured, together, over, assets = self._of_camera(one, target, advance)
            found += measured
            superimposed.append(over)
            stored |= assets
            fold = next(iter(one.samples))
            examples += example_crops(
                self._networks.folds[fold].frames,
                one.samples[fold],
                one.images,
                {name: maps.image_maps() for name, maps in together.items()},
                self._networks.class_names,
            )
        return SaliencyFindings(
            of_class=self._networks.class_names[target],
            methods=tuple(found),
            superimposed=tuple(superimposed),
            not_mapped=dict(self.not_mapped),
            image_maps={name: _sha256(path) for name, path in stored.items()},
            image_map_files=stored,
            examples=tuple(examples),
        )

    def _of_camera(
        self, one: _Sampled, target: int, advance: Callable[[], None]
    ) -> tuple[list[MapsFinding], dict[str, MapsTogether], Superimposed, dict[str, Path]]:
        networks = self._networks
        together: dict[str, MapsTogether] = {
            name: MapsTogether(name, one.images) for name in self.methods
        }
        own: list[NDArray[np.float32]] = []
        counts: list[NDArray[np.int64]] = []
        runs = [run for run in networks.runs if run.fold in one.samples]
        stored: dict[str, Path] = {}
        for run in runs:
            kept, path = self._kept(run, one, target, "trained", partial(networks.network, run))
            stored[f"run {run.number}, {one.images.camera}"] = path
            numbers = one.numbers[run.fold]
            for name in self.methods:
                together[name].add(kept.maps[name], numbers)
            maps, crops = _own_class(kept, one.images, numbers)
            own.append(maps)
            counts.append(crops)
            advance()
        over = Superimposed(
            camera=one.images.camera,
            method=self.methods[0],
            class_names=networks.class_names,
            runs=tuple(run.number for run in runs),
            maps=np.stack(own),
            crops=np.stack(counts),
            agreement=superimposed_agreement(np.stack(own)),
        )
        luminance = np.concatenate(
            [
                values_of_crops(networks.folds[fold].frames, sample)
                for fold, sample in one.samples.items()
            ]
        )
        fresh, other = self._controls(runs[0], one, target, advance)
        trained, _ = self._kept(runs[0], one, target, "trained", _never)
        numbers = one.numbers[runs[0].fold]
        measured = []
        for place, name in enumerate(self.methods):
            checks = [
                None
                if control is None
                else compared_maps(
                    trained.maps[name], control.maps[name], one.images, numbers, self._seed
                )
                for control in (fresh, other)
            ]
            assert checks[0] is not None
            measured.append(
                together[name].finding(
                    luminance,
                    together[self.methods[0]] if place else None,
                    checks[0],
                    checks[1],
                    seed=self._seed,
                )
            )
        return measured, together, over, stored

    def _controls(
        self, run: RecordedRun, one: _Sampled, target: int, advance: Callable[[], None]
    ) -> tuple[KeptMaps, KeptMaps | None]:
        """Return the maps of a network with fresh weights, and of one that learned other labels."""
        networks, stranger = self._networks, self._stranger
        classes = len(networks.class_names)
        fresh, _ = self._kept(
            run, one, target, "fresh", lambda: _fresh_network(run.spec, classes, self._seed)
        )
        advance()
        if stranger is None:
            return fresh, None
        other = stranger.runs[0]
        said, _ = self._kept(
            run, one, target, other.weights_sha256, lambda: stranger.network(other)
        )
        advance()
        return fresh, said

    def _kept(
        self,
        run: RecordedRun,
        one: _Sampled,
        target: int,
        whose: str,
        network: Callable[[], nn.Module],
    ) -> tuple[KeptMaps, Path]:
        networks, sample = self._networks, one.samples[run.fold]
        frames = networks.folds[run.fold].frames
        facts = [
            run.weights_sha256,
            whose,
            self._seed if whose == "fresh" else None,
            networks.frames_name(run.fold),
            sample.images.tolist(),
            sample.origins.tolist(),
            list(self.methods),
            target,
        ]
        path = networks.run_folder(run) / f"maps-{content_sha256(facts)[:32]}.npz"
        if not path.exists():
            content = _map(run.spec, network(), frames, sample, self.methods, target).to_bytes()
            write_atomically(path, lambda file: file.write(content))
        # what was just made is read too, so that resumed work gives the same numbers
        return KeptMaps.from_bytes(path.read_bytes()), path


def looks_for(
    networks: RecordedNetworks,
    defects: Mapping[str, Coordinates],
    *,
    stranger: RecordedNetworks | None = None,
    methods: Collection[MapMethod] = MAP_METHODS,
    most_crops: int = MOST_CROPS,
    seed: int,
) -> Looks:
    """Choose what is mapped.

    Parameters
    ----------
    networks
        The experiment.
    defects
        By camera, (row, column) of the defects that the ledger saw arise.
    stranger
        An experiment that learned labels without an age, whose first network shows how maps look
        then; passed over where its networks are of another kind.
    methods
        What to map by, where it is defined.
    most_crops
        Of the clean block, for every method and run.
    seed
        Of the choice, of fresh weights and of nulls.
    """
    defined, refused = methods_for(networks.spec.network)
    chosen = tuple(one for one in defined if one in methods)
    return Looks(
        methods=chosen,
        not_mapped={one: why for one, why in refused.items() if one in methods},
        _sampled=_sampled(networks, defects, most_crops, seed) if chosen else (),
        _networks=networks,
        _stranger=stranger if stranger is not None and _comparable(networks, stranger) else None,
        _seed=seed,
    )


def _sampled(
    networks: RecordedNetworks, defects: Mapping[str, Coordinates], most_crops: int, seed: int
) -> tuple[_Sampled, ...]:
    size = networks.spec.patch_size
    by_camera: dict[str, dict[str, CropSample]] = {}
    for fold, block in networks.folds.items():
        part = most_crops // len(networks.folds)
        for sample in sample_crops(block.frames, size, defects, most_crops=part, seed=seed):
            others = by_camera.setdefault(sample.camera, {})
            # only maps of the same places can be brought together
            if all(np.array_equal(sample.origins, one.origins) for one in others.values()):
                others[fold] = sample
    found = []
    for camera, samples in by_camera.items():
        numbers, start = {}, 0
        parts: list[FrameSet] = []
        for fold, sample in samples.items():
            numbers[fold] = np.arange(start, start + len(sample.images))
            start += len(sample.images)
            parts.append(networks.folds[fold].frames.subset(sample.images))
        images = MappedImages(
            camera=camera,
            origins=next(iter(samples.values())).origins,
            patch_size=size,
            labels=np.concatenate([part.labels for part in parts]),
            scenes=np.concatenate([part.scenes for part in parts]),
            sessions=np.concatenate([part.sessions for part in parts]),
            classes=len(networks.class_names),
            defects=defects.get(camera, np.zeros((0, 2), np.int64)),
        )
        found.append(_Sampled(images, samples, numbers))
    return tuple(found)


def _comparable(networks: RecordedNetworks, stranger: RecordedNetworks) -> bool:
    ours, theirs = networks.spec, stranger.spec
    return len(networks.class_names) == len(stranger.class_names) and all(
        getattr(ours, name) == getattr(theirs, name)
        for name in ("network", "front", "input", "patch_size", "transform")
    )


def _fresh_network(spec: ExperimentSpec, classes: int, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network_for_weights(spec, classes).eval()


def _map(
    spec: ExperimentSpec,
    network: nn.Module,
    frames: FrameSet,
    sample: CropSample,
    methods: Sequence[MapMethod],
    target: int,
) -> KeptMaps:
    places = sample.places()
    shape = (len(sample.images), len(sample.origins))
    maps = crop_maps_of(spec, network, frames, places, target, methods)
    labels = np.repeat(frames.labels[sample.images], len(sample.origins))
    own = crop_maps_of(spec, network, frames, places, labels.tolist(), methods[:1])[methods[0]]
    size = evaluation_batch(spec.patch_size)
    classes = []
    with torch.inference_mode():
        for start in range(0, len(places.indices), size):
            crops = load_crops(spec, frames, places.part(slice(start, start + size)))
            scores = class_scores(spec, network, on_device(spec, crops))
            classes.append(scores.argmax(dim=1).cpu().numpy())
    return KeptMaps(
        {name: one.reshape(*shape, *one.shape[1:]) for name, one in maps.items()},
        own.reshape(*shape, *own.shape[1:]),
        np.concatenate(classes).astype(np.int64).reshape(shape),
    )


def _own_class(
    kept: KeptMaps, images: MappedImages, numbers: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Superimpose a run's maps of the images' own classes over correctly predicted crops."""
    crops = kept.classes.shape[1]
    labels = np.repeat(images.labels[numbers], crops)
    sums = Superimposition(images.classes, ["all"])
    sums.add(
        kept.own.reshape(-1, *kept.own.shape[2:]),
        kept.classes.reshape(-1) == labels,
        labels,
        np.full(len(labels), "all"),
    )
    made = sums.superimposed()
    return made.crop_maps[:, 0], made.crops[:, 0]


def _sha256(path: Path) -> str:
    """Return the hash of a file that fits in memory."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _never() -> nn.Module:
    raise AssertionError("these maps are kept")
