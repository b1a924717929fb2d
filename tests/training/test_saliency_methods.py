"""Maps of networks: against an independent implementation, closed forms, and conserved sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
import torchcam.methods
from numpy.typing import NDArray
from torch import Tensor, nn

from training.networks.names import NETWORK_NAMES, NetworkName
from training.networks.registry import build_network
from training.saliency.errors import SaliencyError
from training.saliency.gradient_maps import grad_cam_plus_plus_of
from training.saliency.integrated_gradients import completeness_gap, integrated_gradients
from training.saliency.last_maps import two_parts
from training.saliency.mapping import saliency_maps
from training.saliency.methods import MAP_METHODS, MapMethod, methods_for
from training.saliency.score_cam import score_cam, scorer_of

Maps = NDArray[np.float32]
SIZE = 64


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Leave the other cores to the tests beside these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _network(name: str, front: str = "none", seed: int = 1) -> nn.Module:
    """Return a network whose batch norms have seen crops, as after training."""
    torch.manual_seed(seed)
    network = build_network(name, 1, 2, front=front)  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.2)
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    network.train()
    with torch.no_grad():
        network(_crops(8, seed=9))
    return network.eval()


def _crops(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.rand(count, 1, SIZE // 8, SIZE // 8, generator=generator)
    crops = nn.functional.interpolate(smooth, (SIZE, SIZE), mode="bilinear")
    return crops + 0.05 * torch.randn(crops.shape, generator=generator)


def _correlation(first: Maps, second: Maps) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def _peer(kind: type, network: nn.Module, crop: Tensor, of_class: int) -> Maps:
    """Return an independent implementation's map of one crop, rectified and normalised."""
    inner = two_parts(network)
    assert inner is not None
    holder = _WithNamedTrunk(network)
    with kind(holder, target_layer="trunk", input_shape=tuple(crop.shape[1:])) as extractor:
        scores = holder(crop.clone().requires_grad_())
        if kind is torchcam.methods.ScoreCAM:
            (found,) = extractor(of_class)
        else:
            (found,) = extractor(of_class, scores)
    result: Maps = found.detach()[0].numpy()
    return result


class _WithNamedTrunk(nn.Module):
    """A network whose last maps are the output of one module, which hooks need."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        parts = two_parts(network)
        self.trunk = _Called(parts.trunk)
        self.head = parts.head

    def forward(self, crops: Tensor) -> Tensor:
        return self.head(self.trunk(crops))


class _Called(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, crops: Tensor) -> Tensor:
        return self.function(crops)


@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_grad_cam_is_that_of_an_independent_implementation(name: NetworkName) -> None:
    crop, compared = _crops(1), 0
    for seed in range(4):
        network = _network(name, seed=seed)
        for of_class in (0, 1):
            ours = saliency_maps(network, crop, ["grad-cam"], of_class)["grad-cam"][0]
            peer = _peer(torchcam.methods.GradCAM, network, crop, of_class)
            assert ours.shape == peer.shape
            if ours.std() > 0:  # not empty by rectification
                assert _correlation(ours, peer) >= 0.999
                compared += 1
        if compared:
            return
    assert ours.size == 1, "every map was empty"


@pytest.mark.parametrize("name", ["srnet-nano", "residual", "five-crop"])
def test_score_cam_is_that_of_an_independent_implementation(name: str) -> None:
    network, crop = _network(name), _crops(1)
    for of_class in (0, 1):
        ours = score_cam(network, crop, of_class, over_classes=False, reduced=False)[0].numpy()
        if ours.any():
            peer = _peer(torchcam.methods.ScoreCAM, network, crop, of_class)
            assert _correlation(ours, peer) >= 0.999
            return
    pytest.fail("both maps are empty: choose another seed")


@pytest.mark.parametrize("name", ["srnet-nano", "googlenet", "residual"])
def test_cam_is_the_linear_layer_applied_to_the_last_maps(name: str) -> None:
    network, crops = _network(name), _crops(3)
    maps = saliency_maps(network, crops, ["cam"], [0, 1, 1])["cam"]
    with torch.no_grad():
        scores = network(crops)
    linear = two_parts(network).linear
    assert linear is not None
    for number, of_class in enumerate((0, 1, 1)):
        score = maps[number].mean() + float(linear.bias.detach()[of_class])
        assert score == pytest.approx(float(scores[number, of_class]), abs=1e-4)


@pytest.mark.parametrize("name", ["srnet-nano", "five-crop"])
def test_grad_cam_is_cam_by_a_factor_where_one_mean_and_one_layer_follow(name: str) -> None:
    network, crops = _network(name), _crops(4)
    maps = saliency_maps(network, crops, ["cam", "grad-cam"], 1)
    cells = maps["cam"][0].size
    assert np.allclose(cells * maps["grad-cam"], np.maximum(maps["cam"], 0), atol=1e-4)


def test_grad_cam_plus_plus_is_the_paper_s_formula() -> None:
    generator = torch.Generator().manual_seed(4)
    maps = torch.rand(2, 5, 3, 3, generator=generator, dtype=torch.float64)
    slopes = torch.randn(2, 5, 3, 3, generator=generator, dtype=torch.float64)
    slopes[0, 2] = 0
    slopes = torch.where(2 + maps.sum((2, 3), keepdim=True) * slopes > 1, slopes, slopes.abs())
    expected = np.zeros((2, 3, 3))
    for crop in range(2):
        for channel in range(5):
            weight = 0.0
            for row in range(3):
                for column in range(3):
                    g = float(slopes[crop, channel, row, column])
                    if g == 0:
                        continue
                    total = float(maps[crop, channel].sum())
                    alpha = g**2 / (2 * g**2 + total * g**3)
                    weight += alpha * max(g, 0)
            expected[crop] += weight * maps[crop, channel].numpy()
    assert np.allclose(grad_cam_plus_plus_of(maps, slopes).numpy(), np.maximum(expected, 0))


def test_grad_cam_plus_plus_is_that_of_an_independent_implementation() -> None:
    """The peer's Grad-CAM++ never divides by its denominator; its smoothed one does."""
    network, crop = _network("googlenet"), _crops(1)
    ours = saliency_maps(network, crop, ["grad-cam++"], 1)["grad-cam++"][0]

    def unsmoothed(*values: object, **named: object) -> torchcam.methods.SmoothGradCAMpp:
        return torchcam.methods.SmoothGradCAMpp(*values, num_samples=1, std=1e-7, **named)

    holder = _WithNamedTrunk(network)
    with unsmoothed(holder, target_layer="trunk", input_shape=(1, SIZE, SIZE)) as extractor:
        scores = holder(crop.clone().requires_grad_())
        (peer,) = extractor(1, scores)
    assert _correlation(ours, peer.detach()[0].numpy()) >= 0.999


