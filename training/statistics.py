"""Inference that respects sessions and scenes, in plain numpy and scipy; knows no files.

The session is the unit of inference: its frames share light, temperature and set-up, so that tests
that count frames raise far more false alarms than they admit. A session has one class. It may span
several cameras and scenes, whose frames keep moving together with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from datastore.datasets.auditing.relabelling import relabel_sessions
from training.errors import TrainingError


class StatisticsError(TrainingError):
    """The data cannot answer the question that was put."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True)
class Interval:
    """A closed interval at a stated confidence (0.95 for 95 %)."""

    low: float
    high: float
    confidence: float

    def contains(self, value: float) -> bool:
        """Tell whether ``value`` lies within, the ends included."""
        return self.low - 1e-12 <= value <= self.high + 1e-12


@dataclass(frozen=True)
class SessionTest:
    """Accuracy against what it would be had the sessions no trace of their class.

    Attributes
    ----------
    accuracy
        Share of (run, frame) pairs whose class was recognised.
    p_value
        Share of the relabellings at least as accurate, the true one among them.
    smallest_p
        The p-value that perfect recognition would have got: 1 / number of relabellings.
    chance
        Accuracies that the relabellings do not rule out at ``1 - alpha``.
    alpha
        Level of the test.
    relabellings
        Number of relabellings compared, the true one among them.
    exact
        Whether these are all there are.
    """

    accuracy: float
    p_value: float
    smallest_p: float
    chance: Interval
    alpha: float
    relabellings: int
    exact: bool

    @property
    def verdict(self) -> str:
        """``above-chance``, ``at-chance``, or ``inconclusive`` when no accuracy could suffice."""
        if self.smallest_p > self.alpha:
            return "inconclusive"
        return "above-chance" if self.p_value <= self.alpha else "at-chance"


def session_permutation_test(
    labels: ArrayLike,
    predicted: ArrayLike,
    sessions: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    alpha: float = 0.05,
    samples: int = 9999,
    seed: int = 0,
) -> SessionTest:
    """Test accuracy by permuting the class labels over whole sessions.

    Every frame of a session, whatever its camera or scene, takes its session's new label. All
    relabellings are enumerated when there are at most ``samples`` of them; otherwise as many are
    drawn and the true one is added, which keeps the test valid (Phipson and Smyth 2010).

    Parameters
    ----------
    labels
        True class of each frame, shape (frames,).
    predicted
        Predicted class of each frame, shape (frames,) or (runs, frames); the runs' accuracies are
        averaged before they are compared.
    sessions
        Session of each frame, shape (frames,).
    strata
        Group of each frame within which sessions may exchange labels, such as the set of cameras
        that a session used; one group by default.
    alpha
        Level of the test and of the chance interval.
    samples
        Most relabellings to compare.
    seed
        Seed of the drawing.

    Returns
    -------
    SessionTest
        Accuracy, p-value and chance interval.

    Raises
    ------
    StatisticsError
        When shapes differ or a session has two classes or strata.
    """
    truth = np.asarray(labels)
    answers = np.atleast_2d(np.asarray(predicted))
    names, session_of = np.unique(np.asarray(sessions), return_inverse=True)
    if not answers.shape[1] == len(truth) == len(session_of) or not len(truth):
        raise StatisticsError(
            f"labels {truth.shape}, predicted {answers.shape}, sessions {session_of.shape}: "
            "expected one value per frame"
        )
    groups = np.zeros(len(truth), int) if strata is None else np.asarray(strata)
    session_labels = _constant_per_session("class", truth, session_of, names)
    session_groups = _constant_per_session("stratum", groups, session_of, names)

    classes = np.unique(truth)
    # hits[s, c]: share of all answers that are right if session s is called class c.
    hits = np.zeros((len(names), len(classes)))
    for number, label in enumerate(classes):
        np.add.at(hits[:, number], session_of, (answers == label).mean(axis=0) / len(truth))
    codes = np.searchsorted(classes, session_labels)
    return _against_chance(hits, codes, session_groups, alpha=alpha, samples=samples, seed=seed)


