"""SRNet, the residual network for weak traces, and its nano variant; knows nothing of data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from training.networks.requests import check_crop_size, check_request

BATCH_NORM_MOMENTUM = 0.1
"""PyTorch's momentum for the batch-norm decay 0.9 of the original."""


@dataclass(frozen=True)
class SRNetWidths:
    """Channel widths that tell one member of the family from another.

    Attributes
    ----------
    plain
        Output channels of the leading convolutions without shortcut (L1, L2).
    residual_blocks
        Number of blocks with an identity shortcut, at the last plain width (L3-L7).
    pooled
        Output channels of the blocks that halve the size (L8-L11).
    last
        Output channels of the block before the global average pooling (L12).
    """

    plain: tuple[int, ...]
    residual_blocks: int
    pooled: tuple[int, ...]
    last: int


SRNET = SRNetWidths(plain=(64, 16), residual_blocks=5, pooled=(16, 64, 128, 256), last=512)
# Nothing is narrower than 16 channels: narrower stride-2 shortcuts crash oneDNN's float32
# channels-last backward pass.
NANO_SRNET = SRNetWidths(plain=(16,), residual_blocks=1, pooled=(16, 32, 32), last=32)


def _convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    """Return a bias-free convolution and its batch normalisation."""
    return [
        nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs, momentum=BATCH_NORM_MOMENTUM),
    ]


def average_pool_same(features: Tensor) -> Tensor:
    """Halve even-sized maps as TensorFlow's SAME 3x3 average pooling with stride 2 does.

    The window reaches over the bottom and right edge only, and what lies outside is not counted;
    ``padding=1``, as many ports have it, is another network at the border.

    Parameters
    ----------
    features
        Maps of shape (batch, channels, rows, columns), rows and columns even.

    Returns
    -------
    Tensor
        Maps of shape (batch, channels, rows / 2, columns / 2).
    """
    return functional.avg_pool2d(
        features, kernel_size=3, stride=2, ceil_mode=True, count_include_pad=False
    )


class _TwoConvolutions(nn.Module):
    """Convolution, batch norm, ReLU, convolution, batch norm: the trunk of L3-L12."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(inputs, outputs),
            nn.ReLU(inplace=True),
            *_convolution(outputs, outputs),
        )

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.layers(features))


class _ResidualBlock(nn.Module):
    """Trunk plus identity (L3-L7)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.trunk = _TwoConvolutions(width, width)

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, features + self.trunk(features))


class _PooledBlock(nn.Module):
    """Pooled trunk plus 1x1 stride-2 shortcut (L8-L11)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.trunk = _TwoConvolutions(inputs, outputs)
        self.shortcut = nn.Sequential(*_convolution(inputs, outputs, size=1, stride=2))

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, average_pool_same(self.trunk(features)) + self.shortcut(features))


class SRNet(nn.Module):
    """SRNet without convolution biases.

    Source: Boroumand, Chen, Fridrich 2018 ("Deep Residual Network for Steganalysis of Digital
    Images") and its public code. Bias-free as the public PyTorch ports are; He initialisation,
    classifier weights N(0, 0.01), batch-norm decay 0.9.

    Parameters
    ----------
    input_channels
        Channels of the input (1 for ``raw-mosaic``).
    classes
        Number of classes.
    widths
        Which member of the family; the original by default.

    Raises
    ------
    NetworkError
        When fewer than one channel or two classes are asked for.
    """

    def __init__(self, input_channels: int, classes: int, widths: SRNetWidths = SRNET) -> None:
        super().__init__()
        check_request(input_channels, classes)
        self.size_multiple = 2 ** len(widths.pooled)
        layers: list[nn.Module] = []
        channels = input_channels
        for width in widths.plain:
            layers += [*_convolution(channels, width), nn.ReLU(inplace=True)]
            channels = width
        layers += [_ResidualBlock(channels) for _ in range(widths.residual_blocks)]
        for width in widths.pooled:
            layers.append(_PooledBlock(channels, width))
            channels = width
        layers.append(_TwoConvolutions(channels, widths.last))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(widths.last, classes)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, crops: Tensor) -> Tensor:
        """Return class scores (logits).

        Parameters
        ----------
        crops
            Crops of shape (batch, input_channels, rows, columns); rows and columns multiples of
            ``size_multiple``.

        Returns
        -------
        Tensor
            Scores of shape (batch, classes).

        Raises
        ------
        NetworkError
            When the crop's size cannot be halved as often as the network does.
        """
        check_crop_size(crops.shape[-2:], self.size_multiple)
        # A mean over the axes has a deterministic backward pass on CUDA; AdaptiveAvgPool2d has not.
        return cast(Tensor, self.classifier(self.features(crops).mean(dim=(2, 3))))
