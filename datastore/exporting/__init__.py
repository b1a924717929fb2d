"""Exporting: shots and frozen datasets as tables, folders and shards for other programs."""

from datastore.exporting._croissant import Citation, describe
from datastore.exporting._huggingface import HuggingFaceExport
from datastore.exporting._run import ExportReport, export
from datastore.exporting._sources import DatasetSource, SelectionSource
from datastore.exporting._tables import CsvExport, ParquetExport
from datastore.exporting._tree import TreeExport
from datastore.exporting._webdataset import WebDatasetExport

__all__ = [
    "Citation",
    "CsvExport",
    "DatasetSource",
    "ExportReport",
    "HuggingFaceExport",
    "ParquetExport",
    "SelectionSource",
    "TreeExport",
    "WebDatasetExport",
    "describe",
    "export",
]
