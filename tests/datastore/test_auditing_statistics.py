"""What an audit's statistics say: against other implementations, by hand, and by planted biases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import comb, sqrt

import numpy as np
import pytest
from scipy import stats

from datastore.datasets.auditing.association import (
    content_cells,
    cramers_v,
    measure_nuisance,
    relabelled_weights,
    strength_of_category,
    strength_of_quantity,
)
from datastore.datasets.auditing.audit import audit_items
from datastore.datasets.auditing.baselines import judge_baselines
from datastore.datasets.auditing.facts import BaselineFeatures, Nuisance
from datastore.datasets.auditing.nesting import find_nestings
from datastore.datasets.auditing.relabelling import relabel_sessions
from datastore.datasets.auditing.report import AuditParameters, AuditReport
from tests.support.audit_facts import (
    make_facts,
    only,
    own_scenes,
    pixel_baselines,
    with_nuisance,
)

FEW = AuditParameters(permutations=499, resamples=99)


def verdict_of(report: AuditReport, rule: str) -> str:
    return next(one.verdict for one in report.rules if one.rule == rule)


# --- against independent implementations ---------------------------------------------------------


def test_strength_of_a_category_is_the_square_of_scipys_cramers_v() -> None:
    facts = make_facts(3)
    nuisance = next(one for one in facts.nuisances if one.name == "operator")
    codes = np.asarray(nuisance.values, np.int64)
    table = np.zeros((2, 3), int)
    np.add.at(table, (facts.labels, codes), 1)
    weights = _true_weights(facts.labels, facts.sessions)
    expected = stats.contingency.association(table, method="cramer")
    assert sqrt(strength_of_category(facts, codes, 3)(weights)[0]) == pytest.approx(expected)


def test_strength_of_a_quantity_is_eta_squared_of_an_analysis_of_variance() -> None:
    facts = only(make_facts(4, scenes=1, test_scenes=0), np.ones(32, np.bool_))
    nuisance = next(one for one in facts.nuisances if one.name == "temperature_c")
    values = np.asarray(nuisance.values)
    strength = strength_of_quantity(facts, nuisance, np.zeros(32, np.int64))
    found = strength(_true_weights(facts.labels, facts.sessions))[0]
    f = stats.f_oneway(values[facts.labels == 0], values[facts.labels == 1]).statistic
    assert found == pytest.approx(f / (f + len(values) - 2))


def _true_weights(labels: np.ndarray, sessions: np.ndarray) -> list[np.ndarray]:
    of_session = np.zeros(sessions.max() + 1, np.int64)
    of_session[sessions] = labels
    return [(of_session == code).astype(float)[None] for code in range(labels.max() + 1)]


def test_p_of_a_nuisance_is_that_of_scipys_permutation_test_over_sessions() -> None:
    facts = make_facts(5, sessions_per_class=4, test_sessions=2, scenes=1, test_scenes=0, repeats=1)
    nuisance = next(one for one in facts.nuisances if one.name == "temperature_c")
    values = np.asarray(nuisance.values)
    relabellings = relabel_sessions([0] * 4 + [1] * 4)
    cells = np.zeros(len(values), np.int64)
    tested = measure_nuisance(
        facts, nuisance, cells, relabelled_weights(relabellings, 2), [np.ones((1, 8))] * 2
    )
    expected = stats.permutation_test(
        (values[:4], values[4:]),
        lambda a, b: abs(a.mean() - b.mean()),
        permutation_type="independent",
        n_resamples=np.inf,
        alternative="greater",
    )
    raw = strength_of_quantity(facts, nuisance, cells)(relabelled_weights(relabellings, 2))
    assert np.mean(raw >= raw[0] - 1e-12) == pytest.approx(expected.pvalue)
    assert (tested.strengths <= raw + 1e-12).all()


def test_cramers_v_without_association_is_not_biased_upwards() -> None:
    generator = np.random.default_rng(0)
    corrected, plain = [], []
    for _ in range(200):
        table = generator.multinomial(60, [1 / 10] * 10).reshape(2, 5) + 0
        corrected.append(cramers_v(table))
        plain.append(stats.contingency.association(table + 0, method="cramer"))
    known = [value for value in corrected if value is not None]
    assert np.mean(known) < 0.6 * np.mean(plain)


# --- relabelling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("each", [2, 3, 4, 5])
def test_all_relabellings_of_two_classes_are_counted_once(each: int) -> None:
    found = relabel_sessions([0] * each + [1] * each)
    assert found.exact and len(found.codes) == comb(2 * each, each)
    assert len(np.unique(found.codes, axis=0)) == len(found.codes)
    assert found.codes[0].tolist() == [0] * each + [1] * each
    # whichever way round, association is the same
    assert found.smallest_p_of_association == pytest.approx(2 / comb(2 * each, each))


def test_labels_stay_within_their_strata() -> None:
    labels, strata = [0, 0, 1, 1, 0, 1], [0, 0, 0, 0, 1, 1]
    found = relabel_sessions(labels, strata)
    assert len(found.codes) == comb(4, 2) * 2
    assert (found.codes[:, 4:].sum(axis=1) == 1).all()


def test_many_relabellings_are_drawn_and_the_true_one_is_among_them() -> None:
    labels = [0] * 12 + [1] * 12
    found = relabel_sessions(labels, samples=99, seed=1)
    assert not found.exact and found.codes.shape == (100, 24)
    assert found.codes[0].tolist() == labels and found.smallest_p == 0.01
    again = relabel_sessions(labels, samples=99, seed=1)
    assert (again.codes == found.codes).all()


# --- what users see ------------------------------------------------------------------------------


def test_a_clean_set_passes_every_rule() -> None:
    facts = make_facts(1)
    report = audit_items(facts, extra_baselines=pixel_baselines(facts, 1))
    assert [(one.rule, one.verdict) for one in report.rules if one.verdict != "pass"] == []
    assert report.verdict == "pass"
    assert AuditReport.from_json(report.to_json()) == report


def test_a_set_whose_classes_have_their_own_scenes_fails() -> None:
    facts = make_facts(1)
    mine = own_scenes(facts)
    keep = (facts.scenes % 2 == facts.labels) & np.isin(facts.blocks, ["train", "new-session"])
    pixels = [
        BaselineFeatures(one.name, one.values[keep], one.known[keep])
        for one in pixel_baselines(facts, 1)
    ]
    report = audit_items(mine, extra_baselines=pixels)
    assert report.verdict == "fail"
    assert verdict_of(report, "scene") == "fail"
    assert verdict_of(report, "baseline thumbnail") == "fail"
    scene = next(one for one in report.associations if one.nuisance == "scene")
    assert scene.value is not None and scene.value > 0.95 and scene.p is None


def test_without_pixels_nothing_is_passed_silently() -> None:
    report = audit_items(make_facts(1), FEW)
    assert verdict_of(report, "baseline low-pass") == "not-run"
    assert report.verdict == "warn"


def test_two_sessions_a_class_decide_nothing() -> None:
    facts = make_facts(2, sessions_per_class=2, test_sessions=1, shifts={"temperature_c": 50.0})
    report = audit_items(facts, FEW, pixel_baselines(facts, 2, thumbnail=50.0))
    for rule in ("sessions", "temperature_c", "baseline thumbnail", "baseline temperature"):
        assert verdict_of(report, rule) == "inconclusive"
    assert report.verdict == "warn"
    told = next(one for one in report.baselines if one.name == "thumbnail")
    assert told.smallest_p == 0.5


def test_a_nuisance_recorded_in_one_class_alone_is_told() -> None:
    facts = make_facts(1)
    temperature = next(one for one in facts.nuisances if one.name == "temperature_c")
    values = np.where(facts.labels == 0, np.nan, temperature.values)
    report = audit_items(with_nuisance(facts, replace(temperature, values=values)), FEW)
    assert verdict_of(report, "temperature_c recorded") == "warn"


def test_a_small_shift_of_every_session_is_found_among_noisier_nuisances() -> None:
    facts = make_facts(1)
    noise = np.random.default_rng(0).normal(size=len(facts.labels))
    light = Nuisance("illumination_change_stops", noise + facts.labels, None, controlled=False)
    report = audit_items(with_nuisance(facts, light), FEW)
    assert verdict_of(report, "illumination_change_stops") == "fail"


def test_a_sure_difference_that_does_no_harm_is_told_and_passes() -> None:
    """Sessions of the last class begin five minutes later, every one of them."""
    facts = make_facts(1)
    noise = 0.01 * np.random.default_rng(0).normal(size=len(facts.labels))
    for minutes, verdict in ((5, "pass"), (60, "fail")):
        values = 9.0 + noise + facts.labels * minutes / 60
        hours = Nuisance("hour_of_day", values, None, controlled=False)
        report = audit_items(with_nuisance(facts, hours), FEW)
        told = next(one for one in report.rules if one.rule == "hour_of_day")
        assert told.verdict == verdict
        assert ("by less than does any harm" in told.sentence) == (verdict == "pass")


def test_nuisances_that_few_sessions_know_hide_no_other() -> None:
    found = 0
    for seed in range(10):
        facts = make_facts(seed, shifts={"mean_dn": 3.0})
        generator = np.random.default_rng(seed)
        for number in range(5):
            values = generator.normal(size=len(facts.session_names))[facts.sessions]
            known = facts.sessions % 8 < 2
            rare = Nuisance(f"rare-{number}", np.where(known, values, np.nan), None, False)
            facts = with_nuisance(facts, rare)
        found += verdict_of(audit_items(facts, FEW), "mean_dn") == "fail"
    assert found >= 8


@pytest.mark.parametrize("sessions", [1, 2])
def test_what_few_sessions_know_is_never_passed(sessions: int) -> None:
    facts = make_facts(1, shifts={"temperature_c": 50.0})
    temperature = next(one for one in facts.nuisances if one.name == "temperature_c")
    values = np.where(facts.sessions % 8 < sessions, temperature.values, np.nan)
    report = audit_items(with_nuisance(facts, replace(temperature, values=values)), FEW)
    assert verdict_of(report, "temperature_c") == "inconclusive"


def test_sessions_that_lack_a_probe_by_chance_do_not_warn() -> None:
    warned = 0
    for seed in range(40):
        facts = make_facts(seed)
        temperature = next(one for one in facts.nuisances if one.name == "temperature_c")
        lacks = (np.random.default_rng(seed + 999).random(16) < 0.3)[facts.sessions]
        values = np.where(lacks, np.nan, temperature.values)
        report = audit_items(with_nuisance(facts, replace(temperature, values=values)), FEW)
        warned += any(one.rule == "temperature_c recorded" for one in report.rules)
    assert warned <= stats.binom.ppf(0.999, 40, 0.05)


def test_perfect_association_of_four_sessions_a_class_is_significant() -> None:
    facts = make_facts(1, sessions_per_class=4, test_sessions=2, shifts={"temperature_c": 50.0})
    report = audit_items(facts, FEW)
    told = next(one for one in report.associations if one.nuisance == "temperature_c")
    assert told.verdict == "fail"
    assert told.p_corrected == told.smallest_p == pytest.approx(2 / comb(8, 4))


def test_what_ageing_may_move_is_told_and_not_held_against_a_set() -> None:
    facts = make_facts(1)
    values = facts.labels + 0.01 * np.random.default_rng(0).normal(size=len(facts.labels))
    black = Nuisance("black_level_dn", values, None, controlled=False)
    report = audit_items(with_nuisance(facts, black), FEW)
    told = next(one for one in report.rules if one.rule == "black_level_dn")
    assert told.verdict == "pass" and "ageing itself may move it" in told.sentence
    light = Nuisance("mean_dn", values, None, controlled=False)
    assert verdict_of(audit_items(with_nuisance(facts, light), FEW), "mean_dn") == "fail"


def test_circumstances_that_no_frame_shows_warn_and_do_not_fail() -> None:
    report = audit_items(make_facts(1, shifts={"operator": 1.0}), FEW)
    assert verdict_of(report, "operator") == "warn"


def test_three_classes_are_audited_like_two() -> None:
    clean = make_facts(4, classes=3, sessions_per_class=6, test_sessions=3)
    assert verdict_of(audit_items(clean, FEW), "temperature_c") == "pass"
    biased = make_facts(
        4, classes=3, sessions_per_class=6, test_sessions=3, shifts={"temperature_c": 5.0}
    )
    assert verdict_of(audit_items(biased, FEW), "temperature_c") == "fail"


def test_brightness_of_scenes_is_no_noise_in_which_a_drift_can_hide() -> None:
    facts = make_facts(7, shifts={"mean_dn": 4.0})
    report = audit_items(facts, FEW)
    assert verdict_of(report, "mean_dn") == "fail"
    drift = next(one for one in report.drifts if one.quantity == "mean_dn")
    first, last = (drift.means[name] for name in facts.class_names)
    assert first is not None and last is not None
    values = np.asarray(next(o for o in facts.nuisances if o.name == "mean_dn").values)
    difference = values[facts.labels == 1].mean() - values[facts.labels == 0].mean()
    assert last - first == pytest.approx(difference)


def test_where_a_cell_lacks_a_class_its_mean_is_not_taken_off() -> None:
    facts = own_scenes(make_facts(1))
    assert len(np.unique(content_cells(facts))) == 1
    assert len(np.unique(content_cells(make_facts(1)))) == 6


def test_factors_nested_in_others_are_told_apart() -> None:
    facts = make_facts(1, shifts={"operator": 1.0})
    found = {(one.factor, one.within) for one in find_nestings(facts)}
    assert ("session", "class") in found and ("operator", "class") in found
    assert ("operator", "session") in {
        (one.factor, one.within) for one in find_nestings(make_facts(1))
    }


def test_the_same_facts_give_the_same_report() -> None:
    facts = make_facts(9)
    pixels = pixel_baselines(facts, 9)
    assert audit_items(facts, FEW, pixels) == audit_items(facts, FEW, pixels)


def test_a_baseline_that_knows_the_session_is_at_chance_on_unseen_sessions() -> None:
    """The trap: frames of a session are alike, and a test by frames would call that success."""
    alarms = 0
    for seed in range(20):
        facts = make_facts(seed, repeats=6)
        generator = np.random.default_rng(seed)
        offsets = generator.normal(size=(len(facts.session_names), 4))[facts.sessions]
        noise = 0.05 * generator.normal(size=offsets.shape)
        seen = BaselineFeatures("thumbnail", offsets + noise, np.ones(len(noise), np.bool_))
        alarms += any(one.verdict == "fail" for one in judge_baselines(facts, [seen], FEW))
    assert alarms <= stats.binom.ppf(0.999, 20, 0.1)


# --- stated rates --------------------------------------------------------------------------------


def alarms_of(seeds: range, **options: object) -> Counter[str]:
    """How often a rule failed or warned, and how often the whole set failed, under `set`."""
    found: Counter[str] = Counter()
    for seed in seeds:
        facts = make_facts(seed, **options)  # type: ignore[arg-type]
        report = audit_items(facts, FEW, pixel_baselines(facts, seed))
        found.update(one.rule for one in report.rules if one.verdict in ("fail", "warn"))
        found["set"] += report.verdict == "fail"
    return found


def test_clean_sets_fail_no_more_often_than_stated() -> None:
    """Two families at 5 % each: nuisances, and baselines."""
    found = alarms_of(range(60))
    assert found["set"] <= stats.binom.ppf(0.999, 60, 0.1)


@pytest.mark.parametrize(
    ("nuisance", "shift"),
    [("temperature_c", 3.0), ("mean_dn", 3.0), ("hour_of_day", 1.0), ("operator", 1.0)],
)
def test_planted_biases_are_found(nuisance: str, shift: float) -> None:
    found = alarms_of(range(100, 110), shifts={nuisance: shift})
    assert found[nuisance] >= 8


@pytest.mark.prove
def test_rates_of_alarms_and_power(record_property: Callable[[str, object], None]) -> None:
    """Clean sets fail at most at 10 %; power by strength of the bias, eight sessions a class."""
    clean = 1000
    found = alarms_of(range(clean))
    record_property("clean sets", clean)
    record_property("of them failed", found["set"])
    assert found["set"] <= stats.binom.ppf(0.999, clean, 0.1)
    for nuisance in ("temperature_c", "mean_dn", "registration_shift_photosites"):
        for shift in (1.0, 2.0, 3.0, 4.0):
            power = alarms_of(range(100), shifts={nuisance: shift})[nuisance]
            record_property(
                f"{nuisance} shifted by {shift:.0f} session deviations, found of 100", power
            )
            if shift >= 3:
                assert power >= 90
    for share in (0.6, 0.8, 1.0):
        power = alarms_of(range(100), shifts={"operator": share})["operator"]
        record_property(f"operator tells the class in {share:.0%} of sessions, found of 100", power)
    assert power >= 95
