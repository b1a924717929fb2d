"""The benchmark of rendering: both sides do the same work, and the report is as documented."""

import json
import time

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from benchmarks import render
from benchmarks.__main__ import as_markdown, main, names
from benchmarks._numpy_sensor import expose_with_numpy
from benchmarks._result import Result, median_seconds
from fixtures.ageing import ActiveDefects
from fixtures.sensor import Exposed, SensorParameters, expose, normal_tables

SHAPE = (200, 300)
PARAMETERS = SensorParameters(dark_current_e_per_s=20.0)


def inputs(
    temperature_c: float, iso: int, lit: bool
) -> tuple[NDArray[np.float32], Exposed, ActiveDefects]:
    """Return a sensor whose rows are dark, dim or bright, with a column of each kind of defect."""
    rate = np.zeros(SHAPE, dtype=np.float32)
    rate[60:120], rate[120:] = 40.0, 4000.0
    rows = np.arange(SHAPE[0])
    kinds = {5: (300.0, 0.0, 1.0), 6: (30.0, 500.0, 1.0), 7: (0.0, 50_000.0, 1.0), 8: (0, 0, 0.2)}
    dsnu_e = np.zeros(SHAPE, dtype=np.float32)
    dsnu_e[:, 200:] = 6.0
    return (
        dsnu_e,
        Exposed(rate if lit else None, 0.5, 1.0, iso, temperature_c),
        ActiveDefects(
            rows=np.tile(rows, len(kinds)),
            columns=np.repeat(list(kinds), SHAPE[0]),
            dark_rate_e_per_s=np.repeat([kind[0] for kind in kinds.values()], SHAPE[0]),
            offset_e=np.repeat([kind[1] for kind in kinds.values()], SHAPE[0]),
            response=np.repeat([kind[2] for kind in kinds.values()], SHAPE[0]),
        ),
    )


@pytest.mark.parametrize("lit", [True, False])
@pytest.mark.parametrize(("temperature_c", "iso"), [(20.0, 100), (28.0, 800)])
def test_both_renderers_have_the_same_distributions(
    temperature_c: float, iso: int, lit: bool
) -> None:
    given = inputs(temperature_c, iso, lit)
    ours = [
        expose(PARAMETERS, *given, tables=normal_tables(), seed=seed).astype(float)
        for seed in range(4)
    ]
    generator = np.random.default_rng(1)
    peers = [expose_with_numpy(PARAMETERS, *given, generator).astype(float) for _ in range(4)]
    for rows in (slice(0, 60), slice(60, 120), slice(120, 200)):
        for columns in (
            slice(5, 6),
            slice(6, 7),
            slice(7, 8),
            slice(8, 9),
            slice(20, 200),
            slice(200, 300),
        ):
            first = np.array([frame[rows, columns] for frame in ours]).ravel()
            second = np.array([frame[rows, columns] for frame in peers]).ravel()
            if first.std() == 0.0:
                assert np.array_equal(first, second)
                continue
            error = np.hypot(first.std(), second.std()) / np.sqrt(first.size)
            assert first.mean() == pytest.approx(second.mean(), abs=float(4 * error))
            spread = float(5 * np.sqrt(2 / first.size))
            assert first.var() / second.var() == pytest.approx(1.0, abs=2 * spread)
            assert stats.ks_2samp(first, second).pvalue > 1e-4


def test_a_benchmark_prints_a_json_line_for_each_comparison(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(render, "SIZES", {"1.5MP": (64, 96), "24MP": (96, 128)})
    code = main(["render", "--json"])
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["name"] for result in results] == [
        "render-1.5MP-light",
        "render-1.5MP-dark",
        "render-24MP-light",
        "render-24MP-dark",
    ]
    for result in results:
        assert list(result) == [
            "name",
            "ours",
            "peer",
            "peer_name",
            "unit",
            "ratio",
            "goal",
            "limit",
            "repeats",
            "machine",
        ]
        assert result["ratio"] == pytest.approx(result["ours"] / result["peer"], rel=2e-3)
        assert result["repeats"] == render.FEW_REPEATS[result["name"].split("-")[1]]
    assert code == int(any(result["ratio"] < result["limit"] for result in results))


def test_both_sides_are_timed_in_turn_after_a_warm_up() -> None:
    calls: list[str] = []

    def slow() -> None:
        calls.append("peer")
        time.sleep(0.02)

    ours_s, peer_s = median_seconds(lambda: calls.append("ours"), slow, 3)
    assert calls == ["ours", "peer"] * 4
    assert ours_s < 0.02 <= peer_s


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["weather"])
    assert caught.value.code == 2
    assert "render" in capsys.readouterr().err


def test_the_page_lists_every_result() -> None:
    result = Result("a", 8.0, 2.0, "numpy", "frames/s", 4.0, 3.0, 1.0, 5, "one core")
    page = as_markdown([result])
    assert "| a | 8.0 | 2.0 | frames/s | 4.0 | 3.0 | 1.0 | 5 | numpy |" in page
    assert "Machine: one core." in page
    assert "render" in names()


def test_the_page_keeps_the_explanations_below_the_table() -> None:
    result = Result("a", 8.0, 2.0, "numpy", "frames/s", 4.0, 3.0, 1.0, 5, "one core")
    page = as_markdown([result], ["It is out of reach.", "So is this."])
    table, first, second, machine = page.split("\n\n")[2:]
    assert table.endswith("| numpy |")
    assert (first, second) == ("It is out of reach.", "So is this.")
    assert machine == "Machine: one core.\n"
