"""How strongly a nuisance goes with the label, with the session as the unit; pure functions.

Frames of one session share its light, temperature and dust. Tested as if they were independent,
sets without any bias alarm far too often, so every sum here is kept by session: relabelling and
resampling sessions then cost the same whatever the number of frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from datastore.datasets.auditing.facts import Codes, Floats, ItemFacts, Nuisance
from datastore.datasets.auditing.relabelling import Relabellings
from datastore.datasets.auditing.report import Association, AuditParameters

CIRCULAR = {"hour_of_day": 24.0}
"""Quantities that come round, with their period."""

NEGLIGIBLE_DIFFERENCES = {
    "hour_of_day": 0.25,
    "temperature_c": 0.1,
    "illumination_change_stops": 0.002,
    "illumination_pattern_stops": 0.002,
    "colour_change_stops": 0.002,
    "registration_shift_photosites": 0.02,
}
"""Differences between classes that do no harm however surely they are there (ours)."""

Strength = Callable[[Sequence[Floats]], Floats]
"""Takes weights of the sessions for each class, shape (cases, sessions); gives the association of
each case between 0 and 1, not corrected for chance."""


def cramers_v(table: npt.ArrayLike) -> float | None:
    """Return Cramér's V of a table of counts, corrected for bias.

    Parameters
    ----------
    table
        Counts, shape (rows, columns); empty rows and columns are ignored.

    Returns
    -------
    float or None
        Between 0 and 1; None where only one row or column holds counts.

    Notes
    -----
    Bergsma, "A bias-correction for Cramér's V and Tschuprow's T" (2013): phi² = chi²/n is reduced
    by (r-1)(k-1)/(n-1), its expectation without association, r by (r-1)²/(n-1), k likewise.
    """
    counts = np.asarray(table, dtype=np.float64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    rows, columns = counts.shape
    total = counts.sum()
    if rows < 2 or columns < 2 or total < 2:
        return None
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    phi_squared = float(((counts - expected) ** 2 / expected).sum() / total)
    corrected = max(0.0, phi_squared - (rows - 1) * (columns - 1) / (total - 1))
    effective_rows = rows - (rows - 1) ** 2 / (total - 1)
    effective_columns = columns - (columns - 1) ** 2 / (total - 1)
    smaller = min(effective_rows, effective_columns) - 1
    return min(1.0, sqrt(corrected / smaller)) if smaller > 0 else None


def table_of(facts: ItemFacts, codes: Codes, levels: int) -> NDArray[np.int64]:
    """Return how many items of each class have each level, shape (classes, levels)."""
    known = codes >= 0
    flat = facts.labels[known] * levels + codes[known]
    counts = np.bincount(flat, minlength=len(facts.class_names) * levels)
    return counts.reshape(len(facts.class_names), levels)


def is_crossed(facts: ItemFacts, cells: Codes) -> bool:
    """Tell whether every cell holds items of every class."""
    return bool((table_of(facts, cells, int(cells.max(initial=0)) + 1) > 0).all())


def setting_cells(facts: ItemFacts, chosen: NDArray[np.bool_]) -> Codes:
    """Return the cell of camera and settings of each item, shape (items,).

    It is the camera alone where, among the chosen items, some cell lacks a class or is missing.
    """
    columns = [facts.cameras]
    columns += [one.values.astype(np.int64) for one in facts.nuisances if one.name in _SETTINGS]
    cells: Codes = np.unique(np.stack(columns), axis=1, return_inverse=True)[1].reshape(-1)
    classes = len(facts.class_names)
    counts = np.bincount(
        cells[chosen] * classes + facts.labels[chosen],
        minlength=(int(cells.max(initial=0)) + 1) * classes,
    )
    return cells if (counts > 0).all() else facts.cameras


def content_cells(facts: ItemFacts) -> Codes:
    """Return the cell of camera, scene and settings of each item, shape (items,).

    Where some cell lacks a class it is the camera alone: subtracting a cell's mean would then take
    away the very difference between the classes that is looked for.
    """
    columns = [facts.cameras, facts.scenes]
    columns += [one.values.astype(np.int64) for one in facts.nuisances if one.name in _SETTINGS]
    cells: Codes = np.unique(np.stack(columns), axis=1, return_inverse=True)[1].reshape(-1)
    return cells if is_crossed(facts, cells) else facts.cameras


_SETTINGS = ("iso", "exposure", "f_number")


def without_cell_means(values: Floats, known: NDArray[np.bool_], cells: Codes) -> Floats:
    """Subtract from each known value the mean of its cell; unknown ones become 0.

    Parameters
    ----------
    values
        Shape (items, columns).
    known
        Shape (items,).
    cells
        Shape (items,).
    """
    counts = np.bincount(cells, known, minlength=int(cells.max()) + 1)
    centred = np.zeros_like(values)
    for column, of_column in zip(centred.T, np.where(known[:, None], values, 0.0).T, strict=True):
        means = np.bincount(cells, of_column, len(counts)) / np.maximum(counts, 1)
        column[:] = np.where(known, of_column - means[cells], 0.0)
    return centred


def columns_of(nuisance: Nuisance) -> Floats:
    """Return a quantity as columns: two for one that comes round, shape (items, columns)."""
    values = np.asarray(nuisance.values, np.float64)
    period = CIRCULAR.get(nuisance.name)
    if period is None:
        return values[:, None]
    angle = values * (2 * np.pi / period)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def strength_of_quantity(facts: ItemFacts, nuisance: Nuisance, cells: Codes) -> Strength:
    """Return the eta squared of a quantity within content cells, as a function of weights."""
    known = nuisance.known
    values = without_cell_means(columns_of(nuisance), known, cells)
    size = len(facts.session_names)
    counts = np.bincount(facts.sessions, known, size)
    sums = np.stack([np.bincount(facts.sessions, column, size) for column in values.T], axis=1)
    squares = np.bincount(facts.sessions, (values**2).sum(axis=1), size)

    def strength(weights: Sequence[Floats]) -> Floats:
        cases = len(weights[0])
        between, total = np.zeros(cases), np.zeros(cases)
        all_sums, all_counts = np.zeros((cases, sums.shape[1])), np.zeros(cases)
        for of_class in weights:
            class_sums, class_counts = of_class @ sums, of_class @ counts
            between += (class_sums**2).sum(axis=1) / np.maximum(class_counts, 1e-300)
            total += of_class @ squares
            all_sums += class_sums
            all_counts += class_counts
        mean_part = (all_sums**2).sum(axis=1) / np.maximum(all_counts, 1e-300)
        explained, spread = between - mean_part, total - mean_part
        least = 1e-12 * max(1.0, float(squares.sum()))
        return np.clip(np.where(spread > least, explained / np.maximum(spread, least), 0), 0, 1)

    return strength


def strength_of_category(facts: ItemFacts, codes: Codes, levels: int) -> Strength:
    """Return the square of Cramér's V of a category, as a function of weights."""
    known = codes >= 0
    flat = facts.sessions[known] * levels + codes[known]
    size = len(facts.session_names)
    counts = np.bincount(flat, minlength=size * levels).reshape(size, levels).astype(np.float64)
    counts = counts[:, counts.sum(axis=0) > 0]

    def strength(weights: Sequence[Floats]) -> Floats:
        tables = np.stack([of_class @ counts for of_class in weights], axis=1)
        rows, columns = tables.sum(axis=2), tables.sum(axis=1)
        expected = rows[:, :, None] * columns[:, None, :]
        ratio = np.divide(tables**2, expected, out=np.zeros_like(tables), where=expected > 0)
        phi_squared = ratio.sum(axis=(1, 2)) - 1
        smaller = np.minimum((rows > 0).sum(axis=1), (columns > 0).sum(axis=1)) - 1
        return np.clip(np.where(smaller > 0, phi_squared / np.maximum(smaller, 1), 0), 0, 1)

    return strength


