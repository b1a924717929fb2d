"""`agetrace dataset`: freeze and show content-controlled datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    print_json,
    print_records,
    read_text,
    say,
)

app = typer.Typer(no_args_is_help=True, help="Freeze and show datasets.")


@app.command()
def freeze(
    context: typer.Context,
    specification: Annotated[Path, typer.Argument(help="YAML specification of the dataset.")],
    as_json: JsonOption = False,
) -> None:
    """Freeze a dataset: prove its constraints, split it into four blocks, store its manifest.

    Example: agetrace dataset freeze controlled.yaml
    """
    from datastore.clocks import HostClock
    from datastore.datasets.freeze import freeze as freeze_dataset
    from datastore.datasets.spec import parse_spec

    spec = parse_spec(read_text(specification), str(specification))
    with catalogue_of(context) as (_, catalogue):
        frozen = freeze_dataset(catalogue, spec, HostClock().now())
    if as_json:
        print_json(frozen.to_json())
    else:
        say(frozen.to_text())


@app.command("list")
def list_(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the frozen datasets.

    Example: agetrace dataset list
    """
    from sqlalchemy import func, select

    from datastore.tables import Dataset, DatasetItem

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as session:
        rows = session.execute(
            select(Dataset, func.count(DatasetItem.position))
            .join(DatasetItem, DatasetItem.dataset_id == Dataset.id)
            .group_by(Dataset.id)
            .order_by(Dataset.id)
        ).all()
        records = [
            {
                "name": dataset.name,
                "version": dataset.version,
                "items": count,
                "waived": [waiver["constraint"] for waiver in dataset.waived],
                "created_at": dataset.created_at.isoformat(),
            }
            for dataset, count in rows
        ]
    print_records(records, ["name", "version", "items", "waived", "created_at"], as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="Version, unique start of it, or name.")],
    as_json: JsonOption = False,
) -> None:
    """Show a frozen dataset: items per block, class and camera.

    Example: agetrace dataset show controlled
    """
    from collections import Counter

    from datastore.datasets.loading import load

    with catalogue_of(context) as (_, catalogue):
        manifest = load(catalogue, dataset)
    counts = Counter((item.block, item.class_name, item.camera.serial) for item in manifest.items)
    records = [
        {"block": block, "class": class_name, "camera": serial, "items": count}
        for (block, class_name, serial), count in sorted(counts.items())
    ]
    if as_json:
        print_json({"name": manifest.header.name, "version": manifest.version, "items": records})
        return
    say(f"{manifest.header.name} {manifest.version}")
    print_records(records, ["block", "class", "camera", "items"])
