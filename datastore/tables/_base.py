"""Declarative base of the catalogue: column types, naming of constraints; knows no table."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    String,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

BigInt = BigInteger().with_variant(Integer(), "sqlite")
"""64-bit integer that SQLite can also use as an automatic primary key."""


class UtcDateTime(TypeDecorator[datetime]):
    """Point in time that refuses naive values and always comes back in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC for the database; SQLite stores it without the (constant) zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone was given to the catalogue: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware UTC datetime."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def new_uuid() -> str:
    """Return a fresh random identifier as text, the portable name of a session, shot or run."""
    return str(uuid.uuid4())


def one_of(column: str, words: Any) -> str:
    """Return the SQL condition that a column holds one of the words of a `Literal` type."""
    quoted = ", ".join(f"'{word}'" for word in get_args(words))
    return f"{column} in ({quoted})"


class Base(DeclarativeBase):
    """Base of every table of the catalogue."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInt,
        str: String(),
        datetime: UtcDateTime(),
        # an unknown value is NULL, never the JSON text `null`
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
    }
