"""Which factors lie within others: what no audit can tell apart, reported apart."""

from __future__ import annotations

import numpy as np

from datastore.datasets.auditing.facts import Codes, ItemFacts
from datastore.datasets.auditing.report import Nesting


def find_nestings(facts: ItemFacts) -> tuple[Nesting, ...]:
    """Return every factor of two levels or more that lies within sessions or within classes.

    Sessions lie within classes always: whatever changed between two sessions cannot be told from
    age by any number of frames, which is why sessions are replicated and are the unit of inference.
    """
    found = []
    sessions = len(facts.session_names)
    if _is_within(facts.sessions, facts.labels):
        found.append(
            Nesting(
                "session",
                "class",
                sessions,
                f"Each of the {sessions} sessions lies within one class, as it must: what else"
                " changed between sessions is told from age by their replication alone.",
            )
        )
    for one in facts.nuisances:
        if one.levels is None:
            continue
        codes = np.asarray(one.values, np.int64)
        levels = len(np.unique(codes[codes >= 0]))
        if levels < 2:
            continue
        if _is_within(codes, facts.labels):
            sentence = f"Each of the {levels} values of {one.name} occurs in one class only."
            found.append(Nesting(one.name, "class", levels, sentence))
        elif _is_within(facts.sessions, codes):
            sentence = (
                f"{one.name} is the same throughout each session: it varies {sessions} times, not"
                f" {len(facts.labels)} times."
            )
            found.append(Nesting(one.name, "session", levels, sentence))
    return tuple(found)


def _is_within(inner: Codes, outer: Codes) -> bool:
    """Tell whether each known level of `inner` has one level of `outer`."""
    known = (inner >= 0) & (outer >= 0)
    if not known.any():
        return False
    pairs = np.unique(np.stack([inner[known], outer[known]]), axis=1)
    return pairs.shape[1] == len(np.unique(pairs[0]))
