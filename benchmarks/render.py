"""Frames per second of the virtual sensor against the same model in plain numpy."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np

from benchmarks._numpy_sensor import expose_with_numpy
from benchmarks._result import Result, machine, median_seconds
from fixtures.ageing import ActiveDefects
from fixtures.sensor import Exposed, SensorParameters, expose, normal_tables

SIZES = {"1.5MP": (1000, 1504), "24MP": (4000, 6000)}
FEW_REPEATS = {"1.5MP": 9, "24MP": 3}
MANY_REPEATS = {"1.5MP": 51, "24MP": 9}
DEFECTS = 500


def run(full: bool) -> list[Result]:
    repeats = MANY_REPEATS if full else FEW_REPEATS
    return [compare(size, lit, repeats[size]) for size in SIZES for lit in (True, False)]


def compare(size: str, lit: bool, repeats: int) -> Result:
    """Time both on a frame with defects, in light or as a dark field; ours uses all cores."""
    height, width = SIZES[size]
    generator = np.random.default_rng(1)
    parameters = SensorParameters()
    dsnu_e = generator.standard_normal((height, width), dtype=np.float32)
    rate = generator.uniform(1_000.0, 60_000.0, (height, width)).astype(np.float32) if lit else None
    exposure_s = 0.25 if lit else 4.0
    exposed = Exposed(rate, 1.0, exposure_s, 100, 20.0)
    defects = ActiveDefects(
        rows=generator.integers(0, height, DEFECTS),
        columns=generator.integers(0, width, DEFECTS),
        dark_rate_e_per_s=generator.exponential(100.0, DEFECTS),
        offset_e=generator.exponential(50.0, DEFECTS),
        response=np.ones(DEFECTS),
    )
    tables = normal_tables()
    cores = os.cpu_count() or 1
    seeds = count()
    with ThreadPoolExecutor(cores) as executor:
        ours_s, peer_s = median_seconds(
            lambda: expose(
                parameters,
                dsnu_e,
                exposed,
                defects,
                tables=tables,
                seed=next(seeds),
                executor=executor,
                bands=cores,
            ),
            lambda: expose_with_numpy(parameters, dsnu_e, exposed, defects, generator),
            repeats,
        )
    return Result(
        name=f"render-{size}-{'light' if lit else 'dark'}",
        ours=1.0 / ours_s,
        peer=1.0 / peer_s,
        peer_name=f"the same model in numpy {np.__version__}, one thread",
        unit="frames/s",
        ratio=peer_s / ours_s,
        goal=4.0,
        limit=1.5,
        repeats=repeats,
        machine=machine(),
    )
