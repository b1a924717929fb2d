"""What an audit looks at is what the catalogue holds, item by item."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.datasets.auditing.collecting import collect_facts
from datastore.datasets.auditing.facts import ItemFacts, Nuisance
from datastore.datasets.errors import SpecError
from datastore.datasets.items import Item
from datastore.datasets.manifest import Manifest
from datastore.tables import Asset, ClockProbe, FrameMeasures, PerceptualHash, Shot
from tests.support.audited_rows import write_audited
from tests.support.dataset_frames import dataset_spec, freeze_frames, make_frames

CONTROLLED = ("scene", "iso", "exposure", "f_number", "firmware", "camera")


@pytest.fixture
def manifest(catalogue: Catalogue) -> Manifest:
    """A manifest of two cameras whose frames are in the catalogue."""
    frames = make_frames(cameras=("6001", "6002"))
    # the rows lie in another order than the items
    order = np.random.default_rng(3).permutation(len(frames))
    write_audited(catalogue, [frames[place] for place in order])
    return freeze_frames(dataset_spec(cameras=["6001", "6002"]), frames)


def text_of(value: Any) -> str | None:
    return None if value is None else str(value)


def row_by_row(catalogue: Catalogue, item: Item) -> dict[str, float | str | None]:
    """Return every nuisance of one item by way of its rows."""
    with catalogue.reading() as session:
        asset = session.scalars(select(Asset).where(Asset.sha256 == item.sha256)).one()
        shot = asset.shot
        assert isinstance(shot, Shot)
        measures = session.get(FrameMeasures, asset.id)
        run = shot.session
        fixture = run.fixture_revision
        verified = [event for event in shot.events if event.name == "verified"][-1]
        assert verified.detail is not None
        checks = {check["name"]: check["value"] for check in verified.detail["checks"]}
        skews = session.scalars(
            select(ClockProbe.skew_s).where(
                ClockProbe.session_id == run.id, ClockProbe.camera_id == shot.camera_id
            )
        ).all()
        own = None if measures is None else measures.temperature_c
        stated = item.temperature_millidegrees
        at = item.triggered_at
        return {
            "scene": item.scene,
            "iso": text_of(item.iso),
            "exposure": item.exposure,
            "f_number": item.f_number,
            "firmware": item.firmware,
            "camera": str(item.camera),
            "temperature_c": (None if stated is None else stated / 1000) if own is None else own,
            "hour_of_day": at.hour + at.minute / 60 + (at.second + at.microsecond / 1e6) / 3600,
            "mean_dn": measures and measures.mean_dn,
            "black_level_dn": measures and measures.black_level_dn,
            "clipped_share": measures and measures.clipped_share,
            "sharpness": measures and measures.sharpness,
            "attempt": shot.attempt,
            "session_position": shot.sequence,
            "since_opened_s": shot.since_opened_s,
            "since_last_shot_s": shot.since_last_shot_s,
            "registration_shift_photosites": checks["registration"],
            "illumination_change_stops": checks["illumination"],
            "colour_change_stops": checks["colour"],
            "focus_ratio": checks["focus"],
            "scene_similarity": checks["scene"],
            "clock_skew_s": statistics.median(skews) if skews else None,
            "operator": run.operator,
            "clock_source": run.clock_source,
            "recipe": run.recipe and run.recipe.name,
            "fixture_revision": fixture and f"{fixture.fixture.name}@{fixture.revision}",
            "image_quality": shot.image_quality,
            "time_source": shot.time_source,
        }


def texts_of(nuisance: Nuisance) -> list[str | None]:
    assert nuisance.levels is not None
    return [None if code < 0 else nuisance.levels[int(code)] for code in nuisance.values]


def test_every_nuisance_is_what_the_rows_say(catalogue: Catalogue, manifest: Manifest) -> None:
    facts = collect_facts(catalogue, manifest)
    expected = [row_by_row(catalogue, item) for item in manifest.items]
    assert {one.name for one in facts.nuisances} == set(expected[0])
    for one in facts.nuisances:
        column = [row[one.name] for row in expected]
        if one.levels is None:
            np.testing.assert_allclose(
                one.values, np.array(column, np.float64), rtol=1e-12, err_msg=one.name
            )
        else:
            assert texts_of(one) == column, one.name
        assert one.controlled == (one.name in CONTROLLED)
        assert one.known.tolist() == [value is not None for value in column]
    unknown = {one.name for one in facts.nuisances if not one.known.all()}
    assert {"mean_dn", "focus_ratio", "since_last_shot_s", "image_quality"} <= unknown


def test_labels_blocks_and_units_are_the_manifests(
    catalogue: Catalogue, manifest: Manifest
) -> None:
    facts = collect_facts(catalogue, manifest)
    named: list[tuple[Callable[[Item], Any], Any, tuple[str, ...]]] = [
        (lambda item: item.class_name, facts.labels, facts.class_names),
        (lambda item: item.session_unit, facts.sessions, facts.session_names),
        (lambda item: str(item.camera), facts.cameras, facts.camera_names),
        (lambda item: item.scene_unit, facts.scenes, facts.scene_names),
    ]
    for value, codes, names in named:
        assert [names[code] for code in codes] == [value(item) for item in manifest.items]
    assert facts.class_names == ("early", "late")
    assert facts.blocks.tolist() == [item.block for item in manifest.items]
    assert facts.triggered_s.tolist() == [item.triggered_at.timestamp() for item in manifest.items]
    assert facts.assets == tuple(item.sha256 for item in manifest.items)
    assert facts.manifest_version == manifest.version
    assert not facts.natural


def test_hashes_are_those_of_the_catalogue(catalogue: Catalogue, manifest: Manifest) -> None:
    facts = collect_facts(catalogue, manifest)
    with catalogue.reading() as session:
        rows = session.execute(
            select(Asset.sha256, PerceptualHash.hash).join(
                PerceptualHash, PerceptualHash.asset_id == Asset.id
            )
        )
        hashes = {sha256: digits for sha256, digits in rows if digits is not None}
    found = {
        item.sha256: "".join(f"{word:016x}" for word in words)
        for item, words, hashed in zip(manifest.items, facts.hashes, facts.hashed, strict=True)
        if hashed
    }
    assert found == {
        item.sha256: hashes[item.sha256] for item in manifest.items if item.sha256 in hashes
    }
    assert 0 < len(found) < len(manifest.items)


def test_a_forced_manifest_has_the_facts_of_the_unforced(
    catalogue: Catalogue, manifest: Manifest
) -> None:
    forced = manifest.forced("it must be so", ["temperature_c"])
    assert collect_facts(catalogue, forced).manifest_version == manifest.version != forced.version


def test_natural_frames_have_no_scenes(catalogue: Catalogue) -> None:
    frames = make_frames(
        scenes=("anything",), sessions=4, kind="natural", scene=None, fixture=None, iso=None
    )
    write_audited(catalogue, frames)
    spec = dataset_spec(
        kind="natural", blocks={"sessions_per_class": {"validation": 1, "test": 1}}, scenes=None
    )
    facts = collect_facts(catalogue, freeze_frames(spec, frames))
    assert facts.natural
    assert set(facts.scenes.tolist()) == {-1} and facts.scene_names == ()
    assert set(facts.session_names) == {f"{frame.triggered_at:%Y-%m-%d}" for frame in frames}
    assert {"scene", "iso"}.isdisjoint(one.name for one in facts.nuisances)


def test_a_frame_that_the_catalogue_lacks_is_named(catalogue: Catalogue) -> None:
    frames = make_frames()
    manifest = freeze_frames(dataset_spec(), frames)
    lost = manifest.items[5].sha256
    write_audited(catalogue, [frame for frame in frames if frame.sha256 != lost])
    with pytest.raises(SpecError, match=lost):
        collect_facts(catalogue, manifest)


def test_batches_change_nothing(
    catalogue: Catalogue, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = collect_facts(catalogue, manifest)
    monkeypatch.setattr("datastore.datasets.auditing.recorded._BATCH", 7)
    parts = collect_facts(catalogue, manifest)
    assert equal(whole, parts)


def equal(first: ItemFacts, second: ItemFacts) -> bool:
    return all(
        one.name == other.name
        and one.levels == other.levels
        and np.array_equal(one.values, other.values, equal_nan=one.levels is None)
        for one, other in zip(first.nuisances, second.nuisances, strict=True)
    ) and np.array_equal(first.hashes, second.hashes)


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_a_hundred_thousand_items_take_seconds(
    catalogue: Catalogue, record_property: Callable[[str, Any], None]
) -> None:
    """Facts of 100,000 items with checks, measures and hashes are read in seconds."""
    frames = make_frames(
        sessions=12,
        scenes=[f"scene-{number}" for number in range(20)],
        exposures=[f"1/{denominator}" for denominator in range(2, 12)],
        repeats=25,
    )
    write_audited(catalogue, frames)
    manifest = freeze_frames(dataset_spec(), frames)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        facts = collect_facts(catalogue, manifest)
        seconds.append(time.perf_counter() - started)
    assert len(facts.nuisances) == 28
    record_property("items", len(manifest.items))
    record_property("seconds", round(min(seconds), 2))
    assert len(manifest.items) == 100_000
    assert min(seconds) < 10
