"""The first revision: every table of the catalogue and the triggers that guard them.

A revision stays as it was once it has made catalogues, so it spells out its tables instead of
asking today's models.
"""

import sqlalchemy as sa
from alembic import op

from datastore.triggers import append_only_statements, without_guards_statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_APPEND_ONLY = [
    "asset",
    "audit",
    "camera",
    "dataset",
    "dataset_item",
    "defect_extraction",
    "defect_ledger",
    "defect_observation",
    "experiment",
    "fixture",
    "fixture_revision",
    "ledger_defect",
    "mounted_camera",
    "prediction",
    "recipe",
    "run",
    "saliency_map",
    "scene",
    "scene_revision",
    "session",
    "session_event",
    "shot",
    "shot_event",
    "shot_settings",
    "staged_scene",
    "store",
    "timeslot",
    "timeslot_scheme",
    "verdict",
]


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("entry", sa.JSON(), nullable=False),
        sa.Column("previous_sha256", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sa.UniqueConstraint("previous_sha256", name=op.f("uq_audit_previous_sha256")),
        sa.UniqueConstraint("sha256", name=op.f("uq_audit_sha256")),
    )
    op.create_table(
        "camera",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("identity_source", sa.String(), nullable=False),
        sa.Column("make", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("sensor_type", sa.String(), nullable=True),
        sa.Column("width", _BIG_INTEGER, nullable=True),
        sa.Column("height", _BIG_INTEGER, nullable=True),
        sa.Column("pixel_pitch_um", sa.Double(), nullable=True),
        sa.Column("cfa", sa.String(), nullable=True),
        sa.Column("white_level", _BIG_INTEGER, nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "identity_source in ('serial', 'alias')", name=op.f("ck_camera_identity_source")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_camera")),
        sa.UniqueConstraint("make", "model", "serial", name=op.f("uq_camera_make_model_serial")),
    )
    op.create_table(
        "fixture",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fixture")),
        sa.UniqueConstraint("name", name=op.f("uq_fixture_name")),
    )
    op.create_table(
        "lease",
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("fencing_token", _BIG_INTEGER, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("resource", name=op.f("pk_lease")),
    )
    op.create_table(
        "recipe",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipe")),
        sa.UniqueConstraint("content_sha256", name=op.f("uq_recipe_content_sha256")),
    )
    op.create_index(op.f("ix_recipe_name"), "recipe", ["name"], unique=False)
    op.create_table(
        "store",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store")),
        sa.UniqueConstraint("name", name=op.f("uq_store_name")),
    )
    op.create_table(
        "timeslot_scheme",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeslot_scheme")),
        sa.UniqueConstraint("name", name=op.f("uq_timeslot_scheme_name")),
    )
    op.create_table(
        "defect_ledger",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("camera_id", _BIG_INTEGER, nullable=False),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_id"],
            ["camera.id"],
            name=op.f("fk_defect_ledger_camera_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_defect_ledger")),
        sa.UniqueConstraint("uuid", name=op.f("uq_defect_ledger_uuid")),
    )
    op.create_index(
        op.f("ix_defect_ledger_camera_id"), "defect_ledger", ["camera_id"], unique=False
    )
    op.create_table(
        "fixture_revision",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("fixture_id", _BIG_INTEGER, nullable=False),
        sa.Column("revision", _BIG_INTEGER, nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("description", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["fixture_id"],
            ["fixture.id"],
            name=op.f("fk_fixture_revision_fixture_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fixture_revision")),
        sa.UniqueConstraint(
            "fixture_id", "revision", name=op.f("uq_fixture_revision_fixture_id_revision")
        ),
    )
    op.create_table(
        "scene",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("fixture_id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["fixture_id"], ["fixture.id"], name=op.f("fk_scene_fixture_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scene")),
        sa.UniqueConstraint("fixture_id", "name", name=op.f("uq_scene_fixture_id_name")),
    )
    op.create_index(op.f("ix_scene_name"), "scene", ["name"], unique=False)
    op.create_table(
        "timeslot",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("scheme_id", _BIG_INTEGER, nullable=False),
        sa.Column("ordinal", _BIG_INTEGER, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_timeslot_not_empty")),
        sa.ForeignKeyConstraint(
            ["scheme_id"],
            ["timeslot_scheme.id"],
            name=op.f("fk_timeslot_scheme_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeslot")),
        sa.UniqueConstraint("scheme_id", "ordinal", name=op.f("uq_timeslot_scheme_id_ordinal")),
        sa.UniqueConstraint("scheme_id", "starts_at", name=op.f("uq_timeslot_scheme_id_starts_at")),
    )
    op.create_table(
        "ledger_defect",
        sa.Column("ledger_id", _BIG_INTEGER, nullable=False),
        sa.Column("row", _BIG_INTEGER, nullable=False),
        sa.Column("column", _BIG_INTEGER, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("pre_existing", sa.Boolean(), nullable=False),
        sa.Column("onset_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("onset_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dark_rate_dn_per_s", sa.Double(), nullable=True),
        sa.Column("dark_rate_error_dn_per_s", sa.Double(), nullable=True),
        sa.Column("offset_dn", sa.Double(), nullable=True),
        sa.Column("offset_error_dn", sa.Double(), nullable=True),
        sa.Column("amplitude_dn", sa.Double(), nullable=False),
        sa.Column("significance", sa.Double(), nullable=False),
        sa.Column("blinking", sa.Boolean(), nullable=False),
        sa.Column("annealed", sa.Boolean(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ledger_id"],
            ["defect_ledger.id"],
            name=op.f("fk_ledger_defect_ledger_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("ledger_id", "row", "column", name=op.f("pk_ledger_defect")),
    )
    op.create_table(
        "mounted_camera",
        sa.Column("fixture_revision_id", _BIG_INTEGER, nullable=False),
        sa.Column("camera_id", _BIG_INTEGER, nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_id"],
            ["camera.id"],
            name=op.f("fk_mounted_camera_camera_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["fixture_revision_id"],
            ["fixture_revision.id"],
            name=op.f("fk_mounted_camera_fixture_revision_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("fixture_revision_id", "camera_id", name=op.f("pk_mounted_camera")),
    )
    op.create_table(
        "scene_revision",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("scene_id", _BIG_INTEGER, nullable=False),
        sa.Column("revision", _BIG_INTEGER, nullable=False),
        sa.Column("fixture_revision_id", _BIG_INTEGER, nullable=False),
        sa.Column("background", sa.String(), nullable=False),
        sa.Column("foreground", sa.String(), nullable=False),
        sa.Column("illumination", sa.String(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["fixture_revision_id"],
            ["fixture_revision.id"],
            name=op.f("fk_scene_revision_fixture_revision_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["scene_id"], ["scene.id"], name=op.f("fk_scene_revision_scene_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scene_revision")),
        sa.UniqueConstraint(
            "scene_id", "revision", name=op.f("uq_scene_revision_scene_id_revision")
        ),
    )
    op.create_table(
        "session",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("fixture_revision_id", _BIG_INTEGER, nullable=True),
        sa.Column("recipe_id", _BIG_INTEGER, nullable=True),
        sa.Column("operator", sa.String(), nullable=True),
        sa.Column("clock_source", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.CheckConstraint(
            "clock_source in ('host', 'simulated')", name=op.f("ck_session_clock_source")
        ),
        sa.CheckConstraint("kind in ('capture', 'import')", name=op.f("ck_session_kind")),
        sa.ForeignKeyConstraint(
            ["fixture_revision_id"],
            ["fixture_revision.id"],
            name=op.f("fk_session_fixture_revision_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["recipe_id"], ["recipe.id"], name=op.f("fk_session_recipe_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("uuid", name=op.f("uq_session_uuid")),
    )
    op.create_index(op.f("ix_session_started_at"), "session", ["started_at"], unique=False)
    op.create_table(
        "session_event",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("session_id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "name in ('started', 'camera-opened', 'camera-closed', 'scene-changed',"
            " 'completed', 'partial', 'aborted', 'failed')",
            name=op.f("ck_session_event_name"),
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["session.id"],
            name=op.f("fk_session_event_session_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_event")),
    )
    op.create_index("ix_session_event_newest", "session_event", ["session_id", "id"], unique=False)
    op.create_table(
        "shot",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("session_id", _BIG_INTEGER, nullable=False),
        sa.Column("camera_id", _BIG_INTEGER, nullable=True),
        sa.Column("sequence", _BIG_INTEGER, nullable=False),
        sa.Column("attempt", _BIG_INTEGER, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("scene_revision_id", _BIG_INTEGER, nullable=True),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("time_source", sa.String(), nullable=True),
        sa.Column("exposure", sa.String(), nullable=True),
        sa.Column("exposure_s", sa.Double(), nullable=True),
        sa.Column("iso", _BIG_INTEGER, nullable=True),
        sa.Column("f_number", sa.Double(), nullable=True),
        sa.Column("image_quality", sa.String(), nullable=True),
        sa.Column("warm_up", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "kind in ('dark-field', 'flat-field', 'fixed-background', 'natural')",
            name=op.f("ck_shot_kind"),
        ),
        sa.CheckConstraint(
            "time_source is null or time_source in ('civil', 'exif', 'declared')",
            name=op.f("ck_shot_time_source"),
        ),
        sa.ForeignKeyConstraint(
            ["camera_id"], ["camera.id"], name=op.f("fk_shot_camera_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["scene_revision_id"],
            ["scene_revision.id"],
            name=op.f("fk_shot_scene_revision_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_shot_session_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shot")),
        sa.UniqueConstraint(
            "session_id",
            "camera_id",
            "sequence",
            "attempt",
            name=op.f("uq_shot_session_id_camera_id_sequence_attempt"),
        ),
        sa.UniqueConstraint("uuid", name=op.f("uq_shot_uuid")),
    )
    op.create_index(
        "ix_shot_camera_kind_time",
        "shot",
        ["camera_id", "kind", "triggered_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_shot_exposure_s"), "shot", ["exposure_s"], unique=False)
    op.create_index(op.f("ix_shot_iso"), "shot", ["iso"], unique=False)
    op.create_index(op.f("ix_shot_kind"), "shot", ["kind"], unique=False)
    op.create_index(
        "ix_shot_scene_camera_time",
        "shot",
        ["scene_revision_id", "camera_id", "triggered_at"],
        unique=False,
    )
    op.create_index(op.f("ix_shot_session_id"), "shot", ["session_id"], unique=False)
    op.create_index("ix_shot_time", "shot", ["triggered_at", "id"], unique=False)
    op.create_table(
        "staged_scene",
        sa.Column("fixture_revision_id", _BIG_INTEGER, nullable=False),
        sa.Column("scene_revision_id", _BIG_INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["fixture_revision_id"],
            ["fixture_revision.id"],
            name=op.f("fk_staged_scene_fixture_revision_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["scene_revision_id"],
            ["scene_revision.id"],
            name=op.f("fk_staged_scene_scene_revision_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint(
            "fixture_revision_id", "scene_revision_id", name=op.f("pk_staged_scene")
        ),
    )
    op.create_table(
        "asset",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("bytes", _BIG_INTEGER, nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("shot_id", _BIG_INTEGER, nullable=True),
        sa.Column("original_name", sa.String(), nullable=True),
        sa.Column("width", _BIG_INTEGER, nullable=True),
        sa.Column("height", _BIG_INTEGER, nullable=True),
        sa.Column("exif", sa.JSON(), nullable=True),
        sa.Column("metadata_reader", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role in ('raw', 'jpeg', 'preview', 'sidecar', 'other', 'manifest', 'model',"
            " 'measurement')",
            name=op.f("ck_asset_role"),
        ),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_asset_sha256_length")),
        sa.ForeignKeyConstraint(
            ["shot_id"], ["shot.id"], name=op.f("fk_asset_shot_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
        sa.UniqueConstraint("sha256", name=op.f("uq_asset_sha256")),
    )
    op.create_index(op.f("ix_asset_shot_id"), "asset", ["shot_id"], unique=False)
    op.create_table(
        "shot_event",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("shot_id", _BIG_INTEGER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "name in ('planned', 'triggered', 'downloaded', 'verified', 'registered', 'failed')",
            name=op.f("ck_shot_event_name"),
        ),
        sa.ForeignKeyConstraint(
            ["shot_id"], ["shot.id"], name=op.f("fk_shot_event_shot_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shot_event")),
    )
    op.create_index("ix_shot_event_newest", "shot_event", ["shot_id", "id"], unique=False)
    op.create_table(
        "shot_settings",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("shot_id", _BIG_INTEGER, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("exposure_s", sa.Double(), nullable=True),
        sa.Column("iso", _BIG_INTEGER, nullable=True),
        sa.Column("f_number", sa.Double(), nullable=True),
        sa.Column("image_quality", sa.String(), nullable=True),
        sa.Column("temperature_c", sa.Double(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at_text", sa.String(), nullable=True),
        sa.Column("firmware", sa.String(), nullable=True),
        sa.Column("long_exposure_noise_reduction", sa.Boolean(), nullable=True),
        sa.Column("raw_values", sa.JSON(), nullable=True),
        sa.CheckConstraint("source in ('read-back', 'exif')", name=op.f("ck_shot_settings_source")),
        sa.ForeignKeyConstraint(
            ["shot_id"], ["shot.id"], name=op.f("fk_shot_settings_shot_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shot_settings")),
        sa.UniqueConstraint("shot_id", "source", name=op.f("uq_shot_settings_shot_id_source")),
    )
    op.create_table(
        "verdict",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("shot_id", _BIG_INTEGER, nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=True),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "verdict in ('accepted', 'quarantined', 'rejected')", name=op.f("ck_verdict_verdict")
        ),
        sa.ForeignKeyConstraint(
            ["shot_id"], ["shot.id"], name=op.f("fk_verdict_shot_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict")),
    )
    op.create_index("ix_verdict_newest", "verdict", ["shot_id", "id"], unique=False)
    op.create_table(
        "asset_location",
        sa.Column("asset_id", _BIG_INTEGER, nullable=False),
        sa.Column("store_id", _BIG_INTEGER, nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_asset_location_asset_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_asset_location_store_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("asset_id", "store_id", name=op.f("pk_asset_location")),
    )
    op.create_table(
        "dataset",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("specification", sa.JSON(), nullable=False),
        sa.Column("waived", sa.JSON(), nullable=False),
        sa.Column("manifest_asset_id", _BIG_INTEGER, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["manifest_asset_id"],
            ["asset.id"],
            name=op.f("fk_dataset_manifest_asset_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset")),
        sa.UniqueConstraint("version", name=op.f("uq_dataset_version")),
    )
    op.create_index(op.f("ix_dataset_name"), "dataset", ["name"], unique=False)
    op.create_table(
        "defect_extraction",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("session_id", _BIG_INTEGER, nullable=False),
        sa.Column("camera_id", _BIG_INTEGER, nullable=False),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("parameters_sha256", sa.String(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("maps_asset_id", _BIG_INTEGER, nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_id"],
            ["camera.id"],
            name=op.f("fk_defect_extraction_camera_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["maps_asset_id"],
            ["asset.id"],
            name=op.f("fk_defect_extraction_maps_asset_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["session.id"],
            name=op.f("fk_defect_extraction_session_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_defect_extraction")),
        sa.UniqueConstraint(
            "session_id",
            "camera_id",
            "parameters_sha256",
            name=op.f("uq_defect_extraction_session_id_camera_id_parameters_sha256"),
        ),
    )
    op.create_index(
        op.f("ix_defect_extraction_camera_id"), "defect_extraction", ["camera_id"], unique=False
    )
    op.create_table(
        "dataset_item",
        sa.Column("dataset_id", _BIG_INTEGER, nullable=False),
        sa.Column("position", _BIG_INTEGER, nullable=False),
        sa.Column("asset_id", _BIG_INTEGER, nullable=False),
        sa.Column("class_name", sa.String(), nullable=False),
        sa.Column("block", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_dataset_item_asset_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_dataset_item_dataset_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("dataset_id", "position", name=op.f("pk_dataset_item")),
    )
    op.create_index(op.f("ix_dataset_item_asset_id"), "dataset_item", ["asset_id"], unique=False)
    op.create_table(
        "defect_observation",
        sa.Column("extraction_id", _BIG_INTEGER, nullable=False),
        sa.Column("row", _BIG_INTEGER, nullable=False),
        sa.Column("column", _BIG_INTEGER, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("dark_rate_dn_per_s", sa.Double(), nullable=True),
        sa.Column("dark_rate_error_dn_per_s", sa.Double(), nullable=True),
        sa.Column("offset_dn", sa.Double(), nullable=True),
        sa.Column("offset_error_dn", sa.Double(), nullable=True),
        sa.Column("amplitude_dn", sa.Double(), nullable=False),
        sa.Column("significance", sa.Double(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["extraction_id"],
            ["defect_extraction.id"],
            name=op.f("fk_defect_observation_extraction_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint(
            "extraction_id", "row", "column", name=op.f("pk_defect_observation")
        ),
    )
    op.create_table(
        "experiment",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("dataset_id", _BIG_INTEGER, nullable=False),
        sa.Column("specification", sa.JSON(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_experiment_dataset_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment")),
        sa.UniqueConstraint("content_sha256", name=op.f("uq_experiment_content_sha256")),
        sa.UniqueConstraint("uuid", name=op.f("uq_experiment_uuid")),
    )
    op.create_index(op.f("ix_experiment_name"), "experiment", ["name"], unique=False)
    op.create_table(
        "run",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("experiment_id", _BIG_INTEGER, nullable=False),
        sa.Column("ordinal", _BIG_INTEGER, nullable=False),
        sa.Column("seed", _BIG_INTEGER, nullable=False),
        sa.Column("machine", sa.JSON(), nullable=False),
        sa.Column("training_history", sa.JSON(), nullable=False),
        sa.Column("model_asset_id", _BIG_INTEGER, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiment.id"],
            name=op.f("fk_run_experiment_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["model_asset_id"],
            ["asset.id"],
            name=op.f("fk_run_model_asset_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("experiment_id", "ordinal", name=op.f("uq_run_experiment_id_ordinal")),
        sa.UniqueConstraint("uuid", name=op.f("uq_run_uuid")),
    )
    op.create_table(
        "prediction",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("run_id", _BIG_INTEGER, nullable=False),
        sa.Column("evaluation", sa.String(), nullable=False),
        sa.Column("asset_id", _BIG_INTEGER, nullable=False),
        sa.Column("class_name", sa.String(), nullable=False),
        sa.Column("predicted_class_name", sa.String(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("crops", _BIG_INTEGER, nullable=False),
        sa.Column("crops_correct", _BIG_INTEGER, nullable=False),
        sa.CheckConstraint("score >= 0 and score <= 1", name=op.f("ck_prediction_score")),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_prediction_asset_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_prediction_run_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prediction")),
    )
    op.create_index(
        "ix_prediction_run_evaluation", "prediction", ["run_id", "evaluation"], unique=False
    )
    op.create_table(
        "saliency_map",
        sa.Column("id", _BIG_INTEGER, nullable=False),
        sa.Column("run_id", _BIG_INTEGER, nullable=False),
        sa.Column("camera_id", _BIG_INTEGER, nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("evaluation", sa.String(), nullable=False),
        sa.Column("class_name", sa.String(), nullable=False),
        sa.Column("images", _BIG_INTEGER, nullable=False),
        sa.Column("map_asset_id", _BIG_INTEGER, nullable=False),
        sa.Column("measures", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_id"],
            ["camera.id"],
            name=op.f("fk_saliency_map_camera_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["map_asset_id"],
            ["asset.id"],
            name=op.f("fk_saliency_map_map_asset_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_saliency_map_run_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saliency_map")),
        sa.UniqueConstraint(
            "run_id",
            "camera_id",
            "method",
            "evaluation",
            "class_name",
            name=op.f("uq_saliency_map_run_id_camera_id_method_evaluation_class_name"),
        ),
    )
    for statement in append_only_statements(op.get_bind().dialect.name, _APPEND_ONLY):
        op.execute(statement)


def downgrade() -> None:
    for table in (
        *("saliency_map", "prediction", "run", "experiment", "defect_observation"),
        *("dataset_item", "defect_extraction", "dataset", "asset_location", "verdict"),
        *("shot_settings", "shot_event", "asset", "staged_scene", "shot", "session_event"),
        *("session", "scene_revision", "mounted_camera", "ledger_defect", "timeslot", "scene"),
        *("fixture_revision", "defect_ledger", "timeslot_scheme", "store", "recipe", "lease"),
        *("fixture", "camera", "audit"),
    ):
        op.drop_table(table)
    for statement in without_guards_statements(op.get_bind().dialect.name):
        op.execute(statement)