@dataclass(frozen=True)
class Tested:
    """Association of one nuisance, true and relabelled, corrected for what chance gives on average.

    Attributes
    ----------
    nuisance
        Which.
    strengths
        Squared association of every relabelling, the true one first, shape (relabellings,).
    scores
        The same before correction, less what relabelling gives on average, in standard deviations
        of what it gives: so nuisances of different noise and numbers of levels can be compared.
    perfect_scores
        What a nuisance known of the same frames that tells the class would have had.
    resampled
        Squared association of every bootstrap sample of sessions, shape (samples,).
    difference
        Largest difference between means of classes, in the quantity's unit; None of a category.
    """

    nuisance: Nuisance
    strengths: Floats
    scores: Floats
    perfect_scores: Floats
    resampled: Floats
    difference: float | None


def relabelled_weights(relabellings: Relabellings, classes: int) -> list[Floats]:
    """Return which sessions each relabelling gives each class, shape (relabellings, sessions)."""
    return [(relabellings.codes == code).astype(np.float64) for code in range(classes)]


def resampled_weights(
    session_labels: Codes, session_strata: Codes, classes: int, samples: int, seed: int
) -> list[Floats]:
    """Draw sessions with replacement within each class and stratum; weights as above."""
    generator = np.random.default_rng(seed)
    weights = [np.zeros((samples, len(session_labels))) for _ in range(classes)]
    for code in range(classes):
        for stratum in np.unique(session_strata):
            members = np.flatnonzero((session_labels == code) & (session_strata == stratum))
            if len(members):
                share = np.full(len(members), 1 / len(members))
                weights[code][:, members] = generator.multinomial(len(members), share, samples)
    return weights


