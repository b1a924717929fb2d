"""`agetrace job`: what the daemon ran by itself, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, print_records

app = typer.Typer(no_args_is_help=True, help="See what the daemon runs by itself.")

_STATES = ("pending", "running", "completed", "failed", "cancelled")


@app.command("list")
def list_(
    context: typer.Context,
    name: Annotated[list[str] | None, typer.Option(help="Name of the job's definition.")] = None,
    state: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(_STATES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List jobs, newest first; several values of one option mean any of them.

    Example: agetrace job list --state failed --name backup
    """
    from agetrace.errors import RequestError
    from capture.daemon.job_records import list_jobs

    for wanted in state or ():
        if wanted not in _STATES:
            raise RequestError(f"--state {wanted!r} is no state: it is {', '.join(_STATES)}")
    with catalogue_of(context) as (_, catalogue), catalogue.reading() as transaction:
        jobs = list_jobs(transaction, names=name or (), states=state or (), limit=limit)
    columns = ["id", "name", "subject", "state", "reason", "attempts", "due_at", "ended_at"]
    print_records((job.to_json() for job in jobs), columns, as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="Job, or the beginning of its UUID.")],
    lines: Annotated[int, typer.Option(min=0, help="How many lines of its log's end.")] = 40,
    as_json: JsonOption = False,
) -> None:
    """Show a job, its history and the end of its newest attempt's log.

    Example: agetrace job show 3f2a --lines 100
    """
    from capture.daemon.job_logs import log_path, read_end
    from capture.daemon.job_records import find_job

    with catalogue_of(context) as (home, catalogue), catalogue.reading() as transaction:
        record, changes = find_job(transaction, job)
    path = None if record.log is None else log_path(home.log_root, record.log)
    log = "" if path is None else read_end(path, 1 << 20)
    tail = log.splitlines()[-lines:] if lines else []
    history = [change.to_json() for change in changes]
    if as_json:
        print_json({**record.to_json(), "history": history, "log_end": tail})
        return
    for field, value in {**record.to_json(), "log": path}.items():
        if value is not None:
            typer.echo(f"{field}: {' '.join(value) if isinstance(value, list) else value}")
    print_records(history, ["at", "state", "detail", "by"])
    for line in tail:
        typer.echo("".join(c if c.isprintable() else " " for c in line))
