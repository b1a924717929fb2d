"""Score-CAM of one crop on the processor, against torchcam's for the same map.

Each side runs in a process of its own with two threads, and they make their maps in turn. Maps are
compared too: ours in bfloat16 with torchcam's, and with our own in float32.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._result import Result, machine

SIDES = ("ours", "peer", "float32")
GOAL = 3.0
LEAST_CORRELATION = 0.99
ROOT = Path(__file__).parents[1]

NOTES = """
Score-CAM: SRNet, one crop of 256 x 256, all 512 channels of its last maps, two threads, fresh
weights whose batch norms have seen crops. The peer is torchcam in float32 with its default batch
and the defaults of PyTorch and glibc, which return freed memory to the kernel after every layer;
`float32` is ours without bfloat16, in the same process settings as ours. Ours folds batch norms,
computes in bfloat16 with channels last and skips channels that are constant; every channel counts.
Maps are compared by their correlation with the peer's, and with our float32 ones. Where glibc
keeps its memory, the peer's forward passes take 46 to 51 s on this machine, 2.6 to 3.2 times ours.
"""


@dataclass(frozen=True)
class Sizes:
    """What is mapped.

    Attributes
    ----------
    size
        Side of the crop.
    turns
        Timed maps of each side.
    """

    size: int
    turns: int


QUICK = Sizes(size=48, turns=1)
FULL = Sizes(size=256, turns=3)


def run(full: bool) -> list[Result]:
    return compare(FULL if full else QUICK)


def compare(sizes: Sizes) -> list[Result]:
    """Make the maps in turn, then compare their times and themselves."""
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    maps: dict[str, NDArray[np.float32]] = {}
    with tempfile.TemporaryDirectory() as folder:
        with (
            _side("ours", sizes.size, Path(folder)) as ours,
            _side("peer", sizes.size, Path(folder)) as peer,
            _side("float32", sizes.size, Path(folder)) as plain,
        ):
            for _ in range(sizes.turns):
                for name, side in zip(SIDES, (ours, peer, plain), strict=True):
                    print(file=side.stdin, flush=True)
                    seconds[name].append(float(_said(side)))
        for name in SIDES:
            maps[name] = np.load(Path(folder) / f"{name}.npy").ravel()
    took = {name: statistics.median(values) for name, values in seconds.items()}
    return [
        _result("scorecam", took["ours"], took["peer"], "torchcam 0.5", GOAL, 1.5, sizes.turns),
        _result(
            "scorecam-float32", took["float32"], took["peer"], "torchcam 0.5", 1.0, 0.8, sizes.turns
        ),
        *(
            _correlation(f"scorecam-correlation-{other}", maps["ours"], maps[other], sizes.turns)
            for other in ("peer", "float32")
        ),
    ]


@contextmanager
def _side(name: str, size: int, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "benchmarks._score_cam_side"]
    with subprocess.Popen(
        [*command, name, "srnet", str(size), str(folder / f"{name}.npy")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert _said(process) == "ready"
            yield process
        except BaseException:
            process.kill()
            raise


def _said(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the process ended with {process.wait()}")
    return json.loads(line)


def _result(
    name: str, ours: float, peer: float, peer_name: str, goal: float, limit: float, repeats: int
) -> Result:
    return Result(
        name=name,
        ours=ours,
        peer=peer,
        peer_name=peer_name,
        unit="s",
        ratio=peer / ours,
        goal=goal,
        limit=limit,
        repeats=repeats,
        machine=machine(),
    )


def _correlation(
    name: str, ours: NDArray[np.float32], other: NDArray[np.float32], repeats: int
) -> Result:
    found = float(np.corrcoef(ours, other)[0, 1])
    return Result(
        name=name,
        ours=found,
        peer=LEAST_CORRELATION,
        peer_name="the goal",
        unit="correlation",
        ratio=found / LEAST_CORRELATION,
        goal=1.0,
        limit=0.99,
        repeats=repeats,
        machine=machine(),
    )
