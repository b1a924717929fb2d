"""`agetrace daemon health`: what is wrong with an unattended capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from agetrace.cli._shared import JsonOption, home_of, print_json, say

if TYPE_CHECKING:
    from agetrace.settings import Home
    from capture.daemon.health import Concern


def health(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say what is wrong, if anything is; the exit code is 0 only if nothing is.

    Looks for: a daemon that does not work, overdue occurrences, cameras without a good session,
    little room, messages that are not sent, jobs that failed, a catalogue that cannot be used. The
    section `health` of the home's settings says from when on.

    Example: agetrace daemon health --json
    """
    found = _concerns(home_of(context))
    if as_json:
        concerns = [concern.to_json() for concern in found]
        print_json({"healthy": not found, "concerns": concerns})
    elif not found:
        say("healthy")
    for concern in [] if as_json else found:
        typer.echo(f"{concern.name}: {concern.text}")
    if found:
        raise typer.Exit(1)


def _concerns(home: Home) -> list[Concern]:
    from agetrace.capturing import clock_of
    from agetrace.watching import thresholds_of
    from capture.daemon.health import Concern, concerns
    from capture.errors import ClockError
    from datastore.errors import DatastoreError, RequestError

    limits = thresholds_of(home)
    try:
        with home.open_catalogue() as catalogue:
            return concerns(catalogue, home.spool_root, limits, clock_of(home).now())
    except RequestError:
        # no catalogue at all, or one of another revision, is for the person who asks
        raise
    except DatastoreError as error:
        return [Concern("catalogue-away", str(error))]
    except ClockError as error:
        return [Concern("clock-away", str(error))]
