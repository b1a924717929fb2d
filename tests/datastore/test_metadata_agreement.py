"""What exifread finds in real files is what exiftool finds there, fact by fact."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import fields

import pytest

from datastore.metadata import FileMetadata, MetadataReader
from tests.support.frame_files import manifest, needs_shared_data, real_file

pytestmark = [
    needs_shared_data,
    pytest.mark.exiftool,
    pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed"),
]

# Where a file says a thing twice, each reader has its own favourite: firmware has a standard tag
# and one of the maker's, and this file's maker's note has the serial without its leading zero.
_OTHER_TAG = {
    ("damaged/DNG.dng", "serial"),
    ("damaged/exiv2-panasonic-dmc-fz5.jpg", "firmware"),
    ("raw/nikon-d5000/sample3.dng", "firmware"),
}


@pytest.fixture(scope="module")
def readers() -> Iterator[tuple[MetadataReader, MetadataReader]]:
    with MetadataReader() as exiftool, MetadataReader(prefer="exifread") as exifread:
        yield exiftool, exifread


@pytest.mark.parametrize("row", manifest("raw", "jpeg", "rawhead"), ids=lambda row: row["path"])
def test_the_readers_agree(
    readers: tuple[MetadataReader, MetadataReader], row: dict[str, str]
) -> None:
    exiftool, exifread = (reader.read(real_file(row)) for reader in readers)
    assert (exiftool.reader, exifread.reader) == ("exiftool", "exifread")
    for fact in (field.name for field in fields(FileMetadata)):
        found = getattr(exifread, fact)
        if fact in ("reader", "verbatim") or found is None or (row["path"], fact) in _OTHER_TAG:
            continue
        assert found == getattr(exiftool, fact), fact


@pytest.mark.parametrize("row", manifest("jpeg"), ids=lambda row: row["path"])
def test_the_readers_find_the_same_of_pictures(
    readers: tuple[MetadataReader, MetadataReader], row: dict[str, str]
) -> None:
    exiftool, exifread = (reader.read(real_file(row)) for reader in readers)
    for fact in ("make", "model", "exposure", "iso", "f_number", "orientation", "taken_at_local"):
        assert getattr(exifread, fact) == getattr(exiftool, fact), fact
    assert exifread.orientation == 1
