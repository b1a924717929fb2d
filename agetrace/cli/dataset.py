"""`agetrace dataset`: plan, audit, freeze and compare content-controlled datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agetrace.cli._pixels import WithoutPixels, pixels_of
from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    print_json,
    print_records,
    progress_bar,
    read_text,
    say,
)

if TYPE_CHECKING:
    pass

app = typer.Typer(no_args_is_help=True, help="Plan, audit, freeze and compare datasets.")

Reference = Annotated[str, typer.Argument(help="Version, unique start of it, or name.")]
Specification = Annotated[Path, typer.Argument(help="YAML specification of the dataset.")]


@app.command("spec-check")
def spec_check(
    context: typer.Context, specification: Specification, as_json: JsonOption = False
) -> None:
    """Say what a specification would freeze: counts, gap, what is left out and why.

    Writes nothing, and tells which p-values the number of test sessions permits.

    Example: agetrace dataset spec-check controlled.yaml
    """
    from agetrace.cli._dataset_output import plan_of, plan_text
    from datastore.datasets.freeze import select_manifest
    from datastore.datasets.spec import folds_of, parse_spec

    spec = parse_spec(read_text(specification), str(specification))
    with catalogue_of(context) as (_, catalogue):
        plans = [plan_of(select_manifest(catalogue, one)) for one in folds_of(spec)]
    for plan in plans:
        if as_json:
            print_json(plan)
        else:
            say(plan_text(plan))


@app.command()
def audit(
    context: typer.Context,
    dataset: Annotated[
        str, typer.Argument(help="YAML specification, or version or name of a frozen dataset.")
    ],
    html: Annotated[Path | None, typer.Option(help="Write the report as a page, too.")] = None,
    without_pixels: WithoutPixels = False,
    as_json: JsonOption = False,
) -> None:
    """Audit a dataset: does a recorded nuisance, or what is easily seen, go with the label.

    Everything is written to the catalogue, for whoever freezes the same selection. Exits with 0
    also where the audit fails: finding that out is what it is for.

    Example: agetrace dataset audit controlled.yaml --html audit.html
    """
    from agetrace.cli._dataset_output import audit_text
    from datastore.clocks import HostClock
    from datastore.datasets.audited import audit_manifest
    from datastore.datasets.freeze import select_manifest
    from datastore.datasets.loading import lineage, load
    from datastore.datasets.spec import parse_spec

    with catalogue_of(context) as (home, catalogue):
        file = Path(dataset)
        if file.suffix in (".yaml", ".yml") or file.is_file():
            spec = parse_spec(read_text(file), dataset)
            manifest = select_manifest(catalogue, spec).manifest
        else:
            manifest = load(catalogue, dataset)
        parents = lineage(catalogue, manifest)
        with progress_bar("audit", quiet=as_json) as advance:
            found = audit_manifest(
                catalogue,
                manifest,
                HostClock().now(),
                pixels=pixels_of(home, catalogue, without_pixels, quiet=as_json),
                progress=advance,
            )
    if html is not None:
        from datastore.datasets.auditing.page import write_audit_page

        write_audit_page(found.report, html, header=manifest.header, parents=parents)
    if as_json:
        print_json(found.report.to_json())
    else:
        say(audit_text(manifest.header.name, found.report))


@app.command()
def freeze(
    context: typer.Context,
    specification: Specification,
    force: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Freeze although the audit fails; the dataset says so, and why, for ever.",
        ),
    ] = None,
    without_pixels: WithoutPixels = False,
    as_json: JsonOption = False,
) -> None:
    """Freeze a dataset: prove its constraints, audit it, store its manifest.

    An audit of the same selection that is recorded already is not made again. A specification with
    folds freezes all of them or none.

    Example: agetrace dataset freeze controlled.yaml
    """
    from datastore.clocks import HostClock
    from datastore.datasets.freeze import freeze as freeze_dataset
    from datastore.datasets.freeze import freeze_family
    from datastore.datasets.spec import is_family, parse_spec

    spec = parse_spec(read_text(specification), str(specification))
    with catalogue_of(context) as (home, catalogue):
        pixels = pixels_of(home, catalogue, without_pixels, quiet=as_json)
        now = HostClock().now()
        with progress_bar("audit", quiet=as_json) as advance:
            if is_family(spec):
                all_frozen = freeze_family(
                    catalogue, spec, now, force=force, pixels=pixels, progress=advance
                )
            else:
                frozen = freeze_dataset(
                    catalogue, spec, now, force=force, pixels=pixels, progress=advance
                )
                all_frozen = (frozen,)
    for frozen in all_frozen:
        if as_json:
            print_json(frozen.to_json())
        else:
            say(frozen.to_text())


@app.command("list")
def list_(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the frozen datasets, with the verdicts of their audits.

    Example: agetrace dataset list
    """
    from sqlalchemy import func, select

    from datastore.tables import Dataset, DatasetAudit, DatasetFreeze, DatasetItem

    items = (
        select(func.count())
        .where(DatasetItem.dataset_id == Dataset.id)
        .correlate(Dataset)
        .scalar_subquery()
    )
    with catalogue_of(context) as (_, catalogue), catalogue.reading() as session:
        rows = session.execute(
            select(Dataset, items, DatasetAudit.verdict, DatasetFreeze.forced_reason)
            .outerjoin(DatasetFreeze, DatasetFreeze.dataset_id == Dataset.id)
            .outerjoin(DatasetAudit, DatasetAudit.id == DatasetFreeze.audit_id)
            .order_by(Dataset.id)
        ).all()
        records = [
            {
                "name": dataset.name,
                "version": dataset.version,
                "items": count,
                "audit": verdict,
                "forced": forced,
                "waived": [waiver["constraint"] for waiver in dataset.waived],
                "created_at": dataset.created_at.isoformat(),
            }
            for dataset, count, verdict, forced in rows
        ]
    columns = ["name", "version", "items", "audit", "forced", "waived", "created_at"]
    print_records(records, columns, as_json=as_json)


