"""`agetrace export`: shots and datasets as tables, folders and shards for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, progress_bar, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from datastore.catalogue import Catalogue
    from datastore.exporting import DatasetSource, SelectionSource
    from datastore.exporting._run import Format
    from datastore.selections import Selection

app = typer.Typer(no_args_is_help=True, help="Export shots and datasets for other programs.")

Role = Literal["raw", "jpeg", "preview", "sidecar"]

FolderArgument = Annotated[
    Path, typer.Argument(help="New or empty folder, or one in which this export was interrupted.")
]
WhereOption = Annotated[
    str | None, typer.Option(help="Expression, as of `agetrace shots where`; all shots otherwise.")
]
SavedOption = Annotated[str | None, typer.Option(help="Name of a saved selection.")]
DatasetOption = Annotated[
    str | None, typer.Option(help="Frozen dataset: version, unique start of it, or name.")
]
SchemeOption = Annotated[
    str | None, typer.Option(help="Timeslot scheme; the home's default otherwise.")
]
RoleOption = Annotated[Role | None, typer.Option(help="Role of the files; raw and jpeg otherwise.")]
QuarantinedOption = Annotated[
    bool, typer.Option("--include-quarantined", help="With quarantined and rejected shots.")
]
PerOption = Annotated[Literal["file", "shot"], typer.Option(help="What a row is.")]


@app.command()
def csv(
    context: typer.Context,
    folder: FolderArgument,
    where: WhereOption = None,
    saved: SavedOption = None,
    dataset: DatasetOption = None,
    scheme: SchemeOption = None,
    role: RoleOption = None,
    include_quarantined: QuarantinedOption = False,
    per: PerOption = "file",
    as_json: JsonOption = False,
) -> None:
    """Export a table of files or shots as CSV.

    Example: agetrace export csv table --where "kind = dark-field and iso in (100, 200)"
    """
    from datastore.exporting import CsvExport

    request = _Request(where, saved, dataset, scheme, role, include_quarantined)
    _export(context, folder, request, lambda source: CsvExport(per), as_json=as_json)


@app.command()
def parquet(
    context: typer.Context,
    folder: FolderArgument,
    where: WhereOption = None,
    saved: SavedOption = None,
    dataset: DatasetOption = None,
    scheme: SchemeOption = None,
    role: RoleOption = None,
    include_quarantined: QuarantinedOption = False,
    per: PerOption = "file",
    as_json: JsonOption = False,
) -> None:
    """Export a typed table of files or shots as Parquet.

    Example: agetrace export parquet table --dataset controlled
    """
    from datastore.exporting import ParquetExport

    request = _Request(where, saved, dataset, scheme, role, include_quarantined)
    _export(context, folder, request, lambda source: ParquetExport(per), as_json=as_json)


@app.command()
def tree(
    context: typer.Context,
    folder: FolderArgument,
    where: WhereOption = None,
    saved: SavedOption = None,
    dataset: DatasetOption = None,
    scheme: SchemeOption = None,
    role: RoleOption = None,
    include_quarantined: QuarantinedOption = False,
    template: Annotated[
        str | None, typer.Option(help="Of a file's name, with facts in braces.")
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Share the store's blocks where the disk can.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Export files into folders, with SHA256SUMS and their facts in files.csv.

    Example: agetrace export tree frames --template "{label}/{camera_serial}/{sha256}.{suffix}"
    """
    from datastore.exporting import TreeExport

    form = TreeExport(link=link) if template is None else TreeExport(template, link)
    request = _Request(where, saved, dataset, scheme, role, include_quarantined)
    _export(context, folder, request, lambda source: form, as_json=as_json)


@app.command()
def webdataset(
    context: typer.Context,
    folder: FolderArgument,
    where: WhereOption = None,
    saved: SavedOption = None,
    dataset: DatasetOption = None,
    scheme: SchemeOption = None,
    role: RoleOption = None,
    include_quarantined: QuarantinedOption = False,
    name: Annotated[str, typer.Option(help="How the shards' names begin.")] = "shots",
    shard_megabytes: Annotated[int, typer.Option(min=1, help="Most of a shard.")] = 1000,
    shard_items: Annotated[int, typer.Option(min=1, help="Most files of a shard.")] = 10_000,
    as_json: JsonOption = False,
) -> None:
    """Export shards for the webdataset library; the same request gives the same bytes.

    Example: agetrace export webdataset shards --dataset controlled --name controlled
    """
    from datastore.exporting import WebDatasetExport

    form = WebDatasetExport(name, shard_megabytes * 1_000_000, shard_items)
    request = _Request(where, saved, dataset, scheme, role, include_quarantined)
    _export(context, folder, request, lambda source: form, as_json=as_json)