def measure_nuisance(
    facts: ItemFacts,
    nuisance: Nuisance,
    cells: Codes,
    relabelled: Sequence[Floats],
    resampled: Sequence[Floats],
) -> Tested:
    """Measure one nuisance under every relabelling and resampling of the sessions.

    The correction is for what relabelled sessions give on average, x -> (x - m) / (1 - m), below 0
    as 0 (reconstructed): the textbook corrections for bias take frames for independent.
    """
    if nuisance.levels is None:
        strength = strength_of_quantity(facts, nuisance, cells)
    else:
        codes = np.asarray(nuisance.values, np.int64)
        strength = strength_of_category(facts, codes, len(nuisance.levels))
    raw = strength(relabelled)
    mean = float(raw.mean())
    room = max(1 - mean, 1e-12)
    classes = len(facts.class_names)
    telling = strength_of_category(facts, np.where(nuisance.known, facts.labels, -1), classes)
    return Tested(
        nuisance,
        np.maximum(raw - mean, 0) / room if mean < 1 else raw * 0,
        _studentised(raw),
        _studentised(telling(relabelled)),
        np.maximum(strength(resampled) - mean, 0) / room,
        None if nuisance.levels is not None else difference_of(facts, nuisance, cells),
    )


def difference_of(facts: ItemFacts, nuisance: Nuisance, cells: Codes) -> float:
    """Return the largest difference between classes' means within content cells, in its unit.

    Of a quantity that comes round it is the chord between the means, turned into hours: right for
    small differences, too small for large ones.
    """
    known = nuisance.known
    values = without_cell_means(columns_of(nuisance), known, cells)
    means = np.array(
        [
            values[known & (facts.labels == code)].mean(axis=0)
            for code in range(len(facts.class_names))
            if (known & (facts.labels == code)).any()
        ]
    )
    apart = float(np.sqrt(((means[:, None] - means[None]) ** 2).sum(axis=2)).max(initial=0.0))
    return apart * CIRCULAR.get(nuisance.name, 2 * np.pi) / (2 * np.pi)


def _studentised(raw: Floats) -> Floats:
    spread = float(raw.std())
    # equal but for rounding: no relabelling is stronger than another
    return (raw - raw.mean()) / spread if spread > 1e-9 * float(raw.max()) else raw * 0


def judge_uncontrolled(
    tested: Sequence[Tested], relabellings: Relabellings, parameters: AuditParameters
) -> list[Association]:
    """Turn what relabelling gave into associations with corrected p-values and verdicts."""
    if not tested:
        return []
    strongest = np.max([one.scores for one in tested], axis=0)
    found = []
    for one in tested:
        true = one.strengths[0]
        p = _share_at_least(one.scores, one.scores[0])
        corrected = _share_at_least(strongest, one.scores[0])
        # known in few sessions, even what tells the class may be matched by chance
        smallest = max(
            relabellings.smallest_p_of_association,
            _share_at_least(np.maximum(strongest, one.perfect_scores), one.perfect_scores[0]),
        )
        low, high = np.quantile(one.resampled, [parameters.alpha / 2, 1 - parameters.alpha / 2])
        is_quantity = one.nuisance.levels is None
        value = float(true) if is_quantity else sqrt(true)
        limit = NEGLIGIBLE_DIFFERENCES.get(one.nuisance.name, 0.0)
        is_strong = sqrt(true) > parameters.negligible and (
            one.difference is None or one.difference > limit
        )
        if corrected <= parameters.alpha:
            verdict = "fail" if is_strong else "pass"
        else:
            verdict = "inconclusive" if smallest > parameters.alpha else "pass"
        found.append(
            Association(
                nuisance=one.nuisance.name,
                controlled=False,
                measure="eta-squared" if is_quantity else "cramers-v",
                value=value,
                low=float(low if is_quantity else sqrt(low)),
                high=float(high if is_quantity else sqrt(high)),
                p=p,
                p_corrected=corrected,
                smallest_p=smallest,
                unknown=int((~one.nuisance.known).sum()),
                verdict=verdict,  # type: ignore[arg-type]
            )
        )
    return found


def _share_at_least(values: Floats, least: float) -> float:
    return float(np.mean(values >= least - 1e-9))


def judge_controlled(
    facts: ItemFacts, nuisance: Nuisance, parameters: AuditParameters
) -> Association:
    """Judge a factor that the constraints make equal: its association is a fact, not an estimate.

    Unknown values count as a level of their own: known in one class only, it tells the class.
    """
    assert nuisance.levels is not None
    codes = np.asarray(nuisance.values, np.int64) + 1
    value = cramers_v(table_of(facts, codes, len(nuisance.levels) + 1))
    is_free = value is None or value <= parameters.negligible
    return Association(
        nuisance=nuisance.name,
        controlled=True,
        measure="cramers-v",
        value=value,
        low=None,
        high=None,
        p=None,
        p_corrected=None,
        smallest_p=None,
        unknown=int((~nuisance.known).sum()),
        verdict="pass" if is_free else "fail",
    )


def is_constant(nuisance: Nuisance) -> bool:
    """Tell whether every known value is the same: there is nothing to go with the label."""
    known = nuisance.values[nuisance.known]
    return bool((known == known[0]).all()) if len(known) else True


def constant(nuisance: Nuisance) -> Association:
    """Return the association of a factor that is the same in every frame: none."""
    return Association(
        nuisance=nuisance.name,
        controlled=False,
        measure="cramers-v" if nuisance.levels else "eta-squared",
        value=None,
        low=None,
        high=None,
        p=None,
        p_corrected=None,
        smallest_p=None,
        unknown=int((~nuisance.known).sum()),
        verdict="pass",
    )
