"""Real dark frames: Point Grey Flea3 exposures and SBIG ST-8 pairs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from datastore.frames import read_frame
from training.defects.errors import DarkFrameError
from training.defects.extraction import extract
from training.defects.flats import low_response
from training.defects.frames import DarkFrame
from training.defects.linearity import judge_linearity

DARKS = Path(__file__).parents[2] / "../shared/data/dark"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not DARKS.is_dir(), reason="needs ../shared/data/dark"),
]


def dark_frame(path: Path, exposure_s: float, cfa: str | None = None) -> DarkFrame:
    frame = read_frame(path, cfa=cfa)
    return DarkFrame(
        read=lambda: frame.mosaic,
        exposure_s=exposure_s,
        iso=None,
        temperature_c=None,
        cfa=frame.cfa,
        white_level=frame.white_level,
        identifier=path.name,
    )


def flea3() -> list[DarkFrame]:
    frames = []
    for path in sorted((DARKS / "flea3-d1").glob("*.tif")):
        milliseconds = re.search(r"_(\d+)ms_", path.name)
        assert milliseconds is not None
        frames.append(dark_frame(path, int(milliseconds[1]) / 1000, cfa="RGGB"))
    return frames


def test_strongest_pixels_of_the_flea3_are_linear_in_exposure() -> None:
    extraction = extract(flea3())
    report = extraction.linearity
    assert report is not None
    assert len(report.seconds) == 7
    assert report.r_squared.max() > 0.9995
    assert np.median(report.r_squared) > 0.998
    assert not report.plateau[:10].any()
    # a weaker one does level off, and its fit says so too
    assert [
        "poor-fit" in extraction.flags[place] for place in extraction.strongest[report.plateau]
    ] == [True]
    # black is clipped at zero in these files, which the diagnostics show
    assert all(one.zero_share > 0.9 for one in extraction.diagnostics)


def test_plateau_is_told_from_a_line() -> None:
    seconds = np.array([0.025, 0.05, 0.1, 0.25, 0.5, 2.0, 3.9])
    line, plateau = 40.0 * seconds, 40.0 * np.minimum(seconds, 0.6)
    report = judge_linearity(seconds, np.stack([line, plateau]))
    assert report.plateau.tolist() == [False, True]
    assert report.r_squared[0] == pytest.approx(1.0)
    assert report.r_squared[1] < 0.8


def test_sbig_frames_agree_on_their_strongest_pixels() -> None:
    strong = []
    for name in ("calib-001-d.fit", "calib-002-d.fit"):
        extraction = extract([dark_frame(DARKS / "sbig-st8" / name, 300.0)])
        clear = extraction.z > 50
        strong.append(
            set(zip(extraction.row[clear].tolist(), extraction.column[clear].tolist(), strict=True))
        )
    first, second = strong
    assert min(len(first), len(second)) > 1000
    assert len(first & second) / len(first | second) > 0.95


SCENES = sorted(path for path in (DARKS.parent / "raw").rglob("*") if path.is_file())


@pytest.mark.parametrize("path", SCENES, ids=lambda path: path.name)
def test_pictures_of_healthy_cameras_give_no_defects(path: Path) -> None:
    frame = dark_frame(path, 0.1)
    with pytest.raises(DarkFrameError, match="no dark fields"):
        extract([frame])
    whole = read_frame(path)
    top, left, height, width = whole.visible
    lit = np.ascontiguousarray(
        whole.mosaic[top + top % 2 : top + height, left + left % 2 : left + width]
    )
    black = tuple(float(level) for level in whole.black_level or (0.0,) * 4)
    with pytest.raises(DarkFrameError, match=r"no flat fields|too dark|saturated"):
        low_response([lambda: lit], whole.cfa, black, white_level=whole.white_level)
