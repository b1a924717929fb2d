"""The benchmark of capture: small frames go through both sides, and every comparison is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import capture_cycle
from benchmarks.__main__ import main
from benchmarks._gphoto2_command import Gphoto2Command, hash_and_flush, tcp_copy_seconds
from benchmarks.capture_cycle import RAW_CHOICES, Sizes, laboratory, shoot

SMALL = Sizes(shots=6, peer_shots=6, long_shots=6, sensor={"width": 384, "height": 256})
RAW_BYTES = 2 * 384 * 256
needs_command = [
    pytest.mark.gphoto2_command,
    pytest.mark.skipif(shutil.which("gphoto2") is None, reason="no gphoto2 command"),
]


def test_a_session_at_second_long_exposures_is_hardly_idle() -> None:
    with laboratory(SMALL, ["generic"]) as virtual:
        pace = shoot(virtual, list(virtual.cameras), "1", SMALL.long_shots)
    assert pace.seconds_a_shot > 1.0
    assert pace.steady_seconds_a_shot > 1.0
    assert 0.0 < pace.busy_share <= 1.0


def test_the_bare_copy_takes_time() -> None:
    assert tcp_copy_seconds(RAW_BYTES, 3) > 0.0


def test_hashing_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    sha256 = hash_and_flush(tmp_path / "empty")
    assert sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class TestCommand:
    """The peer itself."""

    pytestmark = needs_command

    def test_it_brings_raw_files(self, tmp_path: Path) -> None:
        with laboratory(SMALL, ["generic"]) as virtual:
            (serial,) = virtual.cameras
            command = Gphoto2Command(virtual.gphoto_port(serial), tmp_path)
            command.set(**RAW_CHOICES["generic"])
            command.one_process(2)
            files = list(tmp_path.glob("shot-*"))
            assert len(files) == 3
            assert all(path.stat().st_size > RAW_BYTES for path in files)
            separate = command.one_process_a_shot(2)
            assert len(list(tmp_path.glob("shot-*"))) == 2
        assert separate.bare > 0.0

    @pytest.mark.prove
    def test_every_comparison_is_told(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The benchmark of capture runs on small frames and tells every comparison."""
        monkeypatch.setattr(capture_cycle, "QUICK", SMALL)
        # the Nikon's three seconds a shot are gphoto2's own
        monkeypatch.setattr(capture_cycle, "PROFILES", ("generic",))
        main(["capture-cycle", "--json"])
        results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [result["name"].removeprefix("capture-cycle-") for result in results] == [
            "generic-process-a-shot-bare",
            "generic-process-a-shot-durable",
            "generic-one-process-bare",
            "generic-one-process-durable",
            "generic-serving",
            "generic-copy",
            "1s-busy",
            "1s-four-cameras",
        ]
        for result in results[:6]:
            assert result["unit"] == "ms/shot"
            assert result["ratio"] == pytest.approx(result["peer"] / result["ours"], rel=2e-3)
        assert all(result["ratio"] > 0 for result in results)
