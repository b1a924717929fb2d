"""Crops drawn with their maps: what lies where, and what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from training.saliency.errors import SaliencyError
from training.saliency.overlays import overlay_figure

CROP = np.random.default_rng(0).random((32, 48)).astype(np.float32)
MAP = np.zeros((4, 6), np.float32)
DEFECTS = np.array([[3, 40], [31, 0]])


def test_four_panels_show_the_crop_its_residual_the_map_and_the_defects() -> None:
    figure = overlay_figure(CROP, CROP - CROP.mean(), MAP, DEFECTS)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["crop", "median residual", "map", "together"]
    for axes in panels:
        assert axes.get_xlim() == (-0.5, 47.5) and axes.get_ylim() == (31.5, -0.5)
    (circles,) = panels[3].lines
    assert np.array_equal(np.asarray(circles.get_xydata()), DEFECTS[:, ::-1])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    assert Image.open(buffer).width > 800


def test_a_crop_without_defects_is_drawn_too() -> None:
    none = np.zeros((0, 2), np.int64)
    figure = overlay_figure(CROP, np.zeros_like(CROP), MAP, none)
    assert len(np.asarray(figure.axes[0].images[0].get_array())) == 32


@pytest.mark.parametrize(
    ("residual", "places", "message"),
    [
        (CROP[1:], DEFECTS, "of one size"),
        (CROP, np.array([[32, 0]]), "outside of the crop of 32x48"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    residual: np.ndarray, places: np.ndarray, message: str
) -> None:
    with pytest.raises(SaliencyError, match=message):
        overlay_figure(CROP, residual, MAP, places)
