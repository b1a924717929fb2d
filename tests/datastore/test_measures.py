"""Measures of whole frames against what was put into them, and against published black levels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray

from datastore.frames import DecodingWorker, Frame, FrameMeasures, examine_file, read_frame
from datastore.frames.measures import measure_frame, measure_luma
from tests.support.frame_files import dark_mosaic, dng, manifest, needs_shared_data, real_file

SHAPE = (768, 1024)
BLACK, WHITE = 512.0, 4095


def scene(seed: int = 1, *, blur: float = 0.0, noise_dn: float = 0.0) -> NDArray[np.uint16]:
    """Return a textured picture above the black level, sharp or blurred before the noise."""
    generator = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(generator.normal(0, 1, SHAPE).astype(np.float32), (0, 0), 2.0)
    picture = 1200 * (1 + 0.15 * texture / texture.std())
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    picture = picture + generator.normal(0, noise_dn, SHAPE) if noise_dn else picture
    mosaic: NDArray[np.uint16] = np.clip(np.round(BLACK + picture), 0, WHITE).astype(np.uint16)
    return mosaic


def frame_of(
    mosaic: NDArray[np.uint16],
    *,
    black: float | None = BLACK,
    visible: tuple[int, int, int, int] | None = None,
    cfa: str = "RGGB",
) -> Frame:
    levels = None if black is None else (black,) * 4
    return Frame(mosaic, cfa, WHITE, levels, visible or (0, 0, *mosaic.shape))


def with_margins(level: float, *, top: int = 20, left: int = 40) -> Frame:
    """Return a scene with margins of a level, whose file states another black level."""
    generator = np.random.default_rng(2)
    mosaic = generator.normal(level, 5, (SHAPE[0] + top, SHAPE[1] + left)).round()
    mosaic[top:, left:] = scene()
    return frame_of(mosaic.astype(np.uint16), black=500.0, visible=(top, left, *SHAPE))


@needs_shared_data
@pytest.mark.parametrize(
    "row", [row for row in manifest("raw") if row["ob_median"]], ids=lambda row: row["path"]
)
def test_black_levels_of_real_cameras_are_those_of_their_masked_photosites(
    row: dict[str, str],
) -> None:
    measures = measure_frame(read_frame(real_file(row)))
    assert measures.black_level_dn == pytest.approx(float(row["ob_median"]), abs=0.5)


def test_masked_photosites_count_more_than_what_the_file_states() -> None:
    assert measure_frame(with_margins(520.0)).black_level_dn == pytest.approx(520, abs=0.2)


def test_a_hot_column_does_not_move_the_black_level() -> None:
    frame = with_margins(520.0)
    frame.mosaic[:, 12] = 4000
    assert measure_frame(frame).black_level_dn == pytest.approx(520, abs=0.2)


def test_margins_that_see_light_are_not_taken_for_masked_ones() -> None:
    assert measure_frame(with_margins(1700.0)).black_level_dn == 500


@pytest.mark.parametrize(("stated", "found"), [(512.0, 512.0), (0.0, None), (None, None)])
def test_without_masked_photosites_the_file_says_it(
    stated: float | None, found: float | None
) -> None:
    assert measure_frame(frame_of(scene(), black=stated)).black_level_dn == found


def test_mean_and_clipped_share_are_of_the_visible_photosites() -> None:
    frame = with_margins(520.0)
    frame.mosaic[20:30, 40:50] = WHITE
    visible = frame.mosaic[20:, 40:]
    measures = measure_frame(frame)
    assert measures.mean_dn == pytest.approx(visible.mean(dtype=np.float64), rel=1e-12)
    assert measures.clipped_share == np.mean(visible == WHITE) > 0


@pytest.mark.parametrize("cfa", ["RGGB", "GRBG", "MONO"])
def test_blur_lowers_the_sharpness_and_noise_does_not_raise_it(cfa: str) -> None:
    def sharpness(blur: float = 0.0, noise_dn: float = 0.0) -> float:
        mosaic = scene(blur=blur, noise_dn=noise_dn)
        found = measure_frame(frame_of(mosaic, cfa=cfa)).sharpness
        assert found is not None
        return found

    sharp = sharpness()
    assert sharpness(blur=2.0) < 0.6 * sharp
    assert sharpness(noise_dn=40) == pytest.approx(sharp, rel=0.1)
    assert sharpness(blur=20.0, noise_dn=40) < 0.2 * sharp


def test_twice_the_light_is_as_sharp() -> None:
    once = frame_of(scene())
    light = once.mosaic.astype(np.int64) - int(BLACK)
    half = frame_of((light // 2 + int(BLACK)).astype(np.uint16))
    assert measure_frame(half).sharpness == pytest.approx(measure_frame(once).sharpness, rel=0.02)


def test_dark_full_and_tiny_frames_have_no_sharpness() -> None:
    full = np.full(SHAPE, WHITE, np.uint16)
    tiny = scene()[:100, :100]
    for mosaic in (dark_mosaic(shape=SHAPE), full, tiny):
        assert measure_frame(frame_of(mosaic)).sharpness is None


def test_odd_margins_leave_the_planes_where_they_are() -> None:
    frame = with_margins(520.0, top=21, left=41)
    shifted = measure_frame(replace(frame, cfa="BGGR"))
    assert shifted.sharpness == pytest.approx(
        measure_frame(frame_of(scene(), black=500.0)).sharpness, rel=0.1
    )


def test_nothing_visible_is_nothing_measured() -> None:
    frame = frame_of(scene(), visible=(0, 0, 0, 0))
    assert measure_frame(frame) == FrameMeasures()
    assert measure_luma(np.zeros((0, 5), np.uint8)) == FrameMeasures()


def test_luma_has_a_mean_a_clipped_share_and_sharpness_but_no_black_level() -> None:
    luma = (scene() / 16).astype(np.uint8)
    luma[0, :100] = 255
    measures = measure_luma(luma)
    assert measures.black_level_dn is None
    assert measures.mean_dn == pytest.approx(luma.mean())
    assert measures.clipped_share == 100 / luma.size
    blurred = measure_luma(cv2.GaussianBlur(luma, (0, 0), 3.0).astype(np.uint8))
    assert measures.sharpness and blurred.sharpness is not None
    assert blurred.sharpness < 0.5 * measures.sharpness


def test_the_examining_process_measures_what_it_decodes(tmp_path: Path) -> None:
    raw, cut, jpeg, zeros = (tmp_path / name for name in ("a.dng", "b.dng", "c.jpg", "d.dng"))
    mosaic = dark_mosaic()
    raw.write_bytes(dng(mosaic))
    cut.write_bytes(dng(mosaic)[:50_000])
    missing = mosaic.copy()
    missing[200:] = 0
    zeros.write_bytes(dng(missing))
    picture = np.random.default_rng(1).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    data = simplejpeg.encode_jpeg(picture)
    jpeg.write_bytes(data)
    with DecodingWorker() as worker:
        found = {path: worker.examine_file(path) for path in (raw, cut, jpeg, zeros)}
        jpeg.write_bytes(data[: len(data) // 2])
        half = worker.examine_file(jpeg)
    assert found[raw].measures.mean_dn == pytest.approx(mosaic.mean())
    assert found[raw].measures == examine_file(raw).measures
    assert found[jpeg].measures.mean_dn is not None
    for damaged in (found[cut], found[zeros], half):
        assert damaged.findings and damaged.measures == FrameMeasures()
