"""Baselines that must fail: simple classifiers of what carries no trace of age.

One that recognises the class of unseen sessions proves that the dataset gives its classes away by
something other than age, so that no result on it could be credited to age.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datastore.datasets.auditing.association import columns_of, setting_cells
from datastore.datasets.auditing.facts import BaselineFeatures, Codes, Floats, ItemFacts
from datastore.datasets.auditing.relabelling import Relabellings, relabel_sessions
from datastore.datasets.auditing.report import AuditParameters, BaselineResult, RuleVerdict

PIXEL_BASELINES: Final = ("thumbnail", "low-pass", "mean-colour")
TABULAR_BASELINES: Final = ("exif", "temperature")

JUDGED_BLOCKS: Final = ("new-session", "clean")
"""Blocks of unseen sessions. In new-scene the sessions are those of train: a baseline may know
them again, which is no fault of the dataset and the reason why clean is the headline."""

_EXIF: Final = ("camera", "iso", "exposure", "f_number", "firmware", "image_quality", "hour_of_day")
_MOST_LEVELS: Final = 64
_SPAN: Final = 10.0


def tabular_features(facts: ItemFacts) -> tuple[BaselineFeatures, ...]:
    """Return what can be learned from a file's EXIF but its date, and from its temperature."""
    columns: list[Floats] = []
    temperature: tuple[Floats, NDArray[np.bool_]] | None = None
    for one in facts.nuisances:
        if one.name == "temperature_c":
            temperature = np.nan_to_num(columns_of(one)), one.known
        elif one.name in _EXIF and one.levels is not None:
            codes = np.asarray(one.values, np.int64)
            columns += [
                (codes == level).astype(np.float64)[:, None]
                for level in range(-1, min(len(one.levels), _MOST_LEVELS))
            ]
        elif one.name in _EXIF:
            columns.append(np.nan_to_num(columns_of(one)))
    count = len(facts.labels)
    found = []
    if columns:
        found.append(
            BaselineFeatures("exif", np.concatenate(columns, axis=1), np.ones(count, np.bool_))
        )
    if temperature is not None:
        # bodies run at temperatures of their own
        cameras = (facts.cameras[:, None] == np.arange(len(facts.camera_names))).astype(np.float64)
        values = np.concatenate([temperature[0], cameras], axis=1)
        found.append(BaselineFeatures("temperature", values, temperature[1]))
    return tuple(found)


def judge_baselines(
    facts: ItemFacts, features: Sequence[BaselineFeatures], parameters: AuditParameters
) -> tuple[BaselineResult, ...]:
    """Train each baseline on train and judge it on every block of unseen sessions.

    The classifier is a linear discriminant with a covariance shrunk after Ledoit and Wolf. Accuracy
    is compared with that of labels handed out anew to whole test sessions; the correction over
    baselines and blocks compares with the best of them all under each relabelling.

    Parameters
    ----------
    facts
        The items.
    features
        What the baselines see.
    parameters
        Level, number of relabellings, seed.
    """
    answers = {one.name: _recognise(facts, one) for one in features}
    chances: dict[tuple[str, str], Floats] = {}
    tested: dict[tuple[str, str], tuple[int, int, Relabellings]] = {}
    for block in JUDGED_BLOCKS:
        for one in features:
            chosen = (facts.blocks == block) & one.known
            if answers[one.name] is None or len(np.unique(facts.labels[chosen])) < 2:
                continue
            chance, relabellings, sessions = _relabelled_accuracy(
                facts, chosen, answers[one.name], parameters
            )
            chances[one.name, block] = chance
            tested[one.name, block] = int(chosen.sum()), sessions, relabellings
    results = []
    for (name, block), chance in chances.items():
        items, sessions, relabellings = tested[name, block]
        rivals = [other for other in chances.values() if len(other) == len(chance)]
        best = np.max(rivals, axis=0)
        accuracy = float(chance[0])
        corrected = float(np.mean(best >= accuracy - 1e-9))
        ordered = np.sort(chance)
        excluded = int(len(ordered) * parameters.alpha / 2)
        results.append(
            BaselineResult(
                name=name,
                block=block,
                accuracy=accuracy,
                chance_low=float(ordered[excluded]),
                chance_high=float(ordered[-1 - excluded]),
                p=float(np.mean(chance >= accuracy - 1e-9)),
                p_corrected=corrected,
                smallest_p=relabellings.smallest_p,
                items=items,
                sessions=sessions,
                verdict=_verdict(corrected, relabellings.smallest_p, parameters.alpha),
            )
        )
    return tuple(results)


def _verdict(corrected: float, smallest: float, alpha: float) -> RuleVerdict:
    if smallest > alpha:
        return "inconclusive"
    return "fail" if corrected <= alpha else "pass"


def _recognise(facts: ItemFacts, features: BaselineFeatures) -> Codes | None:
    """Return the class that a baseline tells of every item; None where it cannot be trained."""
    train = (facts.blocks == "train") & features.known
    labels = facts.labels[train]
    if len(np.unique(labels)) < 2:
        return None
    # cameras and exposures differ by more than any bias would
    cells = setting_cells(facts, train)
    size = int(cells.max()) + 1
    counts = np.maximum(np.bincount(cells[train], minlength=size), 1)
    means = np.stack(
        [np.bincount(cells[train], column[train], size) for column in features.values.T], axis=1
    )
    values = features.values - (means / counts[:, None])[cells]
    seen = values[train]
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    varied = spread > 1e-9 * np.maximum(np.abs(features.values[train]).max(axis=0), 1.0)
    if not varied.any():
        return np.full(len(facts.labels), np.bincount(labels).argmax())
    # imported late: it costs a second that no other command has to pay
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    def scaled(columns: Floats) -> Floats:
        return np.clip((columns[:, varied] - mean[varied]) / spread[varied], -_SPAN, _SPAN)

    classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    classifier.fit(scaled(seen), labels)
    answers = np.full(len(facts.labels), -1, np.int64)
    answers[features.known] = classifier.predict(scaled(values[features.known]))
    return answers


def _relabelled_accuracy(
    facts: ItemFacts, chosen: NDArray[np.bool_], answers: Codes | None, parameters: AuditParameters
) -> tuple[Floats, Relabellings, int]:
    """Return the accuracy on some items under every relabelling of their sessions."""
    assert answers is not None
    sessions, session_of = np.unique(facts.sessions[chosen], return_inverse=True)
    labels = facts.labels[chosen]
    session_labels = np.zeros(len(sessions), np.int64)
    session_labels[session_of] = labels
    strata = session_strata(facts, chosen)[sessions]
    relabellings = relabel_sessions(
        session_labels, strata, samples=parameters.permutations, seed=parameters.seed
    )
    classes = len(facts.class_names)
    hits = np.zeros((len(sessions), classes))
    for code in range(classes):
        hits[:, code] = np.bincount(session_of, answers[chosen] == code, len(sessions))
    total = hits[np.arange(len(sessions)), relabellings.codes].sum(axis=1)
    return total / len(labels), relabellings, len(sessions)


def session_strata(facts: ItemFacts, chosen: NDArray[np.bool_]) -> Codes:
    """Return a code of the set of cameras of each session, shape (all sessions,).

    A session of other cameras is not exchangeable: it shows other pictures.
    """
    took_part = np.zeros((len(facts.session_names), len(facts.camera_names)), np.int64)
    took_part[facts.sessions[chosen], facts.cameras[chosen]] = 1
    codes: Codes = np.unique(took_part, axis=0, return_inverse=True)[1].reshape(-1)
    return codes
