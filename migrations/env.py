"""Alembic's environment: runs revisions on the connection that `migrations.runner` hands over."""

from alembic import context

from datastore.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
