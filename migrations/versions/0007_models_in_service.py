"""How runs were computed, what they said crop by crop, models in service, and retraining."""

import sqlalchemy as sa
from alembic import op

from datastore.triggers import append_only_statements

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_APPEND_ONLY = [
    "model_event",
    "registered_model",
    "retraining",
    "retraining_event",
    "run_execution",
    "run_predictions",
]


def _refers(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="RESTRICT"
    )


def upgrade() -> None:
    op.create_table(
        "run_execution",
        sa.Column("run_id", _BIG_INTEGER, autoincrement=False, nullable=False),
        sa.Column("dataset_id", _BIG_INTEGER, nullable=False),
        sa.Column("execution", sa.JSON(), nullable=False),
        sa.Column("selected_step", _BIG_INTEGER, nullable=False),
        sa.Column("validation_history", sa.JSON(), nullable=False),
        _refers("run_execution", "run_id", "run"),
        _refers("run_execution", "dataset_id", "dataset"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_execution")),
    )
    op.create_index(
        op.f("ix_run_execution_dataset_id"), "run_execution", ["dataset_id"], unique=False
    )
    op.create_table(
        "run_predictions",
        sa.Column("run_id", _BIG_INTEGER, autoincrement=False, nullable=False),
        sa.Column("evaluation", sa.String(), nullable=False),
        sa.Column("predictions_asset_id", _BIG_INTEGER, nullable=False),
        _refers("run_predictions", "run_id", "run"),
        _refers("run_predictions", "predictions_asset_id", "asset"),
        sa.PrimaryKeyConstraint("run_id", "evaluation", name=op.f("pk_run_predictions")),
    )
    op.create_table(
        "registered_model",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", _BIG_INTEGER, nullable=False),
        sa.Column("experiment_id", _BIG_INTEGER, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _refers("registered_model", "experiment_id", "experiment"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registered_model")),
        sa.UniqueConstraint("uuid", name=op.f("uq_registered_model_uuid")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_registered_model_name_version")),
        sa.UniqueConstraint(
            "name", "experiment_id", name=op.f("uq_registered_model_name_experiment_id")
        ),
    )
    op.create_table(
        "model_event",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("model_id", _BIG_INTEGER, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operator", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "state in ('candidate', 'in-service', 'retired', 'rejected')",
            name=op.f("ck_model_event_state"),
        ),
        _refers("model_event", "model_id", "registered_model"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_event")),
    )
    op.create_index("ix_model_event_newest", "model_event", ["model_id", "id"], unique=False)
    op.create_table(
        "retraining",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("timeslot_id", _BIG_INTEGER, nullable=False),
        sa.Column("policy_document", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _refers("retraining", "timeslot_id", "timeslot"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retraining")),
        sa.UniqueConstraint("uuid", name=op.f("uq_retraining_uuid")),
        sa.UniqueConstraint("policy", "timeslot_id", name=op.f("uq_retraining_policy_timeslot_id")),
    )
    op.create_table(
        "retraining_event",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("retraining_id", _BIG_INTEGER, nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "step in ('begun', 'frozen', 'unchanged', 'refused', 'trained', 'promoted', 'kept',"
            " 'failed')",
            name=op.f("ck_retraining_event_step"),
        ),
        _refers("retraining_event", "retraining_id", "retraining"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retraining_event")),
    )
    op.create_index(
        "ix_retraining_event_newest", "retraining_event", ["retraining_id", "id"], unique=False
    )
    for statement in append_only_statements(op.get_bind().dialect.name, _APPEND_ONLY):
        op.execute(statement)


def downgrade() -> None:
    for table in (
        "retraining_event",
        "retraining",
        "model_event",
        "registered_model",
        "run_predictions",
        "run_execution",
    ):
        op.drop_table(table)
