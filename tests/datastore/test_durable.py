"""What durable files need of the operating system."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from datastore.durable import forget_pages


def cached_bytes(path: Path) -> int:
    """Return how much of a file the operating system holds in memory."""
    command = ["fincore", "--bytes", "--json", str(path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (file,) = json.loads(said)["fincore"]
    return int(file["res"])


@pytest.mark.skipif(shutil.which("fincore") is None, reason="no fincore command")
def test_a_flushed_file_whose_pages_are_forgotten_is_read_from_the_disk(tmp_path: Path) -> None:
    path, data = tmp_path / "frame", os.urandom(3 << 20)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    assert cached_bytes(path) >= len(data)
    forget_pages(path)
    if (left := cached_bytes(path)) >= len(data):
        pytest.skip("the temporary folder lies in memory")
    assert left < len(data) / 2
    assert path.read_bytes() == data
