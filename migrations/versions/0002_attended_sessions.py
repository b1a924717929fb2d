"""Sessions that can be steered and asked about, scene references, and how warm a camera was."""

import sqlalchemy as sa
from alembic import op

from datastore.errors import DowngradeRefusedError
from datastore.triggers import append_only_statements

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_EVENT_NAMES = (
    "name in ('started', 'camera-opened', 'camera-closed', 'camera-failed', 'camera-lost',"
    " 'clock-jumped', 'scene-changed', 'paused', 'resumed', 'completed', 'partial', 'aborted',"
    " 'failed')"
)
_FORMER_EVENT_NAMES = (
    "name in ('started', 'camera-opened', 'camera-closed', 'scene-changed',"
    " 'completed', 'partial', 'aborted', 'failed')"
)
_EVENT_COLUMNS = "id, session_id, name, at, detail"
_NEW_TABLES = ["scene_reference", "session_request", "operator_prompt", "operator_answer"]


def upgrade() -> None:
    op.add_column("shot", sa.Column("since_opened_s", sa.Double(), nullable=True))
    op.add_column("shot", sa.Column("since_last_shot_s", sa.Double(), nullable=True))
    _change_event_names(_EVENT_NAMES)
    _create_scene_reference()
    _create_session_request()
    _create_operator_tables()
    _guard(_NEW_TABLES)


def downgrade() -> None:
    unknown = op.get_bind().scalar(
        sa.text(
            f"select count(*) from session_event where not ({_FORMER_EVENT_NAMES})"  # noqa: S608
        )
    )
    if unknown:
        raise DowngradeRefusedError(
            f"revision {down_revision} has no words for {unknown} rows of session_event, and"
            " nothing was changed"
        )
    for table in reversed(_NEW_TABLES):
        op.drop_table(table)
    _change_event_names(_FORMER_EVENT_NAMES)
    op.drop_column("shot", "since_last_shot_s")
    op.drop_column("shot", "since_opened_s")


def _guard(tables: list[str]) -> None:
    for statement in append_only_statements(op.get_bind().dialect.name, tables):
        op.execute(statement)


def _change_event_names(condition: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_session_event(condition)
        _guard(["session_event"])
        return
    op.drop_constraint(op.f("ck_session_event_name"), "session_event", type_="check")
    op.create_check_constraint(op.f("ck_session_event_name"), "session_event", condition)


def _rebuild_session_event(condition: str) -> None:
    """Make the table anew: SQLite cannot change a condition, and drops triggers with a table."""
    op.drop_index("ix_session_event_newest", "session_event")
    op.rename_table("session_event", "session_event_before")
    op.create_table(
        "session_event",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("session_id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.CheckConstraint(condition, name=op.f("ck_session_event_name")),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["session.id"],
            name=op.f("fk_session_event_session_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_event")),
    )
    op.execute(
        f"insert into session_event ({_EVENT_COLUMNS})"  # noqa: S608 (fixed names)
        f" select {_EVENT_COLUMNS} from session_event_before order by id"
    )
    op.drop_table("session_event_before")
    op.create_index("ix_session_event_newest", "session_event", ["session_id", "id"], unique=False)


def _create_scene_reference() -> None:
    op.create_table(
        "scene_reference",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("scene_revision_id", _BIG_INTEGER, nullable=False),
        sa.Column("camera_id", _BIG_INTEGER, nullable=False),
        sa.Column("shot_id", _BIG_INTEGER, nullable=False),
        sa.Column("descriptor", sa.LargeBinary(), nullable=False),
        sa.Column("operator", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["scene_revision_id"],
            ["scene_revision.id"],
            name=op.f("fk_scene_reference_scene_revision_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["camera_id"],
            ["camera.id"],
            name=op.f("fk_scene_reference_camera_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["shot_id"], ["shot.id"], name=op.f("fk_scene_reference_shot_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scene_reference")),
    )
    op.create_index(
        "ix_scene_reference_newest",
        "scene_reference",
        ["scene_revision_id", "camera_id", "id"],
        unique=False,
    )


def _create_session_request() -> None:
    op.create_table(
        "session_request",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("session_id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("operator", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "name in ('pause', 'resume', 'finish', 'abort')",
            name=op.f("ck_session_request_name"),
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["session.id"],
            name=op.f("fk_session_request_session_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_request")),
    )
    op.create_index(
        "ix_session_request_newest", "session_request", ["session_id", "id"], unique=False
    )


def _create_operator_tables() -> None:
    op.create_table(
        "operator_prompt",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("session_id", _BIG_INTEGER, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('scene', 'cap')", name=op.f("ck_operator_prompt_kind")),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["session.id"],
            name=op.f("fk_operator_prompt_session_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_prompt")),
        sa.UniqueConstraint("uuid", name=op.f("uq_operator_prompt_uuid")),
    )
    op.create_index(
        op.f("ix_operator_prompt_session_id"), "operator_prompt", ["session_id"], unique=False
    )
    op.create_table(
        "operator_answer",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("prompt_id", _BIG_INTEGER, nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("operator", sa.String(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("answer in ('done', 'refused')", name=op.f("ck_operator_answer_answer")),
        sa.ForeignKeyConstraint(
            ["prompt_id"],
            ["operator_prompt.id"],
            name=op.f("fk_operator_answer_prompt_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_answer")),
        sa.UniqueConstraint("prompt_id", name=op.f("uq_operator_answer_prompt_id")),
    )
