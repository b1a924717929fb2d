"""Registers shots in a process of its own until it is killed or told to stop; started by tests.

Usage: python writing_process.py URL STORE_FOLDER CAMERA_ID SESSION_ID SEED. Prints the UUID of a
shot once its transaction is committed; ends when its standard input does.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np

from datastore import audit
from datastore.assets import register_asset
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock
from datastore.tables import Shot, ShotEvent

LARGEST_FILE_BYTES = 1 << 18


def end_with_input(stop: threading.Event) -> None:
    """Ask for the end once the standard input has ended."""
    sys.stdin.read()
    stop.set()


def main() -> None:
    """Put a file, commit its shot, say so, and go on."""
    url, folder = sys.argv[1], Path(sys.argv[2])
    camera_id, session_id, seed = (int(argument) for argument in sys.argv[3:])
    generator = np.random.default_rng(seed)
    clock = HostClock()
    stop = threading.Event()
    threading.Thread(target=end_with_input, args=(stop,), daemon=True).start()
    with open_catalogue(url, folder) as catalogue:
        sequence = 0
        while not stop.is_set():
            sequence += 1
            now = clock.now()
            with catalogue.writing() as transaction:
                shot = Shot(
                    session_id=session_id,
                    camera_id=camera_id,
                    sequence=seed * 1_000_000 + sequence,
                    kind="dark-field",
                    triggered_at=now,
                )
                transaction.add(shot)
                transaction.flush()
                transaction.add(ShotEvent(shot_id=shot.id, name="planned", at=now))
                audit.append(transaction, "shots.plan", {"shot": shot.uuid}, now)
            stored = catalogue.store.put_bytes(
                generator.bytes(int(generator.integers(1, LARGEST_FILE_BYTES)))
            )
            with catalogue.writing() as transaction:
                register_asset(transaction, stored, "raw", now, shot_id=shot.id)
                transaction.add(ShotEvent(shot_id=shot.id, name="registered", at=clock.now()))
                audit.append(transaction, "shots.settle", {"shot": shot.uuid}, now)
            print(shot.uuid, flush=True)


if __name__ == "__main__":
    main()
