"""Content suppression in front of a network: filters that leave residuals; knows no data.

Fronts compute in float32 whatever the network around them does. In reduced precision weights no
longer cancel, and what they leave would tell a flat area's brightness. Beyond the border a plane
goes on as its own reflection, so that a flat area's border is flat too.

On a mosaic every filter works on photosites of one colour: the four places of the colour cell are
taken apart before it and put together after it.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.errors import NetworkError
from training.networks.medians import window_medians
from training.networks.names import FRONT_NAMES, FrontName
from training.networks.requests import check_crop_size
from training.patches.inputs import InputName

CONSTRAINED_FILTERS = 3
CONSTRAINED_SIZE = 5
_LEAST_SUM = 0.1

# Fridrich and Kodovsky 2012, "Rich Models for Steganalysis of Digital Images": KV and, for `srm`,
# KV beside the square 3 x 3 and the second-order line. Integers are exact in every precision.
_KV = (
    (-1, 2, -2, 2, -1),
    (2, -6, 8, -6, 2),
    (-2, 8, -12, 8, -2),
    (2, -6, 8, -6, 2),
    (-1, 2, -2, 2, -1),
)
_SQUARE = (
    (0, 0, 0, 0, 0),
    (0, -1, 2, -1, 0),
    (0, 2, -4, 2, 0),
    (0, -1, 2, -1, 0),
    (0, 0, 0, 0, 0),
)
_LINE = (
    (0, 0, 0, 0, 0),
    (0, 0, 0, 0, 0),
    (0, 1, -2, 1, 0),
    (0, 0, 0, 0, 0),
    (0, 0, 0, 0, 0),
)
# powers of two next below the usual divisors 12, 4 and 2, which change no mantissa
_SCALED_KV, _SCALED_SQUARE, _SCALED_LINE = (_KV, 1 / 8), (_SQUARE, 1 / 4), (_LINE, 1 / 2)


def reflected(planes: Tensor, reach: int) -> Tensor:
    """Continue planes beyond their border by reflection, the border itself not repeated.

    Made of slices: `ReflectionPad2d` has no deterministic backward pass on CUDA.

    Parameters
    ----------
    planes
        Shape (..., rows, columns), more than `reach` of both.
    reach
        Rows and columns to add on each side.

    Raises
    ------
    NetworkError
        When the planes are too small to be reflected.
    """
    for axis in (-2, -1):
        length = planes.shape[axis]
        if length <= reach:
            raise NetworkError(
                f"a front that sees {reach} values far needs crops of {reach + 1} or more of each "
                f"colour, not {length}: choose a larger patch size"
            )
        before = planes.narrow(axis, 1, reach).flip(axis)
        after = planes.narrow(axis, length - 1 - reach, reach).flip(axis)
        planes = torch.cat([before, planes, after], dim=axis)
    return planes


def _convolved(padded: Tensor, kernels: Tensor) -> Tensor:
    """Return a convolution in whole float32.

    CUDA's takes float32 for TensorFloat32, whose ten bits lose a trace beside bright content.
    """
    if padded.is_cuda:
        return functional.conv2d(padded.double(), kernels.double()).float()
    return functional.conv2d(padded, kernels)


class _PerPlane(nn.Module):
    """Applies a filter to every plane of one colour by itself.

    Parameters
    ----------
    reach
        How far the filter sees to each side.
    filters
        Residuals that it makes of a plane.
    is_mosaic
        Whether a channel holds the four places of a colour cell.
    """

    def __init__(self, reach: int, filters: int, is_mosaic: bool) -> None:
        super().__init__()
        self._reach = reach
        self.filters = filters
        self._is_mosaic = is_mosaic

    def forward(self, crops: Tensor) -> Tensor:
        """Return residuals.

        Parameters
        ----------
        crops
            Crops of shape (crops, channels, rows, columns).

        Returns
        -------
        Tensor
            float32, shape (crops, channels * filters, rows, columns).

        Raises
        ------
        NetworkError
            When crops of a mosaic hold half a colour cell, or are too small to be reflected.
        """
        with torch.autocast(crops.device.type, enabled=False):
            planes = crops.float()
            if self._is_mosaic:
                check_crop_size(crops.shape[-2:], 2)
                planes = functional.pixel_unshuffle(planes, 2)
            count, channels, rows, columns = planes.shape
            padded = reflected(planes.reshape(-1, 1, rows, columns), self._reach)
            residuals = self.residuals(padded).reshape(count, channels, -1, rows, columns)
            if not self._is_mosaic:
                return residuals.reshape(count, -1, rows, columns)
            # a residual of one kind of all four places makes a mosaic again
            cells = residuals.reshape(count, channels // 4, 4, self.filters, rows, columns)
            together = cells.transpose(2, 3).reshape(count, -1, rows, columns)
            return functional.pixel_shuffle(together, 2)

    def residuals(self, padded: Tensor) -> Tensor:
        """Return the residuals of padded planes, (planes, 1, ...) to (planes, filters, ...)."""
        raise NotImplementedError


class HighPass(_PerPlane):
    """Fixed integer filters, each scaled by a power of two.

    Parameters
    ----------
    kernels
        Square integer kernels of one size with their scales.
    is_mosaic
        Whether the input is a mosaic.
    """

    kernels: Tensor
    scales: Tensor

    def __init__(
        self, kernels: tuple[tuple[tuple[tuple[int, ...], ...], float], ...], is_mosaic: bool
    ) -> None:
        super().__init__(len(kernels[0][0]) // 2, len(kernels), is_mosaic)
        weights = torch.tensor([kernel for kernel, _ in kernels], dtype=torch.float32)
        scales = torch.tensor([scale for _, scale in kernels], dtype=torch.float32)
        self.register_buffer("kernels", weights.unsqueeze(1), persistent=False)
        self.register_buffer("scales", scales.reshape(1, -1, 1, 1), persistent=False)

    def residuals(self, padded: Tensor) -> Tensor:
        """Return what the filters leave."""
        # Filters that sum to 0 do not see what is taken away, and a flat plane is exactly 0 then.
        levelled = padded - padded[..., :1, :1]
        return _convolved(levelled, self.kernels) * self.scales


class MedianResidual(_PerPlane):
    """What a median filter takes away.

    Parameters
    ----------
    size
        Side of the window in photosites of one colour, odd.
    is_mosaic
        Whether the input is a mosaic.
    """

    def __init__(self, size: int, is_mosaic: bool) -> None:
        super().__init__(size // 2, 1, is_mosaic)
        self._size = size

    def residuals(self, padded: Tensor) -> Tensor:
        """Return value less median."""
        reach = self._reach
        middle = padded[..., reach:-reach, reach:-reach]
        return middle - window_medians(padded, self._size)


class ConstrainedConvolution(_PerPlane):
    """Learned prediction errors: the middle weighs -1 and the others sum to 1.

    Source: Bayar and Stamm 2018, "Constrained Convolutional Neural Networks". The constraint is
    restored by `project` after every step of the optimiser; the weights that a forward pass uses
    are the parameters themselves.

    Parameters
    ----------
    is_mosaic
        Whether the input is a mosaic.
    """

    def __init__(self, is_mosaic: bool) -> None:
        reach = CONSTRAINED_SIZE // 2
        super().__init__(reach, CONSTRAINED_FILTERS, is_mosaic)
        shape = (CONSTRAINED_FILTERS, 1, CONSTRAINED_SIZE, CONSTRAINED_SIZE)
        # Positive ones: their sum cannot be near 0 before anything was learned.
        self.weight = nn.Parameter(torch.rand(shape) + 0.5)
        self.project()

    @torch.no_grad()
    def project(self) -> None:
        """Make the middle -1 and the sum of the others 1.

        Where the others nearly cancel or their sum is negative, division would throw them anywhere
        or turn them round: what lacks is then added to each alike.
        """
        reach = self._reach
        weights = self.weight.double()
        weights[:, :, reach, reach] = 0
        sums = weights.sum(dim=(-2, -1), keepdim=True)
        others = torch.ones_like(weights)
        others[:, :, reach, reach] = 0
        divided = weights / sums.clamp(min=_LEAST_SUM)
        added = weights + others * (1 - sums) / (CONSTRAINED_SIZE**2 - 1)
        projected = torch.where(sums < _LEAST_SUM, added, divided)
        projected[:, :, reach, reach] = -1
        self.weight.copy_(projected)

    def residuals(self, padded: Tensor) -> Tensor:
        """Return prediction less value."""
        return _convolved(padded, self.weight)


class FrontedNetwork(nn.Module):
    """A network behind a front.

    Parameters
    ----------
    front
        The content suppression.
    network
        The network, of as many input channels as the front gives.
    """

    def __init__(self, front: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.front = front
        self.network = network

    @property
    def features(self) -> nn.Module:
        """The maps before global pooling, of the crops themselves."""
        return nn.Sequential(self.front, cast(nn.Module, self.network.features))

    @property
    def classifier(self) -> nn.Module:
        """What follows global pooling."""
        return cast(nn.Module, self.network.classifier)

    def forward(self, crops: Tensor) -> Tensor:
        """Return class scores, shape (crops, classes)."""
        return cast(Tensor, self.network(self.front(crops)))


def build_front(name: FrontName, input_name: InputName) -> _PerPlane | None:
    """Return a front, None for `none`.

    Raises
    ------
    NetworkError
        When no front has this name.
    """
    is_mosaic = input_name == "raw-mosaic"
    if name == "none":
        return None
    if name == "constrained":
        return ConstrainedConvolution(is_mosaic)
    if name == "high-pass-kv":
        return HighPass((_SCALED_KV,), is_mosaic)
    if name == "high-pass-srm":
        return HighPass((_SCALED_KV, _SCALED_SQUARE, _SCALED_LINE), is_mosaic)
    if name in ("median-3", "median-5"):
        return MedianResidual(int(name.removeprefix("median-")), is_mosaic)
    raise NetworkError(f"unknown front {name!r}: choose one of {', '.join(FRONT_NAMES)}")


def project_constraints(network: nn.Module) -> None:
    """Restore the constraint of every constrained convolution; due after each optimiser step."""
    for module in network.modules():
        if isinstance(module, ConstrainedConvolution):
            module.project()
