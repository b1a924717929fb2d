"""Weights come from a user's file, or a message says which file and parameter is wrong."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from training.networks.alexnet import AlexNet
from training.networks.errors import NetworkError
from training.networks.googlenet import GoogLeNet
from training.networks.pretrained import freeze_batch_norms, load_pretrained
from training.networks.registry import build_network

Weights = dict[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _experienced(network: Network) -> Network:
    """Give batch norms statistics that no new network has."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network.eval()


def _saved(weights: Weights, path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path)
    return path


@pytest.fixture(scope="module")
def small() -> nn.Module:
    torch.manual_seed(8)
    return _experienced(build_network("srnet-nano", 1, 2))


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_file_of_the_same_network_gives_the_same_answers(
    small: nn.Module, tmp_path: Path, name: str
) -> None:
    network = build_network("srnet-nano", 1, 2).eval()
    load_pretrained(network, _saved(small.state_dict(), tmp_path / name), "fine-tune")
    crops = torch.rand(2, 1, 32, 32)
    with torch.inference_mode():
        assert torch.equal(network(crops), small(crops))
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_an_imagenet_file_with_auxiliary_heads_fits_two_classes_and_one_channel(
    tmp_path: Path,
) -> None:
    torch.manual_seed(9)
    theirs = _experienced(GoogLeNet(3, 5, auxiliary_heads=True))
    counters = [name for name in theirs.state_dict() if name.endswith("num_batches_tracked")]
    weights = {name: one for name, one in theirs.state_dict().items() if name not in counters}
    path = _saved(weights, tmp_path / "googlenet.pth")
    again = GoogLeNet(3, 5, auxiliary_heads=True).eval()
    load_pretrained(again, path, "fine-tune")
    grey = torch.rand(2, 1, 32, 32)
    with torch.inference_mode():
        assert torch.equal(
            again.all_scores(grey.repeat(1, 3, 1, 1))[2],
            theirs.all_scores(grey.repeat(1, 3, 1, 1))[2],
        )
    for channels in (1, 4):
        ours = build_network("googlenet", channels, 2).eval()
        own_layer = ours.get_parameter("fc.weight").detach().clone()
        load_pretrained(ours, path, "fine-tune")
        with torch.inference_mode():
            torch.testing.assert_close(
                ours.get_submodule("features")(grey.repeat(1, channels, 1, 1)),
                theirs.get_submodule("features")(grey.repeat(1, 3, 1, 1)),
                rtol=1e-4,
                atol=1e-4,
            )
        assert torch.equal(ours.get_parameter("fc.weight"), own_layer)


def _first_layer(network: nn.Module, crops: Tensor) -> Tensor:
    """Answers of the first layer away from the border, where both see the same."""
    layer = network.get_submodule("conv1" if isinstance(network, GoogLeNet) else "features.0")
    with torch.inference_mode():
        answers: Tensor = layer(crops)
    return answers[..., 2:-2, 2:-2]


