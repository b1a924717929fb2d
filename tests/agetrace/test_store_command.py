"""`agetrace store add | list | replicate` as their users meet them."""

from __future__ import annotations

import re
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agetrace.logs import secrets_of
from agetrace.settings import Settings, load_home
from datastore.assets import register_asset
from datastore.store import LocalStore
from datastore.stores.description import LocalDescription, S3Description
from tests.support.catalogue_rows import NOW
from tests.support.command_line import CommandLine
from tests.support.object_stores import (
    ACCESS_KEY,
    KEYS,
    SECRET_KEY,
    moto_server,
)

S3_OPTIONS = (
    "--kind=s3",
    "--bucket=frames",
    "--access-key-variable=TEST_S3_ACCESS_KEY",
    "--secret-key-variable=TEST_S3_SECRET_KEY",
    "--allow-http",
)


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Endpoint of moto."""
    with moto_server() as endpoint:
        yield endpoint


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the keys in the environment."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def home(tmp_path: Path) -> CommandLine:
    """Return a home without files."""
    home = CommandLine(tmp_path / "lab")
    home.run("init", home.home)
    return home


def fill(home: CommandLine, count: int, role: str = "raw", size: int = 3000) -> list[str]:
    """Put assets into the home's own store."""
    generator = np.random.default_rng(len(role))
    with load_home(home.home).open_catalogue() as catalogue:
        stored = [catalogue.store.put_bytes(generator.bytes(size)) for _ in range(count)]
        with catalogue.writing() as session:
            for file in stored:
                register_asset(session, file, role, NOW)
    return [file.sha256 for file in stored]


def settings_of(home: CommandLine) -> str:
    return (home.home / "agetrace.toml").read_text()


def listed(home: CommandLine) -> dict[str, dict[str, Any]]:
    return {line["name"]: line for line in home.run("store", "list", "--json").lines}


def test_a_folder_is_added_filled_and_listed(home: CommandLine, tmp_path: Path) -> None:
    raw, jpeg = fill(home, 4), fill(home, 3, "jpeg")
    vault = tmp_path / "vault"

    answer = home.run("store", "add", "vault", "--kind=local", f"--root={vault}", "--keeps=raw")

    assert "on the same disk" in answer.message
    assert "`agetrace store replicate vault` fills it" in answer.message
    assert listed(home)["vault"] == {
        "name": "vault",
        "kind": "local",
        "place": str(vault),
        "keeps": ["raw"],
        "assets": 0,
        "bytes": 0,
        "lacks": 4,
        "problems": 0,
        "unverified_since": None,
    }

    done = home.run("store", "replicate", "vault", "--json").document

    assert (done["copied"], done["copied_bytes"], done["failed"]) == (4, 12_000, 0)
    assert {name.sha256 for name in LocalStore(vault).names()} == set(raw)
    rows = listed(home)
    assert (rows["vault"]["assets"], rows["vault"]["bytes"], rows["vault"]["lacks"]) == (
        4,
        12_000,
        0,
    )
    assert rows["local"]["assets"] == 7
    assert rows["local"]["unverified_since"] == NOW.isoformat()
    assert set(jpeg).isdisjoint(raw)
    table = home.run("store", "list").out
    assert str(vault) in table and "unverified since" in table and " all " in table


def test_a_bucket_is_added_without_its_secrets_and_filled(home: CommandLine, moto: str) -> None:
    hashes = fill(home, 3)
    # the server's buckets are those of every test of this process
    prefix = f"lab-{uuid.uuid4().hex}"

    answer = home.run(
        "store", "add", "cloud", *S3_OPTIONS, f"--endpoint={moto}", f"--prefix={prefix}"
    )

    assert "does not check the sha256" in answer.message
    text = settings_of(home)
    assert tomllib.loads(text)["stores"]["cloud"] == {
        "kind": "s3",
        "bucket": "frames",
        "prefix": prefix,
        "endpoint": moto,
        "access_key_variable": "TEST_S3_ACCESS_KEY",
        "secret_key_variable": "TEST_S3_SECRET_KEY",
        "allow_http": True,
    }
    assert ACCESS_KEY not in text and SECRET_KEY not in text
    opened = load_home(home.home)
    assert set(secrets_of(opened, KEYS)) == {ACCESS_KEY, SECRET_KEY}

    (report,) = home.run("store", "replicate", "--json").lines

    assert (report["store"], report["copied"], report["stopped"]) == ("cloud", 3, None)
    assert [name.sha256 for name in opened.open_stores()["cloud"].names()] == sorted(hashes)
    assert listed(home)["cloud"]["place"] == f"s3://frames/{prefix} at {moto}"


