"""Fitted estimators as files: nothing in them can be run, and what is no such file is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from training.estimators.errors import EstimatorError
from training.estimators.state import EstimatorState, load_state, save_state

STATE = EstimatorState(
    "some",
    {"seed": 3, "rate": 0.1, "nothing": None},
    {"times": np.array(["2026-01-01"], "datetime64[us]"), "none": np.empty((0, 2))},
)


def test_settings_and_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    save_state(tmp_path / "some.npz", STATE, {"dataset": "abc"})
    state, lineage = load_state(tmp_path / "some.npz")
    assert (state.estimator, state.settings, lineage) == (
        "some",
        STATE.settings,
        {"dataset": "abc"},
    )
    for name, array in STATE.arrays.items():
        np.testing.assert_array_equal(state.arrays[name], array)
        assert state.arrays[name].dtype == array.dtype
    assert sorted(one.name for one in tmp_path.iterdir()) == ["some.npz"]


def test_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    objects = EstimatorState("some", {}, {"bad": np.array([{}], object)})
    with pytest.raises(EstimatorError, match="bad cannot be kept"):
        save_state(tmp_path / "some.npz", objects)
    assert not list(tmp_path.iterdir())
    harm = tmp_path / "harm.npz"
    np.savez(harm, **{"settings.json": np.array([{}], object)})
    with pytest.raises(EstimatorError, match=r"harm\.npz: no fitted estimator"):
        load_state(harm)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 torn", b"text", pickle.dumps({"a": 1}), b"\x93NUMPY"]
)
def test_other_files_are_refused_by_name(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "other.npz"
    file.write_bytes(content)
    with pytest.raises(EstimatorError, match=r"other\.npz"):
        load_state(file)


def test_torn_and_foreign_files_are_refused(tmp_path: Path) -> None:
    whole = tmp_path / "some.npz"
    save_state(whole, STATE)
    torn = tmp_path / "torn.npz"
    torn.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(EstimatorError, match=r"torn\.npz"):
        load_state(torn)
    flipped = bytearray(whole.read_bytes())
    flipped[60] ^= 0xFF
    torn.write_bytes(bytes(flipped))
    with pytest.raises(EstimatorError, match=r"torn\.npz"):
        load_state(torn)
    np.savez(tmp_path / "arrays.npz", values=np.arange(3))
    with pytest.raises(EstimatorError, match=r"arrays\.npz: no fitted estimator"):
        load_state(tmp_path / "arrays.npz")
    np.save(tmp_path / "array.npy", np.arange(3))
    with pytest.raises(EstimatorError, match=r"array\.npy: no fitted estimator"):
        load_state(tmp_path / "array.npy")
    with pytest.raises(EstimatorError, match=r"gone\.npz: No such file"):
        load_state(tmp_path / "gone.npz")


def test_a_file_of_a_later_version_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.estimators.state.FORMAT_VERSION", 9)
    save_state(tmp_path / "some.npz", STATE)
    monkeypatch.undo()
    with pytest.raises(EstimatorError, match=r"format version 9.*fit it again"):
        load_state(tmp_path / "some.npz")
