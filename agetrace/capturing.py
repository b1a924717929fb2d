"""Puts a capture session together from a home's settings: fixture, clock, actuator, spool."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from agetrace.errors import HomeError, RequestError
from capture.errors import CaptureError
from datastore import audit
from datastore.clocks import CivilClock, HostClock
from datastore.errors import DatastoreError
from datastore.tables import AuditEntry, Fixture

_ABANDONED_S = 24 * 3600.0
"""Age from which unfinished files of the store belong to killed processes."""

_REFUSED: Final = "session.refused"
"""Action of the audit's entries for sessions that did not begin."""

if TYPE_CHECKING:
    from agetrace.settings import Home
    from capture.actuators import Actuator
    from capture.outcome import SessionOutcome
    from capture.recipes import Recipe
    from capture.reconcile import Reconciled
    from datastore.catalogue import Catalogue


def run_recipe(
    home: Home,
    catalogue: Catalogue,
    recipe: Recipe,
    *,
    fixture_name: str | None = None,
    serials: Sequence[str] | None = None,
    operator: str | None = None,
    occurrence_id: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
    begun: Callable[[str], None] | None = None,
    use_references: bool = True,
) -> SessionOutcome:
    """Run one session as the home's settings say; parameters as `capture.sessions.run_session`.

    Raises
    ------
    RequestError
        If no fixture is named and there is not exactly one.
    HomeError
        If the settings of the clock are incomplete.
    capture.errors.CaptureError
        If the session cannot begin, or its work fails.
    """
    from capture.sessions import run_session

    catalogue.store.discard_unfinished(older_than_s=_ABANDONED_S)
    name = fixture_name or only_fixture(catalogue)
    clock = clock_of(home)
    uuids: list[str] = []

    def note_begun(uuid: str) -> None:
        uuids.append(uuid)
        if begun is not None:
            begun(uuid)

    try:
        return run_session(
            catalogue,
            recipe,
            name,
            actuator=actuator_of(home, name),
            clock=clock,
            spool_folder=home.spool_root,
            serials=serials,
            operator=operator,
            occurrence_id=occurrence_id,
            progress=progress,
            stop=stop,
            operator_patience_s=home.settings.operator.patience_s,
            camera_patience_s=home.settings.cameras.patience_s,
            begun=note_begun,
            use_references=use_references,
        )
    except (CaptureError, DatastoreError) as error:
        # what an occurrence asked for is told by its own events
        if not uuids and occurrence_id is None:
            _note_refused(catalogue, clock, name, recipe, operator, error)
        raise


def _note_refused(
    catalogue: Catalogue,
    clock: CivilClock,
    fixture_name: str,
    recipe: Recipe,
    operator: str | None,
    error: Exception,
) -> None:
    """Write to the audit that a session did not begin, and why: it has no row that could tell."""
    entry = {
        "fixture": fixture_name,
        "recipe": recipe.content_sha256,
        "recipe_name": recipe.name,
        "operator": operator,
        "reason": str(error),
    }
    # a full disk or a clock that does not answer must not hide what the session was refused for
    with suppress(CaptureError, DatastoreError, SQLAlchemyError):
        at = clock.now()
        with catalogue.writing() as transaction:
            audit.append(transaction, _REFUSED, entry, at)


def go_on(
    home: Home,
    catalogue: Catalogue,
    session_uuid: str,
    *,
    operator: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
) -> SessionOutcome | None:
    """Go on with a session: wake a paused one that runs elsewhere (None), else take the rest here.

    Raises
    ------
    HomeError
        If the settings of the clock are incomplete.
    capture.errors.CaptureError
        If there is no such session, it cannot be gone on with, or the work fails.
    """
    from capture.attendance import ask_session, find_session, state_of
    from capture.leasing import is_leased
    from capture.sessions import resume_session

    clock = clock_of(home)
    with catalogue.reading() as transaction:
        session = find_session(transaction, session_uuid)
        is_paused = state_of(transaction, session.id) == "paused"
        revision = session.fixture_revision
        fixture_name = "" if revision is None else revision.fixture.name
    if is_paused and is_leased(catalogue, [f"fixture:{fixture_name}"]):
        ask_session(catalogue, session.uuid, "resume", operator=operator, at=clock.now())
        return None
    return resume_session(
        catalogue,
        session.uuid,
        actuator=lambda name: actuator_of(home, name),
        clock=clock,
        spool_folder=home.spool_root,
        operator=operator,
        progress=progress,
        stop=stop,
        operator_patience_s=home.settings.operator.patience_s,
        camera_patience_s=home.settings.cameras.patience_s,
    )


def reconcile_fixture(
    home: Home, catalogue: Catalogue, *, fixture_name: str | None = None
) -> Reconciled:
    """Settle what an interruption left open on a fixture; raises as `run_recipe` does."""
    from capture.reconcile import reconcile

    return reconcile(
        catalogue,
        fixture_name or only_fixture(catalogue),
        clock=clock_of(home),
        spool_folder=home.spool_root,
        camera_patience_s=home.settings.cameras.patience_s,
    )


def only_fixture(catalogue: Catalogue) -> str:
    """Return the name of the one fixture of a catalogue.

    Raises
    ------
    RequestError
        If there is none, or several.
    """
    with catalogue.reading() as session:
        names = list(session.scalars(select(Fixture.name).order_by(Fixture.name)))
    if not names:
        raise RequestError(
            "there is no fixture yet: describe one with `agetrace fixture add FILE.yaml`"
        )
    if len(names) > 1:
        raise RequestError(f"there are several fixtures ({', '.join(names)}): name one, --fixture")
    return names[0]


def refused_sessions(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Yield the sessions that did not begin, as JSON values, oldest first."""
    with catalogue.reading() as transaction:
        for row in transaction.scalars(
            select(AuditEntry).where(AuditEntry.action == _REFUSED).order_by(AuditEntry.id)
        ):
            yield {"at": row.at.isoformat(), **row.entry}


def clock_of(home: Home) -> CivilClock:
    """Return the civil clock that the home's settings name."""
    settings = home.settings.clock
    if settings.source == "host":
        return HostClock()
    if settings.url is None:
        raise HomeError(
            "settings: clock.url is missing: a simulated clock needs the endpoint's URL"
        )
    from capture.clock_source import VirtualFixtureClock

    return VirtualFixtureClock(settings.url)


def actuator_of(home: Home, fixture_name: str) -> Actuator | None:
    """Return what changes the scenes of a fixture; None where an operator does it."""
    from agetrace.settings import CommandSettings, HttpSettings, VirtualSettings
    from capture.actuators import CommandActuator, HttpActuator, VirtualActuator

    settings = home.settings.actuators.get(fixture_name)
    if isinstance(settings, VirtualSettings):
        return VirtualActuator(settings.url)
    if isinstance(settings, CommandSettings):
        return CommandActuator(settings.set_scene, settings.set_cap)
    if isinstance(settings, HttpSettings):
        return HttpActuator(
            settings.set_scene, settings.set_cap, settings.hosts, settings.token_variable
        )
    return None
