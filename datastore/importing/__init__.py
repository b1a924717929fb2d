"""Importing: bringing in files that other means recorded, each with a verdict; nothing is lost."""

from datastore.importing._importer import import_folder
from datastore.importing._options import (
    CameraDeclaration,
    ImportOptions,
    ImportOptionsError,
    read_options,
)
from datastore.importing._report import ImportEntry, ImportReport

__all__ = [
    "CameraDeclaration",
    "ImportEntry",
    "ImportOptions",
    "ImportOptionsError",
    "ImportReport",
    "import_folder",
    "read_options",
]
