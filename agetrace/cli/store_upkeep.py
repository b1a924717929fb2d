"""`agetrace store verify | repair | reconcile | gc`: keeping the stored files sound."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
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

_FINDING_COLUMNS = ["problem", "sha256", "role", "original_name", "shot_id", "detail"]

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
            print_records((finding.to_json() for finding in report.findings), _FINDING_COLUMNS)
    if report.findings:
        raise typer.Exit(1)


def repair(
    context: typer.Context,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="NAME", help="Restore copies in this store only."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; tell what could be restored.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Restore damaged, missing and unreadable copies from other stores, verified on the way.

    Which copies those are, `agetrace store verify` and `reconcile` have found out. The exit code is
    1 if one cannot be restored; it is told with its shot, and with the research that rests on it.

    Example: agetrace store repair --dry-run
    """
    from datastore.clocks import HostClock
    from datastore.stores.repair import repair as repair_stores

    with (
        catalogue_of(context) as (home, catalogue),
        progress_bar("repairing files", quiet=as_json) as advance,
    ):
        stores = home.open_stores()
        if store is not None:
            # one that is unknown is refused, and one that is away would be no use
            stores[store]
        report = repair_stores(
            catalogue,
            stores,
            clock=HostClock(),
            names=None if store is None else [store],
            dry_run=dry_run,
            progress=advance,
        )
    if as_json:
        print_json(report.to_json())
    else:
        done = "could be restored" if dry_run else "were restored"
        say(f"{report.repaired} copies ({report.repaired_bytes / 1e6:.1f} MB) {done}")
        if report.sound_again:
            say(f"{report.sound_again} copies are sound again")
        if report.failed:
            say(f"{report.failed} could not be restored; {report.lost} of them have no sound copy")
            columns = [
                *("store", "problem", "lost", "sha256", "role", "original_name"),
                *("shot_id", "session_id", "uses", "detail"),
            ]
            print_records((one.to_json() for one in report.unrepaired), columns)
    if report.failed:
        raise typer.Exit(1)


def reconcile(
    context: typer.Context,
    store: StoreOption = "local",
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Give copies of known files the row that they lack.")
    ] = False,
    export_orphans: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Copy the files that nobody knows into this folder."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a store with the catalogue both ways: rows without a file, files without a row.

    Only names and sizes are compared; files of another size are read. No file is given to a shot by
    this: export files that no row names, and import them. The exit code is 1 if a row has no sound
    file.

    Example: agetrace store reconcile --export-orphans found
    """
    from datastore.clocks import HostClock
    from datastore.stores.reconciliation import reconcile as reconcile_store

    with (
        catalogue_of(context) as (home, catalogue),
        progress_bar("comparing files", quiet=as_json) as advance,
    ):
        report = reconcile_store(
            catalogue,
            _store_of(home, catalogue, store),
            clock=HostClock(),
            adopt=adopt,
            export_folder=export_orphans,
            explanations=_spooled(home),
            progress=advance,
        )
    if as_json:
        print_json(report.to_json())
    else:
        say(f"{report.matched} files are what the catalogue names")
        if report.findings:
            print_records((finding.to_json() for finding in report.findings), _FINDING_COLUMNS)
        if report.orphans:
            counts = ", ".join(f"{count} {name}" for name, count in report.orphan_counts.items())
            say(f"files without a row: {counts} ({report.orphan_bytes / 1e6:.1f} MB)")
            columns = ["outcome", "sha256", "bytes", "modified_at", "detail"]
            print_records((orphan.to_json() for orphan in report.orphans), columns)
    if report.findings:
        raise typer.Exit(1)


def gc(
    context: typer.Context,
    store: StoreOption = "local",
    older_than_hours: Annotated[
        float, typer.Option(min=0, help="Leave younger files alone: their row may still come.")
    ] = 48.0,
    at_most: Annotated[
        int, typer.Option(min=1, help="Refuse where more files than that have no row.")
    ] = 1000,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; tell what would be set aside.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Set files aside that no row names; remove what killed processes left unfinished.

    Files are moved to the store's quarantine, never deleted.

    Example: agetrace store gc --dry-run
    """
    from datetime import timedelta

    from datastore.clocks import HostClock
    from datastore.stores.collection import collect_garbage

    with (
        catalogue_of(context) as (home, catalogue),
        progress_bar("comparing files", quiet=as_json) as advance,
    ):
        report = collect_garbage(
            catalogue,
            _store_of(home, catalogue, store),
            clock=HostClock(),
            older_than=timedelta(hours=older_than_hours),
            at_most=at_most,
            spared=_spooled(home).keys(),
            dry_run=dry_run,
            progress=advance,
        )
    if as_json:
        print_json(report.to_json())
        return
    done = "would be set aside" if dry_run else "were set aside"
    say(f"{len(report.collected)} files ({report.collected_bytes / 1e6:.1f} MB) {done}")
    say(f"{report.younger} files without a row are younger and stay")
    removed = "would be removed" if dry_run else "were removed"
    say(f"{report.unfinished} unfinished files {removed}")
    if report.collected:
        columns = ["sha256", "bytes", "modified_at"]
        print_records((file.to_json() for file in report.collected), columns)


def _store_of(home: Home, catalogue: Catalogue, name: str) -> AssetStore:
    return catalogue.store if name == catalogue.store.name else home.open_stores()[name]


def _spooled(home: Home) -> dict[str, str]:
    """Return what the spool knows of files, in a sentence by hash."""
    from capture.errors import SpoolError
    from capture.spool import Spool

    found: dict[str, str] = {}
    if not home.spool_root.is_dir():
        return found
    spool = Spool(home.spool_root)
    for uuid in spool.shots():
        # a damaged sidecar is the next session's business
        with suppress(SpoolError):
            shot = spool.read(uuid)
            for file in () if shot is None else shot.files:
                found[file.sha256] = f"It waits in the spool, for shot {uuid}."
    return found
