"""AlexNet in the variant of one column; knows nothing of data."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from training.networks.pooling import average_pool_to
from training.networks.requests import check_request, check_smallest_crop

SMALLEST_CROP = 63
_GRID = 6
_DROPOUT = 0.5


class AlexNet(nn.Module):
    """AlexNet without local response normalisation.

    Source: Krizhevsky 2014 ("One weird trick for parallelizing convolutional neural networks"),
    with the layers and the parameter names of torchvision, whose files of weights it takes. Its
    last maps are averaged to 6x6 places whatever a crop's size: 224x224 crops give just these,
    256x256 crops 7x7.

    Class activation maps are not defined for it: three linear layers follow the maps.

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
        self.features = nn.Sequential(
            nn.Conv2d(input_channels, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(_DROPOUT),
            nn.Linear(256 * _GRID**2, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(_DROPOUT),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, classes),
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Return class scores (logits).

        Parameters
        ----------
        crops
            Crops of shape (batch, input_channels, rows, columns), at least 63x63.

        Returns
        -------
        Tensor
            Scores of shape (batch, classes).

        Raises
        ------
        NetworkError
            When the crops are smaller.
        """
        check_smallest_crop(crops.shape[-2:], SMALLEST_CROP, "AlexNet")
        return self.scores_of_maps(self.features(crops))

    def scores_of_maps(self, maps: Tensor) -> Tensor:
        """Return class scores from the last maps, as the end of `forward` does."""
        return cast(Tensor, self.classifier(average_pool_to(maps, _GRID).flatten(1)))
