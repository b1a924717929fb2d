"""`agetrace store verify | repair | reconcile | gc`: keeping the stored files sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    print_json,
    print_records,
    progress_bar,
    say,
)

if TYPE_CHECKING:
    from agetrace.settings import Home
    from datastore.catalogue import Catalogue
    from datastore.stores.protocol import AssetStore

StoreOption = Annotated[
    str, typer.Option("--store", metavar="NAME", help="The store; the home's own otherwise.")
]


def verify(
    context: typer.Context,
    store: StoreOption = "local",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Read at most so many files; all otherwise.")
    ] = None,
    rate_mb_s: Annotated[
        float | None, typer.Option(min=0.001, help="Read no more megabytes per second.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read a store's files again, the longest unread first, and set damaged ones aside.

    The next verification goes on where one was broken off or reached its limit. The exit code is 1
    if a file is damaged, unreadable or missing; `agetrace store repair` restores it from another
    store.

    Example: agetrace store verify --limit 5000 --rate-mb-s 50
    """
    from datastore.clocks import HostClock
    from datastore.stores.verification import verify as verify_store

    with (
        catalogue_of(context) as (home, catalogue),
        progress_bar("verifying files", quiet=as_json) as advance,
    ):
        report = verify_store(
            catalogue,
            _store_of(home, catalogue, store),
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


def _store_of(home: Home, catalogue: Catalogue, name: str) -> AssetStore:
    return catalogue.store if name == catalogue.store.name else home.open_stores()[name]
