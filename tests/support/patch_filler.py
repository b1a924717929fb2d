"""A process that fills a cache of decoded frames until it is done or killed.

`python -m tests.support.patch_filler CACHE FILES SEED QUOTA`: asks for the frames of all files of a
folder in an order of its own, compares each with what it must be, and prints a line for each.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

import numpy as np

from tests.support.patch_files import Decoder, made_up_mosaic
from training.patches.cache import FrameCache


def main(cache: str, files: str, seed: str, quota: str) -> None:
    decoder = Decoder(shape=(512, 512))
    frames = FrameCache(Path(cache), decoder.content, int(quota) or None)
    paths = sorted(Path(files).iterdir())
    for number in np.random.default_rng(int(seed)).permutation(len(paths)):
        path = paths[number]
        text = path.read_bytes()
        frame = frames.frame(sha256(text).hexdigest(), path)
        if not np.array_equal(frame.pixels, made_up_mosaic(text, (512, 512))):
            raise SystemExit(f"{path} has another frame")
        print(path.name, flush=True)
    print("decoded", len(decoder.asked), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
