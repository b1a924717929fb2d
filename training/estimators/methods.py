"""The age estimators by the names that users call them by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from training.estimators.errors import EstimatorError
from training.estimators.known_defects import KnownDefect
from training.estimators.protocol import AgeEstimator
from training.estimators.state import EstimatorState

Method = Literal["maximum-likelihood", "naive-bayes", "naive-bayes-kernel"]

METHODS: tuple[Method, ...] = get_args(Method)


def make_estimator(
    method: str, known: Sequence[KnownDefect] = (), *, searches: bool = True, seed: int = 0
) -> AgeEstimator:
    """Return an estimator that is to be fitted.

    Parameters
    ----------
    method
        One of `METHODS`.
    known
        Defects of the camera's ledger, in the coordinates of the images.
    searches
        Whether photosites are searched for in the images too.
    seed
        Of whatever is random.

    Raises
    ------
    EstimatorError
        If there is no such method, or it has nothing to use.
    """
    return _makers(method)[0](known, searches, seed)


def require_method(method: str) -> None:
    """Raise EstimatorError unless there is such a method."""
    if method not in METHODS:
        raise EstimatorError(f"there is no method {method}: choose from {', '.join(METHODS)}")


def estimator_of(state: EstimatorState) -> AgeEstimator:
    """Return the fitted estimator of a state; raises EstimatorError if its method is unknown."""
    return _makers(state.estimator)[1](state)


_Makers = tuple[
    Callable[[Sequence[KnownDefect], bool, int], AgeEstimator],
    Callable[[EstimatorState], AgeEstimator],
]


def _makers(method: str) -> _Makers:
    if method == "maximum-likelihood":
        from training.estimators.maximum_likelihood import MaximumLikelihood

        return (
            lambda known, searches, seed: MaximumLikelihood(known, searches=searches, seed=seed),
            MaximumLikelihood.from_state,
        )
    if method in ("naive-bayes", "naive-bayes-kernel"):
        from training.estimators.naive_bayes import KernelNaiveBayes, NaiveBayes

        kind = NaiveBayes if method == "naive-bayes" else KernelNaiveBayes
        return (
            lambda known, searches, seed: kind(known, searches=searches, seed=seed),
            kind.from_state,
        )
    raise EstimatorError(f"there is no method {method}: choose from {', '.join(METHODS)}")
