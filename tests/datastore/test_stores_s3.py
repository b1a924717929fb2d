"""Buckets as asset stores: what they promise, on moto and on SeaweedFS, and who is refused."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from datastore.errors import (
    AssetCorruptError,
    AssetMissingError,
    InvalidHashError,
    StoreSettingsError,
    StoreUnavailableError,
    UnfitStoreError,
)
from datastore.store import StoredFile
from datastore.stores import _bucket
from datastore.stores.protocol import AssetStore
from datastore.stores.s3 import S3Store, open_s3_store
from datastore.stores.self_test import self_test
from tests.support.object_stores import (
    ACCESS_KEY,
    KEYS,
    SECRET_KEY,
    SeaweedServer,
    describe_bucket,
)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the keys in the environment."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["moto", "seaweed"])
def endpoint(request: pytest.FixtureRequest) -> str:
    """Endpoint of a server of each kind."""
    server = request.getfixturevalue(request.param)
    return server.endpoint if isinstance(server, SeaweedServer) else str(server)


@pytest.fixture
def store(endpoint: str, request: pytest.FixtureRequest) -> S3Store:
    """Return an empty store, below a prefix of the test's own."""
    prefix = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
    return open_s3_store("vault", describe_bucket(endpoint, f"lab/{prefix}"))


