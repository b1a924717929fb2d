"""The pictures of tested growth show what the tests found."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from tests.support.simulated_onsets import Onset, at
from training.defects.constancy import constancy_of
from training.defects.growth import poisson_interval
from training.defects.growth_plots import l_function, rate_per_gap
from training.defects.uniformity import Area, uniformity_of
from training.defects.watch import Watch


def drawn(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def test_rates_per_gap_are_drawn_with_their_intervals() -> None:
    watch = Watch(tuple(at(year) for year in (0, 0.5, 2, 3, 4)), epoch_starts=(at(3),))
    ledger = [Onset(at(0), at(0.5))] * 4 + [Onset(at(0.5), at(2))] * 6 + [Onset(at(3), at(4))] * 2
    figure = rate_per_gap(constancy_of(ledger, watch, seed=0), watch)
    (axes,) = figure.axes
    constant, *gaps = axes.lines
    assert np.asarray(constant.get_ydata())[0] == pytest.approx(12 / 3)
    # the gap with the mapping is left out
    assert [np.asarray(gap.get_ydata())[0] for gap in gaps] == pytest.approx([8, 4, 2])
    assert date2num(gaps[0].get_xdata()) == pytest.approx(date2num([at(0), at(0.5)]))  # type: ignore[no-untyped-call]
    bars = [one.get_segments()[0] for one in axes.collections if isinstance(one, LineCollection)]
    low, high = poisson_interval(6)
    assert bars[1][:, 1] == pytest.approx([low / 1.5, high / 1.5])
    assert axes.get_title().startswith("inconclusive (p = ")
    assert drawn(figure).startswith(b"\x89PNG")


def test_l_function_is_drawn_with_its_envelope() -> None:
    generator = np.random.default_rng(1)
    flat = generator.permutation(100 * 150)[:40]
    uniformity = uniformity_of(
        flat // 150, flat % 150, Area(0, 0, 100, 150), seed=0, simulations=99
    )
    figure = l_function(uniformity)
    (axes,) = figure.axes
    (envelope,) = (one for one in axes.collections if isinstance(one, PolyCollection))
    observed = next(line for line in axes.lines if line.get_label() == "defects")
    function = uniformity.l_function
    assert function is not None
    np.testing.assert_allclose(
        np.asarray(observed.get_ydata()), np.array(function.observed) - function.radii
    )
    heights = np.asarray(envelope.get_paths()[0].vertices)[:, 1]
    assert heights.max() == pytest.approx((np.array(function.high) - function.radii).max())
    assert axes.get_title() == f"40 defects: inconclusive (p = {uniformity.p_value:.2g})"
    assert drawn(figure).startswith(b"\x89PNG")


def test_empty_outcomes_are_drawn_too() -> None:
    watch = Watch((at(0), at(1)))
    assert drawn(rate_per_gap(constancy_of([], watch, seed=0), watch))
    assert drawn(l_function(uniformity_of([], [], Area(0, 0, 100, 150), seed=0)))
