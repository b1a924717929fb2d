"""Freezing writes a dataset once and for ever; loading gives it back or an error."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from datastore import tables
from datastore.catalogue import Catalogue
from datastore.datasets.errors import ConstraintError, SpecError, UnknownDatasetError
from datastore.datasets.freeze import Frozen, freeze
from datastore.datasets.loading import load
from datastore.datasets.manifest import read_manifest
from datastore.datasets.own_scenes import check_evaluation, swapped_items
from datastore.datasets.spec import make_spec
from datastore.errors import AssetCorruptError, AssetMissingError
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.dataset_frames import dataset_spec, freeze_frames, make_frames
from tests.support.dataset_rows import FrameWriter, fill, write_scheme

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = datetime(2027, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def another_catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """A second catalogue, on SQLite whatever the first one is on."""
    folder = tmp_path / "another"
    folder.mkdir()
    with new_sqlite_catalogue(folder) as opened:
        yield opened


def row_counts(catalogue: Catalogue) -> list[int]:
    counted = (tables.Dataset, tables.DatasetItem, tables.Asset, tables.AuditEntry)
    with catalogue.reading() as session:
        return [session.scalar(select(func.count()).select_from(t)) or 0 for t in counted]


def biased_document(parent: str) -> dict[str, object]:
    return {
        "name": "biased",
        "parent": parent,
        "scenes_per_class": "own-scenes",
        "waive": [{"constraint": "same-scenes", "reason": "as in everyday collections"}],
    }


@pytest.fixture
def filled(catalogue: Catalogue) -> Catalogue:
    fill(catalogue, make_frames())
    return catalogue


def test_a_frozen_dataset_is_what_the_frames_alone_determine(filled: Catalogue) -> None:
    frozen = freeze(filled, dataset_spec(), AT)
    assert frozen.created
    assert frozen.version == freeze_frames(dataset_spec(), make_frames()).version
    assert load(filled, frozen.version).content == filled.store.read_bytes(frozen.version)


def test_rows_items_and_audit_speak_of_the_manifest(filled: Catalogue) -> None:
    waive = [{"constraint": "one-pipeline", "reason": "firmware was never recorded"}]
    frozen = freeze(filled, dataset_spec(waive=waive), AT)
    manifest = load(filled, frozen.version)
    with filled.reading() as session:
        dataset = session.scalars(select(tables.Dataset)).one()
        rows = session.execute(
            select(tables.Asset.sha256, tables.DatasetItem.class_name, tables.DatasetItem.block)
            .join(tables.DatasetItem, tables.DatasetItem.asset_id == tables.Asset.id)
            .order_by(tables.DatasetItem.position)
        ).all()
        entry = session.scalars(
            select(tables.AuditEntry).order_by(tables.AuditEntry.id.desc()).limit(1)
        ).one()
        assert dataset.version == dataset.manifest_asset.sha256 == frozen.version
        assert dataset.manifest_asset.role == "manifest"
        assert dataset.specification == manifest.header.specification
        assert dataset.waived == waive
        assert dataset.created_at == AT
    assert [tuple(row) for row in rows] == [
        (item.sha256, item.class_name, item.block) for item in manifest.items
    ]
    assert entry.action == "dataset.freeze"
    assert entry.entry["version"] == frozen.version


def test_counts_and_summary_describe_every_block_class_and_camera(filled: Catalogue) -> None:
    frozen = freeze(filled, dataset_spec(), AT)
    manifest = load(filled, frozen.version)
    assert sum(count.items for count in frozen.counts) == len(manifest.items)
    assert {(count.block, count.class_name) for count in frozen.counts} == {
        (block, name)
        for block in ("train", "validation", "new-session", "new-scene", "clean")
        for name in ("early", "late")
    }
    assert [one.name for one in frozen.summary.classes] == ["early", "late"]
    assert sum(frozen.left_out.values()) + len(manifest.items) == len(make_frames())


def test_what_was_frozen_can_be_told_to_people_and_programs(catalogue: Catalogue) -> None:
    controlled, biased = freeze_both(catalogue)
    document = json.loads(json.dumps(biased.to_json(), allow_nan=False))
    assert document["version"] == biased.version
    assert document["waived"][0]["constraint"] == "same-scenes"
    assert {row["block"] for row in document["counts"]} == {"train", "validation", "new-session"}
    told = controlled.to_text()
    assert controlled.version in told
    assert "same-scenes: proved: 9 scenes" in told
    assert "in no block" in told
    assert "audit: warn" in told and "not-run: The thumbnail baseline did not run" in told
    assert "audit: fail" in biased.to_text() and f"forced: {REASON}" in biased.to_text()
    assert document["audit"]["rules"]["scene"] == "fail"
    assert "waived same-scenes: as in everyday collections" in biased.to_text()


def test_freezing_again_changes_nothing(filled: Catalogue) -> None:
    first = freeze(filled, dataset_spec(), AT)
    before = row_counts(filled)
    again = freeze(filled, dataset_spec(), LATER)
    assert again.version == first.version
    assert not again.created
    assert row_counts(filled) == before


def test_two_catalogues_filled_in_another_order_give_the_same_bytes(
    catalogue: Catalogue, another_catalogue: Catalogue
) -> None:
    frames = make_frames(cameras=("6001", "6002"))
    spec = dataset_spec(cameras=["6001", "6002"])
    fill(catalogue, frames)
    random.Random(1).shuffle(frames)
    fill(another_catalogue, frames)
    here, there = freeze(catalogue, spec, AT), freeze(another_catalogue, spec, LATER)
    assert here.version == there.version
    assert catalogue.store.read_bytes(here.version) == another_catalogue.store.read_bytes(
        there.version
    )


def test_what_is_frozen_does_not_change_with_later_verdicts_and_shots(filled: Catalogue) -> None:
    frozen = freeze(filled, dataset_spec(), AT)
    before = load(filled, "controlled")
    with filled.writing() as session:
        used = before.block("train")[0].sha256
        shot = session.scalars(
            select(tables.Shot).join(tables.Asset).where(tables.Asset.sha256 == used)
        ).one()
        shot.verdicts.append(
            tables.Verdict(verdict="rejected", reason="late doubt", author="test", at=LATER)
        )
    assert load(filled, frozen.version) == before
    again = freeze(filled, dataset_spec(), LATER)
    assert again.version != frozen.version
    assert again.left_out["accepted-only: not accepted"] == 1
    assert load(filled, "controlled").version == again.version
    assert load(filled, frozen.version) == before


def test_shots_that_are_not_registered_or_warm_up_are_left_out(catalogue: Catalogue) -> None:
    frames = make_frames(repeats=2)
    with catalogue.writing() as session:
        write_scheme(session)
        writer = FrameWriter(session)
        writer.write(frames[0], state="downloaded")
        writer.write(frames[1], warm_up=True)
        for frame in frames[2:]:
            writer.write(frame)
    frozen = freeze(catalogue, dataset_spec(), AT)
    assert frozen.left_out["not registered"] == 1
    assert frozen.left_out["warm-up"] == 1
    hashes = {item.sha256 for item in load(catalogue, frozen.version).items}
    assert not hashes & {frames[0].sha256, frames[1].sha256}


def test_a_shot_whose_exposure_is_no_number_is_left_out_and_counted(filled: Catalogue) -> None:
    spare = make_frames(sessions=5)[-1]
    with filled.writing() as session:
        camera = session.scalars(select(tables.Camera)).one()
        shot = tables.Shot(
            session_id=session.scalars(select(tables.Session.id).limit(1)).one(),
            camera=camera,
            sequence=10_000,
            kind=spare.kind,
            triggered_at=spare.triggered_at,
            exposure="bulb",
            events=[tables.ShotEvent(name="registered", at=spare.triggered_at)],
            assets=[tables.Asset(sha256=spare.sha256, bytes=1, role="raw", created_at=AT)],
        )
        session.add(shot)
    assert freeze(filled, dataset_spec(), AT).left_out["settings are no numbers"] == 1


def test_of_two_freezes_at_once_one_writes_and_both_agree(filled: Catalogue) -> None:
    with ThreadPoolExecutor(4) as pool:
        frozen = list(pool.map(lambda _: freeze(filled, dataset_spec(), AT), range(4)))
    assert len({one.version for one in frozen}) == 1
    assert sorted(one.created for one in frozen) == [False, False, False, True]
    with filled.reading() as session:
        assert session.scalar(select(func.count()).select_from(tables.Dataset)) == 1


def test_a_dataset_answers_to_version_prefix_and_name(filled: Catalogue) -> None:
    version = freeze(filled, dataset_spec(), AT).version
    for reference in (version, version[:6], version[:40], "controlled"):
        assert load(filled, reference).version == version


def test_an_unknown_dataset_is_refused(filled: Catalogue) -> None:
    freeze(filled, dataset_spec(), AT)
    for reference, told in {
        "nothing": "there is no dataset nothing",
        "0" * 64: "there is no dataset whose version begins with",
        "abc": "too short",
        "%": "there is no dataset %",
        "": "there is no dataset",
    }.items():
        with pytest.raises(UnknownDatasetError, match=told):
            load(filled, reference)


def test_a_damaged_or_lost_manifest_is_an_error(filled: Catalogue) -> None:
    frozen = freeze(filled, dataset_spec(), AT)
    path = filled.store.path(frozen.version)
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole.replace(b"early", b"later"))
    with pytest.raises(AssetCorruptError):
        load(filled, frozen.version)
    path.unlink()
    with pytest.raises(AssetMissingError):
        load(filled, frozen.version)


REASON = "shows what content does"


def freeze_both(catalogue: Catalogue) -> tuple[Frozen, Frozen]:
    scenes = [f"scene-{number}" for number in range(9)]
    fill(catalogue, make_frames(scenes=scenes))
    controlled = freeze(catalogue, dataset_spec(), AT)
    biased = make_spec(biased_document("controlled"))
    return controlled, freeze(catalogue, biased, AT, force=REASON)


def test_a_biased_set_is_frozen_beside_its_parent_and_judged_on_it(catalogue: Catalogue) -> None:
    controlled, frozen = freeze_both(catalogue)
    biased, parent = load(catalogue, "biased"), load(catalogue, controlled.version)
    assert biased.header.parent == parent.version
    assert [waiver.constraint for waiver in frozen.waived] == ["same-scenes"]
    scene = next(factor for factor in frozen.summary.factors if factor.factor == "scene")
    assert scene.cramers_v == pytest.approx(1.0, abs=0.1)
    check_evaluation(biased, parent.block("clean"))
    assert swapped_items(biased, parent)
    prefixed = make_spec(biased_document(parent.version[:10]))
    assert freeze(catalogue, prefixed, LATER, force=REASON).version == frozen.version


def test_lineage_is_kept_where_a_dataset_continues_another(filled: Catalogue) -> None:
    first = freeze(filled, dataset_spec(), AT)
    second = freeze(filled, dataset_spec(name="continued", parent="controlled"), LATER)
    assert load(filled, "continued").header.parent == first.version
    assert second.version != first.version


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scheme": "weeks"}, "scheme: there is no timeslot scheme weeks; there are: years"),
        ({"cameras": ["7777"]}, "cameras: there is no camera 7777"),
        (
            {
                "classes": [
                    {"name": "early", "timeslots": [1]},
                    {"name": "late", "timeslots": [2, 9]},
                ]
            },
            "classes.1.timeslots: scheme years has no timeslot 9; it has 1, 2, 3",
        ),
        ({"parent": "nowhere"}, "there is no dataset nowhere"),
    ],
)
def test_what_the_catalogue_does_not_hold_is_named_and_nothing_is_written(
    filled: Catalogue, changes: dict[str, object], told: str
) -> None:
    before = row_counts(filled)
    with pytest.raises((SpecError, UnknownDatasetError), match=told):
        freeze(filled, dataset_spec(**changes), AT)
    assert row_counts(filled) == before


def test_an_impossible_freeze_leaves_everything_as_it_was(filled: Catalogue) -> None:
    before = row_counts(filled)
    with pytest.raises(SpecError, match="camera 6001 has no usable jpeg frame of kind fixed-back"):
        freeze(filled, dataset_spec(role="jpeg"), AT)
    blocks = {
        "scenes": {"validation": 1, "test": 1},
        "sessions_per_class": {"validation": 2, "test": 2},
    }
    with pytest.raises(ConstraintError, match="constraint replicated-sessions: class early has 4"):
        freeze(filled, dataset_spec(blocks=blocks), AT)
    assert row_counts(filled) == before


def test_two_makers_cameras_of_one_serial_are_not_confused(filled: Catalogue) -> None:
    with filled.writing() as session:
        session.add(
            tables.Camera(
                serial="6001",
                identity_source="serial",
                make="Canon",
                model="EOS",
                simulated=True,
                registered_at=AT,
            )
        )
    with pytest.raises(SpecError, match="Canon EOS, Nikon D750"):
        freeze(filled, dataset_spec(), AT)


def test_a_manifest_can_be_read_without_its_catalogue(filled: Catalogue) -> None:
    frozen = freeze(filled, dataset_spec(), AT)
    content = filled.store.read_bytes(frozen.version)
    assert len(read_manifest(content, frozen.version).items) == len(
        load(filled, frozen.version).items
    )
