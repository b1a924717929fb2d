"""The spool: sealed shots are whole, interrupted ones show, names from cameras are harmless."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.errors import SpoolError
from capture.spool import Spool, role_of

DATA = memoryview(bytes(range(256)) * 4000)


def test_a_sealed_shot_is_read_back_as_it_was(tmp_path: Path) -> None:
    spool, shot = Spool(tmp_path), str(uuid.uuid4())
    file = spool.receive(shot, 0, DATA, "/DCIM/100", "DSC_0001.NEF")
    assert spool.read(shot) is None
    spool.seal(shot, [file], {"released_after_s": 0.5})
    again = Spool(tmp_path).read(shot)
    assert again is not None
    assert again.files == (file,)
    assert again.facts == {"released_after_s": 0.5}
    assert file.sha256 == hashlib.sha256(DATA).hexdigest()
    spool.verify(again.files)
    assert list(spool.shots()) == [shot]
    spool.clear(shot)
    assert list(tmp_path.iterdir()) == []


def test_other_bytes_or_none_are_noticed(tmp_path: Path) -> None:
    spool, shot = Spool(tmp_path), str(uuid.uuid4())
    file = spool.receive(shot, 0, DATA, "/", "A.DNG")
    spool.seal(shot, [file], {})
    sealed = spool.read(shot)
    assert sealed is not None
    file.path.write_bytes(b"other")
    with pytest.raises(SpoolError, match="sha256"):
        spool.verify(sealed.files)
    file.path.unlink()
    with pytest.raises(SpoolError, match="missing"):
        spool.verify(sealed.files)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": 1, "facts": {}}', '{"facts": {}}'])
def test_a_damaged_sidecar_is_named(tmp_path: Path, content: str) -> None:
    spool, shot = Spool(tmp_path), str(uuid.uuid4())
    (tmp_path / f"{shot}.json").write_text(content)
    with pytest.raises(SpoolError, match=shot):
        spool.read(shot)


def test_a_sidecar_cannot_lead_out_of_the_spool(tmp_path: Path) -> None:
    spool, shot = Spool(tmp_path / "spool"), str(uuid.uuid4())
    spool.seal(shot, [spool.receive(shot, 0, DATA, "/", "A.DNG")], {})
    sidecar = tmp_path / "spool" / f"{shot}.json"
    content = json.loads(sidecar.read_text())
    content["files"][0]["path"] = "../../etc/passwd"
    sidecar.write_text(json.dumps(content))
    sealed = spool.read(shot)
    assert sealed is not None
    assert sealed.files[0].path.parent == tmp_path / "spool"


@given(st.text(max_size=40))
def test_no_camera_name_reaches_a_path_but_for_its_extension(name: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        spool, shot = Spool(Path(folder)), str(uuid.uuid4())
        file = spool.receive(shot, 0, DATA[:10], "/", name)
        assert [path.name for path in Path(folder).iterdir()] == [file.path.name]
        assert file.path.name.startswith(f"{shot}.0.{role_of(name)}")
        assert file.path.name.isascii()
        assert file.camera_name == name


@pytest.mark.parametrize("name", ["../x", "", "0", "a" * 36])
def test_what_is_no_identifier_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="identifier"):
        Spool(tmp_path).receive(name, 0, DATA, "/", "A.DNG")


def test_what_is_set_aside_is_kept(tmp_path: Path) -> None:
    spool, shot = Spool(tmp_path), str(uuid.uuid4())
    file = spool.receive(shot, 0, DATA, "/", "A.JPG")
    spool.seal(shot, [file], {})
    folder = spool.set_aside(shot)
    assert (folder / file.path.name).read_bytes() == bytes(DATA)
    assert (folder / f"{shot}.json").exists()
    assert list(spool.shots()) == []
