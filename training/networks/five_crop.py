"""The plain network that judges a picture by five crops of it; knows nothing of data."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from training.networks.requests import check_crop_size, check_request

_WIDTHS = (16, 32, 64, 128, 256)
SIZE_MULTIPLE = 2 ** len(_WIDTHS)


class FiveCropNetwork(nn.Module):
    """A plain convolutional network for 256x256 crops of the middle and the corners.

    `reconstructed`: of the five-crop network of the WIFS 2021 study of age traces beside defects
    (Joechl and Uhl) the crops are known and the layers are not; these are ours. Five times: a 3x3
    convolution, batch norm, ReLU, 2x2 average pooling; then the mean of the maps and one linear
    layer. Each crop is judged by itself and a picture by all of its crops, which experiments do
    with ``patches: five-crop``.

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
        layers: list[nn.Module] = []
        channels = input_channels
        for width in _WIDTHS:
            layers += [
                nn.Conv2d(channels, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                # means keep a single photosite's trace, which the largest of four may hide
                nn.AvgPool2d(2),
            ]
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, crops: Tensor) -> Tensor:
        """Return class scores (logits).

        Parameters
        ----------
        crops
            Crops of shape (batch, input_channels, rows, columns); rows and columns multiples of 32.

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
