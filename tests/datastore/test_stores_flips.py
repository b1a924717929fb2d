"""Every bit that a disk or bucket flips is found, kept as evidence, and repaired from the other."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from datastore import audit
from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock
from datastore.stores.registry import open_store
from datastore.stores.repair import repair
from datastore.stores.replication import replicate
from datastore.stores.verification import verify
from tests.support.catalogue_rows import NOW
from tests.support.object_stores import (
    ACCESS_KEY,
    BUCKET,
    KEYS,
    SECRET_KEY,
    describe_bucket,
    seaweed_server,
)
from tests.support.stored_files import flip_a_bit, problems

FILES = 150
FILE_BYTES = 400_000
FLIPS = 40


@pytest.mark.prove
@pytest.mark.timeout(400)
def test_every_flipped_bit_is_found_and_repaired(
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    """Single bits flip in files of a disk and a SeaweedFS bucket, never in both copies of one."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    own = catalogue.store
    generator = np.random.default_rng(21)
    stored = [own.put_bytes(generator.bytes(FILE_BYTES)) for _ in range(FILES)]
    hashes = [file.sha256 for file in stored]
    with catalogue.writing() as session:
        for file in stored:
            register_asset(session, file, "raw", NOW)
    chosen = [hashes[index] for index in generator.permutation(FILES)]
    here, there = set(chosen[:FLIPS]), set(chosen[FLIPS : 2 * FLIPS])
    with seaweed_server() as server:
        vault = open_store("vault", describe_bucket(server.endpoint, "lab"))
        stores = {"local": own, "vault": vault}
        clock = FixedClock(NOW + timedelta(days=1))
        report = replicate(catalogue, stores, vault, keeps=["raw"], clock=clock)
        assert report.copied == FILES
        bucket = open_bucket(server.endpoint)
        damaged = set()
        for sha256 in here:
            at = int(generator.integers(FILE_BYTES))
            damaged.add(hashlib.sha256(flip_a_bit(own.path(sha256), at)).hexdigest())
        for sha256 in there:
            data = bytearray(own.read_bytes(sha256))
            data[generator.integers(FILE_BYTES)] ^= 1 << int(generator.integers(8))
            key = f"lab/sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"
            bucket.put_object(Key=key, Body=bytes(data))
            damaged.add(hashlib.sha256(data).hexdigest())

        clock = FixedClock(NOW + timedelta(days=2))
        started_s = time.monotonic()
        found = {name: verify(catalogue, store, clock=clock) for name, store in stores.items()}
        verifying_s = time.monotonic() - started_s
        for name, expected in (("local", here), ("vault", there)):
            assert found[name].counts == {"damaged": FLIPS}
            assert set(problems(catalogue, name)) == expected
        report_of_repair = repair(catalogue, stores, clock=clock)

        assert (report_of_repair.repaired, report_of_repair.failed) == (2 * FLIPS, 0)
        for store in stores.values():
            again = verify(catalogue, store, clock=clock)
            assert (again.verified, again.findings) == (FILES, [])
        kept = [path.read_bytes() for path in (own.root / "quarantine").iterdir()]
        kept += [
            one.get()["Body"].read() for one in bucket.objects.filter(Prefix="lab/quarantine/")
        ]
        assert {hashlib.sha256(data).hexdigest() for data in kept} == damaged
    with catalogue.reading() as session:
        assert audit.verify(session) == []
    record_property("files in each of two stores", FILES)
    record_property("bits flipped", 2 * FLIPS)
    record_property("found and repaired", report_of_repair.repaired)
    record_property("MB/s of verifying both", 2 * FILES * FILE_BYTES / 1e6 / verifying_s)


def open_bucket(endpoint: str) -> Any:
    import boto3  # type: ignore[import-untyped]

    return boto3.resource(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
    ).Bucket(BUCKET)
