"""The images that age estimators learn from and date: frames with what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.estimators.errors import EstimatorError
from training.patches.inputs import CachedFrame

_NAMES = ("sessions", "scenes", "cameras")


@dataclass(frozen=True)
class Images:
    """Frames of one or more cameras in any order, with one entry per frame in every array.

    Attributes
    ----------
    frames
        Decoded frames, opened when they are asked for; RAW mosaics, JPEG luma or JPEG colours.
    exposure_factors
        float64 of shape (images,), above 0: exposure time in seconds times ISO / 100, times
        ``2^((T - T0) / Td)`` where the temperature is known; the tau of a defect's dark current.
    sessions, scenes, cameras
        Names, str arrays of shape (images,).
    times
        UTC civil time of each trigger, datetime64[us] of shape (images,); None for questioned
        images, whose time is the question.

    Raises
    ------
    EstimatorError
        When an array has another length than the frames, or impossible values.
    """

    frames: Sequence[CachedFrame]
    exposure_factors: NDArray[np.float64]
    sessions: NDArray[np.str_]
    scenes: NDArray[np.str_]
    cameras: NDArray[np.str_]
    times: NDArray[np.datetime64] | None = None

    def __post_init__(self) -> None:
        """Convert what was given to arrays and check it."""
        factors = np.asarray(self.exposure_factors, np.float64)
        self._require_one_each("exposure_factors", factors)
        wrong = np.flatnonzero(~(np.isfinite(factors) & (factors > 0)))
        if len(wrong):
            raise EstimatorError(
                f"exposure factor {factors[wrong[0]]} of image {wrong[0]}: give exposure time in"
                " seconds times ISO / 100, which is above 0"
            )
        object.__setattr__(self, "exposure_factors", factors)
        for name in _NAMES:
            values = np.asarray(getattr(self, name), np.str_)
            self._require_one_each(name, values)
            object.__setattr__(self, name, values)
        if self.times is not None:
            times = np.asarray(self.times, "datetime64[us]")
            self._require_one_each("times", times)
            if np.isnat(times).any():
                raise EstimatorError(
                    "some images have a time and some have none: leave out the ones without, or"
                    " give no times"
                )
            object.__setattr__(self, "times", times)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.frames)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the first frame.

        Raises
        ------
        EstimatorError
            When there are no images.
        """
        if not len(self):
            raise EstimatorError("there are no images: give at least one")
        return self.frames[0].size

    @property
    def camera(self) -> str:
        """The one camera of all images.

        Raises
        ------
        EstimatorError
            When there are no images, or several cameras.
        """
        names = np.unique(self.cameras)
        if not len(names):
            raise EstimatorError("there are no images: give at least one")
        if len(names) > 1:
            raise EstimatorError(
                f"images of {len(names)} cameras ({', '.join(names[:3])}): defects belong to one"
                " camera, fit an estimator for each"
            )
        return str(names[0])

    def subset(self, numbers: ArrayLike) -> Images:
        """Return the images of some numbers, in their order; frames stay unopened.

        Parameters
        ----------
        numbers
            Indices, or a bool mask of shape (images,).

        Raises
        ------
        EstimatorError
            When there is no such image.
        """
        given = np.asarray(numbers)
        if given.dtype == bool:
            self._require_one_each("the mask", given)
            chosen = np.flatnonzero(given)
        else:
            chosen = given.astype(np.int64).reshape(-1)
            wrong = chosen[(chosen < 0) | (chosen >= len(self))]
            if len(wrong):
                raise EstimatorError(f"no image {wrong[0]} among {len(self)}")
        return replace(
            self,
            frames=_Chosen(self.frames, chosen),
            exposure_factors=self.exposure_factors[chosen],
            sessions=self.sessions[chosen],
            scenes=self.scenes[chosen],
            cameras=self.cameras[chosen],
            times=None if self.times is None else self.times[chosen],
        )

    def _require_one_each(self, name: str, values: NDArray[Any]) -> None:
        if values.shape != (len(self.frames),):
            raise EstimatorError(
                f"{name} of shape {values.shape} for {len(self.frames)} images: give one value"
                " for each image"
            )


class _Chosen(Sequence[CachedFrame]):
    """Some frames of a sequence, opened by it when they are asked for."""

    frames: Sequence[CachedFrame]
    numbers: NDArray[np.int64]

    def __init__(self, frames: Sequence[CachedFrame], numbers: NDArray[np.int64]) -> None:
        # subsets of subsets stay one step deep
        inner = frames if isinstance(frames, _Chosen) else None
        self.frames = inner.frames if inner else frames
        self.numbers = inner.numbers[numbers] if inner else numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> CachedFrame: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[CachedFrame]: ...

    def __getitem__(self, place: int | slice) -> CachedFrame | Sequence[CachedFrame]:
        if isinstance(place, slice):
            return _Chosen(self.frames, self.numbers[place])
        return self.frames[int(self.numbers[place])]
