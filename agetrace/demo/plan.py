"""What the demo does, as plain documents: fixture, schedule, recipes, datasets, experiments.

Pure: nothing is started, read or written here. The sizes differ in amounts only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

MANUFACTURED_AT = datetime(2020, 1, 1, tzinfo=UTC)
FIRST_SESSION_AT = datetime(2020, 1, 8, 9, 0, tzinfo=UTC)
SCHEME = "demo"
TIMESLOT_DAYS = 28
LAST_TIMESLOT = 40
FIXTURE = "virtual"
FLAT_PANEL = "flat-panel"
CLASSES = ("early", "late")
AGEING_SERIALS = ("7100001", "7100002")
CONTROL_SERIAL = "7100003"


@dataclass(frozen=True)
class Amounts:
    """How much of everything one size of the demo replays.

    Attributes
    ----------
    width, height
        Photosites of the virtual sensors, multiples of twice the patch size where crops tile them.
    sessions_per_class
        Sessions in each class's timeslots; of them `validation_sessions` and `test_sessions` are
        kept from training.
    dark_sessions_between
        Dark-field sessions between the classes, which narrow the onset intervals.
    seen_scenes, validation_scenes, test_scenes
        Scenes of the train, validation and clean blocks.
    dark_frames
        Frames per exposure of the dark-field grid.
    new_defects_per_mille
        New defects per thousand photosites over the years, after acceleration of the count.
    runs, steps, batch_size, patch_size, evaluation_crops
        Of the experiments; see `ExperimentSpec`.
    """

    width: int
    height: int
    sessions_per_class: int
    validation_sessions: int
    test_sessions: int
    dark_sessions_between: int
    seen_scenes: int
    validation_scenes: int
    test_scenes: int
    dark_frames: int
    new_defects_per_mille: float
    runs: int
    steps: int
    batch_size: int
    patch_size: int
    evaluation_crops: int

    @property
    def scenes(self) -> int:
        """All scenes on the carousel."""
        return self.seen_scenes + self.validation_scenes + self.test_scenes


FULL = Amounts(
    width=448,
    height=320,
    sessions_per_class=8,
    validation_sessions=1,
    test_sessions=4,
    dark_sessions_between=5,
    seen_scenes=10,
    validation_scenes=2,
    test_scenes=6,
    dark_frames=5,
    new_defects_per_mille=3.0,
    runs=3,
    steps=300,
    batch_size=16,
    patch_size=64,
    evaluation_crops=18,
)
SMALL = Amounts(
    width=256,
    height=192,
    sessions_per_class=6,
    validation_sessions=1,
    test_sessions=4,
    dark_sessions_between=1,
    seen_scenes=6,
    validation_scenes=2,
    test_scenes=4,
    dark_frames=3,
    new_defects_per_mille=3.0,
    runs=2,
    steps=100,
    batch_size=16,
    patch_size=64,
    evaluation_crops=8,
)
AMOUNTS = {"full": FULL, "small": SMALL}

YEARS = TIMESLOT_DAYS * LAST_TIMESLOT / 365.25
PIXEL_PITCH_UM = 5.0
PRIOR_ISO = 100
ACCELERATION_AMPLITUDE = 12.0
SCENE_EXPOSURE = "1/4"
SCENE_ISO = 800
LAMP_LEVEL = 0.05
DARK_EXPOSURES = ("1/4", "1", "4")
EXPOSURE_TIME_SCALE = 0.002


def prior_defects_per_year(amounts: Amounts) -> float:
    """Defects per year that the field's prior expects of this sensor at ISO 100, unaccelerated.

    The CMOS rate 10^-1.13 S^-3.05 ISO^0.505 per year and mm^2, S the pixel pitch in um
    of Chapman, Leung and co-workers; widely known, not re-checked here.
    """
    area_mm2 = amounts.width * amounts.height * (PIXEL_PITCH_UM * 1e-3) ** 2
    rate_per_mm2: float = 10**-1.13 * PIXEL_PITCH_UM**-3.05 * PRIOR_ISO**0.505
    return rate_per_mm2 * area_mm2


def acceleration_count(amounts: Amounts) -> float:
    """Factor on the number of new defects that gives the demo its wanted density."""
    wanted_per_year = amounts.new_defects_per_mille * 1e-3 * amounts.width * amounts.height / YEARS
    return round(wanted_per_year / prior_defects_per_year(amounts), 1)


def session_times(amounts: Amounts) -> dict[str, tuple[datetime, ...]]:
    """Due times of the sessions: each class weekly in its timeslots, dark sessions in between.

    Returns
    -------
    dict
        UTC times under `early`, `between` and `late`.
    """
    week = timedelta(days=7)
    late_start = FIRST_SESSION_AT + timedelta(days=TIMESLOT_DAYS * (LAST_TIMESLOT - 2))
    early = tuple(FIRST_SESSION_AT + week * index for index in range(amounts.sessions_per_class))
    late = tuple(late_start + week * index for index in range(amounts.sessions_per_class))
    gap = (late[0] - early[-1]) / (amounts.dark_sessions_between + 1)
    between = tuple(early[-1] + gap * (index + 1) for index in range(amounts.dark_sessions_between))
    return {"early": early, "between": between, "late": late}


def timeslot_scheme() -> dict[str, Any]:
    """Return the timeslot scheme: 28-day slots from two days before the first session."""
    start = FIRST_SESSION_AT.replace(hour=0) - timedelta(days=2)
    return {
        "name": SCHEME,
        "division": "every-days",
        "days": TIMESLOT_DAYS,
        "start": start.isoformat(),
        "end": (start + timedelta(days=TIMESLOT_DAYS * LAST_TIMESLOT)).isoformat(),
    }


def fixture_description(amounts: Amounts, seed: int, scenes: list[str]) -> dict[str, Any]:
    """Return the virtual fixture: two cameras that age, and a third that does not, as control."""
    cameras = []
    serials = (*AGEING_SERIALS, CONTROL_SERIAL)
    for index, serial in enumerate(serials):
        ages = serial != CONTROL_SERIAL
        cameras.append(
            {
                "serial": serial,
                "make": "Agetrace",
                "model": "Fixture 1",
                "profile": "generic" if index == 1 else "nikon",
                "address": f"127.0.0.{index + 2}",
                "port": 0,
                "width": amounts.width,
                "height": amounts.height,
                "pixel_pitch_um": PIXEL_PITCH_UM,
                "seed": seed * 1000 + index,
                "manufactured_at": MANUFACTURED_AT.isoformat(),
                "ageing": {
                    "defects_per_year": prior_defects_per_year(amounts) if ages else 0.0,
                    "acceleration_count": acceleration_count(amounts) if ages else 1.0,
                    "acceleration_amplitude": ACCELERATION_AMPLITUDE,
                    "initial_defects": round(amounts.width * amounts.height * 0.001),
                    "horizon_years": 4.0,
                },
            }
        )
    return {
        "name": FIXTURE,
        "cameras": cameras,
        "scenes": [FLAT_PANEL, *scenes],
        "temperature_c": 22.0,
        "lamp_level": LAMP_LEVEL,
        "exposure_time_scale": EXPOSURE_TIME_SCALE,
        "civil_time": FIRST_SESSION_AT.isoformat(),
    }


def dark_recipe(amounts: Amounts) -> dict[str, Any]:
    """Return the recipe of a dark-field session between the classes."""
    return {
        "name": "demo-dark",
        "order": "randomised",
        "order_seed": 1,
        "attempts": 3,
        "shots": [_dark_fields(amounts)],
    }


def combined_recipe(amounts: Amounts) -> dict[str, Any]:
    """Return the recipe of a session with dark fields, flat fields and every scene."""
    return {
        "name": "demo-combined",
        "order": "randomised",
        "order_seed": 1,
        "attempts": 3,
        "shots": [
            _dark_fields(amounts),
            {
                "kind": "flat-field",
                "exposure": "4",
                "iso": 100,
                "f_number": 8,
                "count": 2,
                "image_quality": "raw",
            },
            {
                "kind": "fixed-background",
                "scenes": "all",
                "exposure": SCENE_EXPOSURE,
                "iso": SCENE_ISO,
                "f_number": 8,
                "count": 1,
                "image_quality": "raw+jpeg",
            },
        ],
    }


def _dark_fields(amounts: Amounts) -> dict[str, Any]:
    return {
        "kind": "dark-field",
        "exposures": list(DARK_EXPOSURES),
        "iso": SCENE_ISO,
        "f_number": 8,
        "count": amounts.dark_frames,
        "image_quality": "raw",
    }


def choose_scenes(names: list[str], amounts: Amounts, seed: int) -> list[str]:
    """Draw the scenes of the carousel, spreading them over backgrounds and foreground objects.

    Parameters
    ----------
    names
        Scenes that the virtual fixture can show, `background-foreground-illumination`.
    amounts
        How many are wanted.
    seed
        Seed of the draw.
    """
    order = np.random.default_rng(seed).permutation(len(names))
    uses: Counter[str] = Counter()
    chosen: list[str] = []
    candidates = [names[index] for index in order if names[index] != FLAT_PANEL]
    while len(chosen) < amounts.scenes:
        best = min(candidates, key=lambda name: sum(uses[part] for part in name.split("-")[:2]))
        candidates.remove(best)
        chosen.append(best)
        uses.update(best.split("-")[:2])
    return chosen


FORCED = {"biased": "shows what a network learns when content gives the class away"}
"""Datasets that fail their audit on purpose, and why they are frozen all the same."""


def dataset_specifications(amounts: Amounts, seed: int) -> dict[str, dict[str, Any]]:
    """Return what to freeze: the controlled set, the biased one drawn from it, the control."""
    controlled = {
        "name": "controlled",
        "scheme": SCHEME,
        "cameras": list(AGEING_SERIALS),
        "kind": "fixed-background",
        "role": "raw",
        "input": "raw-mosaic",
        "classes": [
            {"name": "early", "timeslots": [1, 2]},
            {"name": "late", "timeslots": [LAST_TIMESLOT - 1, LAST_TIMESLOT]},
        ],
        "blocks": {
            "scenes": {"validation": amounts.validation_scenes, "test": amounts.test_scenes},
            "sessions_per_class": {
                "validation": amounts.validation_sessions,
                "test": amounts.test_sessions,
            },
        },
        "seed": seed,
    }
    return {
        "controlled": controlled,
        "biased": {
            "name": "biased",
            "parent": "controlled",
            "scenes_per_class": "own-scenes",
            "seed": seed,
            "waive": [
                {
                    "constraint": "same-scenes",
                    "reason": "shows what content does: each class has its own scenes, as in"
                    " everyday collections",
                }
            ],
        },
        "without-ageing": {**controlled, "name": "without-ageing", "cameras": [CONTROL_SERIAL]},
    }


def experiment_specifications(
    amounts: Amounts, seed: int, versions: Mapping[str, str], true_new_defects: Path
) -> dict[str, dict[str, Any]]:
    """Return the experiments: on each dataset, and on the controlled one with the trace masked.

    Parameters
    ----------
    amounts
        Size of the demo.
    seed
        Seed of all runs.
    versions
        Version of each dataset by its name.
    true_new_defects
        File of the photosites that went bad between the first and the last session in truth.
    """
    common = {
        "network": "srnet-nano",
        "input": "raw-mosaic",
        "patch_size": amounts.patch_size,
        "steps": amounts.steps,
        "batch_size": amounts.batch_size,
        "runs": amounts.runs,
        "seed": seed,
        "threads": 1,
        "evaluation_crops": amounts.evaluation_crops,
    }
    controlled = {**common, "dataset": versions["controlled"]}
    return {
        "controlled": {
            **controlled,
            "name": "controlled",
            "evaluations": [
                {
                    "name": "clean-masked-by-ledger",
                    "block": "clean",
                    "mask": {"by": "ledger"},
                },
                {
                    "name": "clean-masked-by-truth",
                    "block": "clean",
                    "mask": {"by": "coordinates", "file": str(true_new_defects)},
                },
                {
                    "name": "clean-masked-at-random",
                    "block": "clean",
                    "mask": {"by": "random", "seed": seed},
                },
            ],
        },
        "biased": {
            **common,
            "dataset": versions["biased"],
            "name": "biased",
            "evaluations": [
                {"name": "clean", "block": "clean", "dataset": versions["controlled"]},
                {"name": "swapped", "block": "swapped"},
            ],
        },
        "without-ageing": {
            **common,
            "dataset": versions["without-ageing"],
            "name": "without-ageing",
        },
        "retrained-masked": {**controlled, "name": "retrained-masked", "mask": {"by": "ledger"}},
    }


def exposure_s(text: str) -> float:
    """Return an exposure such as `1/4` in seconds."""
    return float(Fraction(text))
