"""Rows of files: one per content, in the local store, never of two shots."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.errors import AssetTakenError
from datastore.store import LOCAL_STORE
from datastore.tables import Asset, AssetLocation, Store
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot


def test_a_file_is_registered_with_its_location(catalogue: Catalogue) -> None:
    stored = [catalogue.store.put_bytes(data) for data in (b"manifest", b"model")]
    with catalogue.writing() as session:
        for file, role in zip(stored, ("manifest", "model"), strict=True):
            register_asset(session, file, role, NOW, original_name=f"the {role}")
    with catalogue.reading() as session:
        assets = session.scalars(select(Asset).order_by(Asset.id)).all()
        assert [(asset.sha256, asset.bytes, asset.role) for asset in assets] == [
            (stored[0].sha256, 8, "manifest"),
            (stored[1].sha256, 5, "model"),
        ]
        assert session.scalars(select(Store.name)).all() == [LOCAL_STORE]
        assert session.scalars(select(AssetLocation.verified_at)).all() == [NOW, NOW]


def test_the_same_bytes_are_one_asset(catalogue: Catalogue) -> None:
    stored = catalogue.store.put_bytes(b"frame")
    with catalogue.writing() as session:
        shot = add_shot(session, add_session(session), add_camera(session), 1)
        first = register_asset(session, stored, "raw", NOW, shot_id=shot.id)
        again = register_asset(session, stored, "raw", NOW, shot_id=shot.id)
        assert again is first
    with catalogue.reading() as session:
        assert session.scalar(select(func.count()).select_from(AssetLocation)) == 1


def test_two_shots_never_share_a_file(catalogue: Catalogue) -> None:
    stored = catalogue.store.put_bytes(b"frame")
    with catalogue.writing() as session:
        run, camera = add_session(session), add_camera(session)
        first, second = (add_shot(session, run, camera, number) for number in (1, 2))
        register_asset(session, stored, "raw", NOW, shot_id=first.id, original_name="A.NEF")
        with pytest.raises(AssetTakenError, match=r"B\.NEF has the bytes of A\.NEF"):
            register_asset(session, stored, "raw", NOW, shot_id=second.id, original_name="B.NEF")
