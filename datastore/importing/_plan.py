"""What an import is going to do: which files, and what is declared of each; changes nothing.

A folder is walked more than once rather than kept in memory: once to check every declaration before
any work begins, then for the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from datastore.importing._files import FileGroup, is_jpeg_name, printable, walk
from datastore.importing._layout import Declared, Layout
from datastore.importing._mapping import MappingError
from datastore.importing._options import (
    ImportOptions,
    file_options,
    folder_options,
)
from datastore.importing._report import ImportEntry


@dataclass(frozen=True)
class PlannedGroup:
    """The files of one shutter release, and what is declared of them."""

    files: tuple[Path, ...]
    declared: Declared


class Plan:
    """Every file of a folder with what is declared of it, given as often as it is asked for.

    Parameters
    ----------
    folder
        The folder.
    options
        What is declared of all files.
    layout
        What mapping and tables say of each.
    """

    def __init__(self, folder: Path, options: ImportOptions, layout: Layout) -> None:
        self.folder = folder
        self._options = options
        self._layout = layout
        self._sidecars: dict[Path, ImportOptions] = {}

    def everything(self) -> Iterator[PlannedGroup | ImportEntry]:
        """Give the groups to import, and the entries of files that are passed over."""
        for found in walk(self.folder):
            if isinstance(found, ImportEntry):
                yield found
            else:
                yield from self._declared(found)

    def in_order(self) -> Iterator[PlannedGroup | ImportEntry]:
        """Give the same, groups with a mosaic first: one tells its camera's dimensions."""
        for jpegs_only in (False, True):
            for found in self.everything():
                if isinstance(found, ImportEntry):
                    if not jpegs_only:
                        yield found
                elif is_jpeg_name(found.files[0]) == jpegs_only:
                    yield found

    def _declared(self, group: FileGroup) -> Iterator[PlannedGroup | ImportEntry]:
        planned: list[PlannedGroup] = []
        for path in group.files:
            found = self._declared_of(path)
            if isinstance(found, str):
                yield ImportEntry(printable(path.relative_to(self.folder)), "skipped", found)
            else:
                planned.append(PlannedGroup((path,), found))
        if len(planned) == 2 and planned[0].declared.camera == planned[1].declared.camera:
            yield PlannedGroup(group.files, planned[0].declared)
        else:
            yield from planned

    def _declared_of(self, path: Path) -> Declared | str:
        declared = self._layout.declared(path.relative_to(self.folder).as_posix())
        if isinstance(declared, str):
            return declared
        around = self._options.overridden(declared.options)
        around = around.overridden(self._within(path.parent))
        options = file_options(path, around)
        facts = self._layout.facts(path.relative_to(self.folder).as_posix())
        if facts is not None:
            options = options.overridden(facts)
        return replace(declared, options=options).dated()

    def _within(self, place: Path) -> ImportOptions:
        """Return what the sidecars of a folder and those around it state."""
        if place not in self._sidecars:
            around = ImportOptions() if place == self.folder else self._within(place.parent)
            self._sidecars[place] = folder_options(place, around)
        return self._sidecars[place]


def require_listed_files(folder: Path, layout: Layout) -> None:
    """Refuse a table that speaks of files that are not there.

    Raises
    ------
    MappingError
        Naming the row.
    """
    for table in (layout.table, layout.extra):
        if table is None:
            continue
        for path, row in table.rows():
            if not (folder / path).is_file():
                raise MappingError(
                    f"{table.source}, row {row.number}, column path: {folder} has no file {path}"
                )
