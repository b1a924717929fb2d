"""What every age estimator does, in scikit-learn's manner, and what it answers with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.estimators.errors import EstimatorError, NotFittedError
from training.estimators.images import Images
from training.estimators.state import EstimatorState

Timeslots = NDArray[np.int64]
"""Ordinals of timeslots; a later timeslot has a higher one."""

MaskedTimeslots = np.ma.MaskedArray[Any, np.dtype[np.int64]]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class TimeslotIntervals:
    """For each image the timeslots that may be its own.

    Attributes
    ----------
    low, high
        First and last timeslot, both included, int64 of shape (images,).
    confidence
        The share of images whose timeslot should lie within.
    """

    low: Timeslots
    high: Timeslots
    confidence: float


class AgeEstimator(Protocol):
    """Tells the timeslot of images of one camera from what its defects leave in them."""

    name: ClassVar[str]
    is_suspect: ClassVar[bool]
    """Whether its answers may rest on other things than age: told for comparison alone."""

    @property
    def timeslots_(self) -> Timeslots:
        """The timeslots it was fitted to, ascending; raises NotFittedError before `fit`."""
        ...

    def fit(self, images: Images, timeslots: ArrayLike) -> Self:
        """Learn from trusted images of one camera.

        Parameters
        ----------
        images
            Of one camera and one size, in any order.
        timeslots
            Ordinal of each image's timeslot, int64 of shape (images,); at least two differ.

        Raises
        ------
        EstimatorError
            When the images are of several cameras or sizes, or of one timeslot.
        """
        ...

    def predict(self, images: Images) -> MaskedTimeslots:
        """Return the most probable timeslot of each image, masked where it abstains.

        Raises
        ------
        NotFittedError
            Before `fit`.
        EstimatorError
            When the images are of another camera or size than those it was fitted to.
        """
        ...

    def predict_proba(self, images: Images) -> Probabilities:
        """Return float64 of shape (images, classes) whose rows sum to 1; raises as `predict`."""
        ...

    def predict_interval(self, images: Images, confidence: float = 0.95) -> TimeslotIntervals:
        """Return the timeslots that may be each image's; all of them where it knows nothing.

        Raises as `predict`, and EstimatorError when the confidence is not between 0 and 1.
        """
        ...

    def facts(self) -> dict[str, Any]:
        """Return what the fit rests on, as JSON; raises NotFittedError before `fit`."""
        ...

    def to_state(self) -> EstimatorState:
        """Return what the fit keeps, to be stored; raises NotFittedError before `fit`."""
        ...

    @classmethod
    def from_state(cls, state: EstimatorState) -> Self:
        """Return the fitted estimator of a state that `to_state` gave."""
        ...


class ProbabilisticEstimator(ABC):
    """An estimator whose answers follow from the probabilities of the timeslots.

    Subclasses say `name`, `_fit`, `_judge` and `facts`.
    """

    name: ClassVar[str]
    is_suspect: ClassVar[bool] = False

    _timeslots: Timeslots | None = None
    _camera: str
    _size: tuple[int, int]

    @property
    def timeslots_(self) -> Timeslots:
        """The timeslots it was fitted to, ascending; raises NotFittedError before `fit`."""
        if self._timeslots is None:
            raise NotFittedError(f"{self.name} was not fitted: call fit with trusted images first")
        return self._timeslots

    def fit(self, images: Images, timeslots: ArrayLike) -> Self:
        """Learn from trusted images; see `AgeEstimator.fit`."""
        given = require_timeslots(images, timeslots)
        camera, size = images.camera, images.size
        classes, numbers = np.unique(given, return_inverse=True)
        self._timeslots = None  # a failed fit leaves nothing that could answer
        self._fit(images, classes, numbers.astype(np.int64))
        self._timeslots, self._camera, self._size = classes, camera, size
        return self

    def predict_proba(self, images: Images) -> Probabilities:
        """Return the probability of each timeslot; see `AgeEstimator.predict_proba`."""
        return self._asked(images)[0]

    def predict(self, images: Images) -> MaskedTimeslots:
        """Return the most probable timeslots; see `AgeEstimator.predict`."""
        probabilities, abstained = self._asked(images)
        return np.ma.masked_array(self.timeslots_[probabilities.argmax(axis=1)], mask=abstained)

    def predict_interval(self, images: Images, confidence: float = 0.95) -> TimeslotIntervals:
        """Return the timeslots that may be each image's; see `AgeEstimator.predict_interval`."""
        require_confidence(confidence)
        probabilities, abstained = self._asked(images)
        low, high = central_range(probabilities, confidence)
        low[abstained], high[abstained] = 0, probabilities.shape[1] - 1
        return TimeslotIntervals(self.timeslots_[low], self.timeslots_[high], confidence)

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what the fit rests on, as JSON."""

    @abstractmethod
    def _fit(self, images: Images, timeslots: Timeslots, numbers: NDArray[np.int64]) -> None:
        """Learn from images whose timeslot is ``timeslots[numbers]``, at least two of them."""

    @abstractmethod
    def _judge(self, images: Images) -> tuple[Probabilities, NDArray[np.bool_]]:
        """Return the probability of each timeslot, and for each image whether it abstains."""

    def _asked(self, images: Images) -> tuple[Probabilities, NDArray[np.bool_]]:
        classes = len(self.timeslots_)
        if not len(images):
            return np.empty((0, classes)), np.zeros(0, np.bool_)
        require_same_sensor(images, self._camera, self._size)
        return self._judge(images)


def require_timeslots(images: Images, timeslots: ArrayLike) -> Timeslots:
    """Return the timeslots of trusted images as int64.

    Raises
    ------
    EstimatorError
        When they are not one whole number for each image, or fewer than two differ.
    """
    given = np.asarray(timeslots)
    if given.shape != (len(images),):
        raise EstimatorError(
            f"timeslots of shape {given.shape} for {len(images)} images: give one for each image"
        )
    if len(given) and not np.issubdtype(given.dtype, np.integer):
        raise EstimatorError(f"timeslots of type {given.dtype}: give their ordinals, int64")
    if len(np.unique(given)) < 2:
        raise EstimatorError("images of fewer than two timeslots: ages are told from differences")
    return given.astype(np.int64)


def require_same_sensor(images: Images, camera: str, size: tuple[int, int]) -> None:
    """Raise EstimatorError unless all images are of this camera and the first of this size."""
    if images.camera != camera:
        raise EstimatorError(
            f"images of camera {images.camera}, fitted to {camera}: defects belong to one camera"
        )
    if images.size != size:
        raise EstimatorError(
            f"frames of {images.size} rows and columns, fitted to {size}: coordinates would differ"
        )


def require_confidence(confidence: float) -> None:
    """Raise EstimatorError unless the confidence lies between 0 and 1."""
    if not 0 < confidence < 1:
        raise EstimatorError(f"confidence {confidence}: give a share between 0 and 1")


def central_range(
    probabilities: Probabilities, confidence: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and last class of each row's central interval of a confidence, int64."""
    tail = (1 - confidence) / 2
    below = np.cumsum(probabilities, axis=1)
    last = probabilities.shape[1] - 1
    low = np.minimum((below <= tail).sum(axis=1), last)
    high = np.minimum((below < 1 - tail - 1e-12).sum(axis=1), last)
    return low.astype(np.int64), high.astype(np.int64)
