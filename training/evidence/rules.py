"""What every rule of a verdict shares."""

from __future__ import annotations

LEVEL = 0.05
"""A p-value at most this is not taken for chance."""

TRACE_LEVEL = 0.02
"""A trace is claimed only at a p-value at most this: who suspects content wrongly looks again, who
claims a trace wrongly is believed. Eight sessions in two classes permit 1/70."""
