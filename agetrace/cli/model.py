"""`agetrace model`: the registry of models: list, show, promote, roll back."""

from __future__ import annotations

from typing import Annotated

import typer

from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    login,
    print_json,
    print_records,
    say,
)

app = typer.Typer(no_args_is_help=True, help="See and change which models are in service.")

Reference = Annotated[
    str, typer.Argument(help="NAME@VERSION, an identifier, or a line's name: the one in service.")
]
Reason = Annotated[str, typer.Option(help="Why, in a sentence.")]
Operator = Annotated[str | None, typer.Option(help="Who does it; this login otherwise.")]

_COLUMNS = ("model", "state", "experiment", "created_at", "reason")
_RUN_COLUMNS = ("ordinal", "seed", "selected_step", "dataset", "weights_sha256")
_HISTORY_COLUMNS = ("at", "state", "operator", "reason")


@app.command("list")
def list_(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One line of models; all otherwise.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the models of every line, with their states and why they have them.

    Example: agetrace model list
    """
    from sqlalchemy import select

    from datastore.tables import RegisteredModel
    from training.retraining.registry import label

    query = select(RegisteredModel).order_by(RegisteredModel.name, RegisteredModel.version)
    if name is not None:
        query = query.where(RegisteredModel.name == name)
    with catalogue_of(context) as (_, catalogue), catalogue.reading() as session:
        records = [
            {
                "model": label(model),
                "name": model.name,
                "version": model.version,
                "id": model.uuid,
                "state": model.events[-1].state,
                "experiment": model.experiment.name,
                "created_at": model.created_at.isoformat(),
                "reason": model.events[-1].reason,
            }
            for model in session.scalars(query)
        ]
    print_records(records, _COLUMNS, as_json=as_json, wrapped="reason")


@app.command()
def show(context: typer.Context, model: Reference, as_json: JsonOption = False) -> None:
    """Show a model's lineage, from its networks to datasets and code, and its history.

    Example: agetrace model show monthly@3
    """
    from training.retraining.lineage import view_model
    from training.retraining.registry import find_model

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as session:
        found = view_model(session, find_model(session, model)).to_json()
    if as_json:
        print_json(found)
        return
    say(
        f"{found['name']}@{found['version']} is {found['state']}: experiment"
        f" {found['experiment_name']} {found['experiment']}, code {found['code_version']}"
    )
    print_records(found["runs"], _RUN_COLUMNS)
    print_records(found["history"], _HISTORY_COLUMNS, wrapped="reason")


@app.command()
def promote(
    context: typer.Context,
    model: Reference,
    reason: Reason,
    operator: Operator = None,
    as_json: JsonOption = False,
) -> None:
    """Put a model into service; the one that was retires.

    Example: agetrace model promote monthly@3 --reason "sharper on the new scenes"
    """
    from datastore.clocks import HostClock
    from training.retraining import registry

    with catalogue_of(context) as (_, catalogue), catalogue.writing() as session:
        chosen = registry.find_model(session, model)
        retired = registry.promote(
            session, chosen, HostClock().now(), operator=operator or login(), reason=reason
        )
        now = registry.label(chosen)
        before = None if retired is None else registry.label(retired)
    _tell(now, before, reason, as_json=as_json)


@app.command()
def rollback(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The line of models.")],
    reason: Reason,
    operator: Operator = None,
    as_json: JsonOption = False,
) -> None:
    """Put the model into service again that the present one replaced.

    Example: agetrace model rollback monthly --reason "dates the new camera wrongly"
    """
    from datastore.clocks import HostClock
    from training.retraining import registry

    with catalogue_of(context) as (_, catalogue), catalogue.writing() as session:
        present = registry.in_service(session, name)
        before = None if present is None else registry.label(present)
        chosen = registry.roll_back(
            session, name, HostClock().now(), operator=operator or login(), reason=reason
        )
        now = registry.label(chosen)
    _tell(now, before, reason, as_json=as_json)


def _tell(now: str, before: str | None, reason: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"in_service": now, "retired": before, "reason": reason})
    else:
        replaced = "" if before is None else f", {before} is retired"
        say(f"{now} is in service{replaced}: {reason}")
