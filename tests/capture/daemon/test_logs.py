"""Log lines are written where somebody asked for them, say what of, and hold no secret."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agetrace.cli._shared import home_of
from agetrace.cli.app import app
from agetrace.logs import configure_logs, secrets_of
from agetrace.settings import create_home, load_home
from capture.logs import get_logger


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Return where lines go, and have none written afterwards."""
    yield io.StringIO()
    configure_logs("json")()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    """Return the JSON lines that were written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_nothing_is_written_before_somebody_asks() -> None:
    program = (
        "from capture.logs import get_logger\n"
        "log = get_logger('capture.flight', session='s')\n"
        "log.info('shot-planned')\n"
        "log.error('shot-failed', reason='a sentence')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_line_is_one_json_object_with_its_time_in_utc(stream: io.StringIO) -> None:
    configure_logs("json", stream=stream)
    before = datetime.now(UTC)
    log = get_logger("capture.flight", session="4f", camera="7100001")
    log.bind(shot="9a").info("shot-registered", verdict="accepted", level_dn=512.25)
    log.debug("not-asked-for")
    [line] = lines(stream)
    at = datetime.fromisoformat(str(line.pop("timestamp")))
    assert at.utcoffset() is not None
    assert before <= at <= datetime.now(UTC)
    assert line == {
        "level": "info",
        "event": "shot-registered",
        "session": "4f",
        "camera": "7100001",
        "shot": "9a",
        "verdict": "accepted",
        "level_dn": 512.25,
        "logger": "capture.flight",
    }


def test_a_thread_speaks_of_what_its_logger_was_bound_to(stream: io.StringIO) -> None:
    configure_logs("json", stream=stream)

    def work(session: str) -> None:
        get_logger("capture.work", session=session).info("session-begun")

    threads = [threading.Thread(target=work, args=(f"session {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {line["session"] for line in lines(stream)} == {f"session {n}" for n in range(8)}


@pytest.mark.parametrize("log_format", ["json", "plain"])
def test_secrets_are_masked_in_every_line(stream: io.StringIO, log_format: str) -> None:
    secret = 'json://user:p"ss/tok\u00e9n'
    configure_logs(log_format, secrets=[secret, "p@ss"], stream=stream)  # type: ignore[arg-type]
    log = get_logger("capture.work")
    log.warning("refused", address=secret)
    logging.getLogger("library").warning("could not reach %s with %s", secret, "p@ss")
    try:
        raise RuntimeError(secret)
    except RuntimeError:
        local_secret = secret * 2
        log.exception("ended", count=len(local_secret))
    text = stream.getvalue()
    assert "RuntimeError" in text
    assert text.count("***") >= 4
    assert "tok\u00e9n" not in text
    assert "p@ss" not in text


def test_lines_for_people_are_plain_text(stream: io.StringIO) -> None:
    configure_logs("plain", level="warning", stream=stream)
    log = get_logger("capture.work", schedule="nightly")
    log.info("occurrence-claimed")
    log.warning("occurrence-missed", reason="daemon-down")
    assert "\x1b" not in stream.getvalue()
    [line] = stream.getvalue().splitlines()
    for part in ("occurrence-missed", "schedule=nightly", "reason=daemon-down", "warning"):
        assert part in line


def test_configuring_again_replaces_what_was_before(stream: io.StringIO) -> None:
    configure_logs("json", stream=io.StringIO())
    configure_logs("json", stream=stream)
    get_logger("capture.work").info("once")
    assert [line["event"] for line in lines(stream)] == ["once"]


def test_nothing_is_written_after_the_end(stream: io.StringIO) -> None:
    end = configure_logs("json", stream=stream)
    end()
    get_logger("capture.work").error("too-late")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("options", "setting", "expected"),
    [
        ([], "", None),
        (["--log-format", "json"], "", "json"),
        ([], 'format = "plain"', "plain"),
        (["--log-format", "json"], 'format = "plain"', "json"),
    ],
)
def test_a_command_writes_lines_if_it_is_asked_to(
    tmp_path: Path, options: list[str], setting: str, expected: str | None
) -> None:
    home = create_home(tmp_path / "home")
    settings = home.folder / "agetrace.toml"
    settings.write_text(settings.read_text().replace('# format = "plain"', setting))
    seen: list[bool] = []

    @app.command("log-a-line")
    def log_a_line(context: typer.Context) -> None:
        home_of(context)
        get_logger("capture.work").info("asked-for")
        seen.append(True)

    try:
        result = CliRunner().invoke(app, ["--home", str(home.folder), *options, "log-a-line"])
    finally:
        app.registered_commands.pop()
    assert seen, result.output
    assert result.stdout == ""
    assert ("asked-for" in result.stderr) == (expected is not None)
    assert result.stderr.startswith("{") == (expected == "json")
    # nothing is left behind for the next command of this process
    assert logging.getLogger("capture").level == logging.NOTSET


def test_libraries_are_heard_from_warnings_on(stream: io.StringIO) -> None:
    configure_logs("json", level="debug", stream=stream)
    logging.getLogger("apscheduler.scheduler").info("looking for jobs")
    logging.getLogger("apscheduler.scheduler").warning("a run was missed")
    get_logger("capture.work").debug("fine")
    assert [line["event"] for line in lines(stream)] == ["a run was missed", "fine"]


def test_the_secrets_of_a_home_are_known(tmp_path: Path) -> None:
    create_home(tmp_path / "home")
    settings = tmp_path / "home" / "agetrace.toml"
    text = settings.read_text()
    text = text.replace("# channels = {", "channels = {").replace(
        'url = "sqlite:///catalogue.sqlite"', 'url = "postgresql://lab:dbpass@host/base"'
    )
    text += '[actuators.north]\nkind = "http"\nhosts = ["h"]\nset_scene = "http://h/s"\n'
    text += 'set_cap = "http://h/c"\ntoken_variable = "TOKEN"\n'
    settings.write_text(text)
    environment = {"AGETRACE_NOTIFY_LAB": "json://secret", "TOKEN": "bearer", "OTHER": "public"}
    found = secrets_of(load_home(tmp_path / "home"), environment)
    assert sorted(found) == ["bearer", "dbpass", "json://secret"]


def test_an_address_in_the_settings_is_refused_without_being_repeated(tmp_path: Path) -> None:
    from agetrace.errors import HomeError

    create_home(tmp_path / "home")
    settings = tmp_path / "home" / "agetrace.toml"
    settings.write_text(
        settings.read_text().replace(
            '# channels = { lab = "AGETRACE_NOTIFY_LAB" }', 'channels = { lab = "json://secret" }'
        )
    )
    with pytest.raises(HomeError, match=r"notifications\.channels\.lab") as refused:
        load_home(tmp_path / "home")
    assert "environment variable" in str(refused.value)
    assert "secret@" not in str(refused.value)
    assert "json://" not in str(refused.value)
