"""Jobs as their users meet them: settings, documented examples that work, list and show."""

from __future__ import annotations

import json
import re
import shutil
import time
import tomllib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, select
from typer.testing import CliRunner

from agetrace.cli.app import app
from agetrace.errors import HomeError
from agetrace.jobs import job_definitions, job_runner_of
from agetrace.settings import Home, create_home, load_home
from capture.daemon.job_errors import UnknownJobError
from datastore.assets import register_asset
from datastore.catalogue import Catalogue, open_catalogue
from datastore.errors import BackupRefusedError
from datastore.tables import Dataset, DefectExtraction, Job, Run
from tests.agetrace.conftest import CONTROLLED, TIMES, Line
from tests.support.catalogue_rows import NOW
from tests.support.command_line import CommandLine, write_yaml
from tests.support.job_rows import ended_session, jobs_of

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "jobs.md"
EXAMPLES = "\n".join(re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S))
TRAINING = {
    "name": "after-years-4",
    "dataset": "years-4",
    "network": "srnet-nano",
    "patch_size": 16,
    "steps": 10,
    "batch_size": 2,
    "runs": 1,
    "evaluation_crops": 1,
}
PATIENCE_S = 100.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return create_home(tmp_path / "lab")


def settle(home: Home, text: str) -> Home:
    """Add to a home's settings."""
    with (home.folder / "agetrace.toml").open("a", encoding="utf-8") as settings:
        settings.write("\n" + text)
    return load_home(home.folder)


def ask(home: Home, *words: str, code: int = 0) -> str:
    """Return what a command prints on standard output."""
    answer = CliRunner().invoke(app, ["--home", str(home.folder), *words])
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    assert answer.exit_code == code, answer.output
    return answer.stdout


def rows(catalogue: Catalogue, query: Select[Any]) -> list[Any]:
    with catalogue.reading() as transaction:
        return list(transaction.scalars(query))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def run_jobs(home: Home, catalogue: Catalogue, *, since: datetime, until: datetime) -> None:
    """Define a home's jobs at one time and run what is due at another."""
    runner = job_runner_of(home, catalogue)
    runner.tick(since)
    try:
        for _ in range(20):
            runner.tick(until)
            if not runner.is_busy:
                return
            runner.wait(PATIENCE_S)
    finally:
        runner.close()
    raise AssertionError("there was always another job")


