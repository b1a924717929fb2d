"""Puts the runner of jobs together from a home's settings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agetrace.errors import HomeError
from agetrace.settings import SETTINGS_NAME

if TYPE_CHECKING:
    from agetrace.settings import Home
    from capture.daemon.job_definitions import JobDefinition
    from capture.daemon.job_runner import JobRunner
    from datastore.catalogue import Catalogue


def job_definitions(home: Home) -> dict[str, JobDefinition]:
    """Return the jobs that a home's settings define, by name.

    Raises
    ------
    HomeError
        If one cannot be; the message names its field.
    """
    from pydantic import TypeAdapter, ValidationError

    from capture.daemon.job_definitions import JobDefinition, JobName
    from datastore.descriptions import describe_problem

    adapter = TypeAdapter(dict[JobName, JobDefinition])
    try:
        return adapter.validate_python(home.settings.jobs)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(("jobs", *(str(part) for part in first["loc"])))
        said = describe_problem(first)
        raise HomeError(f"{home.folder / SETTINGS_NAME}: {field}: {said}") from None


def job_runner_of(home: Home, catalogue: Catalogue) -> JobRunner:
    """Return what runs a home's jobs; its `tick` is a hook of the daemon, `close` ends it.

    Raises
    ------
    HomeError
        If a job's definition cannot be, or the settings of the clock are incomplete.
    """
    from agetrace.capturing import clock_of
    from capture.daemon.clock_watch import ClockWatch
    from capture.daemon.job_runner import JobRunner

    clock = clock_of(home)
    return JobRunner(
        catalogue,
        job_definitions(home),
        # -P: a folder of the home must not stand in for a module of the program
        command=[sys.executable, "-P", "-m", "agetrace", "--home", str(home.folder)],
        folder=home.folder,
        log_folder=home.log_root,
        clock=clock,
        # a simulated clock moves as it likes
        watch=ClockWatch() if clock.source == "host" else None,
    )