@app.command()
def huggingface(
    context: typer.Context,
    folder: FolderArgument,
    where: WhereOption = None,
    saved: SavedOption = None,
    dataset: DatasetOption = None,
    scheme: SchemeOption = None,
    role: Annotated[Role, typer.Option(help="Of the shots' files; a dataset has its own.")] = (
        "jpeg"
    ),
    include_quarantined: QuarantinedOption = False,
    shard_megabytes: Annotated[int, typer.Option(min=1, help="Most of a file.")] = 500,
    licence: Annotated[str | None, typer.Option(help="Identifier, such as cc-by-4.0.")] = None,
    title: Annotated[str, typer.Option(help="Of the dataset's card.")] = "Frames",
    as_json: JsonOption = False,
) -> None:
    """Export Parquet with the frames themselves, for Hugging Face's `load_dataset`.

    Example: agetrace export huggingface frames --dataset controlled --licence cc-by-4.0
    """
    from datastore.exporting import HuggingFaceExport

    def form(source: SelectionSource | DatasetSource) -> Format:
        manifest = getattr(source, "manifest", None)
        found = role if manifest is None else manifest.header.role
        return HuggingFaceExport(found, shard_megabytes * 1_000_000, licence, title)

    request = _Request(where, saved, dataset, scheme, role, include_quarantined)
    _export(context, folder, request, form, as_json=as_json)


@app.command()
def croissant(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished export.")],
    name: Annotated[str, typer.Option(help="Name of the dataset.")],
    description: Annotated[str, typer.Option(help="What it is, in a sentence or two.")],
    licence: Annotated[str | None, typer.Option(help="URL or SPDX identifier.")] = None,
    cite_as: Annotated[str | None, typer.Option(help="How to cite it.")] = None,
    creator: Annotated[str | None, typer.Option(help="Person or institution.")] = None,
    url: Annotated[str | None, typer.Option(help="Where it is published.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Describe a finished CSV, Parquet, tree or WebDataset export in Croissant 1.1.

    Example: agetrace export croissant table --name darks --description "Dark fields of one year."
    """
    from datastore.exporting import Citation, describe

    target = describe(folder, Citation(name, description, licence, cite_as, creator, url))
    if as_json:
        print_json({"path": str(target)})
    else:
        say(f"{target} written")


class _Request:
    """What is to be exported, as the options say it."""

    def __init__(
        self,
        where: str | None,
        saved: str | None,
        dataset: str | None,
        scheme: str | None,
        role: Role | None,
        include_quarantined: bool,
    ) -> None:
        if sum(given is not None for given in (where, saved, dataset)) > 1:
            raise typer.BadParameter("use one of --where, --saved and --dataset")
        self._where, self._saved, self._dataset = where, saved, dataset
        self._scheme = scheme
        self._roles = ("raw", "jpeg") if role is None else (role,)
        self._include_quarantined = include_quarantined

    def source(
        self, catalogue: Catalogue, default_scheme: str | None
    ) -> SelectionSource | DatasetSource:
        """Find the shots or the dataset."""
        from datastore.datasets.loading import load
        from datastore.exporting import DatasetSource, SelectionSource

        if self._dataset is not None:
            return DatasetSource(catalogue, load(catalogue, self._dataset))
        selection = self._selection(catalogue, default_scheme)
        return SelectionSource(selection, self._roles, self._include_quarantined)

    def _selection(self, catalogue: Catalogue, default_scheme: str | None) -> Selection:
        from datastore.selections import find_saved

        scheme = self._scheme
        expression = self._where
        if self._saved is not None:
            with catalogue.reading() as transaction:
                saved = find_saved(transaction, self._saved)
            expression, scheme = saved.expression, scheme or saved.timeslot_scheme
        shots = catalogue.shots.labelled(scheme or default_scheme)
        return shots if expression is None else shots.where(expression)


def _export(
    context: typer.Context,
    folder: Path,
    request: _Request,
    form: Callable[[SelectionSource | DatasetSource], Format],
    *,
    as_json: bool,
) -> None:
    from datastore.clocks import HostClock
    from datastore.exporting import export

    with catalogue_of(context) as (home, catalogue):
        source = request.source(catalogue, home.settings.timeslots.default_scheme)
        with progress_bar("exporting", quiet=as_json) as at:
            report = export(catalogue, source, form(source), folder, clock=HostClock(), progress=at)
    if as_json:
        print_json(report.to_json())
        return
    document = report.document
    say(f"{document['items']} files exported to {folder}; export.json says what they are")
    for reason, count in document["left_out"].items():
        say(f"  left out: {count} {reason} shots")
