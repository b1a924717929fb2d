"""`agetrace import`: bring in files that other means recorded."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
    from datastore.importing import ImportEntry

app = typer.Typer(no_args_is_help=True, help="Import files.")
mappings_app = typer.Typer(
    no_args_is_help=True, help="Mappings of published data sets that come with agetrace."
)
app.add_typer(mappings_app, name="mappings")

FolderArgument = Annotated[Path, typer.Argument(help="Folder with RAW, JPEG, TIFF or FITS files.")]
MappingOption = Annotated[
    Path | None,
    typer.Option(help="YAML of a data set's layout, or the name of a ready one, such as NTIF."),
]
OptionsOption = Annotated[
    Path | None,
    typer.Option(help="YAML of what the files do not say; see docs/how-to/import.md."),
]
FactsOption = Annotated[
    Path | None,
    typer.Option("--csv", help="CSV with the column path and facts about each file."),
]

_ENTRY_COLUMNS = ["path", "outcome", "reason", "shot", "time_uncertainty_s"]


@app.callback()
def imports() -> None:
    """Import files."""


@app.command()
def folder(
    context: typer.Context,
    path: FolderArgument,
    mapping: MappingOption = None,
    options: OptionsOption = None,
    facts: FactsOption = None,
    kind: Annotated[str | None, typer.Option(help="Kind of frame; natural otherwise.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="IANA zone of times that name none; NULL otherwise.")
    ] = None,
    alias: Annotated[
        str | None, typer.Option(help="Identity of the camera where files carry no serial.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read files again that have not changed since an import."),
    ] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, max=64, help="Files decoded at once; one per processor.")
    ] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="CSV to write, with a row for every file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Import a folder; damaged files are quarantined with the reason, importing again adds nothing.

    With --json each file is a line, and the last line has the figures.

    Example: agetrace import folder pictures --timezone Europe/Vienna
    """
    from datastore.clocks import HostClock
    from datastore.importing import import_folder, read_mapping, read_options

    chosen = read_options(options, kind=kind, timezone=timezone, alias=alias)
    layout = None if mapping is None else read_mapping(mapping)
    with (
        catalogue_of(context) as (home, catalogue),
        _entries_told(report_file, as_json=as_json) as each,
        progress_bar("importing", quiet=as_json) as at,
    ):
        report = import_folder(
            catalogue,
            path,
            chosen,
            clock=HostClock(),
            mapping=layout,
            facts=facts,
            verify=verify,
            processes=processes,
            progress=at,
            each=each,
            scratch=home.spool_root,
        )
    if as_json:
        print_json(report.to_json())
        return
    say(report.summary())
    if report.refused:
        print_records((entry.to_json() for entry in report.refused), ["path", "outcome", "reason"])


@app.command()
def check(
    context: typer.Context,
    path: FolderArgument,
    mapping: MappingOption = None,
    options: OptionsOption = None,
    facts: FactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which files an import would take, for which camera, kind and timeslot; writes nothing.

    Example: agetrace import check ntif --mapping ntif.yaml
    """
    from datastore.importing import check_folder, read_mapping, read_options

    chosen = read_options(options)
    layout = None if mapping is None else read_mapping(mapping)
    with catalogue_of(context) as (_, catalogue):
        report = check_folder(catalogue, path, chosen, mapping=layout, facts=facts)
    document = report.to_json()
    if as_json:
        print_json(document)
        return
    print_records(document["matches"], ["camera", "kind", "scene", "timeslot", "files"])
    print_records(document["examples"], ["path", "reason"])
    for reason, count in report.passed_over.items():
        say(f"{count} files would be left: {reason}")
    say(f"{report.files} files would be imported.")


@mappings_app.command("list")
def list_mappings(as_json: JsonOption = False) -> None:
    """List the mappings that come with agetrace.

    Example: agetrace import mappings list
    """
    from datastore.importing import read_mapping, ready_mapping_paths

    records = [
        {
            "name": mapping.name,
            "cameras": len(mapping.cameras),
            "description": mapping.description,
            "path": str(path),
        }
        for path in ready_mapping_paths().values()
        for mapping in [read_mapping(path)]
    ]
    print_records(records, ["name", "cameras", "description"], as_json=as_json)


@mappings_app.command("show")
def show_mapping(
    name: Annotated[str, typer.Argument(help="Name of a mapping that comes with agetrace.")],
    as_json: JsonOption = False,
) -> None:
    """Print a mapping, to be saved and adapted.

    Example: agetrace import mappings show NTIF > ntif.yaml
    """
    from agetrace.errors import RequestError
    from datastore.importing import read_mapping, ready_mapping_paths

    known = ready_mapping_paths()
    if name not in known:
        raise RequestError(f"no mapping is called {name!r}: there are {', '.join(known)}")
    if as_json:
        print_json(read_mapping(known[name]).model_dump(mode="json", exclude_none=True))
    else:
        typer.echo(known[name].read_text(encoding="utf-8"), nl=False)


@contextmanager
def _entries_told(report: Path | None, *, as_json: bool) -> Iterator[Callable[[ImportEntry], None]]:
    """Give what tells of each file as it is settled: by JSON lines, by rows of a CSV file."""
    from agetrace.errors import RequestError

    if report is not None and (report.exists() or not report.parent.is_dir()):
        why = "is there already" if report.exists() else "has no folder to lie in"
        raise RequestError(f"{report} {why}: name a new file for the report")
    with ExitStack() as resources:
        writer: csv.DictWriter[str] | None = None

        def tell(entry: ImportEntry) -> None:
            nonlocal writer
            values = entry.to_json()
            if as_json:
                print_json(values)
            if report is not None:
                if writer is None:
                    # an import that is refused leaves no report
                    file = report.open("x", encoding="utf-8", newline="")
                    writer = csv.DictWriter(resources.enter_context(file), _ENTRY_COLUMNS)
                    writer.writeheader()
                writer.writerow(values)

        yield tell
