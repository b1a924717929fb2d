"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# a busy machine is no fault, and the quick suite is the same at every run
settings.register_profile("agetrace", deadline=None, derandomize=True)
settings.load_profile("agetrace")
