"""Growth and age from whole ledgers of simulated sensors, whose weak defects show late or never."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from tests.support.simulated_darks import make_sensor
from tests.training.test_defects_ledger import START, watch
from training.defects import ledger
from training.defects.absolute_age import age_of
from training.defects.constancy import constancy_of
from training.defects.detectability import detectable_shares
from training.defects.uniformity import Area, uniformity_of
from training.defects.watch import Watch, years_between

DAYS = np.linspace(0.0, 1200.0, 5)
YEARS_BEFORE = 2.0


def test_newest_gap_shows_fewer_defects_and_it_is_known_how_many() -> None:
    generator = np.random.default_rng(3)
    count = 500
    sensor = make_sensor(generator, defects=count)
    onset = np.where(np.arange(count) < 250, generator.uniform(-500, 300, count), 1000.0)
    sessions = watch(generator, sensor, onset, days=DAYS)
    entries = ledger.build(sessions).entries
    shares = detectable_shares(sessions, entries)
    assert len(shares) == 4 and shares[0] == 1
    assert 0.97 <= shares[1] <= 1 and 0.75 < shares[3] < 0.97
    found = {(entry.row, entry.column) for entry in entries}
    places = zip(sensor.rows.tolist(), sensor.columns.tolist(), strict=True)
    shown = np.array([place in found for place in places])
    # of the defects of the newest gap, that share of those that show when they are old
    expected = shares[3] * shown[:250].mean()
    assert shown[250:].sum() >= stats.binom.ppf(0.005, 250, expected)
    assert shown[250:].sum() <= stats.binom.ppf(0.995, 250, expected)
    assert shown[250:].mean() < shown[:250].mean()


def test_without_older_defects_every_gap_is_taken_as_seen() -> None:
    generator = np.random.default_rng(4)
    sensor = make_sensor(generator, (64, 64), defects=3)
    sessions = watch(generator, sensor, np.full(3, 2000.0), days=DAYS[:3])
    assert detectable_shares(sessions, []) == (1.0, 1.0)


@pytest.mark.prove
def test_growth_and_age_of_whole_ledgers(record_property: Callable[[str, object], None]) -> None:
    """Ages from ledgers hold the truth, and constant, uniform growth passes for what it is."""
    sensors, held, changing, clustered = 40, 0, 0, 0
    for number in range(sensors):
        generator = np.random.default_rng([9, number])
        before = -YEARS_BEFORE * 365.25
        count = generator.poisson(170)
        sensor = make_sensor(generator, defects=count)
        onset = generator.uniform(before, DAYS[-1], count)
        sessions = watch(generator, sensor, onset, days=DAYS)
        entries = ledger.build(sessions).entries
        seen = Watch(
            tuple(session.at for session in sessions), detectable_shares(sessions, entries)
        )
        age = age_of(entries, seen, sessions[-1].at)
        truth = YEARS_BEFORE + years_between(START, sessions[-1].at)
        assert age.high_years is not None
        held += age.low_years <= truth <= age.high_years
        constancy = constancy_of(entries, seen, seed=number)
        changing += constancy.p_value < 0.05
        uniformity = uniformity_of(
            [entry.row for entry in entries],
            [entry.column for entry in entries],
            Area(0, 0, *sensor.shape),
            seed=number,
            simulations=199,
        )
        clustered += uniformity.p_value < 0.05
    record_property("coverage of ages", held / sensors)
    record_property("constant rates called changing", changing / sensors)
    record_property("uniform positions called clustered", clustered / sensors)
    assert held >= stats.binom.ppf(0.001, sensors, 0.95)
    assert max(changing, clustered) <= stats.binom.ppf(0.999, sensors, 0.05)
