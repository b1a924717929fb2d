"""A tree of folders: each file under a name made of its facts, with sums and a table beside."""

from __future__ import annotations

import fcntl
import os
import re
import string
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from datastore.errors import ExportRefusedError
from datastore.exporting._files import Work, copy, new_file, new_partial, settle, sha256_of
from datastore.exporting._items import COLUMNS, Item, read_plan
from datastore.exporting._tables import write_csv

if TYPE_CHECKING:
    from datastore.exporting._sources import Source

DEFAULT_TEMPLATE = "{camera_serial}/{kind}/{scene}/{sha256}.{suffix}"
SUMS, TABLE = "SHA256SUMS", "files.csv"

_OWN_NAMES: Final = (SUMS.casefold(), TABLE, "export.json", "croissant.json")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_@+.-]")
_LONGEST = 100
_CLONE: Final = 0x40049409
"""Linux's FICLONE: the new file shares the old one's blocks until either changes."""


@dataclass(frozen=True)
class TreeExport:
    """Files in folders, with `SHA256SUMS` for `sha256sum -c` and their facts in `files.csv`.

    Attributes
    ----------
    template
        Of a file's name: facts of an item in braces. Unknown facts read `unknown`; letters, digits
        and `_@+.-` stay, all else becomes `_`.
    link
        Whether files may share their blocks with the store's: reflinks where the file system has
        them, hard links else, and copies where neither can be. Hard links are read-only, as the
        store's files are.
    """

    template: str = DEFAULT_TEMPLATE
    link: bool = False
    name: ClassVar[str] = "tree"

    def check(self, source: Source) -> None:
        """Refuse a template that names no fact or would leave the folder."""
        parts = _parsed(self.template)
        if not any(field for _, field in parts):
            raise ExportRefusedError(f"the template {self.template!r} names no fact of a file")
        for literal, _ in parts:
            if _UNSAFE.search(literal.replace("/", "")):
                raise ExportRefusedError(
                    f"the template {self.template!r} may have letters, digits, / and _@+.- beside"
                    " its fields"
                )
        if any(segment in ("", ".", "..") for segment in self.template.split("/")):
            raise ExportRefusedError(f"the template {self.template!r} leaves the folder")

    def write(self, work: Work) -> list[str]:
        """Bring every file to its place; files that are there already are read again."""
        for done, item in enumerate(read_plan(work.plan), 1):
            self._place(work, item)
            work.advance(done, work.count)
        with new_file(work, SUMS) as sums:
            for item in read_plan(work.plan):
                sums.write(f"{item.sha256}  {path_of(self.template, item)}\n".encode())
        with new_file(work, TABLE) as table:
            write_csv(table, {"path": "text", **COLUMNS}, self._rows(work))
        return [TABLE, SUMS]

    def _rows(self, work: Work) -> Iterator[dict[str, Any]]:
        for item in read_plan(work.plan):
            yield {"path": path_of(self.template, item), **vars(item)}

    def _place(self, work: Work, item: Item) -> None:
        name = path_of(self.template, item)
        final = work.folder / name
        if final.exists():
            if sha256_of(final) == item.sha256:
                return
            raise ExportRefusedError(
                f"two files would be called {name}, or it was changed: a template with {{sha256}}"
                " names every file differently"
            )
        if not (self.link and _linked(work, item, final)):
            with new_file(work, name) as file:
                copy(work.store, item, file)


def path_of(template: str, item: Item) -> str:
    """Return an item's name below the folder, whatever its facts hold."""
    parts = []
    for literal, field in _parsed(template):
        parts.append(literal)
        if field:
            parts.append(_safe(getattr(item, field)))
    segments = [
        "_" + segment[1:] if segment.startswith(".") else segment
        for segment in "".join(parts).split("/")
    ]
    if segments[0].casefold() in _OWN_NAMES:
        segments[0] = f"_{segments[0]}"
    return "/".join(segments)


def _safe(value: object) -> str:
    if value is None or value == "":
        return "unknown"
    if hasattr(value, "strftime"):
        value = value.strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    return _UNSAFE.sub("_", str(value))[:_LONGEST]


def _parsed(template: str) -> list[tuple[str, str | None]]:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ExportRefusedError(f"the template {template!r} cannot be read: {error}") from None
    for _, field, form, conversion in parts:
        if field is not None and (field not in COLUMNS or form or conversion):
            raise ExportRefusedError(
                f"the template {template!r} names {{{field}}}: use {', '.join(COLUMNS)}"
            )
    return [(literal, field) for literal, field, _, _ in parts]


def _linked(work: Work, item: Item, final: Path) -> bool:
    """Let the name share the store's blocks; False where that cannot be."""
    copy(work.store, item, None)
    source, partial = work.store.path(item.sha256), new_partial(work)
    try:
        with source.open("rb") as from_, partial.open("xb") as to:
            fcntl.ioctl(to.fileno(), _CLONE, from_.fileno())
            os.fsync(to.fileno())
    except OSError:
        partial.unlink(missing_ok=True)
        with suppress(OSError):
            os.link(source, partial)
    if not partial.exists():
        return False
    settle(partial, final)
    return True
