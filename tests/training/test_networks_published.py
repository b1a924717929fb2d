"""AlexNet and GoogLeNet answer as the published ones do, from the same weights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.alexnet import AlexNet
from training.networks.errors import NetworkError
from training.networks.googlenet import GoogLeNet
from training.networks.pooling import average_pool_to
from training.networks.registry import parameter_count

Weights = dict[str, Tensor]

# Scores by torchvision 0.29.2's own source, two crops of three classes, from `_fill` and `_crops`.
ALEXNET_SCORES = {
    63: ((-1.184283, -2.122648, -0.121724), (-1.351364, -3.864287, 0.253653)),
    256: ((-0.590756, 1.217700, -3.149899), (-0.691916, 0.457830, -2.281189)),
}
GOOGLENET_SCORES = {
    15: ((0.097042, -0.294103, -0.056047), (0.216166, -0.217611, 0.003962)),
    256: ((10.547071, 3.485781, -13.820077), (10.482338, 3.483169, -13.877163)),
}

# Szegedy et al. 2015, table 1: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj
INCEPTION_TABLE = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Values of -0.5 to 0.5 that need no generator's promise to stay the same."""
    places = torch.arange(1, torch.Size(shape).numel() + 1, dtype=torch.float64)
    waves = torch.sin(places + 1000.0 * seed) * 43758.5453
    return (waves.remainder(1) - 0.5).reshape(shape)


def _fill(network: nn.Module) -> None:
    for number, (name, values) in enumerate(network.state_dict().items()):
        if not values.is_floating_point():
            continue
        noise = _noise(values.shape, number)
        if values.ndim > 1:
            values.copy_(noise * (24 / values[0].numel()) ** 0.5)
        elif name.endswith("running_var"):
            values.copy_(1 + noise)
        elif name.endswith(("running_mean", "bias")):
            values.copy_(noise / 10)
        else:
            values.copy_(1 + noise / 2)


def _crops(side: int) -> Tensor:
    return _noise((2, 3, side, side), 1000).float() * 4


def _alexnet_by_hand(weights: Weights, crops: Tensor) -> Tensor:
    def layer(maps: Tensor, number: int, stride: int = 1, padding: int = 1) -> Tensor:
        kernel, bias = weights[f"features.{number}.weight"], weights[f"features.{number}.bias"]
        return functional.conv2d(maps, kernel, bias, stride, padding).clamp(min=0)

    maps = functional.max_pool2d(layer(crops, 0, stride=4, padding=2), 3, 2)
    maps = functional.max_pool2d(layer(maps, 3, padding=2), 3, 2)
    maps = functional.max_pool2d(layer(layer(layer(maps, 6), 8), 10), 3, 2)
    values = functional.adaptive_avg_pool2d(maps, 6).flatten(1)
    for number in (1, 4, 6):
        values = values @ weights[f"classifier.{number}.weight"].T
        values = values + weights[f"classifier.{number}.bias"]
        values = values if number == 6 else values.clamp(min=0)
    return values


