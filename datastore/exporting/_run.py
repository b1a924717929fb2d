"""The course of every export: the folder, the plan, the format's work, and the account of it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from datastore import audit
from datastore.durable import FULL_DISK_ERRORS, write_durably
from datastore.errors import ExportFullError, ExportRefusedError
from datastore.exporting._files import Progress, Work, settle, sha256_of
from datastore.exporting._items import time_text

if TYPE_CHECKING:
    from datastore.catalogue import Catalogue
    from datastore.clocks import CivilClock
    from datastore.exporting._sources import Source

ACCOUNT = "export.json"
_UNFINISHED = ".unfinished"


class Format(Protocol):
    """A form that items are brought into; its dataclass fields are part of the request."""

    name: ClassVar[str]

    def check(self, source: Source) -> None:
        """Refuse what this format cannot tell; raises ExportRefusedError."""
        ...

    def write(self, work: Work) -> list[str]:
        """Write the files, and return their names below the folder, each with a hash to note.

        Files that an interrupted run has finished are kept.
        """
        ...


@dataclass(frozen=True)
class ExportReport:
    """What an export made; `document` is what `export.json` holds."""

    folder: Path
    document: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the account with the folder."""
        return {"folder": str(self.folder), **self.document}


def export(
    catalogue: Catalogue,
    source: Source,
    form: Format,
    folder: Path,
    *,
    clock: CivilClock,
    progress: Progress = lambda done, total: None,
) -> ExportReport:
    """Export what a source gives into a folder of its own.

    What belongs to the export is written down at its beginning; an export that was interrupted
    goes on with that when it is asked for again, whatever came to the catalogue meanwhile.
    `export.json` is written last: where it is, the export is whole.

    Parameters
    ----------
    catalogue
        Where the items come from, with its store.
    source
        What is exported.
    form
        The format.
    folder
        New, empty, or one in which the same export was interrupted.
    clock
        Tells when the export was made.
    progress
        Called with how many items are done, and how many there are.

    Raises
    ------
    ExportRefusedError
        If the folder holds anything else, another process is exporting into it, or the format
        cannot tell what the source gives.
    AssetMissingError, AssetCorruptError
        If the store has lost or damaged a file; nothing of it was exported.
    ExportFullError
        If there is no room; what was exported stays, and the export can go on.
    """
    form.check(source)
    request = {"format": form.name, **asdict(form), **source.describe()}  # type: ignore[call-overload]
    unfinished = folder / _UNFINISHED
    with _full_disk_reported(folder), _taken(folder, unfinished, request):
        head = _plan(catalogue, source, unfinished, time_text(clock.now()))
        plan = unfinished / "plan.jsonl"
        work = Work(
            store=catalogue.store,
            plan=plan,
            count=head["items"],
            labels=source.labels,
            folder=folder,
            unfinished=unfinished,
            metadata={
                "agetrace_version": version("agetrace"),
                "catalogue_audit_head": head["audit_head"],
                "request": json.dumps(request),
            },
            advance=progress,
        )
        progress(0, work.count)
        names = form.write(work)
        document = {
            "request": request,
            "agetrace_version": version("agetrace"),
            **head,
            "labels": list(source.labels),
            "files": [
                {
                    "path": name,
                    "sha256": sha256_of(folder / name),
                    "bytes": (folder / name).stat().st_size,
                }
                for name in names
            ],
            "finished_at": time_text(clock.now()),
        }
        write_durably(folder / ACCOUNT, json.dumps(document, indent=1).encode() + b"\n")
        shutil.rmtree(unfinished)
    return ExportReport(folder, document)


@contextmanager
def _full_disk_reported(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK_ERRORS:
            raise
        raise ExportFullError(
            f"there is no room for the export {folder} ({error.strerror}): free some space and"
            " export again to go on"
        ) from error


@contextmanager
def _taken(folder: Path, unfinished: Path, request: dict[str, Any]) -> Iterator[None]:
    """Have the folder alone, with the request written down in it."""
    if folder.exists() and not folder.is_dir():
        raise ExportRefusedError(f"{folder} is no folder")
    if (folder / ACCOUNT).exists():
        raise ExportRefusedError(f"{folder} holds a finished export already: name a new folder")
    note = unfinished / "request.json"
    if folder.is_dir() and any(folder.iterdir()) and not unfinished.is_dir():
        raise ExportRefusedError(f"{folder} holds other files: name a new or an empty folder")
    unfinished.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExportRefusedError(f"another process exports into {folder} now") from None
        if not note.exists():
            write_durably(note, json.dumps(request).encode())
        elif json.loads(note.read_bytes()) != json.loads(json.dumps(request)):
            raise ExportRefusedError(
                f"{folder} holds an unfinished export of something else: repeat that request to"
                " finish it, or name a new folder"
            )
        yield
    finally:
        os.close(descriptor)


def _plan(catalogue: Catalogue, source: Source, unfinished: Path, at: str | None) -> dict[str, Any]:
    """Write down what is exported, once, and return the account of it."""
    plan, head = unfinished / "plan.jsonl", unfinished / "head.json"
    if head.exists():
        found: dict[str, Any] = json.loads(head.read_bytes())
        return found
    with catalogue.reading() as transaction:
        audit_head = audit.head(transaction)
    counts: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    blocks: Counter[str] = Counter()
    size = 0
    partial = unfinished / "plan.partial"
    with partial.open("w", encoding="utf-8") as file:
        for item in source.items():
            file.write(json.dumps(item.to_json()) + "\n")
            counts[item.role] += 1
            size += item.bytes
            if item.label is not None and item.block is not None:
                labels[item.label] += 1
                blocks[item.block] += 1
        file.flush()
        os.fsync(file.fileno())
    settle(partial, plan)
    document = {
        "planned_at": at,
        "audit_head": audit_head,
        "items": counts.total(),
        "items_by_role": dict(counts),
        "items_by_label": dict(labels),
        "items_by_block": dict(blocks),
        "bytes": size,
        "left_out": source.left_out,
    }
    write_durably(head, json.dumps(document).encode())
    return document
