"""Queries of catalogues of many shots against the same queries written by hand.

A page is what a person waits for: a hundred shots with their files that pass a filter, from a time
within the catalogue on. Filters and times are drawn by a seed; no page is read twice by one side,
and either side reads every second page first.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url, text

from benchmarks._hand_written_queries import PAGE, HandWritten
from benchmarks._postgresql import server_or_none
from benchmarks._result import Result, machine, median_seconds
from benchmarks._shot_questions import Question, questions
from benchmarks._synthetic_catalogue import (
    SCHEME,
    Synthetic,
    add_surroundings,
    bulk_shots,
    cached_catalogue,
)
from datastore.bulk import write_shots
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import HostClock
from datastore.counts import count_shots
from datastore.engine import sqlite_path
from datastore.queries import ShotRecord, iterate_shots
from migrations import runner
from tests.support.catalogues import new_database

NOTES = """
Catalogue query: pages are read after the SQLite file was read once, so that it lies in memory as it
does where people work; `cold` are pages of a file that memory holds nothing of, for which the disk
has to seek for some four hundred rows. The databases answer a page of ours and one by hand alike,
in about a millisecond. The rest of ours is Python: names and the timeslot scheme are looked up for
every question, the statement is put together, and a hundred records with their assets, measures and
paths are made where the hand-written side returns tuples. With `--full` on this machine, ten
million shots on SQLite: open 2.0 ms, pages p99 9.7 ms (cold 85 ms), counts by timeslot, scene and
camera 0.61 s.
"""
PAGE_GOAL_MS = 20.0
COUNTS_GOAL_S = 1.0
OPENING_GOAL_MS = 100.0
REPEATS = 5
COLD_PAGES = 200


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    sqlite: tuple[int, ...]
    postgresql: int
    pages: int


QUICK = Sizes(sqlite=(200_000,), postgresql=20_000, pages=400)
FULL = Sizes(sqlite=(1_000_000, 10_000_000), postgresql=100_000, pages=2000)


def run(full: bool) -> list[Result]:
    sizes = FULL if full else QUICK
    results: list[Result] = []
    for shots in sizes.sqlite:
        synthetic = Synthetic(shots)
        url = f"sqlite:///{cached_catalogue(synthetic)}"
        results += compare(f"sqlite-{shots}", url, synthetic, sizes.pages)
    with server_or_none() as server:
        if server is not None:
            synthetic = Synthetic(sizes.postgresql)
            url = filled_database(server, synthetic)
            results += compare(f"postgresql-{synthetic.shots}", url, synthetic, sizes.pages)
    return results


def compare(name: str, url: str, synthetic: Synthetic, pages: int) -> list[Result]:
    """Compare opening, pages and counts on one catalogue."""
    with both(url) as (catalogue, peer):
        asked = questions(synthetic, pages)
        results = [opening(name, url)]
        file = sqlite_path(make_url(url))
        if file is not None:
            forget(file)
            results.append(paging_cold(name, catalogue, asked[:COLD_PAGES]))
            read_once(file)
        results += paging(name, catalogue, peer, asked)
        return [*results, *counting(name, catalogue, peer)]


def forget(file: Path) -> None:
    """Have memory hold nothing of a file."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_once(file: Path) -> None:
    """Have memory hold a file, as far as there is room."""
    with file.open("rb", buffering=0) as opened:
        while opened.read(1 << 24):
            pass


def paging_cold(name: str, catalogue: Catalogue, asked: Sequence[Question]) -> Result:
    """Time pages that the disk has to be asked for."""
    durations_ms = [_timed_page(catalogue, question)[1] for question in asked]
    p99_ms = percentile(durations_ms, 0.99)
    return _result(
        f"{name}-page-cold-p99", p99_ms, PAGE_GOAL_MS, "the goal", "ms", 0.1, len(asked), 0.005
    )


@contextmanager
def both(url: str) -> Iterator[tuple[Catalogue, HandWritten]]:
    """Open a catalogue in both ways."""
    with (
        open_catalogue(url, Path(tempfile.gettempdir())) as catalogue,
        closing(HandWritten(url)) as peer,
    ):
        yield catalogue, peer


