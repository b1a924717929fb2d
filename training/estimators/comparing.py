"""Age estimators and networks beside each other on the same images; pure.

Every answer counts the same way: an image is right or not, an estimator that abstains is not right,
and sessions are the unit of every interval and test. Networks that were trained several times
count by the share of their runs that are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.estimators.errors import EstimatorError
from training.experiments.sign_flips import sign_flip_test
from training.statistics import Interval, JudgedFrames, bootstrap_interval, runs_permutation_test

Kind = Literal["classical", "network"]
Texts = NDArray[np.str_]

ABSTAINED = ""
"""Named class of an image that an estimator says nothing of."""

LEVEL = 0.05


@dataclass(frozen=True)
class Answers:
    """What an estimator said of the images of a block.

    Attributes
    ----------
    name
        Of the estimator or experiment.
    kind
        Whether it is a network.
    is_suspect
        Whether it is told for comparison alone.
    images
        Names that tell the images apart, shape (images,).
    true_classes
        Of each image.
    named_classes
        By run, `ABSTAINED` where it said nothing; shape (runs, images).
    sessions
        Of each image.
    """

    name: str
    kind: Kind
    is_suspect: bool
    images: Texts
    true_classes: Texts
    named_classes: Texts
    sessions: Texts

    @property
    def right(self) -> NDArray[np.float64]:
        """Share of runs that were right about each image."""
        shares: NDArray[np.float64] = (self.named_classes == self.true_classes).mean(axis=0)
        return shares

    @property
    def session_shares(self) -> dict[str, float]:
        """What the images of each session add to the accuracy."""
        names, session_of = np.unique(self.sessions, return_inverse=True)
        sums = np.bincount(session_of, self.right, len(names)) / len(self.right)
        return dict(zip(names.tolist(), sums.tolist(), strict=True))


@dataclass(frozen=True)
class Standing:
    """How an estimator did.

    Attributes
    ----------
    name, kind, is_suspect
        As of `Answers`.
    runs, images, sessions
        How many.
    accuracy, interval
        Share of images recognised, abstentions counting as wrong, with its interval by sessions
        within their class (bootstrap); too narrow below some ten sessions.
    p_value, smallest_p, chance, verdict
        Of the permutation of classes over sessions.
    answered, accuracy_of_answered
        Share of images that were answered, and accuracy on those; None where none was.
    confusion
        By true class, how many images were named by each class, and at last how many not at all;
        summed over the runs.
    difference, difference_p, difference_smallest_p
        Accuracy less that of the best other estimator that is not suspect, and its p by flipping
        the signs of sessions; None for what there is nothing to compare with.
    compared_with
        The best other estimator.
    """

    name: str
    kind: Kind
    is_suspect: bool
    runs: int
    images: int
    sessions: int
    accuracy: float
    interval: Interval
    p_value: float
    smallest_p: float
    chance: Interval
    verdict: str
    answered: float
    accuracy_of_answered: float | None
    confusion: tuple[tuple[int, ...], ...]
    difference: float | None = None
    difference_p: float | None = None
    difference_smallest_p: float | None = None
    compared_with: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Estimators on the same images, the most accurate first.

    Attributes
    ----------
    block
        Of the dataset.
    class_names
        In the order of time.
    standings
        One for each.
    sentence
        What the comparison says.
    """

    block: str
    class_names: tuple[str, ...]
    standings: tuple[Standing, ...]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return asdict(self)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row of text for each estimator, for a table."""
        return [
            {
                "estimator": one.name,
                "accuracy": f"{one.accuracy:.3f}",
                "interval": f"{one.interval.low:.3f} to {one.interval.high:.3f}",
                "answered": f"{one.answered:.0%}",
                "chance": f"{one.chance.low:.3f} to {one.chance.high:.3f}",
                "p": f"{one.p_value:.3g}",
                "sessions": one.sessions,
                "against": one.compared_with or "-",
                "difference": "-" if one.difference is None else f"{one.difference:+.3f}",
                "difference_p": "-" if one.difference_p is None else f"{one.difference_p:.3g}",
                "note": "suspect" if one.is_suspect else one.kind,
            }
            for one in self.standings
        ]


def compare(
    block: str, class_names: Sequence[str], answers: Sequence[Answers], seed: int = 0
) -> Comparison:
    """Compare answers about the same images.

    Parameters
    ----------
    block
        Which images, for the record.
    class_names
        In the order of time.
    answers
        At least one.
    seed
        Of resamplings.

    Raises
    ------
    EstimatorError
        If there is none, two have one name, or they are about different images.
    """
    if not answers:
        raise EstimatorError("nothing to compare: name at least one method")
    names = [one.name for one in answers]
    for name in names:
        if names.count(name) > 1:
            raise EstimatorError(f"{name} is named twice: compare each once")
    wanted = set(answers[0].images.tolist())
    for one in answers:
        if set(one.images.tolist()) != wanted:
            raise EstimatorError(
                f"{one.name} was judged on other images than {answers[0].name}: compare on one"
                " dataset and camera"
            )
    ranked = sorted(answers, key=lambda one: -float(one.right.mean()))
    standings = tuple(_standing(one, ranked, class_names, seed) for one in ranked)
    return Comparison(block, tuple(class_names), standings, _sentence(standings))


def _standing(
    one: Answers, ranked: Sequence[Answers], class_names: Sequence[str], seed: int
) -> Standing:
    test = runs_permutation_test(
        [JudgedFrames(one.true_classes, said, one.sessions) for said in one.named_classes],
        seed=seed,
    )
    interval = bootstrap_interval(one.right, one.sessions, labels=one.true_classes, seed=seed)
    said = one.named_classes != ABSTAINED
    right = one.named_classes == one.true_classes
    rival = next((other for other in ranked if other is not one and not other.is_suspect), None)
    standing = Standing(
        name=one.name,
        kind=one.kind,
        is_suspect=one.is_suspect,
        runs=len(one.named_classes),
        images=len(one.images),
        sessions=len(np.unique(one.sessions)),
        accuracy=float(one.right.mean()),
        interval=interval,
        p_value=test.p_value,
        smallest_p=test.smallest_p,
        chance=test.chance,
        verdict=test.verdict,
        answered=float(said.mean()),
        accuracy_of_answered=float(right[said].mean()) if said.any() else None,
        confusion=_confusion(one, class_names),
    )
    if rival is None:
        return standing
    shares, others = one.session_shares, rival.session_shares
    flips = sign_flip_test([shares[name] - others[name] for name in sorted(shares)], seed=seed)
    return Standing(
        **{
            **standing.__dict__,
            "difference": standing.accuracy - float(rival.right.mean()),
            "difference_p": flips.p_value,
            "difference_smallest_p": flips.smallest_p,
            "compared_with": rival.name,
        }
    )


def _confusion(one: Answers, class_names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    named = [*class_names, ABSTAINED]
    return tuple(
        tuple(int((one.named_classes[:, one.true_classes == true] == name).sum()) for name in named)
        for true in class_names
    )


def _sentence(standings: Sequence[Standing]) -> str:
    """Say who is ahead, and whether sessions support it."""
    sound = [one for one in standings if not one.is_suspect]
    if not sound:
        return "only suspect estimators were compared: none of them is evidence of age"
    best = sound[0]
    if best.verdict != "above-chance":
        return f"no estimator is above chance by its sessions; the most accurate is {best.name}"
    classical = next((one for one in sound if one.kind == "classical"), None)
    network = next((one for one in sound if one.kind == "network"), None)
    if classical is None or network is None:
        return f"{best.name} is right most often: {best.accuracy:.1%}"
    ahead, behind = (
        (classical, network) if classical.accuracy >= network.accuracy else (network, classical)
    )
    by = f"{ahead.accuracy:.1%} against {behind.accuracy:.1%} of {behind.name}"
    if ahead.accuracy == behind.accuracy:
        return f"{classical.name} does as well as {network.name}, and is the simpler: {by}"
    decided = (
        ahead.compared_with == behind.name
        and ahead.difference_p is not None
        and ahead.difference_p <= LEVEL
    )
    surely = "" if decided else ", which these sessions do not decide"
    if ahead is classical:
        return f"the simpler method wins: {classical.name}, {by}{surely}"
    return f"the network wins: {network.name}, {by}{surely}"
