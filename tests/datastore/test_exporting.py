"""Exports hold what the catalogue and the store hold, judged by other programs than ours."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sqlite3
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from datastore import audit
from datastore.assets import register_asset
from datastore.catalogue import Catalogue, open_catalogue
from datastore.datasets.loading import load
from datastore.errors import ExportRefusedError
from datastore.exporting import (
    Citation,
    CsvExport,
    DatasetSource,
    HuggingFaceExport,
    ParquetExport,
    SelectionSource,
    TreeExport,
    WebDatasetExport,
    describe,
)
from datastore.exporting._items import Item
from datastore.exporting._run import Format
from datastore.exporting._tree import path_of
from datastore.verdicts import add_verdict
from tests.support.catalogues import sqlite_url
from tests.support.dataset_frames import make_frames
from tests.support.dataset_rows import fill
from tests.support.exported import (
    FROZEN_AT,
    copied_catalogue,
    export_shots,
    fill_with_jpegs,
    jpeg,
)

HOSTILE = ["../../etc", "/etc/passwd", "..", ".", "", "a\x00b", "né\n", "~", "-rf", "x" * 500]


@pytest.fixture(scope="module")
def folder(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a filled SQLite catalogue and its store."""
    made = tmp_path_factory.mktemp("filled")
    (made / "catalogue.sqlite").write_bytes(sqlite_template.read_bytes())
    with open_catalogue(sqlite_url(made), made / "store") as opened:
        fill_with_jpegs(opened)
    return made


