"""Errors of the datastore: what went wrong, where, and what to do; knows no other package."""

from __future__ import annotations

from typing import ClassVar


class DatastoreError(Exception):
    """Base of every error of the datastore: the work failed."""

    exit_code: ClassVar[int] = 1


class RequestError(DatastoreError):
    """The request was wrong, and nothing was changed."""

    exit_code: ClassVar[int] = 2


class NoCatalogueError(RequestError):
    """There is no catalogue where one was expected."""


class CatalogueExistsError(RequestError):
    """A catalogue was to be created where one is already."""


class CatalogueUrlError(RequestError):
    """A database URL names no database that a catalogue can live in."""


class RevisionMismatchError(RequestError):
    """The catalogue has another revision than the one that this program reads and writes."""


class NetworkFileSystemError(RequestError):
    """An SQLite catalogue lies on a file system whose locks several hosts cannot trust."""


class BackupRefusedError(RequestError):
    """A catalogue cannot be backed up in this way, or to this place."""


class CatalogueUnavailableError(DatastoreError):
    """The catalogue's database cannot be reached or opened."""


class CatalogueBusyError(DatastoreError):
    """Another process held the catalogue's write lock for too long."""


class CatalogueFullError(DatastoreError):
    """The catalogue's disk is full; the transaction was rolled back."""


class CatalogueDamagedError(DatastoreError):
    """The catalogue breaks one of its own rules: a trigger, a foreign key or rows are missing."""


class StoreFullError(DatastoreError):
    """The asset store has no room for a file; nothing was left half-written."""


class AssetCorruptError(DatastoreError):
    """A file does not have the hash that it goes by."""


class AssetMissingError(DatastoreError):
    """The asset store does not hold the file that was asked for."""


class AssetTakenError(DatastoreError):
    """A shot's file has the bytes of a file that is not this shot's."""


class InvalidHashError(RequestError):
    """A text is not a sha256 in lower-case hexadecimal."""


class LeaseHeldError(DatastoreError):
    """A fixture or camera is leased to another holder."""


class LeaseLostError(DatastoreError):
    """A lease ran out or went to another holder; its owner must stop."""


class FixtureExistsError(RequestError):
    """A fixture of this name exists already."""


class FixtureDescriptionError(RequestError):
    """A fixture's description is malformed or contradicts the catalogue."""


class UnknownFixtureError(RequestError):
    """No fixture of this name is in the catalogue."""


class UnknownCameraError(RequestError):
    """No camera of this serial is in the catalogue."""


class UnknownSceneError(RequestError):
    """No scene of this name is in the catalogue."""


class UnknownShotError(RequestError):
    """No shot of this identifier is in the catalogue."""


class UnknownSessionError(RequestError):
    """No session of this identifier is in the catalogue."""


class TimeslotSchemeError(RequestError):
    """A timeslot scheme is malformed, exists already or is unknown."""


class FilterError(RequestError):
    """A filter of shots asks for something that cannot be."""


class VerdictError(RequestError):
    """A verdict is malformed."""


class StoreUnavailableError(DatastoreError):
    """An asset store cannot be reached or refuses; trying again later may help."""

    retryable: ClassVar[bool] = True


class StoreSettingsError(RequestError):
    """An asset store is unknown, or what the settings say of it cannot be."""


class AssetTooLargeError(DatastoreError):
    """A file is larger than an asset store takes."""


class UnfitStoreError(RequestError):
    """A server does not do what an asset store needs; its self-test says what."""


class BulkRowsError(RequestError):
    """Rows that are to be written in bulk contradict the catalogue or each other."""


class GarbageError(RequestError):
    """A store has so many files without a row that they are probably no garbage."""


class DowngradeRefusedError(RequestError):
    """A catalogue cannot go back to an older revision without losing rows."""


class RestoreRefusedError(RequestError):
    """A backup cannot take the place of the present catalogue."""


class SnapshotRefusedError(RequestError):
    """A snapshot cannot be written to this place."""


class UnknownSelectionError(RequestError):
    """No selection is saved under this name."""


class MissingPackageError(RequestError):
    """What was asked for needs a package that is not installed; the message names its extra."""


class CatalogueReadOnlyError(RequestError):
    """Something was to be written to a catalogue that was opened for reading only."""


class ExportRefusedError(RequestError):
    """An export cannot be made in this way, or into this folder."""


class ExportFullError(DatastoreError):
    """There is no room for an export; it can go on once there is."""
