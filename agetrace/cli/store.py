"""`agetrace store`: the files that the catalogue speaks of."""

from __future__ import annotations

from typing import Annotated

import typer

from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    print_json,
    print_records,
    progress_bar,
    say,
)

app = typer.Typer(no_args_is_help=True, help="Verify the files of the asset store.")


@app.callback()
def store() -> None:
    """Verify the files of the asset store."""


@app.command()
def scrub(
    context: typer.Context,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Read at most so many files; all otherwise.")
    ] = None,
    rate_mb_s: Annotated[
        float | None, typer.Option(min=0.001, help="Read no more megabytes per second.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read the store's files again, the longest unread first, and quarantine damaged ones.

    The next scrub goes on where one was broken off or reached its limit. The exit code is 1 if a
    file is damaged, unreadable or missing.

    Example: agetrace store scrub --limit 5000 --rate-mb-s 50
    """
    from datastore.clocks import HostClock
    from datastore.scrub import scrub as scrub_store

    with (
        catalogue_of(context) as (_, catalogue),
        progress_bar("verifying files", quiet=as_json) as advance,
    ):
        report = scrub_store(
            catalogue,
            clock=HostClock(),
            limit=limit,
            bytes_per_s=None if rate_mb_s is None else rate_mb_s * 1e6,
            progress=advance,
        )
    if as_json:
        print_json(report.to_json())
    else:
        say(f"{report.verified} files ({report.verified_bytes / 1e6:.1f} MB) are sound")
        if report.findings:
            columns = ["problem", "sha256", "role", "original_name", "shot_id", "detail"]
            print_records((finding.to_json() for finding in report.findings), columns)
    if report.findings:
        raise typer.Exit(1)
