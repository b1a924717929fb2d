"""Runs a session in a process of its own in which something is killed at a given call.

Started by tests: python killed_session.py JSON, with the keys `folder`, `control_url`, `recipe`,
`serials`, `victim` (`session`, this process, or `worker`, the processes that talk to the cameras),
`target` (module:Class.method), `call` (from 1), `when` (before, during or after) and `delay_s`
(of `during`). Without a target nothing is killed. It ends cleanly at an interrupt, and prints its
progress and its outcome.
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capture.cameras.gphoto2_camera import Gphoto2Camera


def kill_session() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_workers(cameras: list[Gphoto2Camera]) -> None:
    """End the processes that talk to the cameras."""
    pids = [camera.worker_pid for camera in cameras]
    for pid in pids:
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


def arm(target: str, call: int, when: str, delay_s: float, kill: Callable[[], None]) -> None:
    """Have the nth call of a method kill something."""
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
            kill()
        if chosen and when == "during":
            threading.Timer(delay_s, kill).start()
        result = original(*arguments, **options)
        if chosen and when == "after":
            kill()
        return result

    @contextmanager
    def wrapped_transaction(*arguments: Any, **options: Any) -> Any:
        chosen = is_the_call()
        if chosen and when == "before":
            kill()
        with original(*arguments, **options) as transaction:
            yield transaction
            if chosen and when == "during":
                transaction.flush()
                kill()
        if chosen and when == "after":
            kill()

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
        cameras: list[Gphoto2Camera] = []

        def camera_factory(address: str, serial: str, spool_folder: Path) -> Gphoto2Camera:
            cameras.append(Gphoto2Camera(address, serial, spool_folder, margin_s=3.0))
            return cameras[-1]

        if "target" in order:
            kills = {"session": kill_session, "worker": lambda: kill_workers(cameras)}
            kill = kills[order["victim"]]
            arm(order["target"], order["call"], order["when"], order["delay_s"], kill)
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
            camera_factory=camera_factory,
            progress=lambda done, _total: print(json.dumps({"done": done}), flush=True),
            stop=stop,
        )
        print(json.dumps(outcome.to_json()), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
