"""The command line in processes of its own, as its users run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TIMEOUT_S = 100


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    exit_code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """What was said on standard error, on one line."""
        return " ".join(self.err.split())

    @property
    def document(self) -> Any:
        """The JSON document that alone was on standard output."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines that alone were on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class CommandLine:
    """`agetrace` on a home."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """The caller's, without a home or catalogue of its own."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("AGETRACE_")
        }
        # outside a checkout the code's version holds still, whatever is committed meanwhile
        return {**kept, "GIT_DIR": os.devnull, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the argument list of a command on this home."""
        words = (str(argument) for argument in arguments)
        return [sys.executable, "-m", "agetrace", "--home", str(self.home), *words]

    def run(
        self,
        *arguments: str | Path,
        code: int = 0,
        before: Callable[[], None] | None = None,
    ) -> Answer:
        """Run a command that must end with an exit code, and without a traceback.

        `before` is called in the new process before the command starts.
        """
        completed = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            env=self.environment,
            preexec_fn=before,
        )
        answer = Answer(completed.returncode, completed.stdout, completed.stderr)
        assert "Traceback" not in answer.err, answer.err
        assert answer.exit_code == code, f"{answer.exit_code}: {answer.err}"
        return answer

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a shell does."""
        return subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            start_new_session=True,
        )

    def shots(self, *options: str) -> list[dict[str, Any]]:
        """Return the shots that `agetrace shots` lists."""
        return self.run("shots", "--json", *options).lines


def write_yaml(file: Path, document: object) -> Path:
    """Write a document as a user's file."""
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return file