@dataclass(frozen=True)
class JudgedFrames:
    """What one run said of the frames that it judged.

    Attributes
    ----------
    labels, predicted
        True and predicted class of each frame, shape (frames,).
    sessions
        Session of each frame, shape (frames,).
    """

    labels: ArrayLike
    predicted: ArrayLike
    sessions: ArrayLike


def runs_permutation_test(
    runs: Sequence[JudgedFrames], *, alpha: float = 0.05, samples: int = 9999, seed: int = 0
) -> SessionTest:
    """Test the mean accuracy of runs, which may have judged different frames, by sessions.

    The statistic is the mean of the runs' accuracies. A relabelling gives every session one class,
    in all runs that judged it; runs on the same frames give what `session_permutation_test` gives.

    The test is exact where no judged session was learned from by any of the runs. Runs on folds
    learn from sessions that others are judged on: their answers would have been others, had those
    sessions had other classes, and the level holds nearly: 7 to 9 % of simulated experiments
    without a trace passed at 5 %.

    Parameters
    ----------
    runs
        At least one.
    alpha, samples, seed
        As of `session_permutation_test`.

    Raises
    ------
    StatisticsError
        When there is no run or a run without frames, shapes differ, or a session has two classes.
    """
    truths = [np.asarray(run.labels) for run in runs]
    answers = [np.asarray(run.predicted) for run in runs]
    places = [np.asarray(run.sessions) for run in runs]
    for truth, answer, place in zip(truths, answers, places, strict=True):
        if not truth.shape == answer.shape == place.shape or truth.ndim != 1 or not len(truth):
            raise StatisticsError(
                f"labels {truth.shape}, predicted {answer.shape}, sessions {place.shape}: expected "
                "one value per frame"
            )
    if not runs:
        raise StatisticsError("there are no runs to test")
    names, session_of = np.unique(np.concatenate(places), return_inverse=True)
    session_labels = _constant_per_session("class", np.concatenate(truths), session_of, names)
    classes = np.unique(session_labels)
    weights = np.concatenate([np.full(len(one), 1 / (len(one) * len(runs))) for one in truths])
    said = np.concatenate(answers)
    hits = np.stack(
        [
            np.bincount(session_of, weights * (said == one), len(names)).astype(float)
            for one in classes
        ],
        axis=1,
    )
    codes = np.searchsorted(classes, session_labels)
    groups = np.zeros(len(names), int)
    return _against_chance(hits, codes, groups, alpha=alpha, samples=samples, seed=seed)


def _against_chance(
    hits: NDArray[np.float64],
    codes: NDArray[np.intp],
    session_groups: NDArray[np.generic],
    *,
    alpha: float,
    samples: int,
    seed: int,
) -> SessionTest:
    """Compare accuracy with that of relabelled sessions.

    ``hits[s, c]`` is what session s adds to the accuracy if it is called class c.
    """
    relabelled = relabel_sessions(codes, session_groups, samples=samples, seed=seed)
    rows = np.arange(len(hits))
    chance = hits[rows, relabelled.codes].sum(axis=1)
    accuracy = float(hits[rows, codes].sum())
    # Equal sums of shares may differ in the last bits.
    p_value = float(np.mean(chance >= accuracy - 1e-9))
    return SessionTest(
        accuracy=accuracy,
        p_value=p_value,
        smallest_p=1 / len(chance),
        chance=_central_interval(chance, alpha),
        alpha=alpha,
        relabellings=len(chance),
        exact=relabelled.exact,
    )


def _constant_per_session(
    what: str, values: NDArray[np.generic], session_of: NDArray[np.intp], names: NDArray[np.generic]
) -> NDArray[np.generic]:
    first = np.array([values[np.flatnonzero(session_of == s)[0]] for s in range(len(names))])
    mixed = np.unique(session_of[values != first[session_of]])
    if len(mixed):
        raise StatisticsError(f"session {names[mixed[0]]}: more than one {what}")
    return first


def _central_interval(values: NDArray[np.float64], alpha: float) -> Interval:
    """Return the span of the values that neither tail of ``alpha / 2`` excludes."""
    ordered = np.sort(values)
    excluded = int(np.floor(len(ordered) * alpha / 2))
    return Interval(float(ordered[excluded]), float(ordered[-1 - excluded]), 1 - alpha)


