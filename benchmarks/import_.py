"""Importing: shots in bulk against hand-written inserts, and a folder against a plain loop."""

from dataclasses import dataclass

from benchmarks._bulk_import import bulk_into_large, bulk_postgresql, bulk_sqlite
from benchmarks._folder_import import folder
from benchmarks._postgresql import server_or_none
from benchmarks._result import Result

NOTES = """
Import: the plain loop that a folder's import is held against neither decodes a file nor reads its
metadata, and judges nothing; the import does all of that, in processes that a hostile file cannot
take along.
"""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    shots: int
    postgresql_shots: int
    shots_into_large: int
    """Written into a copy of a catalogue of `large` shots; 0 leaves it out."""
    large: int
    files: int


QUICK = Sizes(shots=40_000, postgresql_shots=20_000, shots_into_large=0, large=0, files=60)
FULL = Sizes(
    shots=1_000_000,
    postgresql_shots=100_000,
    shots_into_large=200_000,
    large=10_000_000,
    files=600,
)


def run(full: bool) -> list[Result]:
    sizes = FULL if full else QUICK
    results = [bulk_sqlite(sizes.shots)]
    if sizes.shots_into_large:
        results.append(bulk_into_large(sizes.shots_into_large, sizes.large))
    with server_or_none() as server:
        if server is not None:
            results.append(bulk_postgresql(sizes.postgresql_shots, server))
    return [*results, folder(sizes.files)]
