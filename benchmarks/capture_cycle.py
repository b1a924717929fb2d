"""A session's whole cycle a shot, trigger to registered row, against the gphoto2 command.

The command with one process a shot pays for its start with every shot, so the session is held
against it from its first plan on, its own first shot included. The start of the command with all
shots in one process is left out, and so is the session's start there: its first shots, those that
are exposed while the first one is waited for.

What the camera itself takes bounds both: from the release to the file's last byte nothing but body
and libgphoto2 is at work. That is told beside them, as what nothing could be faster than.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks._gphoto2_command import Gphoto2Command, PeerSeconds, tcp_copy_seconds
from benchmarks._result import Result, machine
from capture.actuators import VirtualActuator
from capture.cameras.gphoto2_camera import Gphoto2Camera, Gphoto2Trigger
from capture.cameras.protocol import CameraSettings, Release
from capture.execution import MOST_LANDING
from capture.recipes import parse_recipe
from capture.sessions import run_session
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock
from datastore.equipment import add_fixture, read_description
from migrations import runner
from tests.support.virtual import RunningFixture, running_fixture, small_description

LARGE = {"width": 4288, "height": 2914}
"""Twelve and a half million photosites, a RAW file of 25 MB."""
SMALLEST_EXPOSURE = "1/8000"
RAW_CHOICES = {
    # by each dialect: the setting of the shutter, and the choice of RAW files alone
    "nikon": {"imagequality": "NEF (Raw)", "shutterspeed2": "1/8000"},
    "generic": {"imagequality": "Unknown value 0004", "shutterspeed": "0.0001s"},
}
PROFILES = ("nikon", "generic")
NOTES = """
Capture cycle: four times one process a shot is out of reach with a body that answers at once, such
as the generic one. On a quiet machine a quarter of the command's time (139 ms / 4 = 35 ms) is less
than body and libgphoto2 alone take from release to last byte (48 ms, line
`capture-cycle-generic-serving`), and the session also hashes twice, flushes, examines and commits
each frame. With the Nikon body, whose events the command waits for, it is reached 25-fold.
"""
STARTING_STEPS = MOST_LANDING + 2
"""So many steps are exposed while the first still waits for processes that start."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    shots: int
    peer_shots: int
    long_shots: int
    sensor: Mapping[str, int] = field(default_factory=lambda: dict(LARGE))


QUICK = Sizes(shots=16, peer_shots=3, long_shots=6)
FULL = Sizes(shots=200, peer_shots=20, long_shots=60)


@dataclass(frozen=True)
class Pace:
    """How fast a session was.

    Attributes
    ----------
    seconds_a_shot
        From the first plan to the last registered row, by step of the recipe.
    steady_seconds_a_shot
        From the row at which nothing of the session's start is left to the last one, by step.
    serving_s
        From a release to the last byte of the shot's files, the median.
    busy_share
        Of the time between a camera's first release and its last transfer, the part in which it
        exposed or transferred; the mean over cameras.
    """

    seconds_a_shot: float
    steady_seconds_a_shot: float
    serving_s: float
    busy_share: float


def run(full: bool) -> list[Result]:
    sizes = FULL if full else QUICK
    results = []
    for profile in PROFILES:
        with laboratory(sizes, [profile]) as virtual:
            results += cycle_results(virtual, profile, sizes)
    with laboratory(sizes, ["nikon"] * 4) as virtual:
        results += long_exposure_results(virtual, sizes)
    return results


def cycle_results(virtual: RunningFixture, profile: str, sizes: Sizes) -> list[Result]:
    """Compare shots of no exposure with the command's, and with a bare copy."""
    (serial,) = virtual.cameras
    with tempfile.TemporaryDirectory() as folder:
        command = Gphoto2Command(virtual.gphoto_port(serial), Path(folder))
        command.set(**RAW_CHOICES[profile])
        version = command.version()
        separate = command.one_process_a_shot(sizes.peer_shots)
        together = command.one_process(sizes.peer_shots)
    ours = shoot(virtual, [serial], SMALLEST_EXPOSURE, sizes.shots)
    copy_s = tcp_copy_seconds(2 * sizes.sensor["width"] * sizes.sensor["height"], 9)
    whole_s, steady_s = ours.seconds_a_shot, ours.steady_seconds_a_shot
    compared: list[tuple[str, float, float, str, float, float]] = []
    peers: list[tuple[str, float, PeerSeconds, str, float, float]] = [
        ("process-a-shot", whole_s, separate, "one process a shot", 4.0, 0.5),
        ("one-process", steady_s, together, "all shots in one process", 1.0, 0.2),
    ]
    for name, ours_s, seconds, words, goal, limit in peers:
        peer_name = f"{version}, {words}"
        compared += [
            (f"{name}-bare", ours_s, seconds.bare, peer_name, goal, limit),
            (f"{name}-durable", ours_s, seconds.durable, f"{peer_name}, hash, fsync", goal, limit),
        ]
    compared += [
        (
            "serving",
            steady_s,
            ours.serving_s,
            "body and libgphoto2 alone, release to last byte",
            0.5,
            0.05,
        ),
        ("copy", steady_s, copy_s, "a TCP copy of a RAW file and fsync", 0.2, 0.02),
    ]
    return [
        Result(
            name=f"capture-cycle-{profile}-{name}",
            ours=1000 * ours_s,
            peer=1000 * peer_s,
            peer_name=peer_name,
            unit="ms/shot",
            ratio=peer_s / ours_s,
            goal=goal,
            limit=limit,
            repeats=sizes.shots,
            machine=machine(),
        )
        for name, ours_s, peer_s, peer_name, goal, limit in compared
    ]


