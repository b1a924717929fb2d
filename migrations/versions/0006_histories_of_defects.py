"""Histories of defects: mapped-out ones, amplitudes over time, flat fields, dust, fingerprints."""

import sqlalchemy as sa
from alembic import op

from datastore.triggers import append_only_statements

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_APPEND_ONLY = [
    "camera_fingerprint",
    "dust_spot",
    "flat_extraction",
    "flat_observation",
    "ledger_history",
]


def _refers(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="RESTRICT"
    )


def upgrade() -> None:
    op.add_column("ledger_defect", sa.Column("mapped_out", sa.Boolean(), nullable=True))
    op.create_table(
        "ledger_history",
        sa.Column("ledger_id", _BIG_INTEGER, autoincrement=False, nullable=False),
        sa.Column("series_asset_id", _BIG_INTEGER, nullable=False),
        sa.Column("mapping_events", sa.JSON(), nullable=False),
        _refers("ledger_history", "ledger_id", "defect_ledger"),
        _refers("ledger_history", "series_asset_id", "asset"),
        sa.PrimaryKeyConstraint("ledger_id", name=op.f("pk_ledger_history")),
    )
    op.create_table(
        "flat_extraction",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("session_id", _BIG_INTEGER, nullable=False),
        sa.Column("camera_id", _BIG_INTEGER, nullable=False),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("parameters_sha256", sa.String(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _refers("flat_extraction", "camera_id", "camera"),
        _refers("flat_extraction", "session_id", "session"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flat_extraction")),
        sa.UniqueConstraint(
            "session_id",
            "camera_id",
            "parameters_sha256",
            name=op.f("uq_flat_extraction_session_id_camera_id_parameters_sha256"),
        ),
    )
    op.create_index(
        op.f("ix_flat_extraction_camera_id"), "flat_extraction", ["camera_id"], unique=False
    )
    op.create_table(
        "flat_observation",
        sa.Column("extraction_id", _BIG_INTEGER, nullable=False),
        sa.Column("row", _BIG_INTEGER, nullable=False),
        sa.Column("column", _BIG_INTEGER, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("response", sa.Double(), nullable=False),
        sa.Column("response_error", sa.Double(), nullable=False),
        sa.Column("significance", sa.Double(), nullable=False),
        sa.Column("under_dust", sa.Boolean(), nullable=False),
        _refers("flat_observation", "extraction_id", "flat_extraction"),
        sa.PrimaryKeyConstraint("extraction_id", "row", "column", name=op.f("pk_flat_observation")),
    )
    op.create_table(
        "dust_spot",
        sa.Column("extraction_id", _BIG_INTEGER, nullable=False),
        sa.Column("number", _BIG_INTEGER, nullable=False),
        sa.Column("row", sa.Double(), nullable=False),
        sa.Column("column", sa.Double(), nullable=False),
        sa.Column("radius_photosites", sa.Double(), nullable=False),
        sa.Column("depth", sa.Double(), nullable=False),
        sa.Column("depth_error", sa.Double(), nullable=False),
        sa.Column("significance", sa.Double(), nullable=False),
        _refers("dust_spot", "extraction_id", "flat_extraction"),
        sa.PrimaryKeyConstraint("extraction_id", "number", name=op.f("pk_dust_spot")),
    )
    op.create_table(
        "camera_fingerprint",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("camera_id", _BIG_INTEGER, nullable=False),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("fingerprint_asset_id", _BIG_INTEGER, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _refers("camera_fingerprint", "camera_id", "camera"),
        _refers("camera_fingerprint", "fingerprint_asset_id", "asset"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_camera_fingerprint")),
    )
    op.create_index(
        op.f("ix_camera_fingerprint_camera_id"), "camera_fingerprint", ["camera_id"], unique=False
    )
    for statement in append_only_statements(op.get_bind().dialect.name, _APPEND_ONLY):
        op.execute(statement)


def downgrade() -> None:
    for table in (
        "camera_fingerprint",
        "dust_spot",
        "flat_observation",
        "flat_extraction",
        "ledger_history",
    ):
        op.drop_table(table)
    op.drop_column("ledger_defect", "mapped_out")
