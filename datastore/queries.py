"""Queries of shots: reading those that pass a filter, page by page.

Pages follow the order of time and go on behind the last shot of the page before (keyset paging),
so that shots which are added meanwhile neither repeat nor hide one that was there. Shots of
unknown time come last, in the order of their registration.
"""

from __future__ import annotations

from collections.abc import Iterator

from datastore._shot_filter import ShotFilter, newest_state, newest_verdict
from datastore._shot_pages import page_statement
from datastore.catalogue import Catalogue
from datastore.selections import AssetRecord, Selection, ShotRecord

__all__ = [
    "AssetRecord",
    "ShotFilter",
    "ShotRecord",
    "iterate_shots",
    "newest_state",
    "newest_verdict",
    "page_statement",
]


def iterate_shots(
    catalogue: Catalogue,
    chosen: ShotFilter,
    scheme: str | None = None,
    page_size: int = 500,
) -> Iterator[ShotRecord]:
    """Return the shots that pass a filter, in the order of time.

    The filter is checked at once; the shots are read page by page, each page in a short transaction
    of its own.

    Parameters
    ----------
    catalogue
        The catalogue to look in.
    chosen
        What to look for.
    scheme
        Name of the timeslot scheme for the records' `timeslot`; None leaves it unknown.
    page_size
        Shots per page.

    Raises
    ------
    UnknownCameraError, UnknownSceneError, UnknownSessionError, TimeslotSchemeError
        If the filter names what the catalogue does not have.
    FilterError
        If timeslots are asked for without a scheme, or the scheme has none of these ordinals.
    """
    selection = Selection(catalogue, chosen.condition(), scheme, chosen.role)
    return (record for page in selection.pages(page_size) for record in page)
