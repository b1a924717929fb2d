"""Fingerprints of virtual sensors whose photo-response is known, and of real cameras."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage, stats

from datastore.frames import read_frame
from fixtures.scenes import scene_names
from tests.support.disturbed_frames import DisturbedCamera, Shot
from training.defects.errors import DefectError
from training.defects.fingerprint import (
    Fingerprint,
    estimate_fingerprint,
    read_fingerprint,
    write_fingerprint,
)
from training.defects.fingerprint_check import (
    SAME_PCE,
    FingerprintCheck,
    FingerprintVerdict,
    peak_to_correlation_energy,
)
from training.defects.noise_residual import noise_residual

RAW = Path(__file__).parents[2] / "../shared/data/raw"
BLACK = (512.0,) * 4
WHITE = 16_383
SCENES = ("brick-ball-daylight", "brick-bottle-tungsten")
Mosaic = NDArray[np.uint16]


def reading(mosaics: list[Mosaic]) -> list[Callable[[], Mosaic]]:
    return [lambda mosaic=mosaic: mosaic for mosaic in mosaics]  # type: ignore[misc]


def fingerprint_of(mosaics: list[Mosaic], cfa: str = "RGGB") -> Fingerprint:
    return estimate_fingerprint(reading(mosaics), cfa, BLACK, WHITE)


def judged(fingerprint: Fingerprint, mosaic: Mosaic) -> FingerprintVerdict:
    return FingerprintCheck(fingerprint).judge(mosaic, BLACK, WHITE, "frame")


def numpy_frames(
    seed: int, *, count: int, shape: tuple[int, int] = (192, 256), prnu: float = 0.01
) -> tuple[NDArray[np.float64], list[Mosaic]]:
    """The photo-response of a sensor of its own and unevenly lit frames of it."""
    generator = np.random.default_rng(seed)
    response = prnu * generator.standard_normal(shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    frames = []
    for _ in range(count):
        place = generator.uniform(0, 1, 2) * shape
        distance = np.hypot(rows - place[0], columns - place[1]) / shape[0]
        electrons = 12_000 * np.exp(-(distance**2)) + 500
        drawn = generator.poisson(electrons * (1 + response)) + generator.normal(0, 4, shape)
        frames.append(np.clip(np.round(drawn / 3 + 512), 0, WHITE).astype(np.uint16))
    return response, frames


@pytest.fixture(scope="module")
def cameras() -> list[DisturbedCamera]:
    return [
        DisturbedCamera(seed, shape=(512, 768), defects_per_year=20.0, initial_defects=50)
        for seed in (1, 2)
    ]


@pytest.fixture(scope="module")
def from_flats(cameras: list[DisturbedCamera]) -> list[Fingerprint]:
    flat = Shot(scene="flat-panel")
    return [fingerprint_of([one.take(flat).mosaic for _ in range(4)]) for one in cameras]


@pytest.mark.parametrize("scene", ["flat-panel", *SCENES])
@pytest.mark.parametrize("own", [True, False])
def test_bodies_of_one_model_are_told_apart(
    cameras: list[DisturbedCamera], from_flats: list[Fingerprint], scene: str, own: bool
) -> None:
    frame = cameras[0].take(Shot(scene=scene)).mosaic
    verdict = judged(from_flats[0 if own else 1], frame)
    assert verdict.verdict == ("same-body" if own else "another-body")
    assert verdict.shift is None
    assert verdict.expected_pce is not None
    if own:
        # what was foretold comes true, also where texture hides much of it
        assert verdict.pce == pytest.approx(verdict.expected_pce, rel=0.5)
        assert verdict.pce > 5 * SAME_PCE
    else:
        assert abs(verdict.pce) < 15


def test_fingerprint_of_scenes_is_trusted_where_they_are_apart(
    cameras: list[DisturbedCamera],
) -> None:
    from_scene = fingerprint_of([cameras[0].take(Shot(scene=SCENES[0])).mosaic for _ in range(4)])
    assert not from_scene.even
    # a background or an object in common makes another body's frames agree
    for scene in (*SCENES, "gravel-ball-daylight"):
        other = judged(from_scene, cameras[1].take(Shot(scene=scene)).mosaic)
        assert other.pce > SAME_PCE
        assert other.verdict == "cannot-tell"
        assert other.reason is not None
        assert "flat fields" in other.reason
    apart = FingerprintCheck(from_scene, scenes_apart=True)
    flat = Shot(scene="flat-panel")
    for number, verdict in enumerate(("same-body", "cannot-tell")):
        frame = cameras[number].take(flat).mosaic
        assert apart.judge(frame, BLACK, WHITE, "flat").verdict == verdict


def test_shifted_frames_are_recognised_as_shifted(
    cameras: list[DisturbedCamera], from_flats: list[Fingerprint]
) -> None:
    frame = cameras[0].take(Shot(scene="flat-panel")).mosaic
    verdict = judged(from_flats[0], np.roll(frame, (4, -6), axis=(0, 1)))
    assert verdict.verdict == "cannot-tell"
    assert verdict.shift == (4, -6)
    assert verdict.reason is not None
    assert "(4, -6)" in verdict.reason


def test_dark_frames_carry_no_fingerprint(
    cameras: list[DisturbedCamera], from_flats: list[Fingerprint]
) -> None:
    dark = cameras[0].take(Shot(exposure_s=1.0)).mosaic
    verdict = judged(from_flats[1], dark)
    assert verdict.verdict == "cannot-tell"
    assert verdict.reason is not None
    assert "too little light" in verdict.reason
    with pytest.raises(DefectError, match="is dark"):
        fingerprint_of([dark, dark])


def test_a_single_frame_does_not_say_what_to_expect(cameras: list[DisturbedCamera]) -> None:
    flat = Shot(scene="flat-panel")
    single = fingerprint_of([cameras[0].take(flat).mosaic])
    assert judged(single, cameras[0].take(flat).mosaic).verdict == "same-body"
    verdict = judged(single, cameras[1].take(flat).mosaic)
    assert verdict.verdict == "cannot-tell"
    assert verdict.expected_pce is None


@pytest.mark.parametrize("cfa", ["RGGB", "MONO"])
def test_estimate_approaches_the_true_response(cfa: str) -> None:
    response, frames = numpy_frames(3, count=24)
    likeness = []
    for count in (2, 24):
        estimate = fingerprint_of(frames[:count], cfa)
        assert estimate.frames == count
        likeness.append(float(np.corrcoef(estimate.response.ravel(), response.ravel())[0, 1]))
    assert likeness[1] > 0.85
    assert likeness[0] < likeness[1] - 0.1
    # of the response's variance the filter and the removal of means leave a part
    assert np.all(estimate.strength > 0.3 * response.var())
    assert np.all(estimate.strength < 1.05 * response.var())


def test_estimate_is_the_maximum_likelihood_estimator() -> None:
    _, frames = numpy_frames(4, count=3, shape=(64, 96))
    estimate = fingerprint_of(frames)
    for row in range(2):
        for column in range(2):
            lights = [one[row::2, column::2].astype(np.float32) - 512 for one in frames]
            products = np.sum([noise_residual(one)[0] * one for one in lights], axis=0)
            plain = products / np.sum([one**2 for one in lights], axis=0)
            plain = plain - plain.mean(axis=1, keepdims=True)
            plain -= plain.mean(axis=0, keepdims=True)
            power = np.abs(np.fft.fft2(plain)) ** 2 / plain.size
            least = np.min(
                [ndimage.uniform_filter(power, side, mode="wrap") for side in (3, 5, 7, 9)], axis=0
            )
            factor = plain.var() / np.maximum(least, plain.var())
            filtered = np.fft.ifft2(np.fft.fft2(plain) * factor).real
            found = estimate.response[row::2, column::2]
            # the spectrum's own borders are mirrored rather than wrapped
            assert np.corrcoef(found.ravel(), filtered.ravel())[0, 1] > 0.99


def test_residual_is_the_local_wiener_filters() -> None:
    generator = np.random.default_rng(5)
    flat = generator.normal(1000.0, 10.0, (200, 300)).astype(np.float32)
    residual, gain = noise_residual(flat)
    mean = ndimage.uniform_filter(flat.astype(float), 3, mode="mirror")
    assert residual == pytest.approx(gain * (flat - mean), abs=2e-3)
    # of an edge next to nothing is left
    flat[:, 150:] += 2000
    edge, kept = noise_residual(flat)
    assert np.abs(edge[:, 149:151]).max() < 30
    assert kept[:, 149:151].max() < 0.01
    assert kept[:, :140].mean() > 0.7


def test_energy_of_a_peak_is_what_its_definition_says() -> None:
    generator = np.random.default_rng(6)
    first, second = generator.standard_normal((2, 24, 30))
    correlation = np.array(
        [
            [np.sum(np.roll(first, (-row, -column), (0, 1)) * second) for column in range(30)]
            for row in range(24)
        ]
    )
    for peak in ((0, 0), (3, 29)):
        others = [
            correlation[row, column]
            for row in range(24)
            for column in range(30)
            if min((row - peak[0]) % 24, (peak[0] - row) % 24) > 5
            or min((column - peak[1]) % 30, (peak[1] - column) % 30) > 5
        ]
        assert len(others) == 24 * 30 - 121
        pce, energy = peak_to_correlation_energy(correlation.astype(np.float32), peak)
        assert energy == pytest.approx(np.mean(np.square(others)), rel=1e-4)
        height = correlation[peak]
        assert pce == pytest.approx(np.sign(height) * height**2 / energy, rel=1e-4)


def false_peaks(sensors: int, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Energies where photosites of different bodies lie on each other."""
    taken = [numpy_frames(100 + sensor, count=3, shape=shape)[1] for sensor in range(sensors)]
    checks = [FingerprintCheck(fingerprint_of(frames[:2])) for frames in taken]
    return np.array(
        [
            check.judge(taken[other][2], BLACK, WHITE, "frame").pce
            for number, check in enumerate(checks)
            for other in range(sensors)
            if other != number
        ]
    )


