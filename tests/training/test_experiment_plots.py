"""Pictures show what summaries and matrices say, and whole files appear."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle

from datastore.catalogue import Catalogue
from datastore.datasets.manifest import Manifest
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.recorded_experiments import SERIALS, freeze_controlled, record_experiment
from training.experiments.calibration import reliability
from training.experiments.contrasts import compare_recorded, recorded_matrix
from training.experiments.errors import ExperimentError
from training.experiments.experiment_plots import (
    RunHistory,
    confusion_matrix,
    cross_device_map,
    loss_curves,
    reliability_diagram,
    runs_per_block,
)
from training.experiments.pictures import plot_experiments
from training.experiments.summary import summarise


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """One dataset, three experiments: one sees everything, two the defects of one camera."""
    with new_sqlite_catalogue(tmp_path_factory.mktemp("plots")) as opened:
        (manifest,) = freeze_controlled(opened)
        record_experiment(opened, [manifest], "all/see ../it", trace=lambda item: 9.0)
        for serial in SERIALS:
            _record_one_camera(opened, manifest, serial)
        yield opened


def _record_one_camera(catalogue: Catalogue, manifest: Manifest, serial: str) -> None:
    record_experiment(
        catalogue,
        [manifest],
        f"on {serial}",
        cameras=[serial],
        trace=lambda item: 9.0 * (item.camera.serial == serial),
        seed=int(serial),
        keeps_crops=serial == SERIALS[0],
    )


def _drawn(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def test_a_box_stands_over_its_chance_interval(catalogue: Catalogue) -> None:
    summaries = {name: summarise(catalogue, name) for name in ("all/see ../it", "on 6001")}
    figure = runs_per_block(summaries)
    (axes,) = figure.axes
    bands = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    expected = [
        (one.chance_low, one.chance_high)
        for summary in summaries.values()
        for one in summary.evaluations
    ]
    assert [(band.get_y(), band.get_y() + band.get_height()) for band in bands] == [
        pytest.approx(one) for one in expected
    ]
    boxes = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
    assert len(boxes) == 4
    runs = [line for line in axes.lines if line.get_marker() == "o"]
    assert [tuple(np.asarray(line.get_ydata())) for line in runs] == [
        one.run_accuracies for summary in summaries.values() for one in summary.evaluations
    ]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["new-session", "clean"]
    assert _drawn(figure).startswith(b"\x89PNG")


def test_reliability_is_drawn_where_there_are_images() -> None:
    curve = reliability([1, 1, 1, 0, 0, 0], [0.9, 0.9, 0.9, 0.9, 0.55, 0.55])
    (axes,) = reliability_diagram({"nano": curve}).axes
    diagonal, line = axes.lines
    np.testing.assert_array_equal(np.asarray(diagonal.get_xydata()), [[0, 0], [1, 1]])
    np.testing.assert_allclose(np.asarray(line.get_xydata()), [[0.55, 0], [0.9, 0.75]])
    assert f"{curve.expected_error:.3f}" in str(line.get_label())


def test_a_confusion_matrix_counts_the_runs_together(catalogue: Catalogue) -> None:
    evaluation = summarise(catalogue, "all/see ../it").evaluation("clean")
    (axes,) = confusion_matrix(evaluation, "all").axes
    assert [text.get_text() for text in axes.texts] == ["32\n100%", "0\n0%", "0\n0%", "32\n100%"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["early", "late"]


def test_the_map_frames_what_was_learned_from(catalogue: Catalogue) -> None:
    matrix = recorded_matrix(catalogue, ["on 6001", "on 6002"])
    assert [(cell.learned_from, cell.camera) for cell in matrix.cells] == [
        ((serial,), camera) for serial in SERIALS for camera in SERIALS
    ]
    own = [cell.accuracy for cell in matrix.cells if not cell.is_to_another]
    assert own == [1, 1]
    figure = cross_device_map(matrix)
    axes = figure.axes[0]
    frames = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [(round(one.get_x() + 0.46), round(one.get_y() + 0.46)) for one in frames] == [
        (0, 0), (1, 1),
    ]  # fmt: skip
    # four sessions cannot show anything
    assert [text.get_text() for text in axes.texts] == [
        f"{cell.accuracy:.2f} ?" for cell in matrix.cells
    ]
    assert _drawn(figure).startswith(b"\x89PNG")


def test_an_experiment_of_all_cameras_learned_from_all(catalogue: Catalogue) -> None:
    matrix = recorded_matrix(catalogue, ["all/see ../it"], "new-session")
    assert {cell.learned_from for cell in matrix.cells} == {SERIALS}
    with pytest.raises(ExperimentError, match="has no runs that judged swapped"):
        recorded_matrix(catalogue, ["on 6001"], "swapped")


def test_losses_are_drawn_per_run_with_its_looks() -> None:
    histories = [RunHistory(0, [0.7, 0.6, 0.5]), RunHistory(1, [0.7, 0.3], [(2, 0.4, 0.8)])]
    (axes,) = loss_curves(histories, "nano").axes
    first, second, looks = axes.lines
    np.testing.assert_array_equal(np.asarray(first.get_xydata()), [[1, 0.7], [2, 0.6], [3, 0.5]])
    assert list(np.asarray(second.get_ydata())) == [0.7, 0.3]
    np.testing.assert_array_equal(np.asarray(looks.get_xydata()), [[2, 0.4]])


def test_pictures_of_experiments_are_whole_files_in_the_folder(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    references = ["all/see ../it", "on 6001", "on 6002"]
    paths = plot_experiments(catalogue, references, folder, formats=("png", "svg"))
    assert sorted(folder.iterdir()) == sorted(paths)
    # two of all together, two of each, and the reliability of those that kept their crops
    assert len(paths) == len(set(paths)) == 2 * (2 + 3 * 2 + 2)
    uuid = summarise(catalogue, references[0]).uuid[:8]
    assert folder / f"all-see-it-{uuid}-losses.png" in paths
    for path in paths:
        if path.suffix == ".png":
            content = path.read_bytes()
            assert content.startswith(b"\x89PNG") and content.endswith(b"IEND\xaeB`\x82")
        else:
            assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_pictures_that_cannot_be_drawn_leave_nothing(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="has no evaluation called swapped"):
        plot_experiments(catalogue, ["on 6001"], tmp_path / "a", block="swapped")
    with pytest.raises(ExperimentError, match="on 6001 is named twice"):
        plot_experiments(catalogue, ["on 6001", "on 6001"], tmp_path / "a")
    with pytest.raises(ExperimentError, match="there is no experiment nobody"):
        plot_experiments(catalogue, ["nobody"], tmp_path / "a")
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(ExperimentError, match=r"runs\.png"):
        plot_experiments(catalogue, ["on 6001"], tmp_path / "file")


def test_recorded_experiments_are_compared_on_common_blocks(
    catalogue: Catalogue,
) -> None:
    found = compare_recorded(catalogue, ["all/see ../it", "on 6001", "on 6002"], ["clean"])
    assert [(one.first, one.second) for one in found] == [
        ("all/see ../it", "on 6001"), ("all/see ../it", "on 6002"), ("on 6001", "on 6002"),
    ]  # fmt: skip
    assert found[0].difference == pytest.approx(
        1 - summarise(catalogue, "on 6001").evaluation("clean").accuracy
    )
    assert all((one.runs, one.splits, one.same_training) == (4, 1, False) for one in found)
    assert {one.block for one in compare_recorded(catalogue, ["on 6001", "on 6002"])} == {
        "new-session", "clean",
    }  # fmt: skip
