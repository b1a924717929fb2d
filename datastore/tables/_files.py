"""Tables of what is known about files beside their bytes: where they came from, what they show."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from datastore.tables._base import Base
from datastore.tables._capture import Asset, Session


class AssetReference(Base):
    """A place from which an import brought a file; the same bytes may have come from several."""

    __tablename__ = "asset_reference"
    __table_args__ = (
        UniqueConstraint("asset_id", "folder", "path"),
        # an import that is run again asks what it had read of a folder
        Index("ix_asset_reference_folder_path", "folder", "path"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"))
    session_id: Mapped[int] = mapped_column(
        ForeignKey("session.id", ondelete="RESTRICT"), index=True
    )
    """The import that found it there first."""
    folder: Mapped[str]
    """Absolute folder that was imported, as printable text."""
    path: Mapped[str]
    """Below that folder, as printable text."""
    at: Mapped[datetime]

    asset: Mapped[Asset] = relationship()
    session: Mapped[Session] = relationship()


class FrameMeasures(Base):
    """What a frame shows as a whole, computed once; digital numbers are those of the file.

    NULL where a measure makes no sense for the file or could not be taken.
    """

    __tablename__ = "frame_measures"

    asset_id: Mapped[int] = mapped_column(
        ForeignKey("asset.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    black_level_dn: Mapped[float | None]
    mean_dn: Mapped[float | None]
    clipped_share: Mapped[float | None]
    """Share of the photosites (JPEG: of the pixels) at or above the file's white level."""
    sharpness: Mapped[float | None]
    temperature_c: Mapped[float | None] = mapped_column(index=True)
    """Of the camera, as the file tells it."""
    code_version: Mapped[str]
    measured_at: Mapped[datetime]

    asset: Mapped[Asset] = relationship()


class PerceptualHash(Base):
    """What a frame looks like in 256 bits, computed once; similar frames differ in few bits.

    `hash` is 64 hexadecimal digits, NULL where the frame shows nothing or could not be read.
    """

    __tablename__ = "perceptual_hash"

    asset_id: Mapped[int] = mapped_column(
        ForeignKey("asset.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    hash: Mapped[str | None]
    code_version: Mapped[str]
    measured_at: Mapped[datetime]

    asset: Mapped[Asset] = relationship()
