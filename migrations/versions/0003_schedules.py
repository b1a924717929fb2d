"""Schedules, occurrences, jobs, the outbox and daemons; the zone of a timeslot scheme."""

import sqlalchemy as sa
from alembic import op

from datastore.triggers import append_only_statements

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_APPEND_ONLY = [
    "schedule",
    "schedule_event",
    "occurrence_event",
    "occurrence_session",
    "job_event",
]


def upgrade() -> None:
    op.add_column("timeslot_scheme", sa.Column("zone", sa.String(), nullable=True))
    _create_schedules()
    _create_occurrences()
    _create_jobs()
    _create_notifications_and_daemons()
    for statement in append_only_statements(op.get_bind().dialect.name, _APPEND_ONLY):
        op.execute(statement)


def _create_schedules() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("fixture_id", _BIG_INTEGER, nullable=False),
        sa.Column("recipe_id", _BIG_INTEGER, nullable=False),
        sa.Column("description", sa.JSON(), nullable=False),
        sa.Column("operator", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["fixture_id"], ["fixture.id"], name=op.f("fk_schedule_fixture_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["recipe_id"], ["recipe.id"], name=op.f("fk_schedule_recipe_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule")),
        sa.UniqueConstraint("name", name=op.f("uq_schedule_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_schedule_uuid")),
    )
    op.create_table(
        "schedule_event",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("schedule_id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operator", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "name in ('added', 'paused', 'resumed', 'retired')", name=op.f("ck_schedule_event_name")
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedule.id"],
            name=op.f("fk_schedule_event_schedule_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule_event")),
    )
    op.create_index(
        "ix_schedule_event_newest", "schedule_event", ["schedule_id", "id"], unique=False
    )
    op.create_table(
        "schedule_expansion",
        sa.Column("schedule_id", _BIG_INTEGER, nullable=False),
        sa.Column("expanded_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedule.id"],
            name=op.f("fk_schedule_expansion_schedule_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("schedule_id", name=op.f("pk_schedule_expansion")),
    )


def _create_occurrences() -> None:
    op.create_table(
        "occurrence",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("schedule_id", _BIG_INTEGER, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("attempts", _BIG_INTEGER, nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('pending', 'claimed', 'completed', 'partial', 'failed', 'missed',"
            " 'cancelled')",
            name=op.f("ck_occurrence_state"),
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedule.id"],
            name=op.f("fk_occurrence_schedule_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occurrence")),
        sa.UniqueConstraint("schedule_id", "due_at", name=op.f("uq_occurrence_schedule_id_due_at")),
        sa.UniqueConstraint("uuid", name=op.f("uq_occurrence_uuid")),
    )
    op.create_index("ix_occurrence_due", "occurrence", ["due_at", "id"], unique=False)
    op.create_index("ix_occurrence_state_start", "occurrence", ["state", "starts_at"], unique=False)
    op.create_table(
        "occurrence_event",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("occurrence_id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.CheckConstraint(
            "name in ('pending', 'attended', 'waiting', 'claimed', 'taken-over',"
            " 'completed', 'partial', 'failed', 'missed', 'cancelled')",
            name=op.f("ck_occurrence_event_name"),
        ),
        sa.ForeignKeyConstraint(
            ["occurrence_id"],
            ["occurrence.id"],
            name=op.f("fk_occurrence_event_occurrence_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occurrence_event")),
    )
    op.create_index(
        "ix_occurrence_event_newest", "occurrence_event", ["occurrence_id", "id"], unique=False
    )
    op.create_table(
        "occurrence_session",
        sa.Column("session_id", _BIG_INTEGER, nullable=False),
        sa.Column("occurrence_id", _BIG_INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["occurrence_id"],
            ["occurrence.id"],
            name=op.f("fk_occurrence_session_occurrence_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["session.id"],
            name=op.f("fk_occurrence_session_session_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_occurrence_session")),
    )
    op.create_index(
        op.f("ix_occurrence_session_occurrence_id"),
        "occurrence_session",
        ["occurrence_id"],
        unique=False,
    )


def _create_jobs() -> None:
    op.create_table(
        "job",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("command", sa.JSON(), nullable=False),
        sa.Column("limit_s", sa.Double(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", _BIG_INTEGER, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exit_code", _BIG_INTEGER, nullable=True),
        sa.Column("log", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state in ('pending', 'running', 'completed', 'failed', 'cancelled')",
            name=op.f("ck_job_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("name", "subject", name=op.f("uq_job_name_subject")),
        sa.UniqueConstraint("uuid", name=op.f("uq_job_uuid")),
    )
    op.create_index("ix_job_state_due", "job", ["state", "due_at"], unique=False)
    op.create_table(
        "job_event",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("job_id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.CheckConstraint(
            "name in ('pending', 'running', 'completed', 'failed', 'cancelled')",
            name=op.f("ck_job_event_name"),
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job.id"], name=op.f("fk_job_event_job_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_event")),
    )
    op.create_index("ix_job_event_newest", "job_event", ["job_id", "id"], unique=False)


def _create_notifications_and_daemons() -> None:
    op.create_table(
        "daemon",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("clock_source", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state in ('running', 'draining', 'stopped')", name=op.f("ck_daemon_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daemon")),
        sa.UniqueConstraint("uuid", name=op.f("uq_daemon_uuid")),
    )
    op.create_table(
        "notification",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", _BIG_INTEGER, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state in ('pending', 'sent', 'failed')", name=op.f("ck_notification_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("channel", "subject", name=op.f("uq_notification_channel_subject")),
        sa.UniqueConstraint("uuid", name=op.f("uq_notification_uuid")),
    )
    op.create_index(
        "ix_notification_state_next", "notification", ["state", "next_attempt_at"], unique=False
    )


def downgrade() -> None:
    for table in (
        *("daemon", "notification", "job_event", "job", "occurrence_session", "occurrence_event"),
        *("occurrence", "schedule_expansion", "schedule_event", "schedule"),
    ):
        op.drop_table(table)
    op.drop_column("timeslot_scheme", "zone")
