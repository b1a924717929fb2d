"""Importing: bringing in files that other means recorded, each with a verdict; nothing is lost."""

from datastore.importing._check import CheckReport, PlannedCount, check_folder
from datastore.importing._importer import import_folder
from datastore.importing._mapping import (
    Mapping,
    MappingError,
    read_mapping,
    ready_mapping_paths,
)
from datastore.importing._options import (
    CameraDeclaration,
    ImportOptions,
    ImportOptionsError,
    read_options,
)
from datastore.importing._report import ImportEntry, ImportReport, Outcome

__all__ = [
    "CameraDeclaration",
    "CheckReport",
    "ImportEntry",
    "ImportOptions",
    "ImportOptionsError",
    "ImportReport",
    "Mapping",
    "MappingError",
    "Outcome",
    "PlannedCount",
    "check_folder",
    "import_folder",
    "read_mapping",
    "read_options",
    "ready_mapping_paths",
]