@pytest.mark.parametrize(
    ("kind", "mean", "deviation"),
    [
        (AlexNet, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        (GoogLeNet, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ],
)
def test_crops_as_they_are_here_answer_as_imagenet_s_normalised_ones(
    kind: type[AlexNet] | type[GoogLeNet],
    mean: tuple[float, float, float],
    deviation: tuple[float, float, float],
    tmp_path: Path,
) -> None:
    torch.manual_seed(10)
    theirs = _experienced(kind(3, 2))
    path = _saved(theirs.state_dict(), tmp_path / "imagenet.pth")
    pixels = torch.randint(0, 256, (1, 3, 64, 64)).float()
    normalised = (pixels / 255 - torch.tensor(mean).reshape(3, 1, 1)) / torch.tensor(
        deviation
    ).reshape(3, 1, 1)
    ours = kind(3, 2).eval()
    load_pretrained(ours, path, "fine-tune", normalisation="imagenet")
    torch.testing.assert_close(
        _first_layer(ours, pixels / 256), _first_layer(theirs, normalised), rtol=1e-4, atol=1e-4
    )


def test_normalisation_is_known_of_imagenet_s_networks_alone(
    small: nn.Module, tmp_path: Path
) -> None:
    path = _saved(small.state_dict(), tmp_path / "small.pth")
    with pytest.raises(NetworkError, match="normalisation is known; choose `none`"):
        load_pretrained(
            build_network("srnet-nano", 1, 2), path, "fine-tune", normalisation="imagenet"
        )
    fronted = build_network("srnet-nano", 1, 2, front="median-3")
    with pytest.raises(NetworkError, match="what a front gives"):
        load_pretrained(fronted, path, "fine-tune", normalisation="imagenet")


@pytest.mark.parametrize("front", ["none", "constrained"])
def test_extraction_of_features_learns_the_last_layer_alone(
    small: nn.Module, tmp_path: Path, front: Literal["none", "constrained"]
) -> None:
    torch.manual_seed(12)
    network = build_network("srnet-nano", 1, 3, front=front)
    load_pretrained(network, _saved(small.state_dict(), tmp_path / "one.pth"), "feature-extraction")
    before = {name: one.clone() for name, one in network.state_dict().items()}
    optimiser = torch.optim.Adamax((one for one in network.parameters() if one.requires_grad), 0.01)
    network.train()
    freeze_batch_norms(network)
    for _ in range(2):
        optimiser.zero_grad()
        scores = network(torch.rand(3, 1, 32, 32))
        torch.autograd.backward(functional.cross_entropy(scores, torch.tensor([0, 1, 2])))
        optimiser.step()
    changed = {name for name, one in network.state_dict().items() if (one != before[name]).any()}
    inner = "" if front == "none" else "network."
    learning_front = set() if front == "none" else {"front.weight"}
    assert changed == {f"{inner}classifier.weight", f"{inner}classifier.bias"} | learning_front


def _without(name: str) -> Callable[[Weights], Weights]:
    return lambda weights: {one: value for one, value in weights.items() if one != name}


def _with(name: str, value: Tensor) -> Callable[[Weights], Weights]:
    return lambda weights: {**weights, name: value}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_without("features.1.weight"), r"features\.1\.weight of SRNet is missing"),
        (_without("classifier.bias"), r"classifier\.bias of SRNet is missing"),
        (_with("extra", torch.zeros(1)), "extra is no parameter of SRNet"),
        (_with("features.1.weight", torch.ones(7)), r"shape \(7,\), expected \(16,\)"),
        (
            _with("features.0.weight", torch.ones(16, 3, 5, 5)),
            r"features\.0\.weight has the shape \(16, 1, 5, 5\), expected \(16, 1, 3, 3\)",
        ),
        (_with("features.0.weight", torch.ones(16, 0, 3, 3)), r"shape \(16, 0, 3, 3\)"),
        (_with("features.0.weight", torch.ones(16)), r"shape \(16,\)"),
        (_with("classifier.weight", torch.ones(5, 7)), r"classifier\.weight has the shape \(5, 7"),
        (_with("classifier.bias", torch.ones(5)), r"classifier\.bias has the shape \(5,"),
        (_with("features.1.bias", torch.full((16,), torch.nan)), "values that are not finite"),
        (_with("features.1.bias", torch.ones(16, dtype=torch.int64)), "holds torch.int64"),
        (_with("features.1.bias", torch.ones(16).to_sparse()), "save it dense"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    small: nn.Module, tmp_path: Path, change: Callable[[Weights], Weights], complaint: str
) -> None:
    path = _saved(change(small.state_dict()), tmp_path / "other.pth")
    network = build_network("srnet-nano", 1, 2)
    before = {name: one.clone() for name, one in network.state_dict().items()}
    with pytest.raises(NetworkError, match=rf"other\.pth: .*{complaint}"):
        load_pretrained(network, path, "fine-tune")
    assert all(torch.equal(one, before[name]) for name, one in network.state_dict().items())


class _Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


def test_nothing_that_a_file_holds_is_executed(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = tmp_path / "trap.pth"
    torch.save({"classifier.weight": _Trap(sprung)}, trap)
    with pytest.raises(NetworkError, match=r"trap\.pth holds more than tensors"):
        load_pretrained(build_network("srnet-nano", 1, 2), trap, "fine-tune")
    assert not sprung.exists()
    pickle.loads(pickle.dumps(_Trap(sprung)))
    assert sprung.exists()


def test_files_that_are_none_of_weights_are_refused(small: nn.Module, tmp_path: Path) -> None:
    whole = _saved(small.state_dict(), tmp_path / "whole.pth").read_bytes()
    safe = _saved(small.state_dict(), tmp_path / "whole.safetensors").read_bytes()
    contents = {
        "empty.pth": b"",
        "text.pth": b"hello, this is no file of weights\n",
        "half.pth": whole[: len(whole) // 2],
        "cut.pth": whole[:-30],
        "empty.safetensors": b"",
        "text.safetensors": b"hello, this is no file of weights\n",
        "half.safetensors": safe[: len(safe) // 2],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("readme", "no weights")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"state_dict": small.state_dict()}, tmp_path / "nested.pth")
    torch.save({1: torch.zeros(1)}, tmp_path / "numbered.pth")
    (tmp_path / "folder.pth").mkdir()
    others = ["zip.pth", "list.pth", "nested.pth", "numbered.pth", "folder.pth", "missing.pth"]
    network = build_network("srnet-nano", 1, 2)
    for name in [*contents, *others, "missing.safetensors"]:
        with pytest.raises(NetworkError, match=name.replace(".", r"\.")):
            load_pretrained(network, tmp_path / name, "fine-tune")
