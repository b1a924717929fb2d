"""A daemon that runs shows metrics, tells people, writes log lines and is found at work."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from agetrace.cli.app import app
from agetrace.settings import create_home
from capture.errors import ChannelError
from tests.support.command_line import CommandLine

SECRET = "s3cr3t-t0ken"


@contextmanager
def receiver() -> Iterator[tuple[str, list[str]]]:
    """Run a server for a json:// channel; yields its address and the titles that came."""
    titles: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            titles.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["title"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"json://127.0.0.1:{server.server_address[1]}/{SECRET}", titles
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wait_for(done: Callable[[], bool], daemon: subprocess.Popen[str]) -> None:
    """Wait until something has come about while a daemon runs."""
    deadline = time.monotonic() + 60
    while not done():
        assert daemon.poll() is None, daemon.communicate()
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.1)


def test_a_running_daemon_is_watched_from_outside(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = home.folder / "agetrace.toml"
    text = settings.read_text()
    for before, after in (
        ("# channels = {", "channels = {"),
        ("free_gb = 10", "free_gb = 1e9"),
        ("[daemon]", f"[daemon]\nmetrics_port = {port}"),
    ):
        assert text.count(before) == 1
        text = text.replace(before, after)
    settings.write_text(text.replace("tick_s = 10", "tick_s = 0.2"))

    def passes() -> float:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                families = text_string_to_metric_families(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):
            return 0.0
        samples = [sample for family in families for sample in family.samples]
        return sum(s.value for s in samples if s.name == "agetrace_daemon_passes_total")

    line = CommandLine(home.folder)
    with receiver() as (address, titles):
        daemon = subprocess.Popen(
            line.command("daemon", "run"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**line.environment, "AGETRACE_NOTIFY_LAB": address},
        )
        try:
            wait_for(lambda: passes() >= 2, daemon)
            wait_for(lambda: len(titles) >= 2, daemon)
            answer = CliRunner().invoke(app, ["--home", str(home.folder), "daemon", "health"])
        finally:
            daemon.send_signal(signal.SIGTERM)
            out, err = daemon.communicate(timeout=60)
    assert daemon.returncode == 0, err
    assert out == ""
    host = socket.gethostname()
    assert sorted(titles) == [
        f"Little room for the spool on {host}",
        f"Little room for the store on {host}",
    ]
    # the disks are the only concern: the daemon works
    assert answer.exit_code == 1
    assert [text.partition(":")[0] for text in answer.stdout.splitlines()] == ["disk-low"] * 2
    lines = [json.loads(text) for text in err.splitlines() if text.startswith("{")]
    assert lines[-1]["event"] == "daemon-stopped"
    assert {"timestamp", "level", "logger"} <= lines[-1].keys()
    assert SECRET not in err


def test_a_channel_without_its_variable_keeps_the_daemon_from_starting(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home")
    settings = home.folder / "agetrace.toml"
    settings.write_text(settings.read_text().replace("# channels = {", "channels = {"))
    result = CliRunner().invoke(app, ["--home", str(home.folder), "daemon", "run"])
    assert isinstance(result.exception, ChannelError)
    assert "AGETRACE_NOTIFY_LAB" in str(result.exception)
    assert result.exception.exit_code == 2
