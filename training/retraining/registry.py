"""The registry of models: which one is in service, which were, and why; append-only.

A model is the trained networks of one experiment together. All changes happen in a writing
transaction of the caller's, which a lock per line keeps one after the other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datastore import audit
from datastore.locks import lock_until_commit
from datastore.tables import ModelEvent, ModelState, RegisteredModel
from training.retraining.errors import RegistryError

_ROLLED_BACK = "rolled_back_from"
"""Number of an event that tells a rollback from a promotion."""


def lock_line(session: Session, name: str) -> None:
    """Keep every other process from changing a line of models until this transaction ends."""
    lock_until_commit(session, f"model {name}")


def register(
    session: Session, name: str, experiment_id: int, at: datetime, reason: str
) -> RegisteredModel:
    """Return an experiment's model of a line, registered as a candidate where it is not yet.

    Parameters
    ----------
    session
        A writing transaction.
    name
        The line of models.
    experiment_id
        The experiment whose networks it is.
    at
        Civil time.
    reason
        Why there is a candidate, in a sentence.
    """
    lock_line(session, name)
    known = session.scalar(
        select(RegisteredModel).where(
            RegisteredModel.name == name, RegisteredModel.experiment_id == experiment_id
        )
    )
    if known is not None:
        return known
    newest = session.scalar(
        select(func.max(RegisteredModel.version)).where(RegisteredModel.name == name)
    )
    model = RegisteredModel(
        name=name, version=(newest or 0) + 1, experiment_id=experiment_id, created_at=at
    )
    session.add(model)
    session.flush()
    _change(session, model, "candidate", at, None, reason, None)
    return model


def state_of(session: Session, model: RegisteredModel) -> str:
    """Return a model's state, which its newest event names."""
    return session.scalars(
        select(ModelEvent.state)
        .where(ModelEvent.model_id == model.id)
        .order_by(ModelEvent.id.desc())
        .limit(1)
    ).one()


def in_service(session: Session, name: str) -> RegisteredModel | None:
    """Return the model of a line that is in service, None where there is none."""
    newest = (
        select(func.max(ModelEvent.id))
        .join(RegisteredModel, RegisteredModel.id == ModelEvent.model_id)
        .where(RegisteredModel.name == name)
        .group_by(ModelEvent.model_id)
    )
    return session.scalar(
        select(RegisteredModel)
        .join(ModelEvent, ModelEvent.model_id == RegisteredModel.id)
        .where(ModelEvent.id.in_(newest), ModelEvent.state == "in-service")
    )


def find_model(session: Session, reference: str) -> RegisteredModel:
    """Return a model by `NAME@VERSION`, by its identifier, or the one in service of a line.

    Raises
    ------
    RegistryError
        If there is none.
    """
    name, _, version = reference.rpartition("@")
    if name and version.isdecimal():
        query = select(RegisteredModel).where(
            RegisteredModel.name == name, RegisteredModel.version == int(version)
        )
    else:
        query = select(RegisteredModel).where(RegisteredModel.uuid == reference)
    found = session.scalar(query) or in_service(session, reference)
    if found is None:
        raise RegistryError(
            f"there is no model {reference}, and none of that name is in service:"
            " `agetrace model list` names them as NAME@VERSION"
        )
    return found


def promote(
    session: Session,
    model: RegisteredModel,
    at: datetime,
    *,
    operator: str | None,
    reason: str,
    numbers: dict[str, Any] | None = None,
) -> RegisteredModel | None:
    """Put a model into service; the one that was retires and is returned.

    Parameters
    ----------
    session
        A writing transaction.
    model
        Any model but the one in service.
    at
        Civil time.
    operator
        Who does it; None for a retraining.
    reason
        Why, in a sentence.
    numbers
        What the decision rests on.

    Raises
    ------
    RegistryError
        If it is in service already.
    """
    lock_line(session, model.name)
    before = in_service(session, model.name)
    if before is not None and before.id == model.id:
        raise RegistryError(f"model {label(model)} is in service already")
    if before is not None:
        retired = f"replaced by version {model.version}: {reason}"
        _change(session, before, "retired", at, operator, retired, None)
    _change(session, model, "in-service", at, operator, reason, numbers)
    return before


def reject(
    session: Session,
    model: RegisteredModel,
    at: datetime,
    *,
    operator: str | None,
    reason: str,
    numbers: dict[str, Any] | None = None,
) -> None:
    """Say that a candidate is not put into service; it can be promoted by hand all the same.

    Raises
    ------
    RegistryError
        If it is no candidate.
    """
    lock_line(session, model.name)
    state = state_of(session, model)
    if state != "candidate":
        raise RegistryError(f"model {label(model)} is {state}, and only candidates are rejected")
    _change(session, model, "rejected", at, operator, reason, numbers)


def roll_back(
    session: Session, name: str, at: datetime, *, operator: str | None, reason: str
) -> RegisteredModel:
    """Put the model into service that the present one of a line replaced, and return it.

    Raises
    ------
    RegistryError
        If no model is in service, or it replaced none.
    """
    lock_line(session, name)
    present = in_service(session, name)
    if present is None:
        raise RegistryError(f"no model {name} is in service, so there is nothing to roll back")
    # those that were rolled back from are not gone back to
    replaced: list[int] = []
    for model_id, numbers in session.execute(
        select(ModelEvent.model_id, ModelEvent.numbers)
        .join(RegisteredModel, RegisteredModel.id == ModelEvent.model_id)
        .where(RegisteredModel.name == name, ModelEvent.state == "in-service")
        .order_by(ModelEvent.id)
    ):
        if _ROLLED_BACK in (numbers or {}):
            replaced.pop()
        else:
            replaced.append(model_id)
    if len(replaced) < 2:
        raise RegistryError(f"model {label(present)} replaced none, so there is none to go back to")
    earlier = session.get_one(RegisteredModel, replaced[-2])
    promote(
        session,
        earlier,
        at,
        operator=operator,
        reason=f"rolled back: {reason}",
        numbers={_ROLLED_BACK: label(present)},
    )
    return earlier


def label(model: RegisteredModel) -> str:
    """Return what people call a model: `NAME@VERSION`."""
    return f"{model.name}@{model.version}"


def _change(
    session: Session,
    model: RegisteredModel,
    state: ModelState,
    at: datetime,
    operator: str | None,
    reason: str,
    numbers: dict[str, Any] | None,
) -> None:
    session.add(
        ModelEvent(
            model_id=model.id,
            state=state,
            at=at,
            operator=operator,
            reason=reason,
            numbers=numbers,
        )
    )
    session.flush()
    audit.append(
        session,
        f"model {state}",
        {"model": model.uuid, "name": label(model), "operator": operator, "reason": reason},
        at,
    )
