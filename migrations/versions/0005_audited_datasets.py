"""Perceptual hashes of frames, audits of datasets, how datasets came to be frozen."""

import sqlalchemy as sa
from alembic import op

from datastore.triggers import append_only_statements

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_APPEND_ONLY = ["perceptual_hash", "dataset_audit", "dataset_freeze"]


def upgrade() -> None:
    op.create_table(
        "perceptual_hash",
        sa.Column("asset_id", _BIG_INTEGER, autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(), nullable=True),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"],
            ["asset.id"],
            name=op.f("fk_perceptual_hash_asset_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("asset_id", name=op.f("pk_perceptual_hash")),
    )
    op.create_table(
        "dataset_audit",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("manifest_version", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("report_asset_id", _BIG_INTEGER, nullable=False),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "verdict in ('pass', 'warn', 'fail')", name=op.f("ck_dataset_audit_verdict")
        ),
        sa.ForeignKeyConstraint(
            ["report_asset_id"],
            ["asset.id"],
            name=op.f("fk_dataset_audit_report_asset_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_audit")),
        sa.UniqueConstraint("uuid", name=op.f("uq_dataset_audit_uuid")),
    )
    op.create_index(
        "ix_dataset_audit_newest", "dataset_audit", ["manifest_version", "id"], unique=False
    )
    op.create_table(
        "dataset_freeze",
        sa.Column("dataset_id", _BIG_INTEGER, autoincrement=False, nullable=False),
        sa.Column("audit_id", _BIG_INTEGER, nullable=False),
        sa.Column("forced_reason", sa.String(), nullable=True),
        sa.Column("family", sa.String(), nullable=True),
        sa.Column("fold", _BIG_INTEGER, nullable=True),
        sa.CheckConstraint(
            "(family is null) = (fold is null)", name=op.f("ck_dataset_freeze_fold_of_family")
        ),
        sa.ForeignKeyConstraint(
            ["audit_id"],
            ["dataset_audit.id"],
            name=op.f("fk_dataset_freeze_audit_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_dataset_freeze_dataset_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_dataset_freeze")),
    )
    op.create_index(op.f("ix_dataset_freeze_audit_id"), "dataset_freeze", ["audit_id"])
    op.create_index("ix_dataset_freeze_family", "dataset_freeze", ["family", "fold"])
    for statement in append_only_statements(op.get_bind().dialect.name, _APPEND_ONLY):
        op.execute(statement)


def downgrade() -> None:
    for table in ("dataset_freeze", "dataset_audit", "perceptual_hash"):
        op.drop_table(table)
