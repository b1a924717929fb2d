"""`agetrace daemon`: has schedules carried out, as a service or in simulated time."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from agetrace.cli._daemon_health import health
from agetrace.cli._shared import (
    JsonOption,
    begin_logs,
    catalogue_of,
    home_of,
    login,
    print_json,
    progress_bar,
    say,
)

if TYPE_CHECKING:
    from types import FrameType

app = typer.Typer(no_args_is_help=True, help="Have schedules carried out, unattended.")

app.command()(health)

_UNIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_INTERRUPTED = 130


@app.command()
def run(context: typer.Context, as_json: JsonOption = False) -> None:
    """Carry out what is due until Ctrl-C or SIGTERM, which finish the shots in hand.

    Example: agetrace daemon run
    """
    from agetrace.capturing import clock_of
    from agetrace.daemon import daemon_of
    from agetrace.jobs import job_runner_of
    from agetrace.watching import Watching
    from capture.daemon.service_manager import NotifySocket

    with (
        catalogue_of(context) as (home, catalogue),
        _stopping() as stopping,
        NotifySocket() as manager,
    ):
        begin_logs(context, home, "json")
        watching = Watching(home, catalogue, clock_of(home), lambda: service.counts)
        jobs = job_runner_of(home, catalogue)
        hooks = [jobs.tick, *watching.hooks]
        service = daemon_of(home, catalogue, manager=manager, hooks=hooks)
        with watching, jobs:
            service.run(stopping.event, tick_s=home.settings.daemon.tick_s)
    if as_json:
        print_json(service.counts.to_json())
    if stopping.is_interrupted:
        raise typer.Exit(_INTERRUPTED)


@app.command()
def unit(
    context: typer.Context,
    user: Annotated[
        bool, typer.Option("--user", help="For your own service manager, not the system's.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the unit.")] = "agetrace",
    as_json: JsonOption = False,
) -> None:
    """Print a systemd unit that runs this home's daemon; its first line says where it goes.

    Example: agetrace daemon unit | sudo tee /etc/systemd/system/agetrace.service
    """
    from agetrace.daemon_unit import unit_place, unit_text
    from agetrace.errors import RequestError

    home = home_of(context)
    if not _UNIT_NAME.fullmatch(name):
        raise RequestError(
            f"{name!r} cannot be the name of a unit: use letters, digits, dots, hyphens and"
            " underscores"
        )
    who = None if user else (login() or "root")
    text = unit_text(home.folder, name, user=who)
    if as_json:
        print_json({"name": name, "path": str(unit_place(name, of_user=user)), "text": text})
    else:
        typer.echo(text, nl=False)


@app.command()
def replay(
    context: typer.Context,
    until: Annotated[str, typer.Option(help="Day, or time with a zone, to which time runs.")],
    as_json: JsonOption = False,
) -> None:
    """Live through the schedules in simulated time, years in minutes, on virtual cameras alone.

    Example: agetrace daemon replay --until 2030-01-01
    """
    from agetrace.daemon import replay_home

    end = _moment(until)
    with (
        catalogue_of(context) as (home, catalogue),
        _stopping() as stopping,
        progress_bar("days", quiet=as_json) as advance,
    ):
        replayed = replay_home(home, catalogue, end, advance, stopping.event)
    if as_json:
        print_json(replayed.to_json())
    else:
        say(replayed.summary())
    if stopping.event.is_set():
        raise typer.Exit(_INTERRUPTED)


def _moment(text: str) -> datetime:
    from agetrace.errors import RequestError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RequestError(
            f"--until {text!r} is no date or time: write 2030-01-01 or 2030-01-01T06:00+01:00"
        ) from None
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    if re.search(r"[T ]", text):
        raise RequestError(f"--until {text!r} has no zone: write {text}Z, or +01:00 in its place")
    return moment.replace(tzinfo=UTC)


@dataclass
class _Stopping:
    """Who asked the daemon to end."""

    event: threading.Event = field(default_factory=threading.Event)
    is_interrupted: bool = False

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal; the first one counts, further ones change nothing."""
        if not self.event.is_set():
            self.is_interrupted = number == signal.SIGINT
            self.event.set()


@contextmanager
def _stopping() -> Iterator[_Stopping]:
    """Have Ctrl-C and a service manager's request end the daemon, however often they come."""
    stopping = _Stopping()
    signals = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, stopping) for number in signals}
    try:
        yield stopping
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
