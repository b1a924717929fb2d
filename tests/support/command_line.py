"""The command line: within this process, which is quick, or in one of its own, as users run it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from agetrace.__main__ import main

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

    def run(self, *arguments: str | Path, code: int = 0) -> Answer:
        """Run a command within this process; it must end with an exit code.

        An exception that the program would show with a traceback reaches the test.
        """
        with _streams(self.command(*arguments)[2:], self.environment) as (out, err):
            ended: int | str | None = None
            try:
                main()
            except SystemExit as end:
                ended = end.code
        exit_code = ended or 0
        assert isinstance(exit_code, int), exit_code
        return _answer(exit_code, _content(out), _content(err), code)

    def run_apart(
        self,
        *arguments: str | Path,
        code: int = 0,
        before: Callable[[], None] | None = None,
    ) -> Answer:
        """Run a command in a process of its own; it must end with an exit code, no traceback.

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
        return _answer(completed.returncode, completed.stdout, completed.stderr, code)

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


@contextmanager
def _streams(
    arguments: list[str], environment: dict[str, str]
) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
    """Have this process look like one of the command's own; yields what is written to."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        Path(os.devnull).open(encoding="utf-8") as nothing,
        patch.dict(os.environ, environment, clear=True),
        patch.multiple(
            sys,
            argv=arguments,
            stdin=nothing,
            stdout=out,
            stderr=err,
            # the command line sets one for the rest of its process
            excepthook=sys.excepthook,
        ),
    ):
        yield out, err


def _content(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8")


def _answer(exit_code: int, out: str, err: str, expected: int) -> Answer:
    assert "Traceback" not in err, err
    assert exit_code == expected, f"{exit_code}: {err}"
    return Answer(exit_code, out, err)


def write_yaml(file: Path, document: object) -> Path:
    """Write a document as a user's file."""
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return file
