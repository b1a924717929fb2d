"""A small residual network that trains in minutes on a processor; knows nothing of data."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from training.networks.requests import check_crop_size, check_request

_CELL = 2
# Nothing is narrower than 16 channels: narrower stride-2 shortcuts crash oneDNN's float32
# channels-last backward pass.
_WIDTHS = (32, 64, 128)
SIZE_MULTIPLE = _CELL * 2 ** (len(_WIDTHS) - 1)


class _Block(nn.Module):
    """Two convolutions beside a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(self.trunk(features) + self.shortcut(features), inplace=True)


class ResidualNetwork(nn.Module):
    """A residual network of three blocks that sees every photosite at a quarter of the places.

    Source: our own, of the blocks of He et al. 2016 ("Deep Residual Learning for Image
    Recognition"). The four photosites of a colour cell become channels first: nothing is averaged
    away before the first convolution has seen it, and everything after it costs a quarter.

    Parameters
    ----------
    input_channels
        Channels of the input.
    classes
        Number of classes.

    Raises
    ------
    NetworkError
        When fewer than one channel or two classes are asked for.
    """

    def __init__(self, input_channels: int, classes: int) -> None:
        super().__init__()
        check_request(input_channels, classes)
        first = _WIDTHS[0]
        self.features = nn.Sequential(
            nn.PixelUnshuffle(_CELL),
            nn.Conv2d(input_channels * _CELL**2, first, 3, padding=1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            _Block(first, first, stride=1),
            *(_Block(inputs, outputs, stride=2) for inputs, outputs in pairwise(_WIDTHS)),
        )
        self.classifier = nn.Linear(_WIDTHS[-1], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, crops: Tensor) -> Tensor:
        """Return class scores (logits).

        Parameters
        ----------
        crops
            Crops of shape (batch, input_channels, rows, columns); rows and columns multiples of 8.

        Returns
        -------
        Tensor
            Scores of shape (batch, classes).

        Raises
        ------
        NetworkError
            When the crop's size cannot be halved as often as the network does.
        """
        check_crop_size(crops.shape[-2:], SIZE_MULTIPLE)
        # A mean over the axes has a deterministic backward pass on CUDA; AdaptiveAvgPool2d has not.
        return cast(Tensor, self.classifier(self.features(crops).mean(dim=(2, 3))))
