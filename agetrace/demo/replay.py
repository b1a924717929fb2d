"""Replays the demo's schedule through the real capture path on a virtual fixture."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from agetrace.errors import AgetraceError


class VirtualFixtureError(AgetraceError):
    """The virtual fixture did not start or does not answer."""

    exit_code = 1


@dataclass(frozen=True)
class VirtualFixture:
    """A running virtual fixture, met over its loopback control endpoint."""

    control_url: str
    fixture_file: Path
    truth_folder: Path

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Set a part of the fixture's environment."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.control_url}/{name}",
            data=json.dumps(document).encode(),
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            answer.read()

    def set_civil_time(self, time: datetime) -> None:
        """Move the fixture's clock."""
        self.put("civil-time", {"civil_time": time.isoformat()})

    def set_surroundings(self, *, temperature_c: float, lamp_level: float) -> None:
        """Set what varies from session to session."""
        self.put("temperature", {"temperature_c": temperature_c})
        self.put("lamp", {"lamp_level": lamp_level})


def carousel_scenes() -> list[str]:
    """Return the names of the scenes that the virtual fixture can show."""
    document = json.loads(_fixtures("scenes", "--json"))
    return [str(scene["name"]) for scene in document]


@contextmanager
def running_fixture(state_folder: Path, description: Mapping[str, Any]) -> Iterator[VirtualFixture]:
    """Start a virtual fixture and stop it at the end of the block.

    Raises
    ------
    VirtualFixtureError
        If it does not start; the message is its own.
    """
    state_folder.mkdir(parents=True, exist_ok=True)
    file = state_folder / "description.yaml"
    file.write_text(yaml.safe_dump(dict(description), sort_keys=False), encoding="utf-8")
    answer = json.loads(
        _fixtures("start", str(state_folder), "--description", str(file)).splitlines()[-1]
    )
    try:
        yield VirtualFixture(
            control_url=answer["url"],
            fixture_file=state_folder / "fixture.yaml",
            truth_folder=state_folder / "truth",
        )
    finally:
        _fixtures("stop", str(state_folder))


def _fixtures(*arguments: str) -> str:
    process = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "fixtures", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if process.returncode:
        raise VirtualFixtureError(
            f"the virtual fixture's `{arguments[0]}` failed: {process.stderr.strip()}"
        )
    return process.stdout