@pytest.fixture(scope="module")
def filled(folder: Path) -> Iterator[Catalogue]:
    with open_catalogue(sqlite_url(folder), folder / "store", read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def dataset(filled: Catalogue) -> DatasetSource:
    return DatasetSource(filled, load(filled, "controlled"))


def hashes_in(folder: Path, suffix: str) -> Counter[str]:
    return Counter(
        hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob(f"*.{suffix}")
    )


def stored_hashes(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "catalogue.sqlite") as connection:
        rows = connection.execute(
            "select asset.sha256 from asset join shot on shot.id = shot_id"
            " order by triggered_at, shot.id"
        )
        return [sha256 for (sha256,) in rows]


def test_csv_has_every_file_in_the_order_of_time(
    filled: Catalogue, folder: Path, tmp_path: Path
) -> None:
    report = export_shots(filled, CsvExport(), tmp_path / "out")
    with (tmp_path / "out" / "shots.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["sha256"] for row in rows] == stored_hashes(folder)
    assert [int(row["position"]) for row in rows] == list(range(48))
    assert {(row["timeslot"], row["timeslot_scheme"]) for row in rows} == {
        ("1", "years"),
        ("2", "years"),
    }
    first = datetime.fromisoformat(rows[0]["triggered_at"])
    assert first.isoformat() == "2020-01-01T00:00:10+00:00"
    assert rows[0]["black_level_dn"] == "" and rows[0]["scene_revision"] == "1"
    account = json.loads((tmp_path / "out" / "export.json").read_text())
    assert account == report.document
    with filled.reading() as transaction:
        assert account["audit_head"] == audit.head(transaction)
    (table,) = account["files"]
    content = (tmp_path / "out" / table["path"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == table["sha256"]
    assert len(content) == table["bytes"]


def test_parquet_is_typed_and_says_where_it_came_from(
    dataset: DatasetSource, filled: Catalogue, tmp_path: Path
) -> None:
    report = export_shots(filled, ParquetExport(), tmp_path / "out", dataset)
    file = tmp_path / "out" / "shots.parquet"
    schema = parquet.read_schema(file)
    assert schema.field("triggered_at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("iso").type == pa.int64()
    assert schema.field("exposure_s").type == pa.float64()
    assert schema.metadata[b"catalogue_audit_head"].decode() == report.document["audit_head"]
    table = pl.read_parquet(file)
    items = dataset.manifest.items
    assert table["sha256"].to_list() == [item.sha256 for item in items]
    assert table["label"].to_list() == [item.class_name for item in items]
    assert table["block"].to_list() == [item.block for item in items]
    assert table["triggered_at"].to_list() == [item.triggered_at for item in items]
    assert report.document["items_by_block"] == dict(Counter(item.block for item in items))
    assert report.document["request"]["version"] == dataset.manifest.version


def test_a_row_may_be_a_shot(filled: Catalogue, folder: Path, tmp_path: Path) -> None:
    export_shots(filled, ParquetExport("shot"), tmp_path / "out")
    table = pl.read_parquet(tmp_path / "out" / "shots.parquet")
    assert table["jpeg_sha256"].to_list() == stored_hashes(folder)
    assert table["raw_sha256"].null_count() == len(table) == 48
    assert table["shot_id"].n_unique() == 48


@pytest.mark.parametrize("link", [False, True])
def test_a_tree_passes_sha256sum(
    dataset: DatasetSource, filled: Catalogue, tmp_path: Path, *, link: bool
) -> None:
    out = tmp_path / "out"
    form = TreeExport("{block}/{label}/{scene}/{sha256}.{suffix}", link)
    export_shots(filled, form, out, dataset)
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=out, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
    items = dataset.manifest.items
    assert checked.stdout.count(": OK") == len(items)
    assert {str(file.relative_to(out)) for file in out.rglob("*.jpg")} == {
        f"{item.block}/{item.class_name}/{item.scene_unit}/{item.sha256}.jpg" for item in items
    }
    assert not (out / ".unfinished").exists()


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("template", ["{camera_serial}", "{camera_serial}/{scene}.{suffix}"])
def test_no_recorded_fact_leaves_the_folder(hostile: str, template: str, tmp_path: Path) -> None:
    facts: dict[str, Any] = dict.fromkeys(Item.__dataclass_fields__)
    item = Item(**{**facts, "camera_serial": hostile, "scene": hostile, "suffix": "jpg"})
    path = path_of(template, item)
    assert Path(os.path.normpath(tmp_path / path)) == tmp_path / path
    assert (tmp_path / path).is_relative_to(tmp_path)
    assert path.isascii() and path.isprintable()
    assert all(not part.startswith(".") and len(part) < 120 for part in path.split("/"))


@pytest.mark.parametrize("name", ["SHA256SUMS", "export.json", "files.csv", ".unfinished"])
def test_no_fact_takes_a_name_of_the_export(name: str) -> None:
    facts: dict[str, Any] = dict.fromkeys(Item.__dataclass_fields__)
    item = Item(**{**facts, "camera_serial": name})
    assert path_of("{camera_serial}", item) != name


@pytest.mark.parametrize(
    "template",
    ["../{sha256}", "/{sha256}", "a//{sha256}", "plain", "{nothing}", "{sha256.real}", "{sha256!r}",
     "{", "a b/{sha256}", "{sha256:>9}"],
)  # fmt: skip
def test_templates_that_cannot_be_are_refused(
    template: str, filled: Catalogue, tmp_path: Path
) -> None:
    with pytest.raises(ExportRefusedError):
        export_shots(filled, TreeExport(template), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(filled: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(ExportRefusedError, match="two files would be called"):
        export_shots(filled, TreeExport("{camera_serial}.{suffix}"), tmp_path / "out")


# the library leaves files to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_webdataset_library_reads_the_shards(
    dataset: DatasetSource, filled: Catalogue, tmp_path: Path
) -> None:
    webdataset = pytest.importorskip("webdataset")
    out = tmp_path / "out"
    form = WebDatasetExport("darks", shard_items=10)
    report = export_shots(filled, form, out, dataset)
    table, *names = [file["path"] for file in report.document["files"]]
    assert (
        table == "files.csv" and names[0] == f"darks-{dataset.manifest.items[0].block}-000000.tar"
    )
    found = []
    for name in names:
        # not handed over as a URL, which the library's pattern would expand
        shard = webdataset.WebDataset(
            [str(out / name)], shardshuffle=False, empty_check=False, nodesplitter=None
        )
        samples = list(shard)
        assert 1 <= len(samples) <= 10
        found += samples
    by_hash = {item.sha256: item for item in dataset.manifest.items}
    assert sorted(sample["__key__"] for sample in found) == sorted(by_hash)
    classes = dataset.manifest.header.class_names
    for sample in found:
        item = by_hash[sample["__key__"]]
        assert hashlib.sha256(sample["jpg"]).hexdigest() == item.sha256
        picture = cv2.imdecode(np.frombuffer(sample["jpg"], np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture is not None and picture.shape == (16, 16)
        facts = json.loads(sample["json"])
        assert (facts["block"], facts["label"]) == (item.block, item.class_name)
        assert classes[int(sample["cls"])] == item.class_name
        assert f"-{item.block}-" in sample["__url__"]


def test_shards_are_the_same_bytes_every_time_and_keep_to_their_size(
    filled: Catalogue, tmp_path: Path
) -> None:
    form = WebDatasetExport(shard_bytes=4000)
    first = export_shots(filled, form, tmp_path / "first").document["files"]
    second = export_shots(filled, form, tmp_path / "second").document["files"]
    assert first == second and len(first) > 3
    for file in first[1:]:
        with tarfile.open(tmp_path / "first" / file["path"]) as tar:
            sizes = [entry.size for entry in tar if entry.name.endswith(".jpg")]
            assert sum(sizes) <= 4000 and len(sizes) > 1


def test_hugging_face_parquet_carries_images_labels_and_features(
    dataset: DatasetSource, filled: Catalogue, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    form = HuggingFaceExport("jpeg", shard_bytes=4000, licence="cc-by-4.0", title="Two years")
    export_shots(filled, form, out, dataset)
    card = (out / "README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["license"] == "cc-by-4.0" and "# Two years" in card
    classes = list(dataset.manifest.header.class_names)
    splits = {one["split"]: one["path"] for one in head["configs"][0]["data_files"]}
    assert set(splits) == {item.block.replace("-", "_") for item in dataset.manifest.items}
    for split, pattern in splits.items():
        files = sorted(out.glob(pattern))
        assert [file.name for file in files] == [
            f"{split}-{number:05}-of-{len(files):05}.parquet" for number in range(len(files))
        ]
        items = dataset.manifest.block(split.replace("_", "-"))
        rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
        assert [row["sha256"] for row in rows] == [item.sha256 for item in items]
        assert [classes[row["label"]] for row in rows] == [item.class_name for item in items]
        for row in rows:
            assert hashlib.sha256(row["image"]["bytes"]).hexdigest() == row["sha256"]
        features = json.loads(parquet.read_schema(files[0]).metadata[b"huggingface"])["info"]
        assert features["features"]["image"] == {"_type": "Image"}
        assert features["features"]["label"] == {"names": classes, "_type": "ClassLabel"}


@pytest.fixture
def pairs(sqlite_catalogue: Catalogue) -> Catalogue:
    """Three shots with a raw file each, the first one with a JPEG too."""
    frames = make_frames()[:3]
    contents = [b"II*\x00 no picture to anyone %d" % number for number in range(3)]
    stored = [sqlite_catalogue.store.put_bytes(content) for content in contents]
    frames = [
        replace(frame, sha256=file.sha256) for frame, file in zip(frames, stored, strict=True)
    ]
    fill(sqlite_catalogue, frames, {file.sha256: file.bytes for file in stored})
    beside = sqlite_catalogue.store.put_bytes(jpeg(1))
    with sqlite_catalogue.writing() as transaction:
        register_asset(
            transaction, beside, "jpeg", FROZEN_AT, shot_id=1, original_name="../DSC_0001.JPG"
        )
    return sqlite_catalogue


def test_hugging_face_raw_files_are_bytes(pairs: Catalogue, tmp_path: Path) -> None:
    source = SelectionSource(pairs.shots, ("raw",))
    form = HuggingFaceExport("raw")
    export_shots(pairs, form, tmp_path / "out", source)
    file = tmp_path / "out" / "data" / "train-00000-of-00001.parquet"
    rows = parquet.read_table(file).to_pylist()
    assert len(rows) == 3
    for row in rows:
        assert hashlib.sha256(row["file"]).hexdigest() == row["sha256"]
    features = json.loads(parquet.read_schema(file).metadata[b"huggingface"])["info"]["features"]
    assert features["file"] == {"dtype": "binary", "_type": "Value"}
    assert "label" not in features and "image" not in features
    with pytest.raises(ExportRefusedError, match="one role"):
        export_shots(pairs, form, tmp_path / "both", SelectionSource(pairs.shots))


def test_files_of_one_shot_are_rows_of_their_own_or_one(pairs: Catalogue, tmp_path: Path) -> None:
    source = SelectionSource(pairs.shots)
    export_shots(pairs, CsvExport(), tmp_path / "files", source)
    export_shots(pairs, CsvExport("shot"), tmp_path / "shots", source)
    with (tmp_path / "files" / "shots.csv").open(newline="") as file:
        files = list(csv.DictReader(file))
    with (tmp_path / "shots" / "shots.csv").open(newline="") as file:
        shots = list(csv.DictReader(file))
    assert [row["role"] for row in files] == ["raw", "jpeg", "raw", "raw"]
    assert [row["suffix"] for row in files] == ["raw", "jpg", "raw", "raw"]
    assert [(row["raw_sha256"], row["jpeg_sha256"], row["files"]) for row in shots] == [
        (files[0]["sha256"], files[1]["sha256"], "2"),
        (files[2]["sha256"], "", "1"),
        (files[3]["sha256"], "", "1"),
    ]
    assert int(shots[0]["bytes"]) == int(files[0]["bytes"]) + int(files[1]["bytes"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "form",
    [
        CsvExport(),
        ParquetExport("shot"),
        TreeExport("{scene}/{sha256}.{suffix}"),
        WebDatasetExport(shard_items=40),
    ],
    ids=lambda form: form.name,
)
def test_mlcroissant_validates_and_loads_the_description(
    form: Format, filled: Catalogue, folder: Path, tmp_path: Path
) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    out = tmp_path / "out"
    export_shots(filled, form, out)
    citation = Citation(
        name="two-years",
        description="Frames of two years.",
        licence="https://creativecommons.org/licenses/by/4.0/",
        cite_as="Doe, 2026",
        creator="Jane Doe",
        url="https://example.org/two-years",
    )
    described = mlcroissant.Dataset(describe(out, citation))
    assert not described.metadata.ctx.issues.errors
    assert described.metadata.ctx.is_v1_1()
    records = list(described.records("frames"))
    name = "frames/jpeg_sha256" if form.name == "parquet" else "frames/sha256"
    hashes = [text(record[name]) for record in records]
    assert sorted(hashes) == sorted(stored_hashes(folder))
    assert {int(record["frames/iso"]) for record in records} == {800}


def text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def test_quarantined_shots_are_left_out_and_counted(folder: Path, tmp_path: Path) -> None:
    with copied_catalogue(folder, tmp_path / "copy") as catalogue:
        shot = catalogue.shots.first()
        assert shot is not None
        add_verdict(catalogue, shot.id, "quarantined", "light leak", None, "test", FROZEN_AT)
        without = export_shots(catalogue, CsvExport(), tmp_path / "without")
        source = SelectionSource(catalogue.shots, include_quarantined=True)
        with_it = export_shots(catalogue, CsvExport(), tmp_path / "with", source)
        # a frozen dataset stays what it was
        frozen = DatasetSource(catalogue, load(catalogue, "controlled"))
        dataset = export_shots(catalogue, CsvExport(), tmp_path / "dataset", frozen)
    assert without.document["items"] == 47
    assert without.document["left_out"] == {"quarantined": 1}
    assert with_it.document["items"] == 48
    assert dataset.document["items"] == len(frozen.manifest.items)
