"""A world to experiment in: a virtual fixture's RAW files in a catalogue, frozen as datasets.

Two cameras take part in every session: one whose sensor ages, and a control that does not. Each
session has a temperature and a lamp of its own, and a timeslot of its own, so that a dataset can
give whole sessions any classes without a row being touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.datasets.freeze import Frozen, freeze
from datastore.datasets.items import CameraIdentity, Frame
from datastore.datasets.spec import make_spec
from datastore.tables import Timeslot, TimeslotScheme
from fixtures.ageing import AgeingParameters
from fixtures.body import BodyDescription, ExposureSettings, Surroundings, VirtualBody
from fixtures.scenes import FLAT_PANEL, scene_named, scene_names
from tests.support.dataset_rows import FrameWriter

SCHEME = "sessions"
MANUFACTURED_AT = datetime(2020, 1, 1, tzinfo=UTC)
GAP = timedelta(days=3 * 365)
FROZEN_AT = datetime(2026, 1, 1, tzinfo=UTC)
AGEING, CONTROL = "7100001", "7100003"
CLASSES = ("early", "late")
EXPOSURE = Fraction(1, 4)
ISO = 800


@dataclass(frozen=True)
class WorldSizes:
    """How much a world holds.

    Attributes
    ----------
    rows, columns
        Photosites of both sensors.
    sessions
        Sessions of each class.
    test_sessions
        Those of them that no network is trained on.
    scenes, test_scenes
        Scenes that every session shows, and those of them that no network is trained on.
    new_defects
        Share of the photosites that go bad between both classes' sessions; many more than real
        ones, as their strength is.
    """

    rows: int
    columns: int
    sessions: int
    test_sessions: int
    scenes: int
    test_scenes: int
    new_defects: float = 0.006


@dataclass(frozen=True)
class World:
    """A filled catalogue.

    Attributes
    ----------
    catalogue
        Where everything is.
    sizes
        How much of it.
    seed
        What everything random follows from.
    """

    catalogue: Catalogue
    sizes: WorldSizes
    seed: int

    def freeze_sessions(
        self, name: str, serial: str, classes: Sequence[Sequence[int]] | None = None
    ) -> Frozen:
        """Freeze a content-controlled dataset of one camera.

        Parameters
        ----------
        name
            Of the dataset.
        serial
            Of the camera.
        classes
            Ordinals of the sessions of each class, early ones first; by age where not given.
        """
        count = self.sizes.sessions
        of_classes = classes or (range(1, count + 1), range(count + 1, 2 * count + 1))
        document = {
            "name": name,
            "scheme": SCHEME,
            "cameras": [serial],
            "role": "raw",
            "input": "raw-mosaic",
            "classes": [
                {"name": class_name, "timeslots": [int(ordinal) for ordinal in ordinals]}
                for class_name, ordinals in zip(CLASSES, of_classes, strict=True)
            ],
            "blocks": {
                "scenes": {"test": self.sizes.test_scenes},
                "sessions_per_class": {"test": self.sizes.test_sessions},
            },
            "seed": self.seed,
        }
        # sessions that were dealt out by lot may differ in temperature by chance, as a lot may
        force = None if classes is None else "classes dealt out to sessions by lot"
        return freeze(self.catalogue, make_spec(document), FROZEN_AT, force=force)

    def freeze_own_scenes(self, name: str, parent: Frozen) -> Frozen:
        """Freeze the biased dataset in which each class has its own scenes of a parent's."""
        reason = "shows what content does"
        document = {
            "name": name,
            "parent": parent.version,
            "scenes_per_class": "own-scenes",
            "seed": self.seed,
            "waive": [{"constraint": "same-scenes", "reason": reason}],
        }
        return freeze(self.catalogue, make_spec(document), FROZEN_AT, force=reason)

    def permuted_sessions(self, number: int) -> tuple[list[int], list[int]]:
        """Return the sessions dealt out anew to the two classes, each way as likely as another."""
        generator = np.random.default_rng((self.seed, 6, number))
        order = (1 + generator.permutation(2 * self.sizes.sessions)).tolist()
        return sorted(order[: self.sizes.sessions]), sorted(order[self.sizes.sessions :])


