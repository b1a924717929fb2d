"""What the pictures of single photosites and sessions show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from training.defects.history_plots import (
    amplitude_over_time,
    before_and_after,
    temperature_over_time,
)
from training.defects.series import AmplitudeSeries

pytest.importorskip("matplotlib")
_AT = tuple(datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=30 * n) for n in range(4))


def test_unknown_temperatures_are_gaps() -> None:
    axes = temperature_over_time(_AT, [[20, 22], [None, None], [], [18, None]]).axes[0]
    drawn = np.asarray(axes.lines[0].get_ydata(), float)
    assert drawn == pytest.approx([21, np.nan, np.nan, 18], nan_ok=True)
    low, high = axes.collections[0].get_segments()[0][:, 1]  # type: ignore[attr-defined]
    assert (low, high) == (20, 22)
    assert "°C" in axes.get_ylabel()


def test_absent_and_not_detectable_are_drawn_differently() -> None:
    series = AmplitudeSeries(
        sessions=("a", "b", "c", "d"),
        at=_AT,
        temperature_c=(None,) * 4,
        row=np.array([7]),
        column=np.array([9]),
        offset_like=np.array([False]),
        amplitude=np.array([[0.1, 0.0, 30.0, 31.0]]),
        error=np.array([[1.0, np.inf, 1.0, 2.0]]),
        state=np.array([[0, -1, 1, 1]], np.int8),
    )
    axes = amplitude_over_time(series, 0).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert {text.get_text() for text in legend.get_texts()} == {
        "present",
        "absent",
        "not detectable",
    }
    assert sorted(len(bars.lines[0].get_xdata()) for bars in axes.containers) == [1, 2]  # type: ignore[attr-defined]
    assert axes.get_title() == "row 7, column 9"
    assert "DN/s" in axes.get_ylabel()


def test_crops_before_and_after_share_one_scale_and_keep_coordinates() -> None:
    before = np.full((40, 50), 512.0)
    after = before.copy()
    after[3, 20] = 900.0
    figure = before_and_after(before, after, 3, 20, _AT[0], _AT[1])
    images = [axes.images[0] for axes in figure.axes[:2]]
    assert [image.get_clim() for image in images] == [(512.0, 900.0)] * 2
    assert [tuple(image.get_extent()) for image in images] == [(11.5, 28.5, 11.5, -0.5)] * 2
    assert images[1].get_array()[3, 8] == 900.0  # type: ignore[index]
    assert figure.axes[0].get_title() == "before, 2024-01-01"
