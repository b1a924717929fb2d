"""Fronts leave nothing of flat content, whatever the brightness, the precision and the border."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from training.networks.errors import NetworkError
from training.networks.fronts import (
    ConstrainedConvolution,
    build_front,
    project_constraints,
    reflected,
)
from training.networks.medians import window_medians
from training.networks.names import FRONT_NAMES, NETWORK_NAMES, FrontName, NetworkName
from training.networks.registry import build_network
from training.patches.inputs import INPUTS, InputName, batch_shape
from training.saliency.cam import class_activation_maps, has_activation_maps

FRONTS = [name for name in FRONT_NAMES if name != "none"]
FIXED_FRONTS = [name for name in FRONTS if name != "constrained"]
FILTERS = {"high-pass-srm": 3, "constrained": 3}

# Fridrich and Kodovsky 2012, as published
KV = np.array(
    [
        [-1, 2, -2, 2, -1],
        [2, -6, 8, -6, 2],
        [-2, 8, -12, 8, -2],
        [2, -6, 8, -6, 2],
        [-1, 2, -2, 2, -1],
    ]
)
SQUARE = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]])
LINE = np.array([[1, -2, 1]])


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _front(name: str, input_name: InputName = "raw-mosaic") -> nn.Module:
    front = build_front(next(one for one in FRONT_NAMES if one == name), input_name)
    assert front is not None
    return front


def _channels(input_name: InputName) -> int:
    return batch_shape(input_name, 1, 32)[1]


def _planes(values: Tensor, input_name: InputName) -> Tensor:
    """One colour per channel, for every input."""
    return functional.pixel_unshuffle(values, 2) if input_name == "raw-mosaic" else values


@pytest.mark.parametrize("precision", [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("input_name", INPUTS)
@pytest.mark.parametrize("name", FIXED_FRONTS)
@settings(max_examples=15)
@given(greys=st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4))
def test_flat_colours_leave_exactly_nothing(
    name: str, input_name: InputName, precision: torch.dtype | None, greys: list[float]
) -> None:
    colours = 4 if input_name == "raw-mosaic" else _channels(input_name)
    flat = torch.tensor(greys[:colours]).reshape(1, colours, 1, 1).repeat(1, 1, 8, 10)
    crops = functional.pixel_shuffle(flat, 2) if input_name == "raw-mosaic" else flat
    with torch.autocast("cpu", precision, enabled=precision is not None):
        residuals = _front(name, input_name)(crops)
    assert residuals.dtype == torch.float32
    assert residuals.shape[-2:] == crops.shape[-2:]
    assert not residuals.any()


@pytest.mark.parametrize("input_name", INPUTS)
def test_flat_colours_leave_nothing_but_rounding_of_constrained_convolutions(
    input_name: InputName,
) -> None:
    torch.manual_seed(5)
    colours = torch.rand(8, 4 if input_name == "raw-mosaic" else _channels(input_name), 1, 1)
    flat = colours.repeat(1, 1, 8, 10)
    crops = functional.pixel_shuffle(flat, 2) if input_name == "raw-mosaic" else flat
    with torch.autocast("cpu", torch.bfloat16):
        residuals = _front("constrained", input_name)(crops)
    assert residuals.dtype == torch.float32
    assert residuals.abs().max() < 1e-6


def test_reduced_precision_alone_would_leak_brightness() -> None:
    """The error that fronts exist to keep out, so that the tests above prove something."""
    kernel = torch.tensor(KV / 12, dtype=torch.float32).reshape(1, 1, 5, 5)
    with torch.autocast("cpu", torch.bfloat16):
        leak = functional.conv2d(torch.full((1, 1, 9, 9), 0.7), kernel)
    assert leak.abs().max() > 1e-3


def _by_scipy(name: str, plane: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    if name.startswith("median"):
        size = int(name[-1])
        return [plane - ndimage.median_filter(plane, size=size, mode="mirror")]
    kernels = [(KV, 8), (SQUARE, 4), (LINE, 2)][: FILTERS.get(name, 1)]
    return [ndimage.convolve(plane, kernel / by, mode="mirror") for kernel, by in kernels]


@pytest.mark.parametrize("input_name", INPUTS)
@pytest.mark.parametrize("name", FIXED_FRONTS)
def test_residuals_are_those_of_scipy_plane_by_plane(name: str, input_name: InputName) -> None:
    generator = np.random.default_rng(17)
    values = generator.integers(0, 16384, (2, _channels(input_name), 24, 16)) / 16384
    crops = torch.from_numpy(values.astype(np.float32))
    residuals = _front(name, input_name)(crops)
    filters = FILTERS.get(name, 1)
    assert residuals.shape == (2, _channels(input_name) * filters, 24, 16)
    for channel in range(_channels(input_name)):
        planes = _planes(crops[:, channel : channel + 1], input_name).double().numpy()
        for number in range(filters):
            ours = residuals[:, channel * filters + number].unsqueeze(1)
            found = _planes(ours, input_name).numpy()
            for place in np.ndindex(planes.shape[:2]):
                expected = _by_scipy(name, planes[place])[number]
                np.testing.assert_allclose(found[place], expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("input_name", INPUTS)
def test_constrained_convolutions_are_those_of_scipy_plane_by_plane(input_name: InputName) -> None:
    torch.manual_seed(7)
    front = _front("constrained", input_name)
    assert isinstance(front, ConstrainedConvolution)
    crops = torch.rand(1, _channels(input_name), 24, 16)
    residuals = front(crops).detach()
    for channel in range(_channels(input_name)):
        planes = _planes(crops[:, channel : channel + 1], input_name).double().numpy()
        for number, kernel in enumerate(front.weight.detach().double().numpy()[:, 0]):
            found = _planes(residuals[:, channel * 3 + number].unsqueeze(1), input_name).numpy()
            for place in np.ndindex(planes.shape[:2]):
                expected = ndimage.correlate(planes[place], kernel, mode="mirror")
                np.testing.assert_allclose(found[place], expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", FRONTS)
def test_no_colour_of_a_mosaic_reaches_another(name: str) -> None:
    torch.manual_seed(11)
    front = _front(name)
    crops = torch.rand(1, 1, 24, 24)
    defect = crops.clone()
    defect[0, 0, 11, 8] += 0.5
    with torch.no_grad():
        changed = (front(defect) != front(crops)).any(dim=1)[0].nonzero()
    assert {(row % 2, column % 2) for row, column in changed.tolist()} == {(1, 0)}
    assert [11, 8] in changed.tolist()


@pytest.mark.parametrize("name", FRONTS)
def test_crops_that_fronts_cannot_take_are_refused(name: str) -> None:
    with pytest.raises(NetworkError, match="multiple of 2"):
        _front(name)(torch.zeros(1, 1, 15, 16))
    with pytest.raises(NetworkError, match="choose a larger patch size"):
        _front(name)(torch.zeros(1, 1, 2, 2))


@pytest.mark.parametrize("reach", [1, 2])
def test_reflection_is_that_of_numpy(reach: int) -> None:
    planes = torch.rand(2, 3, 5, 4)
    margins = ((0, 0), (0, 0), (reach, reach), (reach, reach))
    expected = np.pad(planes.numpy(), margins, mode="reflect")
    np.testing.assert_array_equal(reflected(planes, reach).numpy(), expected)


@pytest.mark.parametrize("size", [3, 5, 7])
@settings(max_examples=25)
@given(data=st.data())
def test_medians_by_exchanges_are_those_by_sorting(size: int, data: st.DataObject) -> None:
    rows, columns = data.draw(st.tuples(st.integers(size, 12), st.integers(size, 12)))
    few_values = data.draw(st.integers(1, 60))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32)))
    planes = torch.randint(0, few_values, (2, 1, rows, columns), generator=generator).float()
    windows = planes.unfold(-2, size, 1).unfold(-2, size, 1).flatten(-2)
    expected = windows.sort(dim=-1).values[..., size**2 // 2]
    assert torch.equal(window_medians(planes, size), expected)


def test_medians_of_more_planes_than_a_cache_holds_are_the_same() -> None:
    planes = torch.rand(40, 1, 50, 70)
    one_by_one = torch.cat([window_medians(one, 3) for one in torch.split(planes, 1)])
    assert torch.equal(window_medians(planes, 3), one_by_one)


def _departure(weights: Tensor) -> float:
    """How far a constrained convolution's weights are from the constraint."""
    weights = weights.detach().double().clone()
    middle = weights[:, :, 2, 2].clone()
    weights[:, :, 2, 2] = 0
    sums = weights.sum(dim=(1, 2, 3))
    return max(float((middle + 1).abs().max()), float((sums - 1).abs().max()))


