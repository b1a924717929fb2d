"""Alembic revisions of the catalogue and what runs them."""
