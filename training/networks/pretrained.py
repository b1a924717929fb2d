"""Weights to begin with, from a user's own file; nothing that it holds is executed.

Files have torchvision's parameter names, as the networks here have. The last layer begins anew
where the file knows other classes, and the first convolution is fitted to other channels.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from training.networks.errors import NetworkError
from training.networks.fronts import FrontedNetwork

_AUXILIARY = ("aux1.", "aux2.")


def load_pretrained(
    network: nn.Module, path: Path, mode: Literal["fine-tune", "feature-extraction"]
) -> None:
    """Give a network the weights of a file.

    A first convolution of another number of channels gets the mean over the file's channels in
    each, scaled so that a grey crop is answered as before. The last layer keeps its own weights
    where its size differs.

    Parameters
    ----------
    network
        A network of this package, behind a front or not.
    path
        A `.safetensors` file, or a `.pth` file that holds tensors alone.
    mode
        `feature-extraction` trains the last layer alone, `fine-tune` everything.

    Raises
    ------
    NetworkError
        When the file cannot be read, or is of another network; the message names the parameter.
    """
    inner = network.network if isinstance(network, FrontedNetwork) else network
    assert isinstance(inner, nn.Module)
    wanted = inner.state_dict()
    last = _last_layer(inner)
    first = _first_convolution(inner)
    given = {name: value for name, value in _read(path).items() if not name.startswith(_AUXILIARY)}
    for name, value in given.items():
        if name not in wanted:
            raise NetworkError(f"{path}: {name} is no parameter of {type(inner).__name__}")
        if name == f"{first}.weight" and value.ndim == 4:
            given[name] = _fitted(value, wanted[name].shape[1])
        elif value.shape != wanted[name].shape:
            if name.rpartition(".")[0] != last:
                raise NetworkError(
                    f"{path}: {name} has the shape {tuple(value.shape)}, expected"
                    f" {tuple(wanted[name].shape)}"
                )
            given[name] = wanted[name]
    # counters of batches came later than many files
    missing = [
        name for name in wanted if name not in given and not name.endswith("num_batches_tracked")
    ]
    if missing:
        raise NetworkError(f"{path}: {missing[0]} is missing, so it is of another network")
    inner.load_state_dict(given, strict=False)
    if mode == "feature-extraction":
        for name, parameter in inner.named_parameters():
            parameter.requires_grad_(name.rpartition(".")[0] == last)


def freeze_batch_norms(network: nn.Module) -> None:
    """Have batch norms keep their statistics while the rest of a network is trained."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise NetworkError(f"{path} cannot be read: {error.strerror or error}") from None
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise NetworkError(f"{path} holds no weights: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict) or not all(isinstance(one, Tensor) for one in found.values()):
        raise NetworkError(f"{path}: expected tensors by the names of parameters")
    return found


def _last_layer(network: nn.Module) -> str:
    return [name for name, one in network.named_modules() if isinstance(one, nn.Linear)][-1]


def _first_convolution(network: nn.Module) -> str:
    return next(name for name, one in network.named_modules() if isinstance(one, nn.Conv2d))


def _fitted(weights: Tensor, channels: int) -> Tensor:
    if weights.shape[1] == channels:
        return weights
    mean = weights.mean(dim=1, keepdim=True) * (weights.shape[1] / channels)
    return mean.repeat(1, channels, 1, 1)
