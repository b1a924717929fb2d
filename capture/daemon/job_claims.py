"""Claims of jobs: who runs one, fenced by a lease, and what became of the attempt.

A claim is a lease `job:<uuid>` by the database's clock. Whoever takes a job over takes the lease
with a greater fencing token; from then on nothing that the earlier holder writes counts.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session as Transaction

from capture.daemon.job_definitions import JobDefinition
from capture.daemon.job_logs import log_name
from capture.daemon.jobs import DEFINITION_PREFIX, change
from capture.leasing import is_abandoned
from datastore.catalogue import Catalogue
from datastore.clocks import database_now
from datastore.errors import LeaseHeldError, LeaseLostError
from datastore.leases import Lease, acquire_within
from datastore.locks import lock_until_commit
from datastore.tables import Job
from datastore.tables import Lease as LeaseRow

LEASE_S: Final = 120.0
_PREFIX: Final = "job:"
_CANDIDATES: Final = 20


@dataclass(frozen=True)
class Attempt:
    """How an attempt of a job ended.

    Attributes
    ----------
    state
        `completed` or `failed`; None for one that does not count, because it was broken off by a
        daemon that stops.
    reason, detail
        Why, in a word and in a sentence.
    exit_code
        The command's; None where it ended otherwise.
    may_be_repeated
        Whether another attempt could end differently.
    """

    state: Literal["completed", "failed"] | None
    reason: str | None = None
    detail: str | None = None
    exit_code: int | None = None
    may_be_repeated: bool = True


class ClaimedJob:
    """A job that this process runs.

    Parameters
    ----------
    catalogue
        Where the job is.
    job
        Its row, as the claim made it.
    lease
        The claim.
    definition
        What this home's settings say of it.
    """

    def __init__(
        self, catalogue: Catalogue, job: Job, lease: Lease, definition: JobDefinition
    ) -> None:
        self._catalogue = catalogue
        self._lease = lease
        self._attempts_allowed = definition.attempts
        self._retry_after = timedelta(seconds=definition.retry_after_s)
        self._id = job.id
        self.uuid = job.uuid
        self.name = job.name
        self.subject = job.subject
        self.command = [str(word) for word in job.command]
        self.limit_s = job.limit_s
        self.attempt = job.attempts
        self.log = str(job.log)
        self.nice = definition.nice
        self.mark = _mark(job)

    def renew(self) -> None:
        """Hold the claim for another while, even if it had run out, unless somebody took it.

        Raises
        ------
        datastore.errors.LeaseLostError
            If somebody did: the command must be ended.
        """
        with self._catalogue.writing() as transaction:
            self._ours(transaction)
            self._lease.release_within(transaction)
            token = acquire_within(transaction, self._lease.resources, self._lease.holder, LEASE_S)
        self._lease = Lease(self._catalogue, self._lease.resources, self._lease.holder, token)

    def settle(self, attempt: Attempt, at: datetime) -> None:
        """Write down how the attempt ended, and give the claim back; raises as `renew`."""
        with self._catalogue.writing() as transaction:
            job = self._ours(transaction)
            _settle(
                transaction,
                job,
                attempt,
                at,
                by=self._lease.holder,
                attempts_allowed=self._attempts_allowed,
                retry_after=self._retry_after,
            )
            self._lease.release_within(transaction)

    def _ours(self, transaction: Transaction) -> Job:
        lock_until_commit(transaction, "job")
        lock_until_commit(transaction, "lease")
        job = transaction.get_one(Job, self._id)
        is_ours = job.state == "running" and job.attempts == self.attempt
        # a lease that ran out while the machine was suspended and that nobody took is still good
        if not is_ours or self._lease.is_taken_over(transaction):
            raise LeaseLostError(f"job {self.uuid} was taken over by another daemon: stop it")
        return job


def claim_next(
    catalogue: Catalogue, definitions: Mapping[str, JobDefinition], *, now: datetime, holder: str
) -> ClaimedJob | None:
    """Claim the job that has been due longest; None if none is, or this host runs one already.

    Parameters
    ----------
    catalogue
        Where the jobs are.
    definitions
        Of this home: jobs of other names are left to the daemons that know them.
    now
        Civil time.
    holder
        Who claims it: `capture.leasing.this_process()`.
    """
    candidates = (
        select(Job)
        .where(
            Job.state == "pending",
            Job.due_at <= now,
            Job.name.in_(definitions),
            ~Job.subject.startswith(DEFINITION_PREFIX),
        )
        .order_by(Job.due_at, Job.id)
        .limit(_CANDIDATES)
    )
    with catalogue.reading() as transaction:
        if transaction.scalar(candidates) is None:
            return None
    with catalogue.writing() as transaction:
        lock_until_commit(transaction, "job")
        if _works_here(transaction, LeaseRow.resource.startswith(_PREFIX)):
            return None
        for job in transaction.scalars(candidates).all():
            resources = (f"{_PREFIX}{job.uuid}",)
            try:
                token = acquire_within(transaction, resources, holder, LEASE_S)
            except LeaseHeldError:
                continue
            definition = definitions[job.name]
            job.attempts += 1
            job.log = log_name(job.name, job.uuid, job.attempts)
            job.started_at, job.ended_at, job.exit_code = now, None, None
            detail = f"Attempt {job.attempts} of {max(definition.attempts, job.attempts)}."
            change(transaction, job, "running", now, by=holder, detail=detail)
            lease = Lease(catalogue, resources, holder, token)
            return ClaimedJob(catalogue, job, lease, definition)
    return None


def fail_abandoned(
    catalogue: Catalogue,
    definitions: Mapping[str, JobDefinition],
    *,
    now: datetime,
    holder: str,
    kept: str | None,
) -> list[str]:
    """End the attempts whose daemon died; return the marks of their processes.

    An attempt is abandoned if its holder was a process of this host that no longer runs, or one of
    another host whose claim ran out. It is tried again as its definition says.

    Parameters
    ----------
    catalogue, definitions, now, holder
        As for `claim_next`. An abandoned job without a definition here is ended only if it ran on
        this host.
    kept
        UUID of the job that this process runs.
    """
    running = select(Job).where(Job.state == "running").order_by(Job.id)
    if kept is not None:
        running = running.where(Job.uuid != kept)
    with catalogue.reading() as transaction:
        if transaction.scalar(running.limit(1)) is None:
            return []
    ended = []
    with catalogue.writing() as transaction:
        lock_until_commit(transaction, "job")
        lock_until_commit(transaction, "lease")
        for job in transaction.scalars(running).all():
            lease = transaction.get(LeaseRow, f"{_PREFIX}{job.uuid}")
            before = "" if lease is None else lease.holder
            if _is_of_this_host(before):
                # whether it lives is known better than by a clock that may have been moved
                is_held = not is_abandoned(before)
            else:
                is_held = lease is not None and lease.expires_at > database_now(transaction)
            if is_held:
                continue
            definition = definitions.get(job.name)
            if definition is None and not _is_of_this_host(before):
                continue
            mark = _mark(job)
            resources = (f"{_PREFIX}{job.uuid}",)
            if lease is not None:
                Lease(catalogue, resources, before, lease.fencing_token).release_within(transaction)
            # the greater token fences off a daemon that was only asleep
            token = acquire_within(transaction, resources, holder, LEASE_S)
            attempt = Attempt("failed", "process-died", f"Its daemon ended: {before}.")
            _settle(
                transaction,
                job,
                attempt,
                now,
                by=holder,
                attempts_allowed=1 if definition is None else definition.attempts,
                retry_after=timedelta(
                    seconds=0 if definition is None else definition.retry_after_s
                ),
            )
            Lease(catalogue, resources, holder, token).release_within(transaction)
            ended.append(mark)
    return ended


def is_session_running_here(catalogue: Catalogue) -> bool:
    """Tell whether a process of this host runs a session, or is about to for an occurrence."""
    is_of_a_session = or_(
        LeaseRow.resource.startswith("fixture:"), LeaseRow.resource.startswith("occurrence:")
    )
    with catalogue.reading() as transaction:
        return _works_here(transaction, is_of_a_session)


def _settle(
    transaction: Transaction,
    job: Job,
    attempt: Attempt,
    at: datetime,
    *,
    by: str,
    attempts_allowed: int,
    retry_after: timedelta,
) -> None:
    job.ended_at, job.exit_code = at, attempt.exit_code
    if attempt.state is None:
        job.attempts -= 1
        change(transaction, job, "pending", at, by=by, reason=attempt.reason, detail=attempt.detail)
        return
    change(transaction, job, attempt.state, at, by=by, reason=attempt.reason, detail=attempt.detail)
    if attempt.state == "failed" and attempt.may_be_repeated and job.attempts < attempts_allowed:
        job.due_at = at + retry_after
        change(transaction, job, "pending", at, by=by, reason=attempt.reason, detail=attempt.detail)


def _works_here(transaction: Transaction, is_wanted: ColumnElement[bool]) -> bool:
    held = LeaseRow.expires_at > database_now(transaction)
    holders = transaction.scalars(select(LeaseRow.holder).where(is_wanted, held))
    return any(_is_of_this_host(holder) and not is_abandoned(holder) for holder in holders)


def _mark(job: Job) -> str:
    # of the attempt: what an abandoned one left must not be taken for the next one's
    return f"{job.uuid}.{job.attempts}"


def _is_of_this_host(holder: str) -> bool:
    return holder.endswith(f" on {socket.gethostname()}")