@pytest.mark.parametrize("input_name", INPUTS)
def test_the_constraint_holds_after_every_step(input_name: InputName) -> None:
    torch.manual_seed(2)
    network = build_network(
        "srnet-nano", _channels(input_name), 2, front="constrained", input_name=input_name
    )
    front = next(one for one in network.modules() if isinstance(one, ConstrainedConvolution))
    assert (front.weight.flatten(1).sort().values[:, 1:] > 0).all()
    optimiser = torch.optim.Adamax(network.parameters(), lr=0.02)
    crops, labels = torch.rand(4, _channels(input_name), 16, 16), torch.tensor([0, 1, 0, 1])
    assert _departure(front.weight) < 1e-6
    before = front.weight.detach().clone()
    for _ in range(6):
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            scores = network(crops)
        torch.autograd.backward(functional.cross_entropy(scores.float(), labels))
        optimiser.step()
        assert _departure(front.weight) > 1e-4
        project_constraints(network)
        assert _departure(front.weight) < 1e-6
    assert (front.weight - before).abs().max() > 1e-3


@settings(max_examples=40)
@given(
    weights=st.lists(st.floats(-3, 3, width=32), min_size=75, max_size=75),
    level=st.sampled_from([0.0, 1e-8, -1e-3, 0.05, -1.0]),
)
def test_the_constraint_is_restored_from_any_weights(weights: list[float], level: float) -> None:
    front = ConstrainedConvolution(is_mosaic=True)
    with torch.no_grad():
        front.weight.copy_(torch.tensor(weights).reshape(3, 1, 5, 5))
        others = front.weight.sum(dim=(2, 3), keepdim=True) - front.weight[:, :, 2:3, 2:3]
        front.weight.add_((level - others) / 24)
    largest = float(front.weight.detach().abs().max())
    front.project()
    assert _departure(front.weight) < 2e-6
    assert front.weight.detach().abs().max() <= 2 * largest + 2


