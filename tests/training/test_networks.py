"""The networks are those of the literature, not look-alikes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from training.networks.errors import NetworkError
from training.networks.names import NETWORK_NAMES, FrontName
from training.networks.registry import build_network, parameter_count
from training.networks.srnet import BATCH_NORM_MOMENTUM, average_pool_same


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("name", "channels", "parameters"),
    [
        ("srnet", 1, 4_776_962),
        ("srnet", 3, 4_778_114),
        ("srnet-nano", 1, 62_610),
        ("alexnet", 3, 57_012_034),
        ("googlenet", 3, 5_601_954),
    ],
)
def test_parameter_counts(name: str, channels: int, parameters: int) -> None:
    assert parameter_count(build_network(name, channels, 2)) == parameters


@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_every_network_scores_every_class(name: str) -> None:
    network = build_network(name, 1, 3)
    assert network(torch.zeros(2, 1, 64, 96)).shape == (2, 3)


def test_layers_follow_the_paper() -> None:
    torch.manual_seed(0)
    network = build_network("srnet", 1, 2)
    modules = list(network.modules())
    convolutions = [module for module in modules if isinstance(module, nn.Conv2d)]
    norms = [module for module in modules if isinstance(module, nn.BatchNorm2d)]
    # L1, L2; five blocks of two; four of two and a shortcut; L12 of two.
    assert len(convolutions) == len(norms) == 2 + 5 * 2 + 4 * 3 + 2
    assert all(module.bias is None for module in convolutions)
    assert {module.momentum for module in norms} == {BATCH_NORM_MOMENTUM} == {0.1}
    widest = max(convolutions, key=lambda module: module.weight.numel())
    he = (2 / (widest.in_channels * 9)) ** 0.5
    assert widest.weight.std().item() == pytest.approx(he, rel=0.01)
    classifier = network.get_submodule("classifier")
    assert isinstance(classifier, nn.Linear)
    assert classifier.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert not classifier.bias.any()


def test_map_grid_of_a_256_crop_is_16() -> None:
    network = build_network("srnet", 1, 2).eval()
    with torch.inference_mode():
        assert network.get_submodule("features")(torch.zeros(1, 1, 256, 256)).shape[2:] == (16, 16)


def _same_pool_by_hand(features: Tensor) -> Tensor:
    """TensorFlow's documented SAME rule, one output at a time."""
    rows, columns = features.shape[-2:]
    out = torch.empty(*features.shape[:2], rows // 2, columns // 2)
    for row in range(rows // 2):
        for column in range(columns // 2):
            window = features[..., 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            out[..., row, column] = window.mean(dim=(-2, -1))
    return out


def test_pooling_reaches_over_the_bottom_and_right_edge_only() -> None:
    features = torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(average_pool_same(features), _same_pool_by_hand(features))


def test_requests_that_make_no_network_are_refused() -> None:
    with pytest.raises(NetworkError, match="choose one of srnet, srnet-nano, alexnet, googlenet"):
        build_network("resnet", 1, 2)
    with pytest.raises(NetworkError, match="unknown front 'blur': choose one of none, high-pass"):
        build_network("srnet-nano", 1, 2, front=cast(FrontName, "blur"))


@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_a_network_needs_two_classes_and_a_channel(name: str) -> None:
    for channels, classes in ((1, 1), (0, 2)):
        with pytest.raises(NetworkError, match=r"one input channel and two classes"):
            build_network(name, channels, classes)


@pytest.mark.parametrize(
    ("name", "side", "advice"),
    [
        ("srnet-nano", 36, "multiple of 8"),
        ("srnet", 24, "multiple of 16"),
        ("residual", 20, "multiple of 8"),
        ("five-crop", 80, "multiple of 32"),
        ("alexnet", 62, "AlexNet takes crops of 63x63 or more"),
        ("googlenet", 14, "GoogLeNet takes crops of 15x15 or more"),
    ],
)
def test_crops_that_a_network_cannot_take_are_refused(name: str, side: int, advice: str) -> None:
    network = build_network(name, 1, 2).eval()
    with pytest.raises(NetworkError, match=f"crop of {side}x64.*{advice}"):
        network(torch.zeros(1, 1, side, 64))


def test_no_convolution_of_ours_is_narrower_than_16_channels() -> None:
    for name in ("srnet-nano", "residual", "five-crop"):
        layers = [one for one in build_network(name, 1, 2).modules() if isinstance(one, nn.Conv2d)]
        assert min(one.out_channels for one in layers) >= 16
        assert all(one.in_channels >= 16 for one in layers if one.stride != (1, 1))


@pytest.mark.parametrize("name", ["residual", "five-crop"])
def test_no_photosite_is_out_of_sight(name: str) -> None:
    torch.manual_seed(3)
    features = build_network(name, 1, 2).eval().get_submodule("features")
    crop = torch.rand(1, 1, 32, 32)
    each_brighter = crop + 0.5 * torch.eye(1024).reshape(1024, 1, 32, 32)
    with torch.inference_mode():
        changes = (features(each_brighter) - features(crop)).abs().flatten(1).amax(dim=1)
    assert (changes > 1e-4).all()


@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_channels_last_float32_training_does_not_crash(name: str) -> None:
    network = build_network(name, 1, 2).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    crops = torch.randn(4, 1, 64, 64).contiguous(memory_format=torch.channels_last)
    network(crops).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
