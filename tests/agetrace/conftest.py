"""A line that is complete up to the captures: two ageing cameras, six sessions over four years."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import CommandLine, write_yaml
from tests.support.virtual import RunningFixture, running_fixture, small_description

SERIALS = ("7100001", "7100002")
SCHEME = {
    "name": "years",
    "division": "every-days",
    "days": 365,
    "start": "2020-01-01T00:00:00+00:00",
    "end": "2024-01-01T00:00:00+00:00",
}
TIMES = [f"{year}-{month:02}-08T09:00:00+00:00" for year in (2020, 2023) for month in (2, 4, 6)]
AGEING = {
    "defects_per_year": 8.0,
    "acceleration_amplitude": 8.0,
    "initial_defects": 12,
    "horizon_years": 5.0,
}
RECIPE = {
    "name": "small",
    "order": "randomised",
    "order_seed": 1,
    "shots": [
        {"kind": "dark-field", "exposures": ["1/4", 1, 4], "iso": 800, "f_number": 8, "count": 3},
        {"kind": "flat-field", "exposure": 4, "iso": 100, "f_number": 8},
        {
            "kind": "fixed-background",
            "scenes": "all",
            "exposure": "1/4",
            "iso": 800,
            "f_number": 8,
            "image_quality": "raw+jpeg",
        },
    ],
}
FRAMES_PER_SESSION = 2 * (3 * 3 + 1 + 5)
CONTROLLED = {
    "name": "controlled",
    "scheme": "years",
    "cameras": list(SERIALS),
    "kind": "fixed-background",
    "role": "raw",
    "input": "raw-mosaic",
    "classes": [{"name": "early", "timeslots": [1]}, {"name": "late", "timeslots": [4]}],
    "blocks": {
        "scenes": {"validation": 2, "test": 1},
        "sessions_per_class": {"validation": 1, "test": 1},
    },
    "seed": 3,
}


@dataclass(frozen=True)
class Line:
    """A home with captures, and the virtual fixture that they came from."""

    command_line: CommandLine
    virtual: RunningFixture
    folder: Path
    recipe: Path
    outcomes: list[dict[str, Any]]
    scenes: list[str]

    def another_home(self, name: str) -> CommandLine:
        """Make a home of its own on the same virtual fixture."""
        return make_home(self.folder / name, self.virtual)

    def write(self, name: str, document: object) -> Path:
        """Write a user's file."""
        return write_yaml(self.folder / name, document)


def make_home(home: Path, virtual: RunningFixture) -> CommandLine:
    """Make a home whose clock and actuator are those of a virtual fixture."""
    command_line = CommandLine(home)
    command_line.run("init", home)
    (home / "agetrace.toml").write_text(
        f"""\
[clock]
source = "simulated"
url = "{virtual.control_url}"
[cameras]
patience_s = 1
[actuators.virtual]
kind = "virtual"
url = "{virtual.control_url}"
"""
    )
    command_line.run("fixture", "add", virtual.fixture_file)
    return command_line


def some_scenes() -> list[str]:
    """Return five scenes that the virtual fixture can show."""
    shown = subprocess.run(
        [sys.executable, "-m", "fixtures", "scenes", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = [scene["name"] for scene in json.loads(shown.stdout)]
    return [name for name in names if name != "flat-panel"][:: len(names) // 5][:5]


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("line")
    scenes = some_scenes()
    camera = {"width": 192, "height": 128, "ageing": AGEING}
    description = small_description(
        camera,
        {**camera, "profile": "generic"},
        scenes=["flat-panel", *scenes],
        lamp_level=0.05,
        exposure_time_scale=0.002,
        civil_time="2020-01-08T09:00:00Z",
    )
    with running_fixture(folder, description) as virtual:
        command_line = make_home(folder / "lab", virtual)
        command_line.run("timeslot", "scheme", "add", write_yaml(folder / "years.yaml", SCHEME))
        with (folder / "lab" / "agetrace.toml").open("a") as settings:
            settings.write('[timeslots]\ndefault_scheme = "years"\n')
        recipe = write_yaml(folder / "small.yaml", RECIPE)
        outcomes = []
        for time in TIMES:
            virtual.put("/civil-time", {"civil_time": time})
            outcomes.append(command_line.run("session", "run", recipe, "--json").document)
        yield Line(command_line, virtual, folder, recipe, outcomes, scenes)
