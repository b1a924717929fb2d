"""Clocks of cameras: their drift is found whatever happened to them, and whoever set them, too."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from datastore import clock_probes
from datastore.catalogue import Catalogue
from datastore.clock_probes import SkewAt, clock_history, judge_clock
from tests.support.catalogue_rows import NOW, add_camera, add_session

DAY = timedelta(days=1)


def drifting(
    drift_s_per_day: float, days: list[float], *, start_s: float = 2.0, seed: int = 1
) -> list[SkewAt]:
    """Return probes of a clock that shows whole seconds."""
    fractions = np.random.default_rng(seed).random(len(days))
    return [
        SkewAt(NOW + day * DAY, start_s + drift_s_per_day * day - float(fraction))
        for day, fraction in zip(days, fractions, strict=True)
    ]


@pytest.mark.parametrize("drift", [-1.7, 0.0, 0.4, 1.7])
def test_the_drift_of_a_clock_is_found_from_whole_seconds(drift: float) -> None:
    history = judge_clock(drifting(drift, [float(day) for day in range(30)]))
    assert history.drift_s_per_day == pytest.approx(drift, abs=0.03)
    assert history.steps == ()
    assert history.probes == 30


def test_one_wrong_probe_does_not_move_the_drift() -> None:
    probes = drifting(0.5, [float(day) for day in range(40)])
    probes[20] = SkewAt(probes[20].at, probes[20].skew_s + 4.5)
    assert judge_clock(probes).drift_s_per_day == pytest.approx(0.5, abs=0.05)


def test_a_clock_that_somebody_set_has_a_step_and_keeps_its_drift() -> None:
    before = drifting(1.2, [float(day) for day in range(20)])
    after = [SkewAt(p.at, p.skew_s - 3600.0) for p in drifting(1.2, [20.0 + d for d in range(20)])]
    history = judge_clock([*before, *after])
    (step,) = history.steps
    assert step.step_s == pytest.approx(-3600, abs=3)
    assert (step.after, step.until) == (before[-1].at, after[0].at)
    assert history.drift_s_per_day == pytest.approx(1.2, abs=0.05)
    assert history.newest_skew_s == after[-1].skew_s


def test_a_long_gap_is_drift_and_no_step() -> None:
    history = judge_clock(drifting(1.5, [0.0, 1.0, 2.0, 200.0, 201.0]))
    assert history.steps == ()
    assert history.drift_s_per_day == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize("days", [[], [0.0], [0.0, 5.0], [0.0, 0.1, 0.2]])
def test_too_little_tells_no_drift(days: list[float]) -> None:
    history = judge_clock(drifting(1.0, days))
    assert history.drift_s_per_day is None
    assert (history.newest_at is None) is (not days)


def test_the_history_is_each_cameras_own(catalogue: Catalogue) -> None:
    probes = drifting(0.8, [float(day) for day in range(10)])
    with catalogue.writing() as transaction:
        session = add_session(transaction)
        camera, other = add_camera(transaction), add_camera(transaction, "7100002")
        for probe in reversed(probes):
            clock_probes.record(
                transaction,
                camera_id=camera.id,
                session_id=session.id,
                at=probe.at,
                skew_s=probe.skew_s,
            )
    with catalogue.reading() as transaction:
        assert clock_history(transaction, camera.id) == judge_clock(probes)
        assert clock_history(transaction, other.id).probes == 0
    document = judge_clock(probes).to_json()
    assert datetime.fromisoformat(document["newest_at"]) == probes[-1].at