def random_bytes(size: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def put(store: S3Store, data: bytes) -> str:
    """Put bytes and return their hash."""
    sha256 = hashlib.sha256(data).hexdigest()
    assert store.put_stream(BytesIO(data), sha256=sha256) == StoredFile(sha256, len(data))
    return sha256


def key_of(sha256: str) -> str:
    return f"sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"


@pytest.mark.parametrize("size", [0, 1, 3_000_001, 20_000_000])
def test_what_was_put_is_read_back_under_its_hash(
    store: S3Store, tmp_path: Path, size: int
) -> None:
    data = random_bytes(size)
    sha256 = hashlib.sha256(data).hexdigest()
    source = tmp_path / "frame.dng"
    source.write_bytes(data)
    assert not store.contains(sha256)

    assert store.put_file(source) == StoredFile(sha256, size)
    assert store.put_file(source, sha256=sha256) == StoredFile(sha256, size)

    assert store.contains(sha256)
    with store.open(sha256) as file:
        assert file.read() == data
    assert [found.key for found in store.bucket.list("sha256")] == [key_of(sha256)]
    as_any: AssetStore = store
    assert (as_any.name, as_any.kind, as_any.free_bytes()) == ("vault", "s3", None)
    assert as_any.place.startswith("s3://frames/lab/")


def test_a_file_with_another_hash_is_refused_before_it_is_sent(
    store: S3Store, tmp_path: Path
) -> None:
    source = tmp_path / "frame.dng"
    source.write_bytes(b"what came over the wire")

    with pytest.raises(AssetCorruptError, match=r"frame\.dng has the sha256 .* expected"):
        store.put_file(source, sha256="a" * 64)

    assert list(store.bucket.list("")) == []


def test_only_a_hash_reaches_a_key_and_what_is_not_there_is_missing(store: S3Store) -> None:
    for text in ("", "../../x", "A" * 64, "a" * 63, "a" * 64 + "\n"):
        for act in (store.contains, store.open, store.set_aside):
            with pytest.raises(InvalidHashError):
                act(text)
    with pytest.raises(InvalidHashError):
        store.names("../x")
    assert not store.contains("a" * 64)
    for miss in (store.open, store.set_aside):
        with pytest.raises(AssetMissingError, match="a" * 64):
            miss("a" * 64)


def test_damaged_bytes_give_way_to_sound_ones_and_are_kept(store: S3Store) -> None:
    data = random_bytes(5000)
    sha256 = hashlib.sha256(data).hexdigest()
    damaged = bytearray(data)
    damaged[1234] ^= 1
    assert store.bucket.create(key_of(sha256), bytes(damaged))

    put(store, data)

    with store.open(sha256) as file:
        assert file.read() == data
    (kept,) = store.bucket.list("quarantine")
    assert kept.key.startswith(f"quarantine/{sha256}.")
    assert store.bucket.sha256(kept.key) == hashlib.sha256(damaged).hexdigest()
    assert [name.sha256 for name in store.names()] == [sha256]


def test_names_come_in_the_order_of_their_hashes_from_any_place_on(store: S3Store) -> None:
    sizes = {put(store, random_bytes(seed, seed)): seed for seed in range(1, 40)}
    store.bucket.create("sha256/00/00/notes.txt", b"foreign")
    store.bucket.create(f"sha256/00/00/{'f' * 64}", b"in another hash's place")
    store.bucket.create(f"quarantine/{'0' * 64}.1", b"set aside")

    listed = list(store.names())

    assert [name.sha256 for name in listed] == sorted(sizes)
    assert {name.sha256: name.bytes for name in listed} == sizes
    now = datetime.now(UTC)
    assert all(abs((now - name.modified_at).total_seconds()) < 60 for name in listed)
    for after in ("0" * 64, listed[0].sha256, listed[20].sha256, "7" * 64, "f" * 64):
        assert list(store.names(after)) == [name for name in listed if name.sha256 > after]


def test_what_the_server_changed_on_the_way_is_found_and_set_aside(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random_bytes(5000)
    create = store.bucket.create

    def spoil(key: str, body: bytes) -> bool:
        return create(key, body[:-1] + bytes([body[-1] ^ 1]))

    monkeypatch.setattr(store.bucket, "create", spoil)
    with pytest.raises(AssetCorruptError, match="has other bytes under sha256/"):
        put(store, data)

    assert list(store.names()) == []
    assert len(list(store.bucket.list("quarantine"))) == 1


def test_the_first_of_many_who_put_one_file_wins_and_all_are_content(store: S3Store) -> None:
    data = random_bytes(100_000)
    threads = [threading.Thread(target=put, args=(store, data)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [name.bytes for name in store.names()] == [100_000]
    assert list(store.bucket.list("quarantine")) == []


def test_servers_are_tried_out_and_nothing_is_left_of_it(store: S3Store, endpoint: str) -> None:
    """moto checks no checksum; SeaweedFS refuses what has another than it was sent with."""
    found = self_test(store)

    assert list(store.bucket.list("")) == []
    is_moto = "moto" in _server_of(endpoint)
    assert found.checks_sha256 is not is_moto
    trusting = open_s3_store("vault", describe_bucket(endpoint, "x", verify_after_put=False))
    if is_moto:
        with pytest.raises(UnfitStoreError, match=r"set verify_after_put = true in \[stores.vault"):
            self_test(trusting)
    else:
        assert self_test(trusting).checks_sha256


def _server_of(endpoint: str) -> str:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(endpoint) as answer:
            return "moto" if "Werkzeug" in str(answer.headers["Server"]) else ""
    except urllib.error.HTTPError as answer:
        return "moto" if "Werkzeug" in str(answer.headers["Server"]) else ""


Break = Callable[[_bucket.Bucket, pytest.MonkeyPatch], None]


def forget_the_condition(bucket: _bucket.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    import obstore

    def overwrite(key: str, data: bytes) -> bool:
        obstore.put(bucket._objects, key, data, mode="overwrite", use_multipart=False)
        return True

    monkeypatch.setattr(bucket, "create", overwrite)


def forget_the_condition_but_say_no(
    bucket: _bucket.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    import obstore

    def overwrite(key: str, data: bytes) -> bool:
        is_new = bucket.find(key) is None
        obstore.put(bucket._objects, key, data, mode="overwrite", use_multipart=False)
        return is_new

    monkeypatch.setattr(bucket, "create", overwrite)


def look_before_putting(bucket: _bucket.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    import obstore

    def overwrite(key: str, data: bytes) -> bool:
        if bucket.find(key) is not None:
            return False
        time.sleep(0.2)
        obstore.put(bucket._objects, key, data, mode="overwrite", use_multipart=False)
        return True

    monkeypatch.setattr(bucket, "create", overwrite)


def list_backwards(bucket: _bucket.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = bucket.list

    def reverse(folder: str, after: str | None = None) -> Iterator[_bucket.Found]:
        return reversed(list(listed(folder, after)))

    monkeypatch.setattr(bucket, "list", reverse)


def lose_what_was_put(bucket: _bucket.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: set[str] = set()

    def pretend(key: str, data: bytes) -> bool:
        is_new = key not in taken
        taken.add(key)
        return is_new

    monkeypatch.setattr(bucket, "create", pretend)


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        (forget_the_condition, "overwrites a key although it is told"),
        (forget_the_condition_but_say_no, "gives other bytes than were put"),
        (look_before_putting, r"lets [2-6] of 6 who create one key"),
        (list_backwards, "does not list all keys in their order"),
        (lose_what_was_put, "gives other bytes than were put"),
    ],
)
def test_a_server_that_cannot_be_relied_on_is_refused_with_what_it_does_wrong(
    moto: str, monkeypatch: pytest.MonkeyPatch, defect: Break, said: str
) -> None:
    store = open_s3_store("vault", describe_bucket(moto, f"unfit-{defect.__name__}"))
    defect(store.bucket, monkeypatch)

    with pytest.raises(UnfitStoreError, match=said):
        self_test(store)

    monkeypatch.undo()
    assert list(store.bucket.list("")) == []


def test_a_server_that_is_away_is_unavailable_after_its_patience(unused_port: int) -> None:
    endpoint = f"http://127.0.0.1:{unused_port}"
    store = open_s3_store("vault", describe_bucket(endpoint, patience_s=0.2))
    acts: list[Callable[[], object]] = [
        lambda: store.contains("a" * 64),
        lambda: store.open("a" * 64),
        lambda: put(store, b"frame"),
        lambda: list(store.names()),
        lambda: store.set_aside("a" * 64),
    ]
    for act in acts:
        started_s = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="Connection refused") as caught:
            act()
        assert endpoint in str(caught.value)
        assert time.monotonic() - started_s < 5


@pytest.fixture
def unused_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        description = describe_bucket(endpoint, patience_s=0).model_copy(update={"timeout_s": 0.5})
        store = open_s3_store("vault", description)
        started_s = time.monotonic()
        with pytest.raises(StoreUnavailableError, match=endpoint):
            store.contains("a" * 64)
        assert time.monotonic() - started_s < 5


class Repeating(BaseHTTPRequestHandler):
    """Refuses, and repeats the keys that it was sent, as some servers do."""

    def do_HEAD(self) -> None:
        self.do_PUT()

    def do_GET(self) -> None:
        self.do_PUT()

    def do_PUT(self) -> None:
        words = f"no key {ACCESS_KEY} with {SECRET_KEY}"
        body = f"<Error><Code>InvalidAccessKeyId</Code><Message>{words}</Message></Error>".encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_no_message_holds_a_secret() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Repeating)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        store = open_s3_store("vault", describe_bucket(f"http://127.0.0.1:{server.server_port}"))
        for act in (lambda: put(store, b"frame"), lambda: store.open("a" * 64)):
            with pytest.raises(StoreUnavailableError, match="not allowed to") as caught:
                act()
            said = str(caught.value)
            assert "InvalidAccessKeyId" in said and "look at the keys" in said
            assert ACCESS_KEY not in said and SECRET_KEY not in said
            assert caught.value.__cause__ is None and caught.value.__suppress_context__
    finally:
        server.shutdown()
        server.server_close()


def test_a_bucket_that_is_not_there_is_no_store_without_files(moto: str) -> None:
    description = describe_bucket(moto).model_copy(update={"bucket": "elsewhere"})
    store = open_s3_store("vault", description)
    for act in (lambda: store.contains("a" * 64), lambda: put(store, b"x")):
        with pytest.raises(StoreUnavailableError, match="NoSuchBucket"):
            act()


def test_keys_come_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_S3_SECRET_KEY")
    with pytest.raises(StoreSettingsError, match="has no TEST_S3_SECRET_KEY") as caught:
        open_s3_store("vault", describe_bucket("http://127.0.0.1:1"))
    assert ACCESS_KEY not in str(caught.value)


def test_the_address_in_the_settings_goes_before_the_environments(
    moto: str, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    store = open_s3_store("vault", describe_bucket(moto, "address"))
    assert store.contains(put(store, b"frame"))
