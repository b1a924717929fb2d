"""Lives years of a simulated computer until it is killed; started by tests, again and again.

Usage: python living_process.py FOLDER DOWN_S. FOLDER holds the catalogue and `life.json`; where it
holds a journal too, life goes on DOWN_S simulated seconds after the last process was killed.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

import numpy as np

from tests.support.simulated_daemon import Computer, Trouble
from tests.support.simulated_time import Journal, SimulatedTime


def main() -> None:
    """Live, to the end or the kill."""
    folder, down_s = Path(sys.argv[1]), float(sys.argv[2])
    life = json.loads((folder / "life.json").read_text())
    moments = [datetime.fromisoformat(text) for text in life["moments"]]
    file, journal_file = folder / "catalogue.sqlite", folder / "journal"
    seed = [life["seed"], journal_file.stat().st_size if journal_file.exists() else 0]
    generator = np.random.default_rng(seed)
    if journal_file.exists():
        computer = Computer.revived(file, journal_file, moments, generator, down_s=down_s)
    else:
        time = SimulatedTime(datetime.fromisoformat(life["begin"]))
        computer = Computer(file, time, Journal(journal_file, time), moments, generator)
    computer.live(life["seconds"], [Trouble(**trouble) for trouble in life["troubles"]])
    computer.close()


if __name__ == "__main__":
    main()
