"""The spool: where a shot's files wait, durable and hashed, between the camera and the store.

A shot is sealed once all of its files are on the disk: only then its sidecar, `UUID.json`, exists.
Whatever has no sidecar was interrupted. Camera workers write here, so this knows no database.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from capture.errors import DiskFullError, SpoolError
from datastore.durable import FULL_DISK_ERRORS, sync_folder

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})


@dataclass(frozen=True)
class SpooledFile:
    """One file of a shot in the spool.

    Attributes
    ----------
    path
        Where it lies.
    role
        `raw` or `jpeg`.
    bytes, sha256
        Size and hash, taken on the way from the camera.
    camera_folder, camera_name
        Where the copy on the camera's card lies.
    """

    path: Path
    role: str
    bytes: int
    sha256: str
    camera_folder: str
    camera_name: str


@dataclass(frozen=True)
class SpooledShot:
    """A sealed shot: its files and what the worker knew about it."""

    shot_uuid: str
    files: tuple[SpooledFile, ...]
    facts: dict[str, Any]


def role_of(name: str) -> str:
    """Return the role of a camera's file by its extension: `jpeg`, or `raw` for all others."""
    return "jpeg" if Path(name).suffix.lower() in _JPEG_SUFFIXES else "raw"


class Spool:
    """A folder of spooled shots.

    Parameters
    ----------
    folder
        Made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with _full_disk_reported(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def free_bytes(self) -> int:
        """Return the free space of the spool's disk for this user, in bytes."""
        return shutil.disk_usage(self.folder).free

    def receive(
        self, shot_uuid: str, number: int, data: memoryview, camera_folder: str, camera_name: str
    ) -> SpooledFile:
        """Write one file of a shot, hashed meanwhile and flushed to the disk.

        Parameters
        ----------
        shot_uuid
            The shot.
        number
            Number of the file within the shot.
        data
            Its bytes.
        camera_folder, camera_name
            Where the camera keeps its copy; of the name only a harmless extension reaches a path.

        Raises
        ------
        DiskFullError
            If the disk is full; nothing is left behind.
        """
        role = role_of(camera_name)
        path = self.folder / f"{_checked(shot_uuid)}.{number}.{role}{_harmless_suffix(camera_name)}"
        partial = path.with_name(path.name + ".part")
        digest = hashlib.sha256()
        # the disk takes as long as the processor: neither waits for the other
        hashing = threading.Thread(target=digest.update, args=(data,), name="hashing")
        hashing.start()
        try:
            self._write(partial, path, data)
        finally:
            hashing.join()
        return SpooledFile(path, role, len(data), digest.hexdigest(), camera_folder, camera_name)

    def _write(self, partial: Path, path: Path, data: memoryview) -> None:
        with _full_disk_reported(self.folder):
            try:
                with partial.open("wb", buffering=0) as file:
                    left = data
                    while left:
                        left = left[file.write(left) :]
                    os.fsync(file.fileno())
                partial.rename(path)
            except OSError:
                partial.unlink(missing_ok=True)
                raise

    def seal(self, shot_uuid: str, files: Sequence[SpooledFile], facts: Mapping[str, Any]) -> None:
        """Write a shot's sidecar, durably: from now on the shot survives anything but the disk."""
        content = {
            "shot_uuid": shot_uuid,
            "files": [{**asdict(file), "path": file.path.name} for file in files],
            "facts": dict(facts),
        }
        path = self._sidecar(shot_uuid)
        partial = path.with_name(path.name + ".part")
        with _full_disk_reported(self.folder):
            try:
                with partial.open("wb") as file:
                    file.write(json.dumps(content).encode())
                    file.flush()
                    os.fsync(file.fileno())
                partial.rename(path)
                sync_folder(self.folder)
            except OSError:
                partial.unlink(missing_ok=True)
                raise

    def is_sealed(self, shot_uuid: str) -> bool:
        """Return whether a shot is complete and durable here."""
        return self._sidecar(shot_uuid).exists()

    def read(self, shot_uuid: str) -> SpooledShot | None:
        """Return a sealed shot, None if it is not sealed; its files are not read.

        Raises
        ------
        SpoolError
            If the sidecar is damaged.
        """
        path = self._sidecar(shot_uuid)
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise SpoolError(f"the sidecar {path} is damaged ({error})") from None
        try:
            files = tuple(
                SpooledFile(**{**file, "path": self.folder / Path(file["path"]).name})
                for file in content["files"]
            )
            return SpooledShot(shot_uuid, files, dict(content["facts"]))
        except (KeyError, TypeError) as error:
            raise SpoolError(f"the sidecar {path} is damaged ({error!r})") from None

    def verify(self, files: Iterable[SpooledFile]) -> None:
        """Read files of a shot and compare them with what was received.

        Raises
        ------
        SpoolError
            If one is missing or has other bytes.
        """
        for file in files:
            try:
                with file.path.open("rb") as opened:
                    found = hashlib.file_digest(opened, "sha256").hexdigest()
            except FileNotFoundError:
                raise SpoolError(f"{file.path} is missing from the spool") from None
            if found != file.sha256:
                raise SpoolError(f"{file.path} has the sha256 {found}, not {file.sha256}")

    def shots(self) -> Iterator[str]:
        """Yield the shots that have anything in the spool, sealed or not."""
        found = {path.name.split(".", 1)[0] for path in self.folder.iterdir() if path.is_file()}
        yield from sorted(uuid for uuid in found if _UUID.fullmatch(uuid))

    def clear(self, shot_uuid: str) -> None:
        """Remove everything of a shot, its sidecar last."""
        for path in self._files_of(shot_uuid):
            path.unlink(missing_ok=True)

    def set_aside(self, shot_uuid: str) -> Path:
        """Move everything of a shot to the folder `unclaimed`, where nothing is ever deleted."""
        unclaimed = self.folder / "unclaimed"
        with _full_disk_reported(self.folder):
            unclaimed.mkdir(exist_ok=True)
            for path in self._files_of(shot_uuid):
                # another process of this home may be tidying as well
                with suppress(FileNotFoundError):
                    path.rename(unclaimed / path.name)
            sync_folder(unclaimed)
            sync_folder(self.folder)
        return unclaimed

    def _files_of(self, shot_uuid: str) -> list[Path]:
        """Return a shot's files with the sidecar at the end."""
        sidecar = self._sidecar(shot_uuid)
        found = [path for path in self.folder.glob(f"{shot_uuid}.*") if path != sidecar]
        return [*found, sidecar] if sidecar.exists() else found

    def _sidecar(self, shot_uuid: str) -> Path:
        return self.folder / f"{_checked(shot_uuid)}.json"


def _checked(shot_uuid: str) -> str:
    if not _UUID.fullmatch(shot_uuid):
        raise ValueError(f"not the identifier of a shot: {shot_uuid!r}")
    return shot_uuid


def _harmless_suffix(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ""


@contextmanager
def _full_disk_reported(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK_ERRORS:
            raise
        raise DiskFullError(
            f"the spool {folder} is full ({error.strerror}): free some space and run the session"
            " again; what the camera holds on its card stays there"
        ) from error
