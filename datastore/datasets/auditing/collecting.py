"""Items of a manifest as columns, with everything that is recorded of them; judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from datastore.catalogue import Catalogue
from datastore.datasets.auditing.facts import Codes, Floats, ItemFacts, Nuisance
from datastore.datasets.auditing.recorded import Recorded, coded
from datastore.datasets.errors import SpecError
from datastore.datasets.items import Item
from datastore.datasets.manifest import Manifest

_DAY_S: Final = 86_400.0
_HOUR_S: Final = 3600.0

Column = tuple[Codes, tuple[str, ...]]


def collect_facts(catalogue: Catalogue, manifest: Manifest) -> ItemFacts:
    """Return the items of a manifest as columns, with every factor that is recorded of them.

    Controlled factors are those that the constraints make equal: scene, ISO, exposure, aperture,
    firmware and camera. The others are, where they are known of any item: temperature (the file's,
    else the manifest's), hour of the day (UTC), the frame's measures, what the content checks
    measured, attempt and position in the session, how long the camera had been open and since its
    last shot, the skew of its clock in that session (median of the probes), and operator, recipe,
    revision of the fixture, clock, source of the time and image quality.

    Parameters
    ----------
    catalogue
        An open catalogue that has the items' assets.
    manifest
        Frozen or not.

    Raises
    ------
    SpecError
        If the catalogue lacks an asset.
    """
    items = manifest.items
    assets = tuple(item.sha256 for item in items)
    with catalogue.reading() as session:
        recorded = Recorded(session.connection(), assets)
    if not recorded.found.all():
        sha256 = assets[int(np.argmin(recorded.found))]
        raise SpecError(f"the catalogue has no shot of asset {sha256}: import the frames first")
    # what repeats from item to item is looked at once
    of_session = _Repeating(
        items, lambda item: (item.session_unit, item.camera, item.class_name, item.firmware)
    )
    of_content = _Repeating(
        items, lambda item: (item.fixture, item.scene, item.iso, item.exposure, item.f_number)
    )
    sessions, session_names = of_session.column(lambda item: item.session_unit)
    cameras, camera_names = of_session.column(lambda item: str(item.camera))
    scenes, scene_names = of_content.column(lambda item: item.scene_unit)
    classes, found_names = of_session.column(lambda item: item.class_name)
    class_names = manifest.header.class_names
    triggered_s = np.array([item.triggered_at.timestamp() for item in items], np.float64)
    controlled = {
        "scene": of_content.column(_scene_text(items)),
        "iso": of_content.column(lambda item: _text(item.iso)),
        "exposure": of_content.column(lambda item: item.exposure),
        "f_number": of_content.column(lambda item: item.f_number),
        "firmware": of_session.column(lambda item: item.firmware),
        "camera": (cameras, camera_names),
    }
    return ItemFacts(
        manifest_version=manifest.unforced_version,
        class_names=class_names,
        labels=np.array([class_names.index(name) for name in found_names], np.int64)[classes],
        sessions=sessions,
        session_names=session_names,
        cameras=cameras,
        camera_names=camera_names,
        scenes=scenes,
        scene_names=scene_names,
        blocks=np.array([item.block for item in items], np.str_),
        triggered_s=triggered_s,
        nuisances=tuple(_nuisances(items, triggered_s, controlled, recorded)),
        hashes=recorded.hashes,
        hashed=recorded.hashed,
        natural=manifest.header.kind == "natural",
        assets=assets,
    )


class _Repeating:
    """Items by some facts of theirs that many share."""

    def __init__(self, items: Sequence[Item], key: Callable[[Item], Hashable]) -> None:
        places: dict[Hashable, int] = {}
        self._firsts: list[Item] = []
        codes = []
        for item in items:
            code = places.setdefault(key(item), len(places))
            if code == len(self._firsts):
                self._firsts.append(item)
            codes.append(code)
        self._codes = np.array(codes, np.int64)

    def column(self, value: Callable[[Item], str | None]) -> Column:
        """Return one of the shared facts of every item, as codes and levels."""
        codes, levels = coded([value(item) for item in self._firsts])
        return codes[self._codes], levels


def _nuisances(
    items: Sequence[Item], triggered_s: Floats, controlled: dict[str, Column], recorded: Recorded
) -> Iterator[Nuisance]:
    """Return every factor that is known of at least one item, controlled ones first."""
    for name, (codes, levels) in controlled.items():
        if levels:
            yield Nuisance(name, codes, levels, controlled=True)
    of_file = recorded.quantities["temperature_c"]
    of_manifest = np.array([item.temperature_millidegrees for item in items], np.float64) / 1000
    quantities = recorded.quantities | {
        "temperature_c": np.where(np.isnan(of_file), of_manifest, of_file),
        "hour_of_day": triggered_s % _DAY_S / _HOUR_S,
    }
    for name, values in quantities.items():
        if not np.isnan(values).all():
            yield Nuisance(name, values, None, controlled=False)
    for name, (codes, levels) in recorded.categories.items():
        if levels:
            yield Nuisance(name, codes, levels, controlled=False)


def _scene_text(items: Sequence[Item]) -> Callable[[Item], str | None]:
    """Return what names a scene with its revision; with its fixture where there are several."""
    if len({item.fixture for item in items}) == 1:
        return lambda item: item.scene
    return lambda item: None if item.scene is None else f"{item.fixture}: {item.scene}"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
