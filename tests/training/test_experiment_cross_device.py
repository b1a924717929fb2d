"""The cross-device matrix tells traces of one body from those that cameras share."""

from __future__ import annotations

import json

import numpy as np
import pytest

from training.experiments.answers import ImageAnswers
from training.experiments.cross_device import (
    MATRIX_COLUMNS,
    CameraTraining,
    CrossDeviceMatrix,
    cross_device_matrix,
)
from training.experiments.errors import ExperimentError
from training.statistics import session_permutation_test

CAMERAS = ("6001", "6002", "6003")


def _said(
    generator: np.random.Generator, recognised: set[str], sessions: int = 8, frames: int = 6
) -> ImageAnswers:
    """Answers that are right nearly always on some cameras, and by a coin on the others."""
    camera_of, session_of = (axis.ravel() for axis in np.mgrid[: len(CAMERAS), : sessions * frames])
    session_of = session_of // frames
    truth = np.array(["early", "late"])[session_of % 2]
    cameras = np.array(CAMERAS)[camera_of]
    is_seen = np.isin(cameras, sorted(recognised))
    right = generator.random(len(truth)) < np.where(is_seen, 0.95, 0.5)
    other = np.array(["late", "early"])[session_of % 2]
    return ImageAnswers(
        asset_ids=np.arange(len(truth)),
        true_classes=truth,
        named_classes=np.where(right, truth, other),
        sessions=np.array([f"session {one}" for one in session_of]),
        cameras=cameras,
    )


def _matrix(recognised: dict[str, set[str]], sessions: int = 8) -> CrossDeviceMatrix:
    generator = np.random.default_rng(0)
    return cross_device_matrix(
        "clean",
        [
            CameraTraining(
                f"on {serial}",
                (serial,),
                tuple(_said(generator, seen, sessions) for _ in range(3)),
            )
            for serial, seen in recognised.items()
        ],
    )


def test_defects_of_each_body_fill_the_diagonal_alone() -> None:
    matrix = _matrix({serial: {serial} for serial in CAMERAS})
    assert matrix.cameras == CAMERAS
    assert matrix.experiments == tuple(f"on {serial}" for serial in CAMERAS)
    assert len(matrix.cells) == 9
    for cell in matrix.cells:
        own = cell.camera in cell.learned_from
        assert cell.is_to_another == (not own)
        assert cell.verdict == ("above-chance" if own else "at-chance")
        assert (cell.accuracy > 0.9) == own
        assert cell.chance.contains(cell.accuracy) == (not own)
        assert (cell.images, cell.sessions) == (48, 8)
        assert cell.smallest_p == pytest.approx(1 / 70)
    assert matrix.statement.startswith("0 of 6 transfers")
    assert "as they would by defects" in matrix.statement
    json.dumps(matrix.to_json(), allow_nan=False)
    assert all(set(row) == set(MATRIX_COLUMNS) for row in matrix.rows())


def test_transfer_to_another_body_speaks_against_defects() -> None:
    matrix = _matrix({"6001": {"6001", "6003"}, "6002": {"6002"}})
    (transferred,) = (c for c in matrix.cells if c.is_to_another and c.verdict == "above-chance")
    assert (transferred.learned_from, transferred.camera) == (("6001",), "6003")
    assert "evidence against defects" in transferred.reading
    assert matrix.statement.startswith("1 of 4 transfers")
    assert "5% of them would be" in matrix.statement
    assert "evidence against defects" in matrix.statement


def test_nothing_learned_and_too_few_sessions_are_said_to_be_so() -> None:
    nothing = _matrix({"6001": set(), "6002": set()})
    assert "Nor are the networks above chance" in nothing.statement
    few = _matrix({"6001": {"6001"}}, sessions=4)
    assert {cell.reading for cell in few.cells} == {"too few sessions to tell"}
    assert "too few sessions" in few.statement


def test_a_cell_is_the_test_of_its_frames() -> None:
    generator = np.random.default_rng(3)
    runs = tuple(_said(generator, {"6001"}) for _ in range(4))
    matrix = cross_device_matrix("clean", [CameraTraining("one", ("6001", "6002"), runs)])
    cell = matrix.cells[1]
    chosen = runs[0].cameras == "6002"
    test = session_permutation_test(
        runs[0].true_classes[chosen],
        [run.named_classes[chosen] for run in runs],
        runs[0].sessions[chosen],
    )
    assert not cell.is_to_another
    assert cell.accuracy == pytest.approx(test.accuracy)
    assert (cell.p_value, cell.verdict) == (test.p_value, test.verdict)


def test_what_makes_no_matrix_is_refused() -> None:
    run = _said(np.random.default_rng(0), set())
    one = CameraTraining("one", ("6001",), (run,))
    with pytest.raises(ExperimentError, match="different experiments, not of one, one"):
        cross_device_matrix("clean", [one, one])
    with pytest.raises(ExperimentError, match="not of none"):
        cross_device_matrix("clean", [])
    with pytest.raises(ExperimentError, match="experiment two has no runs that judged clean"):
        cross_device_matrix("clean", [one, CameraTraining("two", ("6001",), ())])
    with pytest.raises(ExperimentError, match="all frames are of camera 6001"):
        cross_device_matrix("clean", [CameraTraining("one", ("6001",), (run.of_camera("6001"),))])
