"""GoogLeNet with batch normalisation; knows nothing of data."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.errors import NetworkError
from training.networks.pooling import average_pool_to
from training.networks.requests import check_request, check_smallest_crop

SMALLEST_CROP = 15
_DROPOUT = 0.2
_AUXILIARY_DROPOUT = 0.7
_AUXILIARY_GRID = 4
_BATCH_NORM_EPSILON = 0.001
_WEIGHT_DEVIATION = 0.01


class InceptionWidths(NamedTuple):
    """Output channels of an inception block's convolutions.

    Attributes
    ----------
    single
        Of the 1x1 branch.
    before_first, first
        Of the first 3x3 branch: its 1x1 convolution and its 3x3 one.
    before_second, second
        Of the branch that is 5x5 in the paper.
    pooled
        Of the convolution after the pooling branch.
    """

    single: int
    before_first: int
    first: int
    before_second: int
    second: int
    pooled: int


class _Convolution(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=_BATCH_NORM_EPSILON)

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(features)), inplace=True)


class _Inception(nn.Module):
    """Four branches side by side."""

    def __init__(self, inputs: int, widths: InceptionWidths) -> None:
        super().__init__()
        self.branch1 = _Convolution(inputs, widths.single, 1)
        self.branch2 = nn.Sequential(
            _Convolution(inputs, widths.before_first, 1),
            _Convolution(widths.before_first, widths.first, 3, padding=1),
        )
        # 5x5 in the paper; the public weights are of 3x3
        self.branch3 = nn.Sequential(
            _Convolution(inputs, widths.before_second, 1),
            _Convolution(widths.before_second, widths.second, 3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), _Convolution(inputs, widths.pooled, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(features) for branch in branches], dim=1)


class _AuxiliaryHead(nn.Module):
    """A classifier of maps half way through."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.conv = _Convolution(inputs, 128, 1)
        self.fc1 = nn.Linear(128 * _AUXILIARY_GRID**2, 1024)
        self.fc2 = nn.Linear(1024, classes)
        self.dropout = nn.Dropout(_AUXILIARY_DROPOUT)

    def forward(self, features: Tensor) -> Tensor:
        maps = self.conv(average_pool_to(features, _AUXILIARY_GRID))
        hidden = self.dropout(functional.relu(self.fc1(maps.flatten(1)), inplace=True))
        return cast(Tensor, self.fc2(hidden))


class GoogLeNet(nn.Module):
    """GoogLeNet with batch normalisation after every convolution.

    Source: Szegedy et al. 2015 ("Going Deeper with Convolutions") and Ioffe and Szegedy 2015
    ("Batch Normalization"), with the layers and the parameter names of torchvision, whose files of
    weights it takes: the paper's 5x5 convolutions are 3x3 there.

    Parameters
    ----------
    input_channels
        Channels of the input.
    classes
        Number of classes.
    auxiliary_heads
        Whether it has the two classifiers half way, whose scores `auxiliary_scores` gives.

    Raises
    ------
    NetworkError
        When fewer than one channel or two classes are asked for.
    """

    def __init__(self, input_channels: int, classes: int, *, auxiliary_heads: bool = False) -> None:
        super().__init__()
        check_request(input_channels, classes)
        self.conv1 = _Convolution(input_channels, 64, 7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = _Convolution(64, 64, 1)
        self.conv3 = _Convolution(64, 192, 3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = _Inception(192, InceptionWidths(64, 96, 128, 16, 32, 32))
        self.inception3b = _Inception(256, InceptionWidths(128, 128, 192, 32, 96, 64))
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = _Inception(480, InceptionWidths(192, 96, 208, 16, 48, 64))
        self.inception4b = _Inception(512, InceptionWidths(160, 112, 224, 24, 64, 64))
        self.inception4c = _Inception(512, InceptionWidths(128, 128, 256, 24, 64, 64))
        self.inception4d = _Inception(512, InceptionWidths(112, 144, 288, 32, 64, 64))
        self.inception4e = _Inception(528, InceptionWidths(256, 160, 320, 32, 128, 128))
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.inception5a = _Inception(832, InceptionWidths(256, 160, 320, 32, 128, 128))
        self.inception5b = _Inception(832, InceptionWidths(384, 192, 384, 48, 128, 128))
        self.aux1 = _AuxiliaryHead(512, classes) if auxiliary_heads else None
        self.aux2 = _AuxiliaryHead(528, classes) if auxiliary_heads else None
        self.dropout = nn.Dropout(_DROPOUT)
        self.fc = nn.Linear(1024, classes)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=_WEIGHT_DEVIATION, a=-2, b=2)

    @property
    def features(self) -> nn.Sequential:
        """The layers before global pooling."""
        return nn.Sequential(*self._parts())

    @property
    def classifier(self) -> nn.Linear:
        """The linear layer after global pooling."""
        return self.fc

    def _parts(self) -> tuple[nn.Sequential, nn.Sequential, nn.Sequential]:
        """Return the layers in three parts: the auxiliary heads look at what the first two give."""
        beginning = nn.Sequential(
            self.conv1,
            self.maxpool1,
            self.conv2,
            self.conv3,
            self.maxpool2,
            self.inception3a,
            self.inception3b,
            self.maxpool3,
            self.inception4a,
        )
        middle = nn.Sequential(self.inception4b, self.inception4c, self.inception4d)
        end = nn.Sequential(self.inception4e, self.maxpool4, self.inception5a, self.inception5b)
        return beginning, middle, end

    def forward(self, crops: Tensor) -> Tensor:
        """Return class scores (logits).

        Parameters
        ----------
        crops
            Crops of shape (batch, input_channels, rows, columns), at least 15x15.

        Returns
        -------
        Tensor
            Scores of shape (batch, classes).

        Raises
        ------
        NetworkError
            When the crops are smaller.
        """
        check_smallest_crop(crops.shape[-2:], SMALLEST_CROP, "GoogLeNet")
        return self._scores(self.features(crops))

    def all_scores(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return class scores and those of both auxiliary heads, the earlier one's first.

        Parameters
        ----------
        crops
            Crops as `forward` takes them.

        Raises
        ------
        NetworkError
            When the network was built without auxiliary heads, or the crops are too small.
        """
        if self.aux1 is None or self.aux2 is None:
            raise NetworkError("this GoogLeNet was built without auxiliary heads")
        check_smallest_crop(crops.shape[-2:], SMALLEST_CROP, "GoogLeNet")
        beginning, middle, end = self._parts()
        early = beginning(crops)
        late = middle(early)
        return self._scores(end(late)), self.aux1(early), self.aux2(late)

    def _scores(self, maps: Tensor) -> Tensor:
        # A mean over the axes has a deterministic backward pass on CUDA; AdaptiveAvgPool2d has not.
        return cast(Tensor, self.fc(self.dropout(maps.mean(dim=(2, 3)))))
