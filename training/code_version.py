"""Which code made a result: the version, and in a checkout the commit and whether it is clean."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path


def code_version() -> str:
    """Return `0.1.0+g<commit>`, with `.modified` where the checkout differs from that commit.

    Outside a checkout it is the distribution's version alone.
    """
    release = version("agetrace")
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return release
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    if commit is None:
        return release
    modified = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{release}+g{commit}" + (".modified" if modified else "")


def _git(root: Path, *arguments: str) -> str | None:
    try:
        completed = subprocess.run(  # noqa: S603
            ["git", "-C", str(root), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return completed.stdout.strip()
