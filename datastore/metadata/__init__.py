"""Metadata: what files say of themselves, read as hostile input; knows no catalogue."""

from datastore.metadata._facts import FileMetadata
from datastore.metadata._reader import MetadataReader, read_metadata

__all__ = ["FileMetadata", "MetadataReader", "read_metadata"]