class _GoogLeNetByHand:
    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def _layer(self, maps: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        maps = functional.conv2d(maps, self._weights[f"{name}.conv.weight"], None, stride, padding)
        norm = [
            self._weights[f"{name}.bn.{one}"].reshape(-1, 1, 1)
            for one in ("running_mean", "running_var", "weight", "bias")
        ]
        scaled = (maps - norm[0]) / (norm[1] + 0.001).sqrt()
        return (scaled * norm[2] + norm[3]).clamp(min=0)

    def _inception(self, maps: Tensor, name: str) -> Tensor:
        within = f"inception{name}"
        before = self._layer(maps, f"{within}.branch2.0")
        before_second = self._layer(maps, f"{within}.branch3.0")
        pooled = functional.max_pool2d(maps, 3, 1, 1)
        branches = [
            self._layer(maps, f"{within}.branch1"),
            self._layer(before, f"{within}.branch2.1", padding=1),
            self._layer(before_second, f"{within}.branch3.1", padding=1),
            self._layer(pooled, f"{within}.branch4.1"),
        ]
        widths = INCEPTION_TABLE[name]
        assert [one.shape[1] for one in branches] == [widths[0], widths[2], widths[4], widths[5]]
        assert (before.shape[1], before_second.shape[1]) == (widths[1], widths[3])
        return torch.cat(branches, 1)

    def _auxiliary(self, maps: Tensor, name: str) -> Tensor:
        weights = self._weights
        pooled = self._layer(functional.adaptive_avg_pool2d(maps, 4), f"{name}.conv").flatten(1)
        hidden = (pooled @ weights[f"{name}.fc1.weight"].T + weights[f"{name}.fc1.bias"]).relu()
        return hidden @ weights[f"{name}.fc2.weight"].T + weights[f"{name}.fc2.bias"]

    def scores(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps = self._layer(crops, "conv1", stride=2, padding=3)
        maps = self._layer(functional.max_pool2d(maps, 3, 2, ceil_mode=True), "conv2")
        maps = self._layer(maps, "conv3", padding=1)
        maps = functional.max_pool2d(maps, 3, 2, ceil_mode=True)
        maps = self._inception(self._inception(maps, "3a"), "3b")
        maps = self._inception(functional.max_pool2d(maps, 3, 2, ceil_mode=True), "4a")
        first = self._auxiliary(maps, "aux1")
        for name in ("4b", "4c", "4d"):
            maps = self._inception(maps, name)
        second = self._auxiliary(maps, "aux2")
        maps = self._inception(maps, "4e")
        maps = functional.max_pool2d(maps, 2, 2, ceil_mode=True)
        maps = self._inception(self._inception(maps, "5a"), "5b")
        values = maps.flatten(2).mean(2)
        return values @ self._weights["fc.weight"].T + self._weights["fc.bias"], first, second


def test_alexnet_is_the_published_one() -> None:
    network = AlexNet(3, 1000)
    assert parameter_count(network) == 61_100_840
    network.get_submodule("classifier")[6] = nn.Linear(4096, 3)  # type: ignore[operator]
    network.eval()
    _fill(network)
    weights = network.state_dict()
    with torch.inference_mode():
        for side, scores in ALEXNET_SCORES.items():
            torch.testing.assert_close(
                network(_crops(side)), torch.tensor(scores), atol=2e-5, rtol=0
            )
        for side in (63, 100, 224):
            crops = _crops(side)
            torch.testing.assert_close(
                network(crops), _alexnet_by_hand(weights, crops), atol=2e-5, rtol=0
            )


def test_googlenet_is_the_published_one() -> None:
    assert parameter_count(GoogLeNet(3, 1000)) == 6_624_904
    assert parameter_count(GoogLeNet(3, 1000, auxiliary_heads=True)) == 13_004_888
    network = GoogLeNet(3, 3, auxiliary_heads=True).eval()
    _fill(network)
    with torch.inference_mode():
        for side, scores in GOOGLENET_SCORES.items():
            torch.testing.assert_close(
                network(_crops(side)), torch.tensor(scores), atol=1e-4, rtol=1e-5
            )


@pytest.mark.parametrize("side", [15, 75, 128])
def test_googlenet_and_its_auxiliary_heads_compute_what_the_paper_draws(side: int) -> None:
    network = GoogLeNet(3, 4, auxiliary_heads=True).eval()
    _fill(network)
    crops = _crops(side)
    with torch.inference_mode():
        scores = network.all_scores(crops)
        by_hand = _GoogLeNetByHand(network.state_dict()).scores(crops)
        for one, other in zip(scores, by_hand, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
        assert torch.equal(network(crops), scores[0])


def test_auxiliary_scores_need_auxiliary_heads() -> None:
    with pytest.raises(NetworkError, match="without auxiliary heads"):
        GoogLeNet(1, 2).all_scores(torch.zeros(1, 1, 32, 32))


@pytest.mark.parametrize("places", [4, 6])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (6, 6), (7, 7), (12, 13), (15, 4), (31, 24)])
def test_fixed_pooling_is_adaptive_pooling(size: tuple[int, int], places: int) -> None:
    generator = torch.Generator().manual_seed(size[0])
    maps = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, places, places, generator=generator, dtype=torch.float64)
    ours, theirs = average_pool_to(maps, places), functional.adaptive_avg_pool2d(maps, places)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), maps)
    (expected,) = torch.autograd.grad((theirs * weights).sum(), maps)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-14)