def long_exposure_results(virtual: RunningFixture, sizes: Sizes) -> list[Result]:
    """Tell how busy a camera is at exposures of a second, and what three more cameras cost."""
    serials = list(virtual.cameras)
    one = shoot(virtual, serials[:1], "1", sizes.long_shots)
    four = shoot(virtual, serials, "1", sizes.long_shots)
    return [
        Result(
            name="capture-cycle-1s-busy",
            ours=one.busy_share,
            peer=1.0,
            peer_name="a camera that always exposes or transfers",
            unit="share of time",
            ratio=one.busy_share,
            goal=0.95,
            limit=0.5,
            repeats=sizes.long_shots,
            machine=machine(),
        ),
        Result(
            name="capture-cycle-1s-four-cameras",
            ours=four.steady_seconds_a_shot,
            peer=one.steady_seconds_a_shot,
            peer_name="one camera",
            unit="s/step",
            ratio=one.steady_seconds_a_shot / four.steady_seconds_a_shot,
            goal=1 / 1.3,
            limit=0.25,
            repeats=sizes.long_shots,
            machine=machine(),
        ),
    ]


@contextmanager
def laboratory(sizes: Sizes, profiles: Sequence[str]) -> Iterator[RunningFixture]:
    """Run a virtual fixture of today whose cameras have their frames ready."""
    fields = {**sizes.sensor, "prepared_frames": 2}
    description = small_description(
        *({"profile": profile, **fields} for profile in profiles),
        civil_time=datetime.now(UTC).isoformat(),
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        running_fixture(Path(folder), description) as virtual,
    ):
        yield virtual


class _TimedTrigger(Gphoto2Trigger):
    """A shutter that remembers when its camera was at work."""

    def __init__(self, trigger: Gphoto2Trigger) -> None:
        self._trigger = trigger
        self.busy: list[tuple[float, float]] = []

    def release(self, shot_uuid: str, settings: CameraSettings) -> Release:
        ordered = time.perf_counter()
        release = self._trigger.release(shot_uuid, settings)
        self.busy.append((ordered + release.released_after_s, ordered + release.free_after_s))
        return release


def shoot(virtual: RunningFixture, serials: Sequence[str], exposure: str, shots: int) -> Pace:
    """Run a session with all checks on a new catalogue, and time its shots."""
    body = f'[{{kind: dark-field, exposure: "{exposure}", iso: 100, count: {shots}}}]'
    recipe = parse_recipe(f"name: capture-cycle\nshots: {body}\n", "the benchmark's recipe")
    marks: list[float] = []
    triggers: list[_TimedTrigger] = []

    def camera(address: str, serial: str, spool_folder: Path) -> Gphoto2Camera:
        made = Gphoto2Camera(address, serial, spool_folder)
        triggers.append(_TimedTrigger(made.trigger))
        made.trigger = triggers[-1]
        return made

    def note(*_: Any) -> None:
        marks.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        url = f"sqlite:///{folder / 'catalogue.sqlite'}"
        runner.create(url)
        with open_catalogue(url, folder / "store") as catalogue:
            clock = HostClock()
            add_fixture(catalogue, read_description(virtual.fixture_file), clock.now())
            outcome = run_session(
                catalogue,
                recipe,
                "virtual",
                actuator=VirtualActuator(virtual.control_url),
                clock=clock,
                spool_folder=folder / "spool",
                serials=serials,
                camera_factory=camera,
                progress=note,
                begun=note,
            )
    if outcome.state != "completed" or outcome.attempts_failed:
        raise RuntimeError(f"the session went wrong: {outcome.summary()}")
    return Pace(
        (marks[-1] - marks[0]) / shots,
        (marks[-1] - marks[STARTING_STEPS]) / (shots - STARTING_STEPS),
        statistics.median(end - begin for trigger in triggers for begin, end in trigger.busy),
        _busy_share([trigger.busy for trigger in triggers]),
    )


def _busy_share(cameras: Sequence[Sequence[tuple[float, float]]]) -> float:
    shares = [
        sum(end - begin for begin, end in busy) / (busy[-1][1] - busy[0][0]) for busy in cameras
    ]
    return sum(shares) / len(shares)
