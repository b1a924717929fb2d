"""Shots' status, measures of frames, clock probes, references of imports, saved selections."""

import sqlalchemy as sa
from alembic import op

from datastore.triggers import (
    append_only_statements,
    shot_status_statements,
    without_shot_status_statements,
)

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SHOT_TIME_INDEXES = {
    "ix_shot_session_time": "session_id",
    "ix_shot_camera_time": "camera_id",
    "ix_shot_kind_time": "kind",
    "ix_shot_scene_time": "scene_revision_id",
    "ix_shot_exposure_time": "exposure_s",
    "ix_shot_iso_time": "iso",
}
_FORMER_SHOT_INDEXES = ["session_id", "kind", "exposure_s", "iso"]
_APPEND_ONLY = ["asset_reference", "clock_probe", "frame_measures", "saved_selection"]


def upgrade() -> None:
    op.add_column("shot", sa.Column("time_uncertainty_s", sa.Double(), nullable=True))
    op.create_index(op.f("ix_lease_fencing_token"), "lease", ["fencing_token"], unique=False)
    _order_shot_indexes_by_time()
    _extend_asset_locations()
    _create_shot_status()
    _create_clock_probes()
    _create_file_tables()
    _create_saved_selections()
    dialect = op.get_bind().dialect.name
    for statement in append_only_statements(dialect, _APPEND_ONLY):
        op.execute(statement)
    for statement in shot_status_statements(dialect):
        op.execute(statement)


def _order_shot_indexes_by_time() -> None:
    for column in _FORMER_SHOT_INDEXES:
        op.drop_index(op.f(f"ix_shot_{column}"), table_name="shot")
    for name, column in _SHOT_TIME_INDEXES.items():
        op.create_index(name, "shot", [column, "triggered_at", "id"], unique=False)


def _extend_asset_locations() -> None:
    # neither database needs the table anew for a column with a condition of its own
    op.execute(
        "alter table asset_location add column problem varchar"
        " constraint ck_asset_location_problem"
        " check (problem is null or problem in ('damaged', 'missing', 'unreadable'))"
    )
    op.add_column(
        "asset_location", sa.Column("problem_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_asset_location_unverified",
        "asset_location",
        ["store_id", "verified_at", "asset_id"],
        unique=False,
    )
    op.create_index(
        "ix_asset_location_problem",
        "asset_location",
        ["store_id", "asset_id"],
        unique=False,
        sqlite_where=sa.text("problem is not null"),
        postgresql_where=sa.text("problem is not null"),
    )


def _create_shot_status() -> None:
    op.create_table(
        "shot_status",
        sa.Column("shot_id", _BIG_INTEGER, autoincrement=False, nullable=False),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("state_event_id", _BIG_INTEGER, nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("verdict_id", _BIG_INTEGER, nullable=True),
        sa.ForeignKeyConstraint(
            ["shot_id"], ["shot.id"], name=op.f("fk_shot_status_shot_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("shot_id", name=op.f("pk_shot_status")),
    )
    op.execute(
        "insert into shot_status"
        " (shot_id, triggered_at, state, state_event_id, verdict, verdict_id)"
        " select shot.id, shot.triggered_at, shot_event.name, shot_event.id,"
        " verdict.verdict, verdict.id from shot"
        " left join shot_event on shot_event.id ="
        " (select max(id) from shot_event where shot_id = shot.id)"
        " left join verdict on verdict.id = (select max(id) from verdict where shot_id = shot.id)"
    )
    for column in ("state", "verdict"):
        op.create_index(
            f"ix_shot_status_{column}_time",
            "shot_status",
            [column, "triggered_at", "shot_id"],
            unique=False,
        )


def _create_clock_probes() -> None:
    op.create_table(
        "clock_probe",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("camera_id", _BIG_INTEGER, nullable=False),
        sa.Column("session_id", _BIG_INTEGER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("skew_s", sa.Double(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.CheckConstraint("source in ('probe', 'exif')", name=op.f("ck_clock_probe_source")),
        sa.ForeignKeyConstraint(
            ["camera_id"], ["camera.id"], name=op.f("fk_clock_probe_camera_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["session.id"],
            name=op.f("fk_clock_probe_session_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock_probe")),
    )
    op.create_index(op.f("ix_clock_probe_session_id"), "clock_probe", ["session_id"], unique=False)
    op.create_index(
        "ix_clock_probe_camera_time", "clock_probe", ["camera_id", "at", "id"], unique=False
    )


def _create_file_tables() -> None:
    op.create_table(
        "asset_reference",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("asset_id", _BIG_INTEGER, nullable=False),
        sa.Column("session_id", _BIG_INTEGER, nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"],
            ["asset.id"],
            name=op.f("fk_asset_reference_asset_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["session.id"],
            name=op.f("fk_asset_reference_session_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_reference")),
        sa.UniqueConstraint(
            "asset_id", "folder", "path", name=op.f("uq_asset_reference_asset_id_folder_path")
        ),
    )
    op.create_index(
        op.f("ix_asset_reference_session_id"), "asset_reference", ["session_id"], unique=False
    )
    op.create_index(
        "ix_asset_reference_folder_path", "asset_reference", ["folder", "path"], unique=False
    )
    op.create_table(
        "frame_measures",
        sa.Column("asset_id", _BIG_INTEGER, autoincrement=False, nullable=False),
        sa.Column("black_level_dn", sa.Double(), nullable=True),
        sa.Column("mean_dn", sa.Double(), nullable=True),
        sa.Column("clipped_share", sa.Double(), nullable=True),
        sa.Column("sharpness", sa.Double(), nullable=True),
        sa.Column("temperature_c", sa.Double(), nullable=True),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_frame_measures_asset_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("asset_id", name=op.f("pk_frame_measures")),
    )
    op.create_index(
        op.f("ix_frame_measures_temperature_c"), "frame_measures", ["temperature_c"], unique=False
    )


def _create_saved_selections() -> None:
    op.create_table(
        "saved_selection",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("expression", sa.String(), nullable=False),
        sa.Column("timeslot_scheme", sa.String(), nullable=True),
        sa.Column("operator", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_selection")),
    )
    op.create_index("ix_saved_selection_newest", "saved_selection", ["name", "id"], unique=False)


def downgrade() -> None:
    for statement in without_shot_status_statements(op.get_bind().dialect.name):
        op.execute(statement)
    for table in ("shot_status", *_APPEND_ONLY):
        op.drop_table(table)
    for index in ("ix_asset_location_problem", "ix_asset_location_unverified"):
        op.drop_index(index, "asset_location")
    op.drop_column("asset_location", "problem_at")
    op.drop_column("asset_location", "problem")
    for name in _SHOT_TIME_INDEXES:
        op.drop_index(name, "shot")
    for column in _FORMER_SHOT_INDEXES:
        op.create_index(op.f(f"ix_shot_{column}"), "shot", [column], unique=False)
    op.drop_index(op.f("ix_lease_fencing_token"), "lease")
    op.drop_column("shot", "time_uncertainty_s")
