"""Buckets behind a disturbed network: what is changed or cut on the way is found or ridden out."""

from __future__ import annotations

import hashlib
from io import BytesIO

import numpy as np
import pytest

from datastore.errors import AssetCorruptError, StoreUnavailableError, UnfitStoreError
from datastore.store import StoredFile
from datastore.stores.s3 import S3Store, open_s3_store
from datastore.stores.self_test import self_test
from tests.support.meddling_proxy import Meddle, Passing, meddling_proxy
from tests.support.object_stores import KEYS, SeaweedServer, describe_bucket

DATA = np.random.default_rng(3).bytes(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the keys in the environment."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """Return a prefix of the test's own."""
    return hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]


def put(store: S3Store) -> StoredFile:
    return store.put_stream(BytesIO(DATA), sha256=SHA256)


def read(store: S3Store) -> bytes:
    with store.open(SHA256) as file:
        return file.read()


class FlipABit:
    """Flips a bit of the first file that is put."""

    def __init__(self) -> None:
        self.flipped = 0

    def __call__(self, passing: Passing) -> None:
        if passing.method == "PUT" and len(passing.body) == len(DATA) and not self.flipped:
            self.flipped += 1
            passing.body = (
                passing.body[:1000] + bytes([passing.body[1000] ^ 1]) + passing.body[1001:]
            )


def test_a_bit_that_flips_on_the_way_is_found_by_reading_back(moto: str, prefix: str) -> None:
    flip = FlipABit()
    with meddling_proxy(moto, flip) as endpoint:
        store = open_s3_store("vault", describe_bucket(endpoint, prefix))

        with pytest.raises(AssetCorruptError, match="has other bytes under sha256/"):
            put(store)

        assert flip.flipped == 1
        assert list(store.names()) == []
        (kept,) = store.bucket.list("quarantine")
        assert kept.bytes == len(DATA)
        assert put(store) == StoredFile(SHA256, len(DATA))
        assert read(store) == DATA


def test_a_bit_that_flips_on_the_way_is_refused_by_a_server_that_checks(
    seaweed: SeaweedServer, prefix: str
) -> None:
    flip = FlipABit()
    with meddling_proxy(seaweed.endpoint, flip) as endpoint:
        description = describe_bucket(endpoint, prefix, verify_after_put=False)
        store = open_s3_store("vault", description)

        with pytest.raises(StoreUnavailableError, match="BadDigest"):
            put(store)

        assert flip.flipped == 1
        assert list(store.bucket.list("")) == []
        put(store)
        assert read(store) == DATA


def failing(times: int, *, before: bool, method: str = "PUT") -> Meddle:
    """Cut the connection, or have the server break down, so many times."""
    left = [times]

    def meddle(passing: Passing) -> None:
        if passing.method == method and left[0]:
            left[0] -= 1
            if before:
                passing.answer = (503, b"<Error><Code>SlowDown</Code></Error>")
            else:
                passing.is_cut = True

    return meddle


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD"])
def test_a_server_that_fails_twice_is_asked_again(
    moto: str, prefix: str, method: str, before: bool
) -> None:
    with meddling_proxy(moto, failing(2, before=before, method=method)) as endpoint:
        store = open_s3_store("vault", describe_bucket(endpoint, prefix, patience_s=20))
        assert put(store) == StoredFile(SHA256, len(DATA))
        assert read(store) == DATA


def test_a_server_that_fails_for_ever_is_given_up(moto: str, prefix: str) -> None:
    with meddling_proxy(moto, failing(10_000, before=True)) as endpoint:
        store = open_s3_store("vault", describe_bucket(endpoint, prefix, patience_s=0.5))
        with pytest.raises(StoreUnavailableError, match="503 Service Unavailable: SlowDown"):
            put(store)
        assert list(store.bucket.list("")) == []


def test_an_answer_that_is_lost_leaves_the_file_that_was_put(moto: str, prefix: str) -> None:
    through: list[Passing] = []

    def lose_the_answer(passing: Passing) -> None:
        if passing.method == "PUT" and not through:
            through.append(passing)
            direct = open_s3_store("vault", describe_bucket(moto, prefix))
            put(direct)
            passing.is_cut = True

    with meddling_proxy(moto, lose_the_answer) as endpoint:
        store = open_s3_store("vault", describe_bucket(endpoint, prefix, patience_s=20))
        assert put(store) == StoredFile(SHA256, len(DATA))
        assert read(store) == DATA
        assert list(store.bucket.list("quarantine")) == []


def test_a_server_that_takes_signed_headers_only_can_be_tried_out(
    seaweed: SeaweedServer, prefix: str
) -> None:
    """Amazon's refuses a header of its own kind that the signature does not cover."""

    def refuse_what_is_not_signed(passing: Passing) -> None:
        signed = (passing.headers["Authorization"] or "").partition("SignedHeaders=")[2]
        names = signed.partition(",")[0].split(";")
        if any(
            name.lower().startswith("x-amz-") and name.lower() not in names
            for name in passing.headers
        ):
            passing.answer = (403, b"<Error><Code>AccessDenied</Code></Error>")

    with meddling_proxy(seaweed.endpoint, refuse_what_is_not_signed) as endpoint:
        store = open_s3_store("vault", describe_bucket(endpoint, prefix))
        assert self_test(store).checks_sha256


def test_a_server_without_conditions_is_refused_by_its_answers(moto: str, prefix: str) -> None:
    def drop_the_condition(passing: Passing) -> None:
        del passing.headers["If-None-Match"]

    with meddling_proxy(moto, drop_the_condition) as endpoint:
        store = open_s3_store("vault", describe_bucket(endpoint, prefix))
        with pytest.raises(UnfitStoreError, match="overwrites a key although it is told"):
            self_test(store)
        assert list(store.bucket.list("")) == []
