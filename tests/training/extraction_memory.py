"""Extracts defects in a process of its own and tells its peak memory; started by tests.

Usage: python extraction_memory.py FRAMES ROWS COLUMNS SCRATCH_FOLDER; prints a line of JSON. Each
frame is drawn when it is read, as a file is decoded, so that the frames themselves take no memory.
"""

from __future__ import annotations

import json
import re
import sys
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.defects.extraction import extract
from training.defects.frames import DarkFrame

BLACK_DN, NOISE_DN, DEFECT_DN = 512, 6.0, 400
DEFECTS = 500
EXPOSURES_S = (0.5, 1.0, 2.0, 4.0)


def draw(number: int, exposure_s: float, shape: tuple[int, int]) -> NDArray[np.uint16]:
    """Return a dark frame in which photosites are hot that lie apart, in all columns."""
    generator = np.random.default_rng(number)
    noise = generator.standard_normal(shape, dtype=np.float32) * NOISE_DN
    noise.ravel()[:: noise.size // DEFECTS + 1] += DEFECT_DN * exposure_s
    mosaic: NDArray[np.uint16] = (noise + BLACK_DN).astype(np.uint16)
    return mosaic


def peak_bytes() -> int:
    """Return the most memory that this process ever held; getrusage would tell its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def main() -> None:
    """Extract, and print the peak and how many photosites were found."""
    count, rows, columns = (int(argument) for argument in sys.argv[1:4])
    frames = [
        DarkFrame(
            read=partial(draw, number, exposure_s, (rows, columns)),
            exposure_s=exposure_s,
            iso=100,
            temperature_c=20.0,
            cfa="RGGB",
            white_level=16_383,
            identifier=f"frame {number}",
        )
        for number in range(count)
        for exposure_s in [EXPOSURES_S[number % len(EXPOSURES_S)]]
    ]
    extraction = extract(frames, scratch_folder=Path(sys.argv[4]))
    print(json.dumps({"peak_bytes": peak_bytes(), "photosites": len(extraction.row)}))


if __name__ == "__main__":
    main()
