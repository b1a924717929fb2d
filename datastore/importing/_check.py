"""A rehearsal of an import: what it would make of every path; opens no image, writes no row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datastore.catalogue import Catalogue
from datastore.errors import RequestError
from datastore.importing._layout import open_layout
from datastore.importing._mapping import Mapping
from datastore.importing._options import ImportOptions
from datastore.importing._plan import Plan, require_listed_files
from datastore.importing._report import ImportEntry
from datastore.importing._schemes import find_scenes, timeslots_of

_MOST_EXAMPLES = 20


@dataclass(frozen=True)
class PlannedCount:
    """How many files an import would take for one camera, kind, scene and timeslot.

    `camera` is None where the files have to name it, `timeslot` where their time has to tell it.
    """

    camera: str | None
    kind: str
    scene: str | None
    timeslot: int | None
    files: int


@dataclass(frozen=True)
class CheckReport:
    """What an import would do.

    Attributes
    ----------
    counts
        Files that it would take.
    passed_over
        How many files it would leave, by the reason.
    examples
        Some of these, for each reason.
    """

    counts: tuple[PlannedCount, ...]
    passed_over: dict[str, int]
    examples: tuple[ImportEntry, ...]

    @property
    def files(self) -> int:
        """How many files it would take."""
        return sum(count.files for count in self.counts)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "files": self.files,
            "matches": [vars(count) for count in self.counts],
            "passed_over": self.passed_over,
            "examples": [{"path": entry.path, "reason": entry.reason} for entry in self.examples],
        }


def check_folder(
    catalogue: Catalogue,
    folder: Path,
    options: ImportOptions,
    *,
    mapping: Mapping | None = None,
    facts: Path | None = None,
) -> CheckReport:
    """Say what an import of a folder would take, by their paths and what is declared.

    Parameters
    ----------
    catalogue
        Has the scenes and timeslot schemes that declarations name; nothing is written to it.
    folder, options, mapping, facts
        As for `import_folder`.

    Raises
    ------
    RequestError
        Where `import_folder` would raise it.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder: name the folder that holds the files")
    folder = folder.resolve()
    layout = open_layout(mapping, timeslots_of(catalogue, mapping), facts)
    require_listed_files(folder, layout)
    counts: Counter[tuple[str | None, str, str | None, int | None]] = Counter()
    passed_over: Counter[str] = Counter()
    examples = []
    for found in Plan(folder, options, layout).everything():
        if isinstance(found, ImportEntry):
            reason = found.reason or found.outcome
            passed_over[reason] += 1
            if passed_over[reason] <= _MOST_EXAMPLES:
                examples.append(found)
            continue
        declared = found.declared
        camera = declared.options.camera
        key = (
            camera.serial or camera.alias,
            declared.options.kind,
            declared.options.scene,
            None if declared.timeslot is None else declared.timeslot.ordinal,
        )
        counts[key] += len(found.files)
    find_scenes(catalogue, {scene for _, _, scene, _ in counts if scene is not None})
    ordered = sorted(counts.items(), key=lambda item: tuple(map(_sortable, item[0])))
    return CheckReport(
        tuple(PlannedCount(*key, files=files) for key, files in ordered),
        dict(passed_over),
        tuple(examples),
    )


def _sortable(value: str | int | None) -> tuple[bool, str]:
    return value is not None, f"{value:06}" if isinstance(value, int) else str(value)
