"""What holds for every test."""

from __future__ import annotations

import signal

from hypothesis import settings

# a busy machine is no fault, and the quick suite is the same at every run
settings.register_profile("agetrace", deadline=None, derandomize=True)
settings.load_profile("agetrace")


def pytest_configure() -> None:
    """Have processes that tests start take Ctrl-C, which a shell's background jobs ignore."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