def bootstrap_interval(
    correct: ArrayLike,
    sessions: ArrayLike,
    scenes: ArrayLike | None = None,
    *,
    labels: ArrayLike | None = None,
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return a percentile interval of accuracy from resampling whole sessions (and scenes).

    With scenes, sessions and scenes are resampled independently and a frame weighs the product of
    their counts (Owen 2007, the pigeonhole bootstrap).

    Parameters
    ----------
    correct
        Whether (or in what share of the runs) each frame was recognised, shape (frames,).
    sessions
        Session of each frame.
    scenes
        Scene of each frame; scenes count as fixed where None.
    labels
        Class of each frame; sessions are resampled within their class where given.
    confidence
        Coverage aimed at.
    samples
        Number of resamplings.
    seed
        Seed of the drawing.

    Returns
    -------
    Interval
        At ``confidence``. With fewer than some ten sessions it is too narrow: state their number.

    Raises
    ------
    StatisticsError
        When a session has two classes.
    """
    values = np.asarray(correct, float)
    generator = np.random.default_rng(seed)
    names, session_of = np.unique(np.asarray(sessions), return_inverse=True)
    classes = (
        np.zeros(len(names), int)
        if labels is None
        else _constant_per_session("class", np.asarray(labels), session_of, names)
    )
    weights = np.zeros((samples, len(names)))
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        shares = np.full(len(members), 1 / len(members))
        weights[:, members] = generator.multinomial(len(members), shares, size=samples)
    frame_weights = weights[:, session_of]
    if scenes is not None:
        scene_names, scene_of = np.unique(np.asarray(scenes), return_inverse=True)
        shares = np.full(len(scene_names), 1 / len(scene_names))
        frame_weights *= generator.multinomial(len(scene_names), shares, size=samples)[:, scene_of]
    totals = frame_weights.sum(axis=1)
    means = (frame_weights @ values)[totals > 0] / totals[totals > 0]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), confidence)


@dataclass(frozen=True)
class PairedComparison:
    """Mean difference of two models over repeated splits, with its corrected uncertainty.

    Attributes
    ----------
    mean
        Mean difference.
    p_value
        Two-sided.
    interval
        Confidence interval of the mean.
    """

    mean: float
    p_value: float
    interval: Interval


def nadeau_bengio(
    differences: ArrayLike,
    train_size: int,
    test_size: int,
    confidence: float = 0.95,
    *,
    smallest_variance: float = 0.0,
) -> PairedComparison:
    """Compare two models over runs whose training and test sets overlap.

    The variance of the mean of J differences is taken as ``(1/J + test_size/train_size) s^2``
    (Nadeau and Bengio 2003, "Inference for the Generalization Error", corrected resampled t-test):
    runs on resplits of one data set are not independent.

    Parameters
    ----------
    differences
        Difference of the two models' measure in each run, at least two, shape (runs,).
    train_size, test_size
        Sizes of the sets of one run, in units of inference (sessions).
    confidence
        Coverage aimed at.
    smallest_variance
        Variance of the differences that rounding alone gives, such as that of accuracies in steps
        of one image: differences that happen to be equal do not make the mean certain.

    Raises
    ------
    StatisticsError
        When there are fewer than two runs or an empty set.
    """
    values = np.asarray(differences, float)
    if values.ndim != 1 or len(values) < 2 or train_size < 1 or test_size < 1:
        raise StatisticsError(
            f"{values.size} runs, sets of {train_size} and {test_size}: expected at least two runs "
            "and no empty set"
        )
    mean = float(values.mean())
    variance = max(float(values.var(ddof=1)), smallest_variance)
    error = float(np.sqrt((1 / len(values) + test_size / train_size) * variance))
    freedom = len(values) - 1
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    if error == 0:
        p_value = 1.0 if mean == 0 else 0.0
    else:
        p_value = float(2 * stats.t.sf(abs(mean) / error, freedom))
    return PairedComparison(mean, p_value, Interval(mean - reach, mean + reach, confidence))