def run_examples(home: Home, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Run documented jobs around the end of the scheme's last timeslot; all must succeed."""
    specifications = home.folder / "specifications"
    specifications.mkdir()
    write_yaml(specifications / "years-4.yaml", {**CONTROLLED, "name": "years-4"})
    write_yaml(specifications / "years-4-training.yaml", TRAINING)
    end = datetime.fromisoformat("2023-12-31T00:00+00:00")
    definitions = tomllib.loads(EXAMPLES)["jobs"]
    wanted = {name: definition for name, definition in definitions.items() if name in names}
    chosen = home.settings.model_copy(update={"jobs": wanted})
    with home.open_catalogue() as catalogue:
        chosen_home = Home(home.folder, chosen)
        job_runner_of(chosen_home, catalogue).tick(end - timedelta(hours=22))
        ended_session(catalogue, at=end)
        run_jobs(
            chosen_home,
            catalogue,
            since=end - timedelta(hours=22),
            until=end + timedelta(hours=4),
        )
        jobs = {job["name"]: job for job in jobs_of(catalogue)}
    logs = {
        name: (home.folder / "logs" / job["log"]).read_text() if job["log"] else job["detail"]
        for name, job in jobs.items()
    }
    assert {name: logs[name] for name in jobs if jobs[name]["state"] != "completed"} == {}
    assert tuple(jobs) == names
    return jobs


@pytest.fixture
def captured(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return a home of its own with the line's captures."""
    folder = tmp_path / "lab"
    shutil.copytree(line.command_line.home, folder)
    for name, value in CommandLine(folder).environment.items():
        monkeypatch.setenv(name, value)
    return load_home(folder)


@pytest.mark.timeout(240)  # where it runs alone, it makes the line's captures first
def test_the_documented_jobs_are_definitions_and_run(captured: Home) -> None:
    names = tuple(job_definitions(settle(captured, EXAMPLES)))
    assert names[-1] == "train-after-timeslot"
    jobs = run_examples(captured, names[:-1])
    with captured.open_catalogue() as catalogue, catalogue.reading() as transaction:
        measured = transaction.scalars(select(DefectExtraction.session_id)).all()
        assert len(set(measured)) == len(TIMES)
        assert "years-4" in set(transaction.scalars(select(Dataset.name)))
    (backup,) = (captured.folder / "backups").glob("*.sqlite")
    with open_catalogue(f"sqlite:///{backup}", captured.store_root) as copy:
        assert copy.url != captured.database_url
    assert json.loads(backup.with_suffix(".json").read_text())["audit_entries"] > 0
    assert "are sound" in (captured.folder / "logs" / jobs["verify"]["log"]).read_text()


@pytest.mark.prove
@pytest.mark.timeout(240)
def test_the_documented_training_runs_after_the_timeslot(captured: Home) -> None:
    run_examples(captured, ("freeze-after-timeslot", "train-after-timeslot"))
    with captured.open_catalogue() as catalogue, catalogue.reading() as transaction:
        names = [run.experiment.name for run in transaction.scalars(select(Run))]
        assert "after-years-4" in names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[jobs.a]\nafter = "session"', "jobs.a.command: "),
        ('[jobs.a]\ncommand = ["shots"]', "jobs.a: give exactly one of"),
        ('[jobs.a]\ncommand = ["shots", "{x}"]\nafter = "session"', "jobs.a: command: {x}"),
        ('[jobs.A_b]\ncommand = ["shots"]\nafter = "session"', "jobs.A_b"),
        (
            '[jobs.a]\ncommand = ["shots"]\nzone = "UTC"\nrule = {kind = "cron", expression = "x"}',
            "jobs.a.rule.cron.expression: a cron expression has five fields",
        ),
    ],
    ids=["no-command", "no-trigger", "placeholder", "name", "rule"],
)
def test_a_wrong_definition_is_named_with_its_field(home: Home, text: str, message: str) -> None:
    with pytest.raises(HomeError) as refused:
        job_definitions(settle(home, text))
    assert message in str(refused.value)
    assert "agetrace.toml" in str(refused.value)


