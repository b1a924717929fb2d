"""Verdicts on experiments, each with the whole report that it rests on."""

import sqlalchemy as sa
from alembic import op

from datastore.triggers import append_only_statements

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _refers(column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_evidence_report_{column}"), ondelete="RESTRICT"
    )


def upgrade() -> None:
    op.create_table(
        "evidence_report",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("experiment_id", _BIG_INTEGER, nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("report_asset_id", _BIG_INTEGER, nullable=False),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "verdict in ('defect-trace-supported', 'other-device-age-trace', 'content-suspected',"
            " 'no-evidence', 'inconclusive')",
            name=op.f("ck_evidence_report_verdict"),
        ),
        _refers("experiment_id", "experiment"),
        _refers("report_asset_id", "asset"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_report")),
        sa.UniqueConstraint("uuid", name=op.f("uq_evidence_report_uuid")),
    )
    op.create_index(
        "ix_evidence_report_newest", "evidence_report", ["experiment_id", "id"], unique=False
    )
    for statement in append_only_statements(op.get_bind().dialect.name, ["evidence_report"]):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("evidence_report")
