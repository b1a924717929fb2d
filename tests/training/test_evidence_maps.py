"""Which crops are mapped, how their maps are kept and brought together: known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.trace_frames import COLUMNS, ROWS, frame_set
from training.evidence.examples import example_crops, median_residual, values_of_crops
from training.evidence.kept_maps import KeptMaps
from training.evidence.map_samples import CROPS_PER_IMAGE, sample_crops
from training.evidence.maps_together import (
    MappedImages,
    MapsTogether,
    compared_maps,
    superimposed_agreement,
)
from training.evidence.saliency_findings import MapsFinding, SaliencyFindings
from training.evidence.saliency_lines import saliency_lines
from training.saliency.errors import SaliencyError
from training.saliency.strips import Strip, coarse, fitting_cells

SIZE = 32
PLACES = np.array([[5, 7], [40, 100], [41, 101]])
ORIGINS = np.array([[0, 0], [32, 96], [64, 0]])


def test_a_strip_parts_its_crops_and_knows_where_photosites_lie() -> None:
    strip = Strip(ORIGINS, SIZE, 8)
    maps = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)
    laid = strip.laid_out(maps)
    assert laid.shape == (2, 3 * 4 + 2, 4)
    assert np.isnan(laid[:, [4, 9]]).all() and np.isfinite(np.delete(laid, [4, 9], 1)).all()
    for place, (crop, row, column) in zip(
        strip.places(PLACES), [(0, 5, 7), (1, 8, 4), (1, 9, 5)], strict=True
    ):
        assert place.tolist() == [crop * 40 + row, column]
        spread = strip.in_photosites(laid[1])
        assert spread[tuple(place)] == maps[1, crop, row // 8, column // 8]


def test_maps_of_other_crops_are_refused() -> None:
    with pytest.raises(SaliencyError, match="expected 3 crops of 4x4"):
        Strip(ORIGINS, SIZE, 8).laid_out(np.zeros((2, 2, 4, 4), np.float32))
    with pytest.raises(SaliencyError, match="do not divide"):
        Strip(ORIGINS, SIZE, 5)


def test_cells_that_do_not_divide_are_resampled_and_fine_ones_averaged() -> None:
    flat = np.full((1, 2, 5, 5), 3, np.float32)
    assert fitting_cells(flat, SIZE).shape == (1, 2, 4, 4)
    assert np.all(fitting_cells(flat, SIZE) == 3)
    fine = np.random.default_rng(0).normal(size=(1, 2, 32, 32)).astype(np.float32)
    assert coarse(fine, SIZE).shape == (1, 2, 4, 4)
    assert coarse(fine, SIZE)[0, 1, 2, 3] == pytest.approx(fine[0, 1, 16:24, 24:].mean(), abs=1e-6)
    assert coarse(flat, SIZE) is flat


def test_half_of_a_frame_s_crops_hold_a_defect_and_all_classes_come_alike() -> None:
    frames = frame_set(range(6), range(8), 10)
    (sample,) = sample_crops(frames, SIZE, {"camera": PLACES}, most_crops=64, seed=3)
    assert len(sample.images) * len(sample.origins) == 64
    offsets = PLACES[None] - sample.origins[:, None]
    held = ((offsets >= 0) & (offsets < SIZE)).all(axis=2).any(axis=1)
    assert held.sum() == 2  # in the only two crops that hold one
    labels, scenes = frames.labels[sample.images], frames.scenes[sample.images]
    assert np.bincount(labels).tolist() == [4, 4]
    for scene in np.unique(scenes):
        assert len(np.unique(frames.sessions[sample.images][scenes == scene])) > 1
    (again,) = sample_crops(frames, SIZE, {"camera": PLACES}, most_crops=64, seed=3)
    assert np.array_equal(again.images, sample.images)
    assert np.array_equal(again.origins, sample.origins)
    (other,) = sample_crops(frames, SIZE, {"camera": PLACES}, most_crops=64, seed=4)
    assert not np.array_equal(other.origins, sample.origins)


def test_frames_of_few_crops_are_taken_whole() -> None:
    frames = frame_set(range(2), range(2), 10)
    (sample,) = sample_crops(frames, SIZE, {}, most_crops=10**6, seed=0)
    assert len(sample.images) == 4
    assert len(sample.origins) == min(CROPS_PER_IMAGE, (ROWS // SIZE) * (COLUMNS // SIZE))
    places = sample.places()
    assert places.indices.tolist() == np.repeat(sample.images, len(sample.origins)).tolist()


def test_kept_maps_come_back() -> None:
    generator = np.random.default_rng(1)
    maps = {
        "cam": generator.normal(size=(2, 3, 4, 4)).astype(np.float32),
        "grad-cam": 1e-9 * generator.random((2, 3, 4, 4)).astype(np.float32),
        "score-cam-classes": np.zeros((2, 3, 4, 4), np.float32),
    }
    kept = KeptMaps(maps, 1e6 * maps["cam"], np.arange(6).reshape(2, 3))
    back = KeptMaps.from_bytes(kept.to_bytes())
    assert list(back.maps) == list(maps)
    for name, one in maps.items():
        assert np.abs(back.maps[name] - one).max() <= 1e-3 * np.abs(one).max()
    assert np.array_equal(back.classes, kept.classes)
    assert kept.to_bytes() == KeptMaps(maps, 1e6 * maps["cam"], kept.classes).to_bytes()


def _images() -> MappedImages:
    labels, scenes, sessions = zip(
        *[(s % 2, f"scene {c}", f"session {s}") for s in range(8) for c in range(6)], strict=True
    )
    return MappedImages(
        camera="camera",
        origins=ORIGINS,
        patch_size=SIZE,
        labels=np.array(labels),
        scenes=np.array(scenes),
        sessions=np.array(sessions),
        classes=2,
        defects=PLACES,
    )


def _measured(images: MappedImages, runs: list[NDArray[np.float32]]) -> MapsFinding:
    generator = np.random.default_rng(5)
    pictures = {name: generator.random((3, SIZE, SIZE)) for name in np.unique(images.scenes)}
    luminance = np.stack([pictures[name] for name in images.scenes]).astype(np.float32)
    together = MapsTogether("cam", images)
    everything = np.arange(len(images.labels))
    for maps in runs:
        together.add(maps, everything)
    unrelated = generator.random(runs[0].shape).astype(np.float32)
    check = compared_maps(runs[0], unrelated, images, everything, seed=0)
    return together.finding(luminance, None, check, None, seed=0)


def test_maps_of_the_trace_are_measured_as_such() -> None:
    images = _images()
    generator = np.random.default_rng(2)
    trace = np.zeros((3, 4, 4))
    trace[0, 0, 0] = trace[1, 1, 0] = 5  # the cells of the defects
    runs = [
        (np.where(images.labels == 1, 1.0, 0.0)[:, None, None, None] * trace
         + 0.3 * generator.normal(size=(len(images.labels), 3, 4, 4))).astype(np.float32)
        for _ in range(3)
    ]  # fmt: skip
    found = _measured(images, runs)
    assert found.constancy.within_class is not None and found.constancy.p_value is not None
    assert found.constancy.p_value <= 0.05
    assert found.hits is not None and found.hits.defects == 3
    assert found.hits.auc > 0.95
    assert found.hits.at_radii[-1].mass_p_value <= 0.05
    assert found.independence.recognition is not None
    assert found.independence.recognition.p_value > 0.05
    assert found.randomised_weights.passes
    assert (found.runs, found.images, found.crops_per_image, found.cell_photosites) == (3, 48, 3, 8)
    lines = {one.statement: one for one in saliency_lines(SaliencyFindings("late", (found,)))}
    assert lines["maps point at the defects that arose (cam, camera)"].holds
    assert lines["the scene cannot be told from the map (cam, camera)"].holds
    assert not any(one.decides for one in lines.values())


def test_maps_of_content_are_measured_as_such() -> None:
    images = _images()
    generator = np.random.default_rng(2)
    seen = {name: generator.normal(size=(3, 4, 4)) for name in np.unique(images.scenes)}
    runs = [
        np.stack([seen[name] + 0.3 * generator.normal(size=(3, 4, 4)) for name in images.scenes])
        .astype(np.float32)
        for _ in range(3)
    ]  # fmt: skip
    found = _measured(images, runs)
    recognition = found.independence.recognition
    assert recognition is not None and recognition.accuracy > 0.95 and recognition.p_value <= 0.05
    assert found.constancy.other_scenes is not None and found.constancy.same_scenes is not None
    assert found.constancy.other_scenes < 0.5 * found.constancy.same_scenes
    lines = {one.statement: one for one in saliency_lines(SaliencyFindings("late", (found,)))}
    assert lines["the scene cannot be told from the map (cam, camera)"].holds is False
    assert lines["runs agree as much where they share no scene (cam, camera)"].holds is False


def test_superimposed_maps_agree_as_far_as_they_correlate() -> None:
    one = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    undefined = np.full_like(one, np.nan)
    assert superimposed_agreement(np.array([[one, -one], [2 * one, 3 - one]])) == pytest.approx(1)
    assert superimposed_agreement(np.array([[one, undefined], [-one, one]])) == pytest.approx(-1)
    assert superimposed_agreement(np.array([[one, undefined], [undefined, one]])) is None


def test_examples_show_the_values_of_the_frame_and_the_fullest_crop() -> None:
    frames = frame_set(range(3), range(4), 10)
    (sample,) = sample_crops(frames, SIZE, {"camera": PLACES}, most_crops=10**6, seed=3)
    values = values_of_crops(frames, sample)
    row, column = sample.origins[1]
    pixels = frames.frames[int(sample.images[2])].pixels
    expected = pixels[row : row + SIZE, column : column + SIZE].astype(float) - 512
    assert np.array_equal(values[2, 1], expected)
    labels = frames.labels[sample.images]
    images = MappedImages(
        "camera", sample.origins, SIZE, labels, frames.scenes[sample.images],
        frames.sessions[sample.images], 2, PLACES,
    )  # fmt: skip
    maps = {"cam": np.zeros((*values.shape[:2], 4, 4), np.float32)}
    first, last = example_crops(frames, sample, images, maps, ["early", "late"])
    assert first.title.startswith("early") and last.title.startswith("late")
    assert first.title.split(", ")[1] == last.title.split(", ")[1]
    assert last.defects.tolist() == [[8, 4], [9, 5]]


def test_residuals_know_the_colours_of_a_mosaic() -> None:
    values = np.tile(np.array([[1, 100], [50, 9]], np.float32), (8, 8))
    assert np.all(median_residual(values, mosaic=True) == 0)
    values[6, 6] += 40
    residual = median_residual(values, mosaic=True)
    assert residual[6, 6] == 40 and np.count_nonzero(residual) == 1
    assert np.count_nonzero(median_residual(values, mosaic=False)) > 1
