"""Waivers, folds, age bins, age labels and mixed firmwares together, through a real catalogue."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from datastore.datasets.auditing.report import AuditParameters
from datastore.datasets.errors import ConstraintError, SpecError
from datastore.datasets.freeze import Frozen, freeze, freeze_family
from datastore.datasets.items import Frame
from datastore.datasets.loading import load
from datastore.datasets.spec import ConstraintName
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.dataset_checks import require_constraints, require_no_leak
from tests.support.dataset_frames import dataset_spec, make_frames
from tests.support.dataset_rows import fill

PINNED = (0, 1)
QUICK = AuditParameters(permutations=19, resamples=9)
ORIGIN = datetime(2019, 12, 31, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAIVABLE = st.sets(
    st.sampled_from([one for one in get_args(ConstraintName) if one != "no-simulated-mix"]),
    max_size=3,
)


def ragged_frames(seed: int, second_firmware: float) -> list[Frame]:
    """Two years of sessions with gaps, some frames of a later firmware, some not accepted."""
    draws = random.Random(seed)
    frames = make_frames(
        sessions=5, scenes=[f"s{number}" for number in range(6)], exposures=("1/30", "1/2")
    )
    return [
        replace(
            frame,
            firmware="2.0" if draws.random() < second_firmware else "1.0",
            verdict="accepted" if draws.random() < 0.95 else "quarantined",
        )
        for frame in frames
        if draws.random() < 0.92
    ]


@given(
    seed=st.integers(2, 10_000),
    second_firmware=st.sampled_from([0.0, 0.1]),
    waived=WAIVABLE,
    k=st.sampled_from([None, 2, 3]),
    by_age=st.booleans(),
    label=st.sampled_from(["class", "age"]),
)
# these two have to freeze, or the property would hold of nothing
@example(0, 0.0, set(), None, True, "age")
@example(1, 0.1, {"one-pipeline", "same-counts"}, 2, False, "class")
@settings(max_examples=6, deadline=None, derandomize=True)
def test_whatever_is_combined_every_frozen_set_keeps_its_promises(
    seed: int,
    second_firmware: float,
    waived: set[str],
    k: int | None,
    by_age: bool,
    label: str,
) -> None:
    shares = {"validation": 1} if k else {"validation": 1, "test": 1}
    changes: dict[str, Any] = {
        "seed": seed,
        "waive": [{"constraint": name, "reason": "a property of it"} for name in sorted(waived)],
        "blocks": {"scenes": shares, "sessions_per_class": shares},
        "label": label,
    }
    if k:
        changes["folds"] = {"k": k}
    if by_age:
        changes |= {"classes": None, "age_bins": {"edges_days": [0, 367, 733]}}
    if by_age or label == "age":
        changes["age_origin"] = ORIGIN.isoformat()
    spec = dataset_spec(**{name: value for name, value in changes.items() if value is not None}
                        | ({"classes": None} if by_age else {}))  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        catalogue = new_sqlite_catalogue(Path(place))
        try:
            fill(catalogue, ragged_frames(seed, second_firmware))
            frozen: tuple[Frozen, ...]
            try:
                if k:
                    frozen = freeze_family(
                        catalogue, spec, NOW, force="a property", parameters=QUICK
                    )
                else:
                    frozen = (freeze(catalogue, spec, NOW, force="a property", parameters=QUICK),)
            except (ConstraintError, SpecError) as error:
                event(f"impossible: {type(error).__name__}")
                if seed in PINNED:
                    raise
                return
            event("possible")
            assert len(frozen) == (k or 1)
            for one in frozen:
                items = load(catalogue, one.version).items
                assert len(items) == one.items > 0
                require_no_leak(items)
                require_constraints(items, waived)
                for item in items:
                    age = item.triggered_at - ORIGIN
                    assert item.age_s == (age // timedelta(seconds=1) if label == "age" else None)
                    if by_age:
                        low, high = map(int, item.class_name.removeprefix("age-").split("-"))
                        assert timedelta(days=low) <= age < timedelta(days=high)
        finally:
            catalogue.close()
