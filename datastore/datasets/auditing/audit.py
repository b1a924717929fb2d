"""The audit of a dataset from its facts: every association, drift, baseline and rule; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from datastore.datasets.auditing.association import (
    constant,
    content_cells,
    cramers_v,
    is_constant,
    judge_controlled,
    judge_uncontrolled,
    measure_nuisance,
    relabelled_weights,
    resampled_weights,
    strength_of_category,
    table_of,
)
from datastore.datasets.auditing.baselines import (
    judge_baselines,
    session_strata,
    tabular_features,
)
from datastore.datasets.auditing.drift import find_drifts
from datastore.datasets.auditing.duplicates import find_duplicates
from datastore.datasets.auditing.facts import BaselineFeatures, Floats, ItemFacts
from datastore.datasets.auditing.nesting import find_nestings
from datastore.datasets.auditing.relabelling import Relabellings, relabel_sessions
from datastore.datasets.auditing.report import AuditParameters, AuditReport, RuleResult
from datastore.datasets.auditing.rules import (
    overall,
    rule_of_association,
    rule_of_content,
    rule_of_duplicates,
    rule_of_recording,
    rule_of_sessions,
    rules_of_baselines,
    weighed,
)

DEFINITION = "audit-2"
"""Names the rules and statistics by which a dataset was audited."""


def audit_items(
    facts: ItemFacts,
    parameters: AuditParameters | None = None,
    extra_baselines: Sequence[BaselineFeatures] = (),
    progress: Callable[[int, int], None] | None = None,
) -> AuditReport:
    """Audit a dataset: the same facts, parameters and baselines give the same report.

    Parameters
    ----------
    facts
        The items as columns.
    parameters
        Levels, thresholds and seed; the usual ones by default.
    extra_baselines
        What pixel baselines see; each that is not given leaves its rule not run.
    progress
        Called with the steps done and their total.
    """
    parameters = parameters or AuditParameters()
    constants = [one for one in facts.nuisances if not one.controlled and is_constant(one)]
    uncontrolled = [one for one in facts.nuisances if not one.controlled and not is_constant(one)]
    features = [*tabular_features(facts), *extra_baselines]
    total = len(uncontrolled) + 3
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    classes = len(facts.class_names)
    session_labels = np.zeros(len(facts.session_names), np.int64)
    session_labels[facts.sessions] = facts.labels
    strata = session_strata(facts, np.ones(len(facts.labels), np.bool_))
    relabellings = relabel_sessions(
        session_labels, strata, samples=parameters.permutations, seed=parameters.seed
    )
    relabelled = relabelled_weights(relabellings, classes)
    resampled = resampled_weights(
        session_labels, strata, classes, parameters.resamples, parameters.seed
    )
    cells = content_cells(facts)
    controlled = [
        judge_controlled(facts, one, parameters) for one in facts.nuisances if one.controlled
    ]
    step()
    tested = []
    for one in uncontrolled:
        tested.append(measure_nuisance(facts, one, cells, relabelled, resampled))
        step()
    uncontrolled_ones = judge_uncontrolled(tested, relabellings, parameters)
    associations = [*controlled, *map(weighed, uncontrolled_ones), *map(constant, constants)]
    baselines = judge_baselines(facts, features, parameters)
    step()
    duplicates = find_duplicates(facts, parameters.duplicate_bits)
    step()
    rules = [
        rule_of_content(facts),
        rule_of_sessions(facts, relabellings, parameters),
        *(rule_of_association(one, parameters) for one in associations),
        *_recordings(facts, relabellings, relabelled, parameters),
        rule_of_duplicates(duplicates, parameters),
        *rules_of_baselines(baselines),
    ]
    return AuditReport(
        manifest_version=facts.manifest_version,
        verdict=overall(rules),
        rules=tuple(rules),
        associations=tuple(associations),
        nestings=find_nestings(facts),
        drifts=find_drifts(facts, cells, associations),
        baselines=baselines,
        duplicates=duplicates,
        parameters=parameters,
    )


def _recordings(
    facts: ItemFacts,
    relabellings: Relabellings,
    relabelled: Sequence[Floats],
    parameters: AuditParameters,
) -> list[RuleResult]:
    """Return a rule for each uncontrolled nuisance that is recorded in some classes more often.

    Sessions lack a probe as a whole, so that here, too, they are what is counted.
    """
    found = []
    for one in facts.nuisances:
        if one.controlled or one.known.all():
            continue
        recorded = one.known.astype(np.int64)
        value = cramers_v(table_of(facts, recorded, 2))
        if value is None or value <= parameters.negligible:
            continue
        strengths = strength_of_category(facts, recorded, 2)(relabelled)
        p = float(np.mean(strengths >= strengths[0] * (1 - 1e-9)))
        if p <= parameters.alpha or relabellings.smallest_p_of_association > parameters.alpha:
            found.append(rule_of_recording(one.name, value, int((~one.known).sum())))
    return found