def test_peaks_of_other_bodies_are_chance() -> None:
    found = false_peaks(14, (96, 128))
    # without a common response, the signed root is standard normal
    roots = np.sign(found) * np.sqrt(np.abs(found))
    assert stats.kstest(roots, "norm").pvalue > 1e-3
    assert found.max() < SAME_PCE / 3


def test_margins_that_see_no_light_do_not_matter() -> None:
    frames = []
    for seed in (7, 8):
        padded = [np.full((200, 280), 512, np.uint16) for _ in range(3)]
        for mosaic, lit in zip(padded, numpy_frames(seed, count=3)[1], strict=True):
            mosaic[7:199, 19:275] = lit
        frames.append(padded)
    fingerprint = estimate_fingerprint(
        reading(frames[0][:2]), "RGGB", BLACK, WHITE, visible=(7, 19, 192, 256)
    )
    top, left, height, width = fingerprint.area
    assert (top % 2, left % 2) == (0, 0)
    assert top >= 7 + 8 and left >= 19 + 8
    assert top + height <= 199 - 8 and left + width <= 275 - 8
    assert fingerprint.response.shape == (200, 280)
    assert not np.any(fingerprint.response[:top])
    assert judged(fingerprint, frames[0][2]).verdict == "same-body"
    assert abs(judged(fingerprint, frames[1][2]).pce) < 15


