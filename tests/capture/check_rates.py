"""Measure how often the content checks alarm, rightly and falsely, and write the table.

`python -m tests.capture.check_rates` rewrites the table in docs/reference/checks.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from capture.checks import CheckResult, CheckThresholds, check_right_scene
from capture.checks.dark import check_dark_field
from capture.checks.light import Reference, block_cells_of, check_lit, reference_of
from capture.checks.scenes import SceneDescriptor, describe_blocks
from datastore.frames import Frame
from datastore.frames.blocks import block_means
from fixtures.processing import suppress_hot_pixels
from tests.support.disturbed_frames import (
    CFA,
    DisturbedCamera,
    Shot,
    subtracted,
    suppressed,
    suppressed_greens,
)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "checks.md"
BEGIN, END = "<!-- rates: begin -->", "<!-- rates: end -->"
THRESHOLDS = CheckThresholds()
BACKGROUNDS = (
    *("brick", "wood", "cloth", "gravel", "print", "tiles", "sand", "knit", "marble", "cork"),
    *("paper", "corrugated", "foliage"),
)
OBJECTS = ("ball", "mug", "pear", "plant", "dice", "can", "books")
LAMPS = ("daylight", "tungsten")
STANDARD = Shot(exposure_s=1 / 30, iso=400)
ORDINARY = (
    Shot(exposure_s=1 / 8, iso=100),
    STANDARD,
    Shot(exposure_s=1 / 125, iso=1600),
    Shot(exposure_s=1 / 500, iso=400),
    Shot(exposure_s=1 / 30, iso=400, years=6.0),
    Shot(exposure_s=1 / 8, iso=100, years=11.0, temperature_c=30.0),
)
DISTURBANCES: dict[tuple[str, str], dict[str, Shot]] = {
    ("registration", "shift, photosites"): {
        f"{size:g}": replace(STANDARD, shift=(0.6 * size, -0.8 * size))
        for size in (0.5, 0.8, 1.25, 2, 5, 20, 60)
    },
    ("focus", "blur, sigma in photosites"): {
        f"{size:g}": replace(STANDARD, defocus=size) for size in (0.3, 0.5, 0.8, 1.2, 2.0)
    },
    ("illumination", "lamp, factor"): {
        f"{factor:g}": replace(STANDARD, lamp=factor) for factor in (0.97, 0.93, 0.88, 0.8, 0.5)
    },
    ("illumination-pattern", "one side against the other, stops"): {
        f"{size:g}": replace(STANDARD, side_stops=size) for size in (0.1, 0.2, 0.4, 1.0)
    },
    ("colour", "red light, factor"): {
        f"{factor:g}": replace(STANDARD, colour=(factor, 1.0, 1.0))
        for factor in (1.03, 1.06, 1.09, 1.2)
    },
    ("clipped", "light, factor"): {
        f"{factor:g}": replace(STANDARD, lamp=factor) for factor in (2.0, 4.0, 8.0, 16.0)
    },
}


@dataclass
class Rate:
    """How many of some frames a check alarmed at, and how many it could not judge."""

    check: str
    disturbance: str
    size: str
    alarms: int = 0
    unmeasured: int = 0
    frames: int = 0

    def add(self, result: CheckResult) -> None:
        self.frames += 1
        self.alarms += not result.passed
        self.unmeasured += result.value is None

    def interval(self) -> tuple[float, float]:
        """Return the 95 % Wilson score interval of the rate."""
        if not self.frames:
            return 0.0, 1.0
        z, n, share = 1.959964, self.frames, self.alarms / self.frames
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass
class Rates:
    """All rates, in the order in which they were first met."""

    rows: dict[tuple[str, str, str], Rate] = field(default_factory=dict)

    def add(self, result: CheckResult, disturbance: str, size: str) -> None:
        key = (result.name, disturbance, size)
        self.rows.setdefault(key, Rate(*key)).add(result)

    def of(self, disturbance: str) -> list[Rate]:
        return [rate for rate in self.rows.values() if rate.disturbance == disturbance]


@dataclass
class Scene:
    """A scene before one camera: what is kept of its reference."""

    reference: Reference
    descriptor: SceneDescriptor


NONE = "none"


def scene_names(backgrounds: Sequence[str] = BACKGROUNDS) -> list[str]:
    """Return two scenes of each background: of either lamp, with different objects."""
    return [
        f"{background}-{OBJECTS[(2 * i + j) % len(OBJECTS)]}-{lamp}"
        for i, background in enumerate(backgrounds)
        for j, lamp in enumerate(LAMPS)
    ]


def judge(
    frame: Frame, shot: Shot, scene: Scene, others: dict[str, SceneDescriptor]
) -> Iterator[CheckResult]:
    """Make every check of a frame of a scene."""
    blocks = block_means(frame, block_cells_of(frame))
    yield from check_lit(
        frame,
        blocks,
        scene.reference,
        kind="fixed-background",
        exposure_ratio=shot.exposure_product / ORDINARY[0].exposure_product,
        thresholds=THRESHOLDS,
    )
    descriptor = describe_blocks(blocks.means, CFA)
    yield check_right_scene(descriptor, scene.descriptor, others, THRESHOLDS)


def measure_scenes(rates: Rates, camera: DisturbedCamera, names: Sequence[str]) -> None:
    """Judge undisturbed and disturbed frames of scenes, and frames of wrong scenes."""
    scenes: dict[str, Scene] = {}
    for name in names:
        frame = camera.take(replace(ORDINARY[0], scene=name))
        descriptor = describe_blocks(block_means(frame, block_cells_of(frame)).means, CFA)
        scenes[name] = Scene(reference_of(frame), descriptor)
    for number, (name, scene) in enumerate(scenes.items()):
        others = {other: known.descriptor for other, known in scenes.items() if other != name}
        for shot in ORDINARY:
            for result in judge(camera.take(replace(shot, scene=name)), shot, scene, others):
                rates.add(result, NONE, "")
        if number % 2 == camera.seed % 2:
            continue
        for (check, disturbance), sizes in DISTURBANCES.items():
            for size, shot in sizes.items():
                frame = camera.take(replace(shot, scene=name))
                for result in judge(frame, shot, scene, others):
                    if result.name == check:
                        rates.add(result, disturbance, size)
        for what, wrong in wrong_scenes(name).items():
            frame = camera.take(replace(STANDARD, scene=wrong))
            for result in judge(frame, STANDARD, scene, others):
                if result.name == "scene":
                    rates.add(result, "wrong scene", what)


def wrong_scenes(name: str) -> dict[str, str]:
    """Return scenes that differ from one in the object, the lamp or the background alone."""
    background, item, lamp = name.split("-")
    other_item = {"pear": "mug", "mug": "pear"}.get(item, OBJECTS[OBJECTS.index(item) - 1])
    other_lamp = LAMPS[1 - LAMPS.index(lamp)]
    other_background = BACKGROUNDS[BACKGROUNDS.index(background) - 1]
    return {
        "other object": f"{background}-{other_item}-{lamp}",
        "other lamp": f"{background}-{item}-{other_lamp}",
        "other background": f"{other_background}-{item}-{lamp}",
    }


def measure_darks(rates: Rates, camera: DisturbedCamera, repeats: int = 2) -> None:
    """Judge undisturbed dark fields, leaking ones, filtered ones and subtracted ones."""
    for exposure_s in (1 / 125, 1 / 8, 1.0, 4.0):
        for iso in (100, 800, 3200):
            for temperature_c in (5.0, 20.0, 35.0):
                for years in (1.0, 11.0):
                    shot = Shot(None, exposure_s, iso, years, temperature_c)
                    for _ in range(repeats):
                        for result in check_dark_field(camera.take(shot), THRESHOLDS):
                            rates.add(result, NONE, "")
    for exposure_s in (1 / 8, 1.0, 4.0):
        for iso in (400, 800, 3200):
            for _ in range(repeats):
                _judge_disturbed_darks(rates, camera, Shot(None, exposure_s, iso, years=3.0))


def _judge_disturbed_darks(rates: Rates, camera: DisturbedCamera, shot: Shot) -> None:
    dark = camera.take(shot)
    black_dn = camera.sensor.black_level_dn
    held = suppress_hot_pixels(dark.mosaic, "range-of-neighbours", black_dn)
    within_range = replace(dark, mosaic=held)
    cases = [
        ("light-leak", "light in a corner, DN", f"{size:g}", replace(shot, leak_dn=size))
        for size in (2.0, 4.0, 8.0, 20.0, 100.0)
    ]
    frames = [(*case[:3], camera.take(case[3])) for case in cases]
    frames += [
        ("hot-pixel-suppression", "suppression", "all colours", suppressed(dark)),
        ("hot-pixel-suppression", "suppression", "within the range", within_range),
        ("hot-pixel-suppression", "suppression", "greens", suppressed_greens(dark)),
        ("dark-subtraction", "noise reduction", "on", subtracted(dark, camera.take(shot))),
        ("dark-level", "cap off", "a hundredth of the range", _lit(camera, shot, 0.01)),
        ("dark-level", "cap off", "a tenth of the range", _lit(camera, shot, 0.1)),
    ]
    for check, disturbance, size, frame in frames:
        for result in check_dark_field(frame, THRESHOLDS):
            if result.name == check:
                rates.add(result, disturbance, size)


def _lit(camera: DisturbedCamera, shot: Shot, share: float) -> Frame:
    """Take a frame of the flat panel that reaches a share of the range, about."""
    bright = camera.take(Shot("flat-panel", exposure_s=0.001, iso=100))
    level = float(bright.mosaic.mean()) - camera.sensor.black_level_dn
    wanted = share * (camera.sensor.white_level_dn - camera.sensor.black_level_dn)
    factor = wanted / level * 0.001 * 100 / shot.exposure_product
    return camera.take(replace(shot, scene="flat-panel", lamp=factor))


def measure(
    seeds: Sequence[int] = (1, 2), backgrounds: Sequence[str] = BACKGROUNDS, repeats: int = 2
) -> Rates:
    """Measure all rates with some cameras and backgrounds."""
    rates = Rates()
    for seed in seeds:
        camera = DisturbedCamera(seed)
        measure_scenes(rates, camera, scene_names(backgrounds))
        measure_darks(rates, camera, repeats)
    return rates


def table(rates: Rates) -> str:
    """Return the rates as Markdown."""
    lines = [
        "Undisturbed frames:",
        "",
        "| check | false alarms | frames | per thousand, 95 % interval | not measurable |",
        "|---|---|---|---|---|",
    ]
    for rate in rates.of(NONE):
        low, high = rate.interval()
        per_thousand = (
            f"{1000 * rate.alarms / rate.frames:.0f} ({1000 * low:.0f}-{1000 * high:.0f})"
        )
        lines.append(
            f"| `{rate.check}` | {rate.alarms} | {rate.frames} | {per_thousand} |"
            f" {rate.unmeasured} |"
        )
    lines += [
        "",
        "Disturbed frames:",
        "",
        "| check | disturbance | size | found | frames | rate, 95 % interval | not measurable |",
        "|---|---|---|---|---|---|---|",
    ]
    for rate in rates.rows.values():
        if rate.disturbance == NONE:
            continue
        low, high = rate.interval()
        share = f"{100 * rate.alarms / rate.frames:.0f} % ({100 * low:.0f}-{100 * high:.0f})"
        lines.append(
            f"| `{rate.check}` | {rate.disturbance} | {rate.size} | {rate.alarms} |"
            f" {rate.frames} | {share} | {rate.unmeasured} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Rewrite the table."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page = f"{before}{BEGIN}\n{table(measure())}\n{END}{after}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