def test_a_projection_of_projected_weights_changes_nothing() -> None:
    torch.manual_seed(4)
    front = ConstrainedConvolution(is_mosaic=False)
    before = front.weight.detach().clone()
    front.project()
    torch.testing.assert_close(front.weight.detach(), before, rtol=0, atol=1e-8)


Combination = tuple[NetworkName, FrontName, InputName]

COMBINATIONS: list[Combination] = [
    (network, front, input_name)
    for network in NETWORK_NAMES
    for front in FRONT_NAMES
    for input_name in INPUTS
]
LARGE: tuple[NetworkName, ...] = ("alexnet", "googlenet")
# each input, and each number of channels that fronts give of one
SOME_OF_LARGE = {
    ("none", "raw-mosaic"),
    ("high-pass-srm", "jpeg-rgb"),
    ("constrained", "raw-planes"),
    ("median-5", "jpeg-luma"),
}


def _require_learning(name: NetworkName, front: FrontName, input_name: InputName) -> None:
    """Require finite gradients of every parameter, some of each other than 0."""
    torch.manual_seed(1)
    channels, side = _channels(input_name), 64 if name == "alexnet" else 32
    network = build_network(name, channels, 3, front=front, input_name=input_name)
    scores = network(torch.rand(4, channels, side, side))
    assert scores.shape == (4, 3) and scores.dtype == torch.float32
    torch.autograd.backward(functional.cross_entropy(scores, torch.tensor([0, 1, 2, 0])))
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.any(), parameter_name


@pytest.mark.parametrize(
    ("name", "front", "input_name"),
    [one for one in COMBINATIONS if one[0] not in LARGE or one[1:] in SOME_OF_LARGE],
)
def test_every_network_learns_behind_every_front(
    name: NetworkName, front: FrontName, input_name: InputName
) -> None:
    _require_learning(name, front, input_name)


@pytest.mark.prove
@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_gradients_reach_every_parameter(
    name: NetworkName, record_property: Callable[[str, object], None]
) -> None:
    """Every network learns behind every front on every input: no parameter is left without."""
    of_this = [one for one in COMBINATIONS if one[0] == name]
    for combination in of_this:
        _require_learning(*combination)
    record_property("figure", f"{len(of_this)} combinations of front and input")


@pytest.mark.prove
def test_the_constraint_holds_in_a_long_training(
    record_property: Callable[[str, object], None],
) -> None:
    """A constrained convolution keeps its constraint to 1e-6 after each of 500 bfloat16 steps."""
    torch.manual_seed(3)
    network = build_network("residual", 1, 2, front="constrained")
    front = next(one for one in network.modules() if isinstance(one, ConstrainedConvolution))
    optimiser = torch.optim.Adamax(network.parameters(), lr=0.01)
    largest = 0.0
    for _ in range(500):
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            scores = network(torch.rand(8, 1, 32, 32))
        labels = torch.randint(0, 2, (8,))
        torch.autograd.backward(functional.cross_entropy(scores.float(), labels))
        optimiser.step()
        project_constraints(network)
        largest = max(largest, _departure(front.weight))
    record_property("figure", f"largest departure {largest:.1e}")
    assert largest < 1e-6


@pytest.mark.parametrize("name", [one for one in NETWORK_NAMES if one != "alexnet"])
def test_activation_maps_reach_through_fronts(name: NetworkName) -> None:
    torch.manual_seed(6)
    network = build_network(name, 3, 2, front="median-3", input_name="jpeg-rgb").eval()
    assert has_activation_maps(network)
    crops = torch.rand(2, 3, 64, 64)
    bias = network.get_parameter(
        "network.fc.bias" if name == "googlenet" else "network.classifier.bias"
    )
    with torch.inference_mode():
        expected = (network(crops) - bias).numpy()
    means = class_activation_maps(network, crops).mean(axis=(2, 3))
    np.testing.assert_allclose(means, expected, rtol=1e-4, atol=1e-6)


def test_activation_maps_are_not_defined_for_alexnet() -> None:
    assert not has_activation_maps(build_network("alexnet", 1, 2, front="high-pass-kv"))
