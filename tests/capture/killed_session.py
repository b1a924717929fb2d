"""Runs a session in a process of its own that kills itself at a given call; started by tests.

Usage: python killed_session.py JSON, with the keys `folder`, `control_url`, `recipe`, `serials`,
`target` (module:Class.method), `call` (from 1), and `when` (before, during or after). Without a
target it ends by itself, or cleanly at an interrupt; it prints its progress and its outcome.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DURING_S = 0.02


def kill_now() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(target: str, call: int, when: str) -> None:
    """Have the nth call of a method kill this process."""
    module_name, _, path = target.partition(":")
    class_name, _, method_name = path.partition(".")
    owner = getattr(importlib.import_module(module_name), class_name)
    original: Callable[..., Any] = getattr(owner, method_name)
    calls = 0
    lock = threading.Lock()

    def is_the_call() -> bool:
        nonlocal calls
        with lock:
            calls += 1
            return calls == call

    def wrapped(*arguments: Any, **options: Any) -> Any:
        chosen = is_the_call()
        if chosen and when == "before":
            kill_now()
        if chosen and when == "during":
            threading.Timer(DURING_S, kill_now).start()
        result = original(*arguments, **options)
        if chosen and when == "after":
            kill_now()
        return result

    @contextmanager
    def wrapped_transaction(*arguments: Any, **options: Any) -> Any:
        chosen = is_the_call()
        if chosen and when == "before":
            kill_now()
        with original(*arguments, **options) as transaction:
            yield transaction
            if chosen and when == "during":
                transaction.flush()
                kill_now()
        if chosen and when == "after":
            kill_now()

    setattr(owner, method_name, wrapped_transaction if method_name == "writing" else wrapped)


def main(order: dict[str, Any]) -> None:
    """Run the session."""
    from capture.actuators import VirtualActuator
    from capture.cameras.gphoto2_camera import Gphoto2Camera
    from capture.clock_source import VirtualFixtureClock
    from capture.recipes import Recipe
    from capture.sessions import run_session
    from datastore.catalogue import open_catalogue

    folder = Path(order["folder"])
    with open_catalogue(f"sqlite:///{folder}/catalogue.sqlite", folder / "store") as catalogue:
        if "target" in order:
            arm(order["target"], order["call"], order["when"])
        stop = threading.Event()
        signal.signal(signal.SIGINT, lambda *_: stop.set())
        outcome = run_session(
            catalogue,
            Recipe.model_validate(order["recipe"]),
            "virtual",
            actuator=VirtualActuator(order["control_url"]),
            clock=VirtualFixtureClock(order["control_url"]),
            spool_folder=folder / "spool",
            serials=order["serials"],
            camera_factory=lambda address, serial, spool: Gphoto2Camera(
                address, serial, spool, margin_s=3.0
            ),
            progress=lambda done, _total: print(json.dumps({"done": done}), flush=True),
            stop=stop,
        )
        print(json.dumps(outcome.to_json()), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
