"""Weights to begin with, from a user's own file; nothing that it holds is executed.

Files have torchvision's parameter names, as the networks here have. The last layer begins anew
where the file knows other classes, and the first convolution is fitted to other channels.
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Literal, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from training.networks.alexnet import AlexNet
from training.networks.errors import NetworkError
from training.networks.fronts import FrontedNetwork
from training.networks.googlenet import GoogLeNet

Weights = dict[str, Tensor]

Normalisation = Literal["none", "imagenet"]
"""How the crops were normalised that a file's weights were learned from."""

_AUXILIARY = ("aux1.", "aux2.")
# crops here are 8-bit values by 256, those of ImageNet's networks by 255
_CROP_SCALE = 256 / 255


class _ImageNetCrops(NamedTuple):
    """What ImageNet's crops have per colour, and the parameter that takes up their mean."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    shifted: str
    sign: int


_IMAGENET: dict[type[nn.Module], _ImageNetCrops] = {
    AlexNet: _ImageNetCrops((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "features.0.bias", 1),
    # its weights come from another framework, which took values of -1 to 1
    GoogLeNet: _ImageNetCrops((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "conv1.bn.running_mean", -1),
}


def load_pretrained(
    network: nn.Module,
    path: Path,
    mode: Literal["fine-tune", "feature-extraction"],
    *,
    normalisation: Normalisation = "none",
) -> None:
    """Give a network the weights of a file.

    A first convolution of another number of channels gets the mean over the file's channels in
    each, scaled so that a grey crop is answered as before. The last layer keeps its own weights
    where the file has another number of classes. Auxiliary heads that the network lacks are left
    out.

    Parameters
    ----------
    network
        A network of this package, behind a front or not.
    path
        A `.safetensors` file, or a `.pth` file that holds tensors alone.
    mode
        `feature-extraction` trains the last layer alone, and a front that learns; `fine-tune`
        everything.
    normalisation
        `imagenet` fits the first layer of ImageNet's AlexNet or GoogLeNet to crops as they are
        here, from 0 to 1. Beyond the border of a crop such a network sees black, where ImageNet's
        saw the mean colour.

    Raises
    ------
    NetworkError
        When the file cannot be read, or is of another network; the message names the parameter.
        When crops cannot have been normalised so.
    """
    inner = network.network if isinstance(network, FrontedNetwork) else network
    assert isinstance(inner, nn.Module)
    wanted = inner.state_dict()
    given = {
        name: value
        for name, value in _read(path).items()
        if name in wanted or not name.startswith(_AUXILIARY)
    }
    _check_names(inner, wanted, given, path)
    first, last = _first_convolution(inner), _last_layer(inner)
    if normalisation == "imagenet":
        if inner is not network:
            raise NetworkError(f"{path}: what a front gives is not normalised as pictures are")
        _take_up_normalisation(inner, given, f"{first}.weight", path)
    given[f"{first}.weight"] = _fitted(given[f"{first}.weight"], wanted[f"{first}.weight"].shape)
    if given[f"{last}.weight"].shape[:1] != wanted[f"{last}.weight"].shape[:1]:
        for name in (f"{last}.weight", f"{last}.bias"):
            if given[name].shape[1:] == wanted[name].shape[1:]:
                given[name] = wanted[name]
    _check_values(wanted, given, path)
    # strict but for counters of batches, which came later than many files
    inner.load_state_dict(given, strict=False)
    if mode == "feature-extraction":
        for name, parameter in inner.named_parameters():
            parameter.requires_grad_(name.rpartition(".")[0] == last)


def freeze_batch_norms(network: nn.Module) -> None:
    """Have batch norms keep their statistics while the rest of a network is trained."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _read(path: Path) -> Weights:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise NetworkError(f"{path} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise
    except UnpicklingError:
        raise NetworkError(
            f"{path} holds more than tensors, or is damaged; nothing in a file is executed: save"
            " the network's `state_dict()` alone"
        ) from None
    except SafetensorError as error:
        raise NetworkError(f"{path} holds no weights: {error}") from None
    except Exception as error:  # a damaged file raises whatever its bytes happen to mean
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise NetworkError(f"{path} holds no weights: {reason}") from None
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()
    ):
        raise NetworkError(
            f"{path}: expected tensors by the names of parameters; save the network's"
            " `state_dict()` alone"
        )
    return found


def _check_names(network: nn.Module, wanted: Weights, given: Weights, path: Path) -> None:
    kind = type(network).__name__
    for name in given:
        if name not in wanted:
            raise NetworkError(f"{path}: {name} is no parameter of {kind}")
    for name in wanted:
        if name not in given and not name.endswith("num_batches_tracked"):
            raise NetworkError(f"{path}: {name} of {kind} is missing, so it is of another network")


def _check_values(wanted: Weights, given: Weights, path: Path) -> None:
    for name, value in given.items():
        if value.shape != wanted[name].shape:
            raise NetworkError(
                f"{path}: {name} has the shape {tuple(value.shape)}, expected"
                f" {tuple(wanted[name].shape)}"
            )
        is_real = value.is_floating_point() == wanted[name].is_floating_point()
        if value.layout != torch.strided or not is_real:
            raise NetworkError(f"{path}: {name} holds {value.dtype}, {value.layout}: save it dense")
        if not value.isfinite().all():
            raise NetworkError(f"{path}: {name} holds values that are not finite")


def _take_up_normalisation(network: nn.Module, given: Weights, first: str, path: Path) -> None:
    """Turn weights for normalised colours into those for the colours themselves."""
    crops = _IMAGENET.get(type(network))
    weights = given[first]
    if crops is None or weights.ndim != 4 or weights.shape[1] != len(crops.mean):
        raise NetworkError(
            f"{path}: not of ImageNet's AlexNet or GoogLeNet in colour, whose normalisation is"
            " known; choose `none`"
        )
    mean, deviation = (
        torch.tensor(one, dtype=torch.float64).reshape(1, -1, 1, 1)
        for one in (crops.mean, crops.deviation)
    )
    scaled = weights.double() / deviation
    shift = crops.sign * (scaled * mean).sum(dim=(1, 2, 3))
    given[first] = scaled * _CROP_SCALE
    given[crops.shifted] = given[crops.shifted].double() - shift


def _fitted(weights: Tensor, wanted: torch.Size) -> Tensor:
    """Return weights of a convolution for another number of channels, others as they are."""
    if weights.shape == wanted or weights.ndim != len(wanted) or not weights.numel():
        return weights
    mean = weights.double().mean(dim=1, keepdim=True) * (weights.shape[1] / wanted[1])
    return mean.expand(-1, wanted[1], -1, -1).contiguous()


def _last_layer(network: nn.Module) -> str:
    return [name for name, one in network.named_modules() if isinstance(one, nn.Linear)][-1]


def _first_convolution(network: nn.Module) -> str:
    return next(name for name, one in network.named_modules() if isinstance(one, nn.Conv2d))
