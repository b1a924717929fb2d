"""Optimisers by name, their rates set step by step, their state as tensors by name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.experiments.errors import RunFolderError
from training.experiments.schedules import StepRates
from training.experiments.spec import ExperimentSpec


def new_optimiser(spec: ExperimentSpec, network: nn.Module) -> torch.optim.Optimizer:
    """Return the spec's optimiser over what is to be trained of a network."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    # Only convolutions are decayed, as in SRNet's code.
    groups = [
        {"params": [one for one in trained if one.ndim == 4], "weight_decay": spec.weight_decay},
        {"params": [one for one in trained if one.ndim != 4], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if spec.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=spec.learning_rate)
    if spec.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=spec.learning_rate)
    return torch.optim.Adamax(groups, lr=spec.learning_rate)


def set_rates(optimiser: torch.optim.Optimizer, rates: StepRates) -> None:
    """Give an optimiser the rates of its next step."""
    for group in optimiser.param_groups:
        group["lr"] = rates.learning_rate
        if "betas" in group:
            group["betas"] = (rates.momentum, group["betas"][1])
        else:
            group["momentum"] = rates.momentum


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return everything that an optimiser remembers; its rates are set anew in each step."""
    return {
        f"{number}.{name}": value
        for number, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give an optimiser what `optimiser_tensors` returned of one of the same kind.

    Raises
    ------
    RunFolderError
        When the tensors are of another network.
    """
    document = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    document["state"] = state
    parameters = (one for group in optimiser.param_groups for one in group["params"])
    for index, parameter in enumerate(parameters):
        remembered = state.get(index, {})
        for key, value in remembered.items():
            if value.shape == parameter.shape:
                # arithmetic on other strides than the parameter's may round otherwise
                remembered[key] = torch.empty_like(parameter, requires_grad=False).copy_(value)
    try:
        optimiser.load_state_dict(document)
    except (ValueError, KeyError) as error:
        raise RunFolderError(f"a checkpoint of another network: {error}") from None