def test_saturated_photosites_do_not_count() -> None:
    _, frames = numpy_frames(9, count=4)
    burnt = [one.copy() for one in frames]
    for one in burnt:
        one[40:120, 60:160] = WHITE
    fingerprint = fingerprint_of(burnt[:3])
    assert np.abs(fingerprint.response[44:116, 64:156]).max() < 0.01
    check = FingerprintCheck(fingerprint, scenes_apart=True)
    assert check.judge(burnt[3], BLACK, WHITE, "burnt").verdict == "same-body"


def test_written_fingerprint_is_read_again() -> None:
    _, frames = numpy_frames(13, count=3)
    fingerprint = fingerprint_of(frames[:2])
    written = write_fingerprint(fingerprint)
    again = read_fingerprint(BytesIO(written))
    assert again.response == pytest.approx(fingerprint.response, rel=1e-3, abs=1e-7)
    assert again.strength.tolist() == fingerprint.strength.tolist()
    assert (again.area, again.cfa, again.frames) == ((0, 0, 192, 256), "RGGB", 2)
    before, after = judged(fingerprint, frames[2]), judged(again, frames[2])
    assert after.verdict == before.verdict == "same-body"
    assert after.pce == pytest.approx(before.pce, rel=1e-3)
    assert after.expected_pce == pytest.approx(before.expected_pce, rel=1e-3)


@pytest.mark.parametrize(
    "damaged",
    [
        b"something else\n",
        b"agetrace-fingerprint-1\n{}\n",
        b"agetrace-fingerprint-1\nno json\n",
    ],
)
def test_damaged_fingerprints_are_refused(damaged: bytes) -> None:
    with pytest.raises(DefectError, match="fingerprint"):
        read_fingerprint(BytesIO(damaged))


def test_truncated_fingerprint_is_refused() -> None:
    written = write_fingerprint(fingerprint_of(numpy_frames(14, count=1, shape=(32, 32))[1]))
    for length in (100, 400, len(written) - 10):
        with pytest.raises(DefectError, match="fingerprint"):
            read_fingerprint(BytesIO(written[:length]))


def test_refuses_what_cannot_be_compared() -> None:
    _, frames = numpy_frames(10, count=2)
    with pytest.raises(DefectError, match="no lit frames"):
        fingerprint_of([])
    with pytest.raises(DefectError, match="size"):
        fingerprint_of([frames[0], frames[1][:-2]])
    with pytest.raises(DefectError, match="size"):
        judged(fingerprint_of(frames), frames[0][:-2])


