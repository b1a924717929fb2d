"""The Score-CAM benchmark: all sides make the same map, and the report says what it compares."""

from __future__ import annotations

from benchmarks.scorecam import LEAST_CORRELATION, Sizes, compare


def test_all_sides_make_the_same_map() -> None:
    found = {one.name: one for one in compare(Sizes(size=32, turns=1))}
    assert list(found) == [
        "scorecam",
        "scorecam-float32",
        "scorecam-correlation-peer",
        "scorecam-correlation-float32",
    ]
    for name in ("scorecam-correlation-peer", "scorecam-correlation-float32"):
        assert LEAST_CORRELATION <= found[name].ours <= 1.0 + 1e-9
    speed = found["scorecam"]
    assert speed.ratio == speed.peer / speed.ours > 0
    assert "torchcam" in speed.peer_name
