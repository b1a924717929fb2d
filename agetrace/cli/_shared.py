"""What every command shares: the home option, output forms, progress bars."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from agetrace.logs import LogFormat
    from agetrace.settings import Home
    from datastore.catalogue import Catalogue

_FRACTION = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+(?=\+00:00)")
_WIDEST_TABLE = 10_000
_WRAPPED_TABLE = 120
"""Columns of a table with long texts where there is no terminal that would say how many it has."""

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document or JSON lines, nothing else.")
]


def home_of(context: typer.Context) -> Home:
    """Load the home that --home, AGETRACE_HOME or the current folder names.

    Log lines are written from then on if the command line or the home's settings ask for them.
    """
    from agetrace.settings import load_home

    folder = context.find_root().obj
    home = load_home(folder if isinstance(folder, Path) else Path.cwd())
    begin_logs(context, home)
    return home


def begin_logs(context: typer.Context, home: Home, otherwise: LogFormat | None = None) -> None:
    """Write log lines until the command ends, in the form that is asked for.

    The command line's --log-format counts, then the home's settings, then `otherwise`; None writes
    nothing.
    """
    root = context.find_root()
    log_format = root.params.get("log_format") or home.settings.logs.format or otherwise
    if log_format is not None:
        from agetrace.logs import configure_logs, secrets_of

        secrets = secrets_of(home, os.environ)
        end = configure_logs(log_format, level=home.settings.logs.level, secrets=secrets)
        root.call_on_close(end)


@contextmanager
def catalogue_of(context: typer.Context) -> Iterator[tuple[Home, Catalogue]]:
    """Open the home's catalogue for the length of a command."""
    home = home_of(context)
    catalogue = home.open_catalogue()
    try:
        yield home, catalogue
    finally:
        catalogue.close()


def read_text(file: Path) -> str:
    """Read a text file that the user named.

    Raises
    ------
    RequestError
        If it is not there or is no UTF-8 text.
    """
    from agetrace.errors import RequestError

    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise RequestError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RequestError(f"{file}: not a text file in UTF-8") from None


def parse_time(option: str, text: str | None) -> datetime | None:
    """Return the aware time that an option was given, in UTC if it names no zone.

    Raises
    ------
    typer.BadParameter
        If it is none; names the option.
    """
    if text is None:
        return None
    from datetime import UTC, datetime

    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no ISO 8601 time such as 2026-01-31T12:00:00+00:00", param_hint=option
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def login() -> str | None:
    """Return the name of this login, None where it has none."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # a container may run us as a user without a name
        return None


def say(message: str) -> None:
    """Print a message for people, on standard error."""
    typer.echo(message, err=True)


def print_json(document: Any) -> None:
    """Print one JSON document on one line."""
    typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))


def print_records(
    records: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    as_json: bool = False,
    as_csv: bool = False,
    wrapped: str | None = None,
) -> int:
    """Print records as JSON lines, CSV or a table, and return how many there were.

    JSON lines carry every key of a record; CSV and the table only `columns`. A long text in the
    column `wrapped` goes on in further lines, so that the table fits the terminal. The table shows
    times to the second.
    """
    count = 0
    if as_json:
        for record in records:
            print_json(dict(record))
            count += 1
        return count
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        for record in records:
            writer.writerow([_plain(record.get(column)) for column in columns])
            count += 1
        return count
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), no_wrap=column != wrapped, overflow="fold")
    for record in records:
        table.add_row(*[_shown(record.get(column)) for column in columns])
        count += 1
    if count and wrapped is not None:
        console = Console()
        width = console.width if console.is_terminal else _WRAPPED_TABLE
        Console(width=width).print(table)
    elif count:
        # A pipe or a narrow terminal gets whole lines: identifiers are to be copied.
        console = Console()
        unlimited = console.options.update(width=_WIDEST_TABLE)
        wide = max(console.width, console.measure(table, options=unlimited).maximum)
        Console(width=wide).print(table, crop=False)
    else:
        say("nothing to show")
    return count


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return " ".join(_plain(part) for part in value)
    if isinstance(value, dict):
        return " ".join(f"{key}={_plain(part)}" for key, part in value.items())
    return str(value)


def _shown(value: Any) -> str:
    from rich.markup import escape

    return escape(_FRACTION.sub(r"\1", _plain(value)))


@contextmanager
def progress_bar(title: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error; yields `advance(done, total)`."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )
    task = progress.add_task(title, total=None)
    is_over = False

    def advance(done: int, total: int) -> None:
        nonlocal is_over
        if not is_over:
            # a request that is refused shows no bar
            progress.start()
        progress.update(task, completed=done, total=total)
        if done >= total and not is_over:
            # the next bar has the terminal to itself
            progress.stop()
            is_over = True

    try:
        yield advance
    finally:
        progress.stop()