@app.command()
def show(context: typer.Context, dataset: Reference, as_json: JsonOption = False) -> None:
    """Show a frozen dataset: audit, lineage, items per block, class and camera.

    Example: agetrace dataset show controlled
    """
    from datastore.datasets.auditing.records import newest_audit
    from datastore.datasets.freeze import count_items
    from datastore.datasets.loading import lineage, load

    with catalogue_of(context) as (_, catalogue):
        manifest = load(catalogue, dataset)
        found = newest_audit(catalogue, manifest.unforced_version)
        parents = lineage(catalogue, manifest)
    header = manifest.header
    counts = [
        {
            "block": one.block,
            "class": one.class_name,
            "camera": one.camera_serial,
            "items": one.items,
        }
        for one in count_items(manifest)
    ]
    forced = None if header.forced is None else header.forced.model_dump(mode="json")
    if as_json:
        print_json(
            {
                "name": header.name,
                "version": manifest.version,
                "specification": header.specification,
                "simulated": header.simulated,
                "uncontrolled": header.uncontrolled,
                "waived": [one.model_dump() for one in header.waived],
                "audit": None if found is None else found.report.verdict,
                "forced": forced,
                "lineage": [{"name": one.header.name, "version": one.version} for one in parents],
                "items": counts,
            }
        )
        return
    say(f"{header.name} {manifest.version}")
    say(f"audit: {'none recorded' if found is None else found.report.verdict}")
    if header.forced is not None:
        say(f"forced against {', '.join(header.forced.failed)}: {header.forced.reason}")
    for waiver in header.waived:
        say(f"waived {waiver.constraint}: {waiver.reason}")
    for one in parents:
        say(f"from {one.header.name} {one.version}")
    print_records(counts, ["block", "class", "camera", "items"])


@app.command()
def diff(
    context: typer.Context,
    before: Reference,
    after: Reference,
    as_json: JsonOption = False,
) -> None:
    """Compare two frozen datasets: specification, files added, removed, moved, relabelled.

    Example: agetrace dataset diff 3fa9c1 controlled
    """
    from datastore.datasets.difference import compare
    from datastore.datasets.loading import load

    with catalogue_of(context) as (_, catalogue):
        found = compare(load(catalogue, before), load(catalogue, after))
    if as_json:
        print_json(found.to_json())
        return
    for name, (old, new) in found.specification.items():
        say(f"{name}: {old} -> {new}")
    say(
        f"{found.same} files the same, {len(found.removed)} removed, {len(found.added)} added,"
        f" {len(found.changed)} changed"
    )
    records = [
        *({"change": "removed", **one} for one in found.to_json()["removed"]),
        *({"change": "added", **one} for one in found.to_json()["added"]),
        *(
            {"change": one.fact, "sha256": one.sha256, one.fact: f"{one.before} -> {one.after}"}
            for one in found.changed
        ),
    ]
    if records:
        print_records(records, ["change", "sha256", "class_name", "block"])


@app.command()
def verify(
    context: typer.Context,
    dataset: Reference,
    read_bytes: Annotated[
        bool, typer.Option("--bytes", help="Read and hash every file, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove a frozen dataset again: manifest, rows, audit, and that its files are there.

    Exits with 1 where something is not as it was frozen.

    Example: agetrace dataset verify controlled --bytes
    """
    from datastore.datasets.verification import verify_dataset

    with (
        catalogue_of(context) as (_, catalogue),
        progress_bar("verifying", quiet=as_json) as advance,
    ):
        found = verify_dataset(catalogue, dataset, read_bytes=read_bytes, progress=advance)
    if as_json:
        print_json(found.to_json())
    elif found.problems:
        records = [{"sha256": one.sha256, "problem": one.sentence} for one in found.problems]
        print_records(records, ["sha256", "problem"])
    else:
        audited = "" if found.is_audited else "; no audit of it is recorded"
        say(f"{found.name} {found.version} is as it was frozen; {found.items} files{audited}")
    if found.problems:
        raise typer.Exit(1)


@app.command()
def export(
    context: typer.Context,
    dataset: Reference,
    folder: Annotated[Path, typer.Argument(help="Folder to make; it must not exist yet.")],
    as_json: JsonOption = False,
) -> None:
    """Write a frozen dataset's manifest, specification and audit for other people.

    `agetrace export` writes the frames themselves, in several formats.

    Example: agetrace dataset export controlled controlled-dataset
    """
    from agetrace.dataset_folder import write_dataset_folder

    with catalogue_of(context) as (_, catalogue):
        files = write_dataset_folder(catalogue, dataset, folder)
    if as_json:
        print_json({"folder": str(folder), "files": files})
    else:
        say(f"wrote {', '.join(files)} to {folder}")