def test_the_settings_of_the_how_to_are_valid_ones() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/stores.md").read_text(encoding="utf-8")
    text = "\n".join(re.findall(r"```toml\n(.*?)```", page, re.S))
    settings = Settings.model_validate(tomllib.loads(text))
    assert list(settings.stores) == ["archive", "vault"]
    assert settings.stores["vault"].keeps == ("raw", "jpeg")
    assert settings.jobs["replicate"]["command"] == ["store", "replicate"]
    fields = {*LocalDescription.model_fields, *S3Description.model_fields} - {"kind"}
    assert [field for field in sorted(fields) if f"`{field}`" not in page] == []


def test_what_is_wrong_is_refused_and_changes_nothing(
    home: CommandLine, tmp_path: Path, moto: str
) -> None:
    before = settings_of(home)
    home.run("store", "list")
    refused = {
        ("vault", "--kind=local"): "root: it is missing",
        ("vault", "--kind=s3"): "bucket: it is missing",
        ("vault", "--kind=local", "--root=x", "--bucket=y"): "bucket: no such field",
        ("Vault", "--kind=local", "--root=x"): "lower-case letters",
        ("local", "--kind=local", "--root=x"): "is the home's own store",
        ("vault", "--kind=local", "--root=x", "--keeps=frames"): "must be 'raw', 'jpeg'",
        ("vault", "--kind=local", f"--root={home.home / 'store'}"): "lies at the same place",
        ("vault", "--kind=local", f"--root={home.home / 'store' / 'x'}"): "at the same place",
        ("vault", "--kind=local", "--root=/proc/vault"): "no store can be made there",
        ("vault", *S3_OPTIONS, "--endpoint=ftp://x"): "an endpoint is the address of a server",
        ("vault", *S3_OPTIONS, "--endpoint=http://a:70000"): "Port out of range",
        ("vault", *S3_OPTIONS, f"--endpoint={moto}", "--prefix=../x"): "a prefix is parts of",
        ("vault", "--kind=s3", "--bucket=frames", "--secret-key-variable=a b"): "not the name of",
        ("vault", "--kind=s3", "--bucket=frames"): "has no AWS_ACCESS_KEY_ID",
    }
    for arguments, said in refused.items():
        assert said in home.run("store", "add", *arguments, code=2).message, arguments
    absent = (*S3_OPTIONS, f"--endpoint={moto}", "--bucket=absent")
    assert "NoSuchBucket" in home.run("store", "add", "vault", *absent, code=1).message

    assert "no store 'vault', only local" in home.run("store", "replicate", "vault", code=2).message
    assert settings_of(home) == before
    assert list(listed(home)) == ["local"]


def test_two_stores_need_two_places(home: CommandLine, tmp_path: Path, moto: str) -> None:
    bucket = (*S3_OPTIONS, f"--endpoint={moto}")
    home.run("store", "add", "disk", "--kind=local", f"--root={tmp_path / 'disk'}")
    home.run("store", "add", "cloud", *bucket, "--prefix=two/lab")

    for arguments in (
        ("--kind=local", f"--root={tmp_path / 'disk' / 'below'}"),
        ("--kind=local", f"--root={tmp_path}"),
        (*bucket, "--prefix=two/lab"),
        (*bucket, "--prefix=two"),
        bucket,
    ):
        said = home.run("store", "add", "other", *arguments, code=2).message
        assert "two stores need two places" in said
    said = home.run("store", "add", "disk", *bucket, "--prefix=three", code=2).message
    assert "has a store 'disk' already" in said
    home.run("store", "add", "other", *bucket, "--prefix=two/laboratory")


def test_what_cannot_be_copied_is_told_with_exit_code_1(home: CommandLine, tmp_path: Path) -> None:
    damaged, sound = fill(home, 2)
    home.run("store", "add", "vault", "--kind=local", f"--root={tmp_path / 'vault'}")
    path = load_home(home.home).open_catalogue().store.path(damaged)
    path.chmod(0o644)
    path.write_bytes(b"something else")

    answer = home.run("store", "replicate", code=1)

    assert "1 files (0.0 MB) copied, 1 failed" in answer.message
    assert damaged in answer.out and "agetrace store verify --store local" in answer.out
    assert [name.sha256 for name in LocalStore(tmp_path / "vault").names()] == [sound]


def test_a_disk_that_is_not_mounted_keeps_no_other_store_waiting(
    home: CommandLine, tmp_path: Path
) -> None:
    fill(home, 2)
    for name in ("first", "second"):
        home.run("store", "add", name, "--kind=local", f"--root={tmp_path / name}")
    (tmp_path / "first").rename(tmp_path / "gone")

    reports = home.run("store", "replicate", "--json", code=1).lines

    assert [report["copied"] for report in reports] == [0, 2]
    assert "is its disk mounted?" in reports[0]["stopped"]
    assert not (tmp_path / "first").exists()