def filled_database(server: URL, synthetic: Synthetic) -> str:
    """Return the URL of a new database that holds a synthetic catalogue, with statistics."""
    url = new_database(server)
    runner.create(url)
    with open_catalogue(url, Path(tempfile.gettempdir())) as catalogue:
        add_surroundings(catalogue, synthetic)
        write_shots(catalogue, bulk_shots(synthetic), clock=HostClock())
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("vacuum analyze"))
    engine.dispose()
    return url


def our_page(catalogue: Catalogue, question: Question) -> list[ShotRecord]:
    """Return a page as the library gives it."""
    records = iterate_shots(catalogue, question.ours, scheme=SCHEME, page_size=PAGE)
    return list(islice(records, PAGE))


def paging(
    name: str, catalogue: Catalogue, peer: HandWritten, asked: Sequence[Question]
) -> list[Result]:
    """Time every page on both sides; the same shots must come."""
    our_page(catalogue, asked[0])
    ours_ms: list[float] = []
    peer_ms: list[float] = []
    by_name: dict[str, list[float]] = {}
    for number, question in enumerate(asked):
        if number % 2:
            ours, theirs = _timed_page(catalogue, question), _timed_rows(peer, question)
        else:
            theirs, ours = _timed_rows(peer, question), _timed_page(catalogue, question)
        if ours[0] != theirs[0]:
            raise RuntimeError(f"both sides answer {question} differently")
        ours_ms.append(ours[1])
        peer_ms.append(theirs[1])
        by_name.setdefault(question.name, []).append(ours[1])
    slowest = max(by_name, key=lambda kind: percentile(by_name[kind], 0.99))
    words = f"the goal; slowest is {slowest}, p99 {percentile(by_name[slowest], 0.99):.1f}"
    peer_name = f"{peer.name}, two statements by hand"
    p99_ms, mean_ms, peer_mean_ms = (
        percentile(ours_ms, 0.99),
        statistics.mean(ours_ms),
        statistics.mean(peer_ms),
    )
    return [
        _result(f"{name}-page-p99", p99_ms, PAGE_GOAL_MS, words, "ms", 1.0, len(asked)),
        _result(f"{name}-page-mean", mean_ms, peer_mean_ms, peer_name, "ms", 0.3, len(asked)),
    ]


def _timed_page(catalogue: Catalogue, question: Question) -> tuple[list[str], float]:
    start = time.perf_counter()
    records = our_page(catalogue, question)
    elapsed_ms = 1000 * (time.perf_counter() - start)
    return [record.id for record in records], elapsed_ms


def _timed_rows(peer: HandWritten, question: Question) -> tuple[list[str], float]:
    start = time.perf_counter()
    rows = peer.page(question.theirs, question.since)
    elapsed_ms = 1000 * (time.perf_counter() - start)
    return [row[1] for row in rows], elapsed_ms


def percentile(durations: Sequence[float], share: float) -> float:
    """Return the duration that this share of all does not exceed."""
    return sorted(durations)[min(len(durations) - 1, int(share * len(durations)))]


def counting(name: str, catalogue: Catalogue, peer: HandWritten) -> list[Result]:
    """Time the counts by timeslot, scene and camera."""
    ours_s, peer_s = median_seconds(
        lambda: count_shots(catalogue, scheme=SCHEME), peer.counts, REPEATS
    )
    words = f"{peer.name}, two statements by hand, timeslots alone"
    return [
        _result(f"{name}-counts", ours_s, peer_s, words, "s", 0.8, REPEATS),
        _result(f"{name}-counts-goal", ours_s, COUNTS_GOAL_S, "the goal", "s", 1.0, REPEATS),
    ]


def opening(name: str, url: str) -> Result:
    """Time opening a catalogue and closing it again."""

    def ours() -> None:
        open_catalogue(url, Path(tempfile.gettempdir())).close()

    ours_s, _ = median_seconds(ours, lambda: HandWritten(url).close(), REPEATS)
    return _result(f"{name}-open", 1000 * ours_s, OPENING_GOAL_MS, "the goal", "ms", 1.0, REPEATS)


def _result(
    name: str,
    ours: float,
    peer: float,
    peer_name: str,
    unit: str,
    goal: float,
    repeats: int,
    limit: float = 0.05,
) -> Result:
    """Return a comparison in which less is better."""
    return Result(
        name=f"catalogue-query-{name}",
        ours=ours,
        peer=peer,
        peer_name=peer_name,
        unit=unit,
        ratio=peer / ours,
        goal=goal,
        limit=limit,
        repeats=repeats,
        machine=machine(),
    )
