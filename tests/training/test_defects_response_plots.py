"""What the picture of response curves shows."""

from __future__ import annotations

import numpy as np
import pytest

from training.defects.linearity import judge_linearity
from training.defects.plots import response_curves

pytest.importorskip("matplotlib")


def test_lines_are_fitted_and_plateaus_dashed() -> None:
    seconds = np.array([0.1, 1.0, 2.0, 4.0])
    signal = np.stack([50 * seconds + 10, np.array([5.0, 50.0, 100.0, 101.0])])
    axes = response_curves(judge_linearity(seconds, signal), np.full(signal.shape, 2.0)).axes[0]
    fitted = [line for line in axes.lines if line.get_linestyle() in ("-", "--")]
    assert [line.get_linestyle() for line in fitted] == ["-", "--"]
    assert np.asarray(fitted[0].get_ydata()) == pytest.approx(signal[0])
    assert np.asarray(fitted[1].get_ydata())[-1] == pytest.approx(200.0)
    assert len(axes.containers) == 2
    assert "DN" in axes.get_ylabel()