def test_a_new_home_defines_no_job(home: Home) -> None:
    assert job_definitions(home) == {}


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home where one job failed and one was completed."""
    home = settle(
        create_home(tmp_path_factory.mktemp("worked") / "lab"),
        '[jobs.fails]\ncommand = ["scene", "show", "nowhere-{session}"]\nafter = "session"\n'
        '[jobs.works]\ncommand = ["shots", "--json"]\nafter = "session"\n',
    )
    with home.open_catalogue() as catalogue:
        job_runner_of(home, catalogue).tick(NOW)
        ended_session(catalogue)
        run_jobs(home, catalogue, since=NOW, until=NOW + timedelta(hours=1))
    return home


def test_jobs_are_listed_and_shown_with_the_end_of_their_logs(worked: Home) -> None:
    listed = [json.loads(text) for text in ask(worked, "job", "list", "--json").splitlines()]
    assert [(job["name"], job["state"]) for job in listed] == [
        ("works", "completed"),
        ("fails", "failed"),
    ]
    filters = ("--state", "failed", "--name", "fails", "--limit", "1")
    (failed,) = (json.loads(t) for t in ask(worked, "job", "list", "--json", *filters).splitlines())
    assert (failed["exit_code"], failed["reason"]) == (2, "request-refused")
    assert failed["detail"].startswith("It ended with exit code 2: agetrace: no scene is called")
    assert ask(worked, "job", "list", "--json", "--name", "other") == ""
    shown = json.loads(ask(worked, "job", "show", failed["id"][:8], "--json"))
    assert [change["state"] for change in shown["history"]] == ["pending", "running", "failed"]
    assert "no scene is called" in " ".join(shown["log_end"])
    assert (
        json.loads(ask(worked, "job", "show", failed["id"], "--json", "--lines", "0"))["log_end"]
        == []
    )
    plain = ask(worked, "job", "show", failed["id"])
    assert "reason: request-refused" in plain
    (log,) = (line.removeprefix("log: ") for line in plain.splitlines() if line[:5] == "log: ")
    assert "no scene is called" in Path(log).read_text()
    second = failed["ended_at"].partition(".")[0]
    assert f"{second}+00:00  failed" in plain
    assert "no scene is called" in plain
    works = json.loads(ask(worked, "job", "show", listed[0]["id"], "--json"))
    assert json.loads(works["log_end"][0])["kind"] == "dark-field"


def test_the_daemon_runs_jobs_and_puts_one_back_when_it_is_stopped(home: Home) -> None:
    home = settle(
        home,
        '[jobs.quick]\ncommand = ["shots"]\nafter = "session"\n'
        # nothing is read so slowly that it would end by itself
        '[jobs.slow]\ncommand = ["store", "verify", "--rate-mb-s", "0.001"]\nafter = "session"\n',
    )
    file = home.folder / "agetrace.toml"
    file.write_text(re.sub(r"(?m)^tick_s = .*$", "tick_s = 0.2", file.read_text()))
    assert load_home(home.folder).settings.daemon.tick_s == 0.2
    daemon = CommandLine(home.folder).start("daemon", "run")
    try:
        with home.open_catalogue() as catalogue:
            stored = catalogue.store.put_bytes(bytes(1_000_000))
            with catalogue.writing() as transaction:
                register_asset(transaction, stored, "other", NOW)
            defined = select(Job.name).where(Job.subject.startswith("defined "))
            wait_for(lambda: len(rows(catalogue, defined)) == 2)
            ended_session(catalogue)
            wait_for(lambda: [job["state"] for job in jobs_of(catalogue)][1:] == ["running"])
            daemon.terminate()
            _, said = daemon.communicate(timeout=PATIENCE_S)
            assert daemon.returncode == 0, said
            quick, slow = jobs_of(catalogue)
    finally:
        daemon.kill()
        daemon.communicate()
    assert (quick["state"], quick["exit_code"]) == ("completed", 0)
    assert (slow["state"], slow["reason"], slow["attempts"]) == ("pending", "stopped", 0)


def test_a_job_that_there_is_not_is_refused(worked: Home) -> None:
    with pytest.raises(UnknownJobError, match="no job begins with"):
        ask(worked, "job", "show", "zzz")
    with pytest.raises(UnknownJobError, match="several jobs begin with"):
        ask(worked, "job", "show", "")
    with pytest.raises(Exception, match="is no state"):
        ask(worked, "job", "list", "--state", "happy")


def test_a_verification_that_finds_damage_says_so_and_fails(home: Home) -> None:
    with home.open_catalogue() as catalogue:
        stored = [catalogue.store.put_bytes(data) for data in (b"sound", b"damaged")]
        with catalogue.writing() as transaction:
            for file in stored:
                register_asset(transaction, file, "other", NOW, original_name="file.bin")
        bad = catalogue.store.path(stored[1].sha256)
    assert json.loads(ask(home, "store", "verify", "--json"))["verified"] == 2
    bad.chmod(0o644)
    bad.write_bytes(b"dam\x00ged")
    told = json.loads(ask(home, "store", "verify", "--json", "--rate-mb-s", "10", code=1))
    assert (told["verified"], told["damaged"]) == (1, 1)
    assert told["findings"][0]["sha256"] == stored[1].sha256
    assert "missing" in ask(home, "store", "verify", "--limit", "1", code=1)


def test_a_backup_goes_to_the_home_unless_a_folder_is_named(home: Home, tmp_path: Path) -> None:
    made = json.loads(ask(home, "catalogue", "backup", "--json"))
    assert Path(made["path"]).parent == home.folder / "backups"
    ask(home, "catalogue", "backup", str(tmp_path / "elsewhere"), "--keep", "1")
    again = json.loads(
        ask(home, "catalogue", "backup", str(tmp_path / "elsewhere"), "--keep", "1", "--json")
    )
    assert len(again["removed"]) == 1
    assert [file.name for file in (tmp_path / "elsewhere").glob("*.sqlite")] == [
        Path(again["path"]).name
    ]


def test_postgresql_is_refused_with_the_command_that_does_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGETRACE_DATABASE_URL", "postgresql+psycopg://me:secret@host/lab")
    with pytest.raises(BackupRefusedError, match="pg_dump") as refused:
        ask(home, "catalogue", "backup")
    assert refused.value.exit_code == 2
    assert "secret" not in str(refused.value)
