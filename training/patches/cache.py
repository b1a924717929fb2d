"""Decoded frames kept on disk, each decoded once; knows no catalogue, no patch and no torch.

A frame lies in a file named by what it was made from, and is mapped into memory. Any number of
processes may use one folder, and any of them may be killed at any point: a file gets its name when
it is whole, and what was damaged later is noticed when it is opened and made anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from pathlib import Path

import numpy as np

from datastore.durable import FULL_DISK_ERRORS
from training.patches.entries import UnsoundEntryError, entry_bytes, map_entry, write_entry
from training.patches.errors import CacheError, DamagedAssetError, PatchError
from training.patches.inputs import MOSAIC, CachedFrame, Content, Decoded, Variation
from training.patches.quota import FrameFolder

CACHE_RECIPE = 2
"""Version of what a cached frame holds; raise it whenever the same file would decode otherwise."""


class FrameCache:
    """Decoded frames in a folder, found by what they were made from.

    Parameters
    ----------
    folder
        Where the frames lie, on a disk of this host; made when missing. Deleting it while nobody
        uses it costs only time.
    content
        What is kept of each file.
    quota_bytes
        The most that the folder's frames take on the disk; frames used longest ago go first. None
        sets no bound.
    """

    def __init__(
        self, folder: Path, content: Content = MOSAIC, quota_bytes: int | None = None
    ) -> None:
        self._files = FrameFolder(folder, quota_bytes)
        self._content = content
        self._verified: dict[str, tuple[int, int, int]] = {}

    @property
    def quota_bytes(self) -> int | None:
        """The most that the folder's frames take on the disk."""
        return self._files.quota_bytes

    @property
    def used_bytes(self) -> int:
        """What the folder's frames take on the disk, counted."""
        return self._files.used_bytes()

    def key(self, asset_sha256: str, variation: Variation | None = None) -> str:
        """Return the content address of a frame: hash of asset, content, recipe and variation."""
        identity = {
            "asset": asset_sha256,
            "content": self._content.name,
            "recipe": CACHE_RECIPE,
            "variation": variation.name if variation else None,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def frame(
        self, asset_sha256: str, path: Path, variation: Variation | None = None
    ) -> CachedFrame:
        """Return a frame, decoding ``path`` only when the cache does not hold it.

        Parameters
        ----------
        asset_sha256
            Hash of the file's bytes, as the catalogue has it.
        path
            Where the file lies.
        variation
            Change applied to the mosaic; the unchanged frame is decoded through the cache too.

        Returns
        -------
        CachedFrame
            With read-only pixels, mapped from the disk; in memory where the frames in use leave no
            room within the quota.

        Raises
        ------
        DamagedAssetError
            When the file is not the one of that hash.
        PatchError
            When the frame cannot be used, or is larger than the quota.
        CacheError
            When the disk is full.
        """
        key = self.key(asset_sha256, variation)
        found = self._open(key)
        if found is not None:
            return found
        # not while the lock is held: the unchanged frame may share it
        original = None if variation is None else self.frame(asset_sha256, path)
        with self._files.filling(key):
            found = self._open(key)
            if found is not None:
                return found
            if variation is None or original is None:
                decoded = _verified_decoding(asset_sha256, path, self._content)
            else:
                changed = variation.apply(original.pixels)
                decoded = Decoded(
                    changed, original.black_levels, original.white_level, original.visible
                )
            return self._keep(key, decoded)

    def _open(self, key: str) -> CachedFrame | None:
        """Map an entry; None where there is none, or only a damaged one."""
        path = self._files.path(key)
        try:
            with path.open("rb") as file:
                # the map keeps the lock, which keeps the entry from being evicted
                fcntl.flock(file, fcntl.LOCK_SH)
                facts = os.fstat(file.fileno())
                identity = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
                is_verified = self._verified.get(key) == identity
                frame = map_entry(file, key, compare_pixels=not is_verified)
                os.utime(file.fileno(), ns=(time.time_ns(), facts.st_mtime_ns))
        except (FileNotFoundError, UnsoundEntryError):
            return None
        self._verified[key] = identity
        return frame

    def _keep(self, key: str, decoded: Decoded) -> CachedFrame:
        """Write an entry and map it."""
        path = self._files.path(key)
        try:
            with self._files.room(entry_bytes(decoded)) as file:
                if file is None:
                    return _in_memory(key, decoded)
                write_entry(file, decoded)
                path.parent.mkdir(parents=True, exist_ok=True)
                Path(file.name).replace(path)
                fcntl.flock(file, fcntl.LOCK_SH)
                return map_entry(file, key, compare_pixels=False)
        except OSError as error:
            if error.errno not in FULL_DISK_ERRORS:
                raise
            raise CacheError(
                f"{path.parent}: no room for a decoded frame of {entry_bytes(decoded):,} bytes:"
                " free some or set a quota"
            ) from error


def _verified_decoding(asset_sha256: str, path: Path, content: Content) -> Decoded:
    """Decode a file that has the bytes it should have."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DamagedAssetError(f"{path} cannot be read: {error.strerror}") from error
    if found != asset_sha256:
        raise DamagedAssetError(
            f"{path} has the sha256 {found}, expected {asset_sha256}: verify the store"
        )
    decoded = content.decode(path)
    if decoded.pixels.dtype not in (np.uint8, np.uint16):
        raise PatchError(f"{path}: pixels of {decoded.pixels.dtype}; the cache takes uint8, uint16")
    return decoded


def _in_memory(key: str, decoded: Decoded) -> CachedFrame:
    pixels = np.ascontiguousarray(decoded.pixels)
    pixels.flags.writeable = False
    return CachedFrame(key, pixels, decoded.black_levels, decoded.white_level, decoded.visible)
