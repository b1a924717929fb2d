"""What every rule of a verdict shares."""

from __future__ import annotations

LEVEL = 0.05
"""A p-value at most this is not taken for chance."""
