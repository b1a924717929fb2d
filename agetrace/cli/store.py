"""`agetrace store`: the stores that keep the files of which the catalogue speaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agetrace.cli import store_upkeep
from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    print_json,
    print_records,
    progress_bar,
    say,
)

if TYPE_CHECKING:
    from datastore.catalogue import Catalogue
    from datastore.stores.registry import Stores
    from datastore.stores.replication import ReplicationReport

_COLUMNS = [
    "name",
    "kind",
    "place",
    "keeps",
    "assets",
    "bytes",
    "lacks",
    "problems",
    "unverified_since",
]

app = typer.Typer(no_args_is_help=True, help="Look after the files of the asset stores.")


@app.callback()
def store() -> None:
    """Look after the files of the asset stores."""


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the store from now on.")],
    kind: Annotated[
        Literal["local", "s3"], typer.Option(help="A folder of this computer, or a bucket.")
    ],
    root: Annotated[Path | None, typer.Option(help="local: folder of the store.")] = None,
    bucket: Annotated[str | None, typer.Option(help="s3: name of the bucket.")] = None,
    prefix: Annotated[
        str | None, typer.Option(help="s3: what every key begins with; nothing otherwise.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="s3: address of the server; Amazon's otherwise.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="s3: region of the bucket.")] = None,
    access_key_variable: Annotated[
        str | None, typer.Option(help="s3: environment variable that holds the access key.")
    ] = None,
    secret_key_variable: Annotated[
        str | None, typer.Option(help="s3: environment variable that holds the secret key.")
    ] = None,
    session_token_variable: Annotated[
        str | None, typer.Option(help="s3: environment variable that holds a session token.")
    ] = None,
    allow_http: Annotated[
        bool, typer.Option("--allow-http", help="s3: let frames travel in the clear.")
    ] = False,
    keeps: Annotated[
        list[str] | None,
        typer.Option(help="Role of files that it gets, raw for example; repeat it; all without."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Try out a further store for copies, and add it to the home's settings.

    A store that does not do what is relied on is refused, and nothing is changed then. Secrets stay
    in the environment: the settings hold the names of variables.

    Example: agetrace store add vault --kind s3 --bucket frames --endpoint https://s3.example.org
    """
    from agetrace.store_settings import add_store, read_store_description
    from datastore.clocks import HostClock

    said: dict[str, Any] = {
        "kind": kind,
        "root": None if root is None else str(root.resolve()),
        "bucket": bucket,
        "prefix": prefix,
        "endpoint": endpoint,
        "region": region,
        "access_key_variable": access_key_variable,
        "secret_key_variable": secret_key_variable,
        "session_token_variable": session_token_variable,
        "allow_http": allow_http or None,
        "keeps": keeps or None,
    }
    description = read_store_description(
        name, {field: value for field, value in said.items() if value is not None}
    )
    with catalogue_of(context) as (home, catalogue):
        added = add_store(home, catalogue, name, description, HostClock().now())
    for note in added.notes:
        say(note)
    say(
        f"added the store {name} at {added.store.place}: `agetrace store replicate {name}` fills it"
    )
    if as_json:
        print_json(
            {
                "name": name,
                "place": added.store.place,
                **added.description.model_dump(mode="json"),
                "notes": added.notes,
            }
        )


@app.command("list")
def list_stores(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the stores: what each keeps, what it holds and lacks, and what is wrong there.

    Example: agetrace store list
    """
    with catalogue_of(context) as (home, catalogue):
        records = list(_records(catalogue, home.open_stores()))
    if not as_json:
        records = [{**record, "keeps": _roles(record["keeps"])} for record in records]
    print_records(records, _COLUMNS, as_json=as_json)


@app.command()
def replicate(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The store that gets copies; each one without.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take on at most so many files; all otherwise.")
    ] = None,
    rate_mb_s: Annotated[
        float | None, typer.Option(min=0.001, help="Read no more megabytes per second.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring to a store what it is to keep and has no sound copy of.

    A run that is broken off is gone on with by the next. The exit code is 1 if a file could not be
    copied or a store not be reached.

    Example: agetrace store replicate vault --limit 5000 --rate-mb-s 50
    """
    is_complete = True
    with catalogue_of(context) as (home, catalogue):
        stores = home.open_stores()
        for each in [name] if name is not None else list(stores)[1:]:
            with progress_bar(f"copying to {each}", quiet=as_json) as advance:
                report = _replicate(catalogue, stores, each, limit, rate_mb_s, advance)
            is_complete = is_complete and report.is_complete
            if as_json:
                print_json(report.to_json())
            else:
                _show(report)
        if name is None and len(stores) == 1:
            say("this home has no further store: `agetrace store add` makes one")
    if not is_complete:
        raise typer.Exit(1)


app.command()(store_upkeep.verify)
app.command()(store_upkeep.repair)
app.command()(store_upkeep.reconcile)
app.command()(store_upkeep.gc)


def _replicate(
    catalogue: Catalogue,
    stores: Stores,
    name: str,
    limit: int | None,
    rate_mb_s: float | None,
    advance: Any,
) -> ReplicationReport:
    from datastore.clocks import HostClock
    from datastore.errors import StoreUnavailableError
    from datastore.stores.replication import ReplicationReport, replicate
    from datastore.stores.self_test import self_test

    try:
        target = stores[name]
        self_test(target)
    except StoreUnavailableError as error:
        return ReplicationReport(name, stopped=str(error))
    return replicate(
        catalogue,
        stores,
        target,
        keeps=stores.policy.keeps[name],
        clock=HostClock(),
        limit=limit,
        bytes_per_s=None if rate_mb_s is None else rate_mb_s * 1e6,
        progress=advance,
    )


def _show(report: ReplicationReport) -> None:
    said = f"{report.store}: {report.copied} files ({report.copied_bytes / 1e6:.1f} MB) copied"
    if report.already:
        said += f", {report.already} were there already"
    if report.failed:
        said += f", {report.failed} failed"
    say(said)
    if report.failures:
        columns = ["sha256", "role", "original_name", "reason"]
        print_records((failure.to_json() for failure in report.failures), columns)
    if report.stopped is not None:
        say(f"{report.store}: stopped: {report.stopped}")


def _roles(keeps: list[str] | None) -> str:
    from datastore.stores.description import ALL_ROLES

    return "all" if keeps == sorted(ALL_ROLES) else " ".join(keeps or [])


def _records(catalogue: Catalogue, stores: Stores) -> Iterator[dict[str, Any]]:
    from datastore.stores.holdings import list_holdings
    from datastore.stores.replication import count_lacking

    holdings = {holding.name: holding for holding in list_holdings(catalogue)}
    for name in [*stores, *(name for name in holdings if name not in stores)]:
        holding = holdings.get(name)
        keeps = stores.policy.keeps.get(name)
        oldest = holding.oldest_verified_at if holding is not None else None
        yield {
            "name": name,
            "kind": stores.kind(name) if name in stores else holdings[name].kind,
            "place": stores.place(name) if name in stores else None,
            "keeps": sorted(keeps) if keeps is not None else None,
            "assets": holding.assets if holding is not None else 0,
            "bytes": holding.bytes if holding is not None else 0,
            "lacks": count_lacking(catalogue, holding.store_id, keeps)
            if holding and keeps
            else None,
            "problems": holding.problems if holding is not None else 0,
            "unverified_since": oldest.isoformat() if oldest is not None else None,
        }
