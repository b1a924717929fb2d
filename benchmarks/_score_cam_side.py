"""One side of the Score-CAM benchmark, a process of its own: `ours` or `peer`.

Says `ready`, then answers each line on standard input with the seconds of one map, and at the end
of the input writes the last map to the file that it was given.
"""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    Map: TypeAlias = NDArray[np.float32]

THREADS = 2
OF_CLASS = 1
PEER_BATCH = 32
"""torchcam's own default."""


def main() -> None:
    """Take turns until the input ends."""
    name, network_name, size, output = sys.argv[1:]
    if name != "peer":
        from training.threads import prepare_process

        prepare_process()
    import numpy as np
    import torch

    torch.set_num_threads(THREADS)
    network, crop = _network(network_name, int(size)), _crop(int(size))
    take = _peer if name == "peer" else _ours
    print(json.dumps("ready"), flush=True)
    found = None
    for _ in sys.stdin:
        begun = time.perf_counter()
        found = take(network, crop, name)
        print(json.dumps(time.perf_counter() - begun), flush=True)
    assert found is not None
    np.save(Path(output), found)


def _network(name: str, size: int) -> "nn.Module":
    """Return a network whose batch norms have seen crops, as after training."""
    import torch

    from training.networks.registry import build_network

    torch.manual_seed(1)
    network = build_network(name, 1, 2).train()
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.2)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network(torch.cat([_crop(size, seed) for seed in range(2, 6)]))
    return network.eval()


def _crop(size: int, seed: int = 0) -> "Tensor":
    import torch

    generator = torch.Generator().manual_seed(seed)
    smooth = torch.rand(1, 1, size // 8, size // 8, generator=generator)
    crop = torch.nn.functional.interpolate(smooth, (size, size), mode="bilinear")
    return crop + 0.05 * torch.randn(crop.shape, generator=generator)


def _ours(network: "nn.Module", crop: "Tensor", name: str) -> "Map":
    from training.saliency.score_cam import score_cam

    found = score_cam(network, crop, OF_CLASS, over_classes=False, reduced=name == "ours")
    result: Map = found[0].numpy()
    return result


def _peer(network: "nn.Module", crop: "Tensor", _: str) -> "Map":
    import torch
    from torchcam.methods import ScoreCAM

    shape = tuple(crop.shape[1:])
    with ScoreCAM(network, "features", batch_size=PEER_BATCH, input_shape=shape) as extractor:
        with torch.no_grad():
            network(crop)
        (found,) = extractor(OF_CLASS)
    result: Map = found[0].numpy()
    return result


if __name__ == "__main__":
    main()