@pytest.mark.parametrize("front", ["none", "high-pass-kv", "median-3", "constrained"])
def test_every_method_takes_every_front(front: str) -> None:
    network = _network("srnet-nano", front)
    found = saliency_maps(network, _crops(2), MAP_METHODS, 1)
    assert list(found) == list(MAP_METHODS)
    for name, maps in found.items():
        side = SIZE if name == "integrated-gradients" else SIZE // 8
        assert maps.shape == (2, side, side) and maps.dtype == np.float32
        assert np.isfinite(maps).all()


@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_every_network_has_the_methods_that_are_stated(name: str) -> None:
    methods, refused = methods_for(name)
    assert set(methods) | set(refused) == set(MAP_METHODS)
    cheap: list[MapMethod] = [one for one in methods if not one.startswith("score")]
    found = saliency_maps(_network(name), _crops(1), cheap, 0)
    assert list(found) == cheap
    if "cam" in refused:
        with pytest.raises(SaliencyError, match="choose grad-cam"):
            saliency_maps(_network(name), _crops(1), ["cam"], 0)


def test_crops_map_alike_alone_and_together() -> None:
    network, crops = _network("srnet-nano"), _crops(5)
    classes = [0, 1, 0, 1, 1]
    together = saliency_maps(network, crops, MAP_METHODS, classes)
    for number, of_class in enumerate(classes):
        alone = saliency_maps(network, crops[number : number + 1], MAP_METHODS, of_class)
        for name in MAP_METHODS:
            scale = np.abs(together[name]).max() + 1e-12
            assert np.abs(alone[name][0] - together[name][number]).max() < 2e-2 * scale


def test_the_network_stays_as_it_was() -> None:
    network, crops = _network("srnet-nano"), _crops(2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    saliency_maps(network, crops, MAP_METHODS, 0)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("name", ["srnet-nano", "residual"])
def test_integrated_gradients_sum_to_the_difference_of_scores(name: str) -> None:
    network, crops = _network(name), _crops(3)
    classes = torch.tensor([0, 1, 1])
    found = integrated_gradients(network, crops, classes, steps=256)
    assert completeness_gap(network, crops, classes, found).max() < 0.02


def test_integrated_gradients_of_a_linear_network_are_its_weights_times_values() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    crops = torch.rand(3, 1, 4, 4)
    found = integrated_gradients(network, crops, torch.tensor([1, 0, 1]))
    weights = network[1].weight.detach()[[1, 0, 1]].reshape(3, 4, 4)
    assert torch.allclose(found, weights * crops[:, 0], atol=1e-6)


def test_the_fast_score_cam_is_the_plain_one() -> None:
    network, crops = _network("srnet-nano"), _crops(4)
    for over_classes in (False, True):
        plain = score_cam(network, crops, 1, over_classes=over_classes, reduced=False).numpy()
        fast = score_cam(network, crops, 1, over_classes=over_classes).numpy()
        assert plain.any()
        assert _correlation(plain, fast) >= 0.99


def test_folded_batch_norms_leave_the_scores() -> None:
    for name in NETWORK_NAMES:
        network, crops = _network(name), _crops(2)
        with torch.no_grad():
            assert torch.allclose(
                scorer_of(network, reduced=False)(crops), network(crops), atol=1e-3, rtol=1e-3
            )


def test_channels_that_are_constant_do_no_harm() -> None:
    network = _network("srnet-nano")
    last = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)][-1]
    with torch.no_grad():
        last.weight[::2] = 0
    for maps in saliency_maps(network, _crops(2), MAP_METHODS, 1).values():
        assert np.isfinite(maps).all()


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(SaliencyError, match="unknown network 'vgg'"):
        methods_for("vgg")
    with pytest.raises(SaliencyError, match="last maps are not known"):
        two_parts(nn.Linear(2, 2))
