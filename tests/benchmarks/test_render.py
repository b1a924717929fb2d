"""The benchmark of rendering: both sides do the same work, and the report is as documented."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from benchmarks import render
from benchmarks.__main__ import as_markdown, main, names
from benchmarks._numpy_sensor import expose_with_numpy
from benchmarks._result import Result
from fixtures.ageing import ActiveDefects
from fixtures.sensor import Exposed, SensorParameters, expose, normal_tables

SHAPE = (200, 300)
PARAMETERS = SensorParameters(dark_current_e_per_s=20.0)


def inputs(temperature_c: float, iso: int) -> tuple[NDArray[np.float32], Exposed, ActiveDefects]:
    """Return a sensor whose rows are dark, dim or bright, with a column of each kind of defect."""
    rate = np.zeros(SHAPE, dtype=np.float32)
    rate[60:120], rate[120:] = 40.0, 4000.0
    rows = np.arange(SHAPE[0])
    kinds = {5: (300.0, 0.0, 1.0), 6: (30.0, 500.0, 1.0), 7: (0.0, 50_000.0, 1.0), 8: (0, 0, 0.2)}
    dsnu_e = np.zeros(SHAPE, dtype=np.float32)
    dsnu_e[:, 200:] = 6.0
    return (
        dsnu_e,
        Exposed(rate, 0.5, 1.0, iso, temperature_c),
        ActiveDefects(
            rows=np.tile(rows, len(kinds)),
            columns=np.repeat(list(kinds), SHAPE[0]),
            dark_rate_e_per_s=np.repeat([kind[0] for kind in kinds.values()], SHAPE[0]),
            offset_e=np.repeat([kind[1] for kind in kinds.values()], SHAPE[0]),
            response=np.repeat([kind[2] for kind in kinds.values()], SHAPE[0]),
        ),
    )


@pytest.mark.parametrize(("temperature_c", "iso"), [(20.0, 100), (28.0, 800)])
def test_both_renderers_have_the_same_distributions(temperature_c: float, iso: int) -> None:
    given = inputs(temperature_c, iso)
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


def test_a_benchmark_prints_one_json_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(render.SIZES, "1.5MP", (64, 96))
    code = main(["render", "--json"])
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert set(found) == {
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
    }
    assert found["ratio"] == pytest.approx(found["ours"] / found["peer"], rel=1e-3)
    assert code == int(found["ratio"] < found["limit"])


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
