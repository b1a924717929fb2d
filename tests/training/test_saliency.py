"""Maps equal the peer library's, and the measures find what was planted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from training.experiments.computing import new_network
from training.experiments.crop_places import CropPlaces
from training.experiments.evaluate import predict
from training.experiments.frame_set import FrameSet
from training.experiments.spec import ExperimentSpec
from training.networks.registry import build_network
from training.patches.inputs import CachedFrame
from training.saliency.cam import SaliencyError, class_activation_maps, crop_maps
from training.saliency.maps import cells_over_sensor
from training.saliency.measures import (
    defect_saliency,
    mean_pairwise_correlation,
    pearson,
)

SPEC = ExperimentSpec(name="maps", dataset="d", patch_size=32, precision="float32")


def _network() -> nn.Module:
    torch.manual_seed(0)
    network = build_network("srnet-nano", 1, 2)
    with torch.no_grad():
        for _ in range(5):  # batch norm learns the statistics of its inputs
            network.train()(torch.randn(16, 1, 64, 64))
    return network.eval()


def test_maps_equal_torchcam() -> None:
    methods = pytest.importorskip("torchcam.methods")
    network = _network()
    crops = torch.randn(3, 1, 64, 64)
    ours = class_activation_maps(network, crops)
    assert ours.shape == (3, 2, 8, 8)
    with methods.CAM(network, target_layer="features", fc_layer="classifier") as extractor:
        for label in (0, 1):
            scores = network(crops)
            (theirs,) = extractor([label] * 3, scores, normalized=False)
            for mine, peer in zip(ours[:, label], theirs.detach().numpy(), strict=True):
                correlation = pearson(mine, peer)
                assert correlation is not None and correlation >= 0.999


def test_the_mean_of_a_map_is_the_score_without_bias() -> None:
    network = _network()
    crops = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        scores = network(crops).numpy()
    bias = network.get_submodule("classifier").bias
    assert isinstance(bias, torch.Tensor)
    means = class_activation_maps(network, crops).mean(axis=(2, 3))
    np.testing.assert_allclose(means + bias.detach().numpy(), scores, rtol=1e-4, atol=1e-6)


def test_networks_without_pooling_and_one_linear_layer_are_refused_with_the_reason() -> None:
    class ThreeLayers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Conv2d(1, 4, 3)
            self.classifier = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))

    with pytest.raises(SaliencyError, match=r"ThreeLayers: CAM .* global average pooling"):
        class_activation_maps(ThreeLayers(), torch.zeros(1, 1, 8, 8))


def _frames() -> FrameSet:
    generator = np.random.default_rng(0)
    frames = [
        CachedFrame(
            str(number),
            generator.integers(512, 9000, (100, 140)).astype(np.uint16),
            (512.0,) * 4,
            16383,
            (0, 0, 100, 140),
        )
        for number in range(2)
    ]
    return FrameSet.of(frames, [0, 1], ["a", "b"], ["s", "s"], ["c", "c"])


def test_crop_maps_of_many_batches_equal_those_one_by_one() -> None:
    torch.manual_seed(0)
    frames, network = _frames(), new_network(SPEC, 2).eval()
    predictions = predict(SPEC, network, frames)
    places = CropPlaces(
        np.tile(predictions.crop_frames, 6), np.tile(predictions.crop_origins, (6, 1))
    )
    maps = crop_maps(SPEC, network, frames, places, of_class=1)
    assert maps.shape == (144, 4, 4)
    assert maps.dtype == np.float32
    single = CropPlaces(places.indices[70:71], places.origins[70:71])
    np.testing.assert_allclose(
        maps[70], crop_maps(SPEC, network, frames, single, of_class=1)[0], rtol=1e-4, atol=1e-6
    )


def test_cells_are_spread_over_the_photosites_that_they_cover() -> None:
    cells = np.arange(6, dtype=np.float32).reshape(2, 3)
    geometry = {"row": 2, "column": 4, "cell": 8, "height": 20, "width": 30}
    spread = cells_over_sensor(cells, geometry)
    assert spread.shape == (20, 30)
    assert np.isfinite(spread).sum() == cells.size * 64
    assert (spread[10:18, 20:28] == cells[1, 2]).all()
    assert np.isnan(spread[:2]).all() and np.isnan(spread[:, :4]).all()


def _map_with(places: NDArray[np.int64], height: float) -> NDArray[np.float32]:
    values = np.random.default_rng(2).random((120, 160))
    values[tuple(places.T)] += height
    return values.astype(np.float32)


def test_maps_that_point_at_defects_are_told_from_maps_that_do_not() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    places = np.argwhere(np.random.default_rng(3).random((120, 160)) < 0.002)
    pointing = defect_saliency(_map_with(places, 20.0), places, radius_photosites=2)
    assert pointing is not None
    assert pointing.auc > 0.999
    assert pointing.mass_share > 1.5 * pointing.area_share
    assert pointing.p_value == 1 / 200
    assert pointing.defects == len(places)

    weak = _map_with(places, 0.2)
    weakly = defect_saliency(weak, places)
    truth = np.zeros(weak.shape, int)
    truth[tuple(places.T)] = 1
    assert weakly is not None
    assert weakly.auc == pytest.approx(metrics.roc_auc_score(truth.ravel(), weak.ravel()))

    elsewhere = defect_saliency(_map_with(places[::-1] * 0 + 1, 0.0), places)
    assert elsewhere is not None
    assert elsewhere.auc == pytest.approx(0.5, abs=0.15)
    assert elsewhere.p_value > 0.05
    assert elsewhere.mass_share == pytest.approx(elsewhere.area_share, rel=0.1)


def test_uncovered_photosites_take_no_part() -> None:
    places = np.array([[5, 5], [60, 70]])
    values = _map_with(places, 5.0)
    values[:20] = np.nan
    half = defect_saliency(values, places, samples=19)
    assert half is not None
    assert half.defects == 1
    assert defect_saliency(values, places[:1]) is None


def test_content_dependence_is_measured() -> None:
    generator = np.random.default_rng(4)
    trace = generator.normal(size=(40, 50)).astype(np.float32)
    shared = [trace + 0.1 * generator.normal(size=trace.shape).astype(np.float32) for _ in range(4)]
    own = [generator.normal(size=trace.shape).astype(np.float32) for _ in range(4)]
    constant, free = mean_pairwise_correlation(shared), mean_pairwise_correlation(own)
    assert constant is not None and constant > 0.95
    assert free is not None and abs(free) < 0.1
    assert pearson(trace, np.zeros_like(trace)) is None
    assert mean_pairwise_correlation([trace]) is None
    assert pearson(trace, 3 * trace + 2) == pytest.approx(1)