def build_world(catalogue: Catalogue, folder: Path, sizes: WorldSizes, seed: int) -> World:
    """Take all frames and record them in an empty catalogue.

    Parameters
    ----------
    catalogue
        The catalogue.
    folder
        For the virtual fixture's own state.
    sizes
        How much is taken.
    seed
        Of sensors, scenes, light and noise.
    """
    generator = np.random.default_rng((seed, 5))
    scenes = _scenes(sizes.scenes, generator)
    with catalogue.writing() as session:
        _write_scheme(session, sizes)
        writer = FrameWriter(session)
        for position, serial in enumerate((AGEING, CONTROL)):
            body = VirtualBody(_description(serial, sizes, seed * 10 + position), folder)
            surroundings = np.random.default_rng((seed, 7))
            for ordinal in range(1, 2 * sizes.sessions + 1):
                begun = _begin(ordinal, sizes)
                warmth, light = surroundings.normal(0, 1, 2)
                for number, scene in enumerate(scenes):
                    at = begun + timedelta(minutes=number)
                    around = Surroundings(
                        at,
                        temperature_c=round(22 + float(warmth), 1),
                        scene=scene_named(scene),
                        lamp_level=0.025 * (1 + 0.02 * float(light)),
                    )
                    shot = ordinal * sizes.scenes + number
                    settings = ExposureSettings(EXPOSURE, iso=ISO, jpeg=False)
                    (file,) = body.take(settings, around, shot)
                    sha256 = catalogue.store.put_bytes(file.data).sha256
                    writer.write(_frame(body.description, sha256, ordinal, begun, scene, around))
            body.close()
    return World(catalogue, sizes, seed)


def _description(serial: str, sizes: WorldSizes, seed: int) -> BodyDescription:
    """Return a sensor that ages, or the control that does not."""
    photosites = sizes.rows * sizes.columns
    years = GAP / timedelta(days=365.25)
    ageing = AgeingParameters(
        defects_per_year=sizes.new_defects * photosites / years if serial == AGEING else 0.0,
        acceleration_amplitude=12.0,
        initial_defects=photosites // 1000,
        horizon_years=3.1,
    )
    return BodyDescription(
        serial=serial,
        manufactured_at=MANUFACTURED_AT,
        seed=seed,
        width=sizes.columns,
        height=sizes.rows,
        ageing=ageing,
    )


def _scenes(count: int, generator: np.random.Generator) -> list[str]:
    names = [name for name in scene_names() if name != FLAT_PANEL]
    return [str(name) for name in generator.choice(names, count, replace=False)]


def _begin(ordinal: int, sizes: WorldSizes) -> datetime:
    """Return when a session begins: each class has one a day, years apart from the other's."""
    late, day = divmod(ordinal - 1, sizes.sessions)
    return MANUFACTURED_AT + timedelta(days=1 + day, hours=9) + late * GAP


def _write_scheme(session: Session, sizes: WorldSizes) -> None:
    begins = [_begin(ordinal, sizes) for ordinal in range(1, 2 * sizes.sessions + 1)]
    session.add(
        TimeslotScheme(
            name=SCHEME,
            created_at=MANUFACTURED_AT,
            timeslots=[
                Timeslot(ordinal=ordinal, starts_at=at, ends_at=at + timedelta(hours=12))
                for ordinal, at in enumerate(begins, start=1)
            ],
        )
    )


def _frame(
    body: BodyDescription,
    sha256: str,
    ordinal: int,
    begun: datetime,
    scene: str,
    around: Surroundings,
) -> Frame:
    described: dict[str, Any] = {
        "sha256": sha256,
        "role": "raw",
        "kind": "fixed-background",
        "camera": CameraIdentity(
            make=body.make, model=body.model, serial=body.serial, simulated=True
        ),
        "firmware": body.firmware,
        "fixture": "virtual",
        "scene": f"{scene}@1",
        "session": f"session-{ordinal:02d}",
        "session_started_at": begun,
        "triggered_at": around.civil_time,
        "iso": ISO,
        "exposure": str(EXPOSURE),
        "f_number": "8",
        "temperature_millidegrees": round(around.temperature_c * 1000),
        "verdict": "accepted",
    }
    return Frame.checked(described)