@pytest.mark.shared_data
@pytest.mark.skipif(not RAW.is_dir(), reason="needs ../shared/data/raw")
def test_real_frames_of_one_camera_share_a_fingerprint() -> None:
    frames = [read_frame(path) for path in sorted((RAW / "canon-powershot").glob("*.CRW"))]
    assert len(frames) == 3
    for number, frame in enumerate(frames):
        assert frame.black_level is not None
        others = [one.mosaic for one in frames if one is not frame]
        fingerprint = estimate_fingerprint(
            reading(others), frame.cfa, frame.black_level, frame.white_level, frame.visible
        )
        verdict = FingerprintCheck(fingerprint, scenes_apart=True).judge(
            frame.mosaic, frame.black_level, frame.white_level, str(number)
        )
        assert not fingerprint.even
        assert verdict.verdict == "same-body"
        assert verdict.pce > 1000


@pytest.mark.shared_data
@pytest.mark.skipif(not RAW.is_dir(), reason="needs ../shared/data/raw")
def test_real_frame_of_another_camera_does_not() -> None:
    frames = [read_frame(path) for path in sorted((RAW / "canon-powershot").glob("*.CRW"))]
    inside = np.s_[64:1664, 64:2264]
    fingerprint = estimate_fingerprint(
        reading([one.mosaic[inside] for one in frames]), "RGGB", (32.0,) * 4, 1023
    )
    other = read_frame(RAW / "canon-eos30d/IMG_0848.CR2")
    assert other.black_level is not None
    verdict = FingerprintCheck(fingerprint, scenes_apart=True).judge(
        other.mosaic[100:1700, 100:2300], other.black_level, other.white_level, "EOS 30D"
    )
    assert verdict.verdict == "cannot-tell"
    assert verdict.pce < 20


@pytest.mark.parametrize("cfa", ["RGGB", "MONO"])
def test_odd_sizes_are_compared_too(cfa: str) -> None:
    _, frames = numpy_frames(15, count=5, shape=(97, 151))
    assert judged(fingerprint_of(frames[:4], cfa), frames[4]).verdict == "same-body"


@pytest.mark.prove
def test_no_frame_is_given_to_a_wrong_body(
    cameras: list[DisturbedCamera],
    from_flats: list[Fingerprint],
    record_property: Callable[[str, object], None],
) -> None:
    """Of frames of many scenes and exposures none is given to a wrong body or denied its own."""
    scenes = np.random.default_rng(16).choice(scene_names(), 14, replace=False)
    checks = [FingerprintCheck(one) for one in from_flats]
    told, ratios = {"same-body": 0, "another-body": 0, "cannot-tell": 0}, []
    for scene in scenes.tolist():
        for exposure_s, iso in ((1 / 4, 100), (1 / 8, 100), (1 / 60, 800), (1 / 500, 400)):
            for number, camera in enumerate(cameras):
                frame = camera.take(Shot(scene=scene, exposure_s=exposure_s, iso=iso)).mosaic
                for other, check in enumerate(checks):
                    verdict = check.judge(frame, BLACK, WHITE, scene)
                    wrong = "another-body" if number == other else "same-body"
                    assert verdict.verdict != wrong, (scene, exposure_s, verdict)
                    told[verdict.verdict] += 1
                    if number == other and verdict.verdict == "same-body":
                        assert verdict.expected_pce is not None
                        ratios.append(verdict.pce / verdict.expected_pce)
    assert 0.6 < min(ratios) <= max(ratios) < 2
    assert told["cannot-tell"] < 0.25 * sum(told.values())
    for verdict_given, count in told.items():
        record_property(verdict_given, count)
    record_property("PCE over what was expected, median", round(float(np.median(ratios)), 2))


@pytest.mark.prove
def test_fingerprints_at_full_size(record_property: Callable[[str, object], None]) -> None:
    """A 24-megapixel frame is told from another body's in seconds; false peaks stay below 60."""
    shape = (4000, 6000)
    frames = [numpy_frames(seed, count=3, shape=shape)[1] for seed in (11, 12)]
    fingerprint = fingerprint_of(frames[0][:2])
    check = FingerprintCheck(fingerprint)
    started = time.perf_counter()
    own = check.judge(frames[0][2], BLACK, WHITE, "own")
    seconds = time.perf_counter() - started
    other = check.judge(frames[1][2], BLACK, WHITE, "other")
    assert (own.verdict, other.verdict) == ("same-body", "another-body")
    found = false_peaks(60, (96, 128))
    assert found.max() < SAME_PCE
    record_property("seconds per 24-megapixel frame", round(seconds, 2))
    record_property("PCE of the own body", round(own.pce))
    record_property("PCE of the other body", round(other.pce, 1))
    record_property("false pairs", len(found))
    record_property("largest PCE of a false pair", round(float(found.max()), 1))
