"""The first audit: a factor that tells the label shows, a balanced one does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import random_table
from scipy.stats.contingency import association

from datastore.datasets.summary import BalanceSummary, cramers_v, summarize_balance
from tests.support.dataset_frames import dataset_spec, freeze_frames, make_frames


def summary_of(**changes: object) -> BalanceSummary:
    manifest = freeze_frames(dataset_spec(**changes), make_frames(cameras=("6001", "6002")))
    return summarize_balance(manifest.items, manifest.header.class_names)


def test_a_controlled_set_is_not_associated_with_anything_but_its_sessions() -> None:
    summary = summary_of(cameras=["6001", "6002"])
    strengths = {factor.factor: factor.cramers_v for factor in summary.factors}
    assert strengths["scene"] == strengths["camera"] == strengths["exposure"] == 0.0
    assert strengths["iso"] is strengths["firmware"] is None
    assert summary.sessions_nested
    assert [one.sessions for one in summary.classes] == [4, 4]
    exposure = next(factor for factor in summary.factors if factor.factor == "exposure")
    assert exposure.frames["early"] == exposure.frames["late"]


def test_the_mean_temperature_of_a_class_counts_known_values_only() -> None:
    frames = make_frames()
    frames = [
        replace(f, temperature_millidegrees=None if f.exposure == "1/2" else 20_250) for f in frames
    ]
    manifest = freeze_frames(dataset_spec(), frames)
    early = summarize_balance(manifest.items, manifest.header.class_names).classes[0]
    assert early.temperature_mean_c == pytest.approx(20.25)
    assert early.frames_of_unknown_temperature == early.frames // 2


def test_a_factor_that_tells_the_label_has_strength_one() -> None:
    assert cramers_v([[50, 0], [0, 50]]) == pytest.approx(1.0)
    assert cramers_v([[30, 30, 0, 0], [0, 0, 30, 30]]) == pytest.approx(1.0, abs=0.02)


def test_one_level_has_no_association() -> None:
    assert cramers_v([[10], [12]]) is None
    assert cramers_v([[10, 0], [12, 0]]) is None


def test_for_many_frames_the_correction_vanishes() -> None:
    table = np.array([[3000, 1000, 2500], [1500, 2600, 1400]])
    uncorrected = association(table, method="cramer")
    assert cramers_v(table) == pytest.approx(uncorrected, rel=1e-3)


def test_the_correction_takes_the_bias_away() -> None:
    """Independent tables: plain V is far from 0, the corrected squared effect is 0 on average."""
    tables = random_table([40, 40], [8] * 10, seed=np.random.default_rng(4)).rvs(400)
    plain = np.mean([association(table.astype(int), method="cramer") for table in tables])
    corrected = np.mean([cramers_v(table) for table in tables])
    assert plain > 0.3
    assert corrected < 0.5 * plain
