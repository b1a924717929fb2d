"""What the tests of the virtual cameras' files share: facts of a shot, and exiftool."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from fixtures.dng import RawLevels
from fixtures.exif import ShotFacts

LEVELS = RawLevels(black_level_dn=512, white_level_dn=16_383, neutral=(0.38 / 0.5, 1.0, 0.42 / 0.5))
FACTS = ShotFacts(
    make="Agetrace",
    model="Fixture 1",
    firmware="1.07",
    serial="7100001",
    camera_time=datetime(2019, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC),
    exposure=Fraction(1, 250),
    iso=800,
    f_number=5.6,
    temperature_c=23.5,
    width=192,
    height=128,
)


def shot_facts(**changes: Any) -> ShotFacts:
    """Return the facts of one shot, some of them changed."""
    return replace(FACTS, **changes)


def needs_exiftool(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that asks exiftool, and skip it where the command is absent."""
    absent = pytest.mark.skipif(
        shutil.which("exiftool") is None, reason="the exiftool command is not installed"
    )
    marked: Callable[..., None] = absent(pytest.mark.exiftool(test))
    return marked


def exiftool_facts(*paths: Path) -> list[dict[str, Any]]:
    """Return what exiftool reads from files, numbers as numbers."""
    done = subprocess.run(
        ["exiftool", "-j", "-n", *map(str, paths)], capture_output=True, text=True, check=True
    )
    facts: list[dict[str, Any]] = json.loads(done.stdout)
    return facts


def exiftool_complaints(path: Path) -> str:
    """Return the errors and warnings of exiftool's validation, empty for none."""
    done = subprocess.run(
        ["exiftool", "-validate", "-warning", "-error", "-a", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines() + done.stderr.splitlines()
    verdict = [line for line in lines if line.startswith("Validate")]
    assert len(verdict) == 1, "exiftool did not validate"
    return "" if verdict[0].endswith(": OK") and len(lines) == 1 else "\n".join(lines)
