"""What can go wrong with patches, split by who has to act."""

from __future__ import annotations

from typing import ClassVar

from training.errors import TrainingError


class PatchError(TrainingError):
    """Patches were asked for that the frames cannot give."""

    exit_code: ClassVar[int] = 2


class DamagedAssetError(TrainingError):
    """A file of the store does not have the bytes that its name promises."""

    exit_code: ClassVar[int] = 1


class CacheError(TrainingError):
    """The folder of decoded frames cannot be used."""

    exit_code: ClassVar[int] = 1
