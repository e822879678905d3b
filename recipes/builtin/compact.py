"""The network: plain residual blocks, which int8 kernels and the matrix units of processors both like."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

__all__ = ["Compact", "ForUse", "Shape", "ready"]

_DIRECTIONS = 8
_DRAWN = 8.0  # how loud the outlines are at first
_MAP = 4  # side of the last map of 128 x 128 pixels


@dataclass(frozen=True, slots=True)
class Shape:
    """Widths in multiples of 64, of the four stages; how many blocks each has; the lengths of the two vectors."""

    stem: int = 32
    widths: tuple[int, ...] = (64, 128, 256, 512)
    blocks: tuple[int, ...] = (1, 2, 2, 1)
    places: int = 64
    shape: int = 256
    meaning: int = 128

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


class Compact(nn.Module):
    """From (B, 3, 128, 128) in [0, 1], or smaller, to two vectors that are not scaled.

    ``shape`` is trained on who belongs with whom, and starts as what ``Outlines`` sees; ``meaning`` is trained on the
    teachers. Both read the mean of the last map, and the map itself, thinned to a few channels, since where a thing
    stands matters in a pictogram.

    Source of the blocks: He et al., "Deep residual learning", CVPR 2016, fig. 2; a stem of two 3 x 3 convolutions.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.made = shape
        first = shape.widths[0]
        layers: list[Any] = [_step(3, shape.stem, 3, 2), _step(shape.stem, first, 3, 2)]
        width = first
        for stage, (wide, count) in enumerate(zip(shape.widths, shape.blocks, strict=True)):
            for number in range(count):
                layers.append(_Block(width, wide, 2 if number == 0 and stage > 0 else 1))
                width = wide
        self.trunk = nn.Sequential(*layers)
        self.places = nn.Conv2d(width, shape.places, 1)
        features = width + _MAP * _MAP * shape.places
        self.neck = nn.BatchNorm1d(features)
        self.outlines = Outlines()
        self.drawn = nn.Linear(self.outlines.dim, shape.shape, bias=False)
        nn.init.orthogonal_(self.drawn.weight, gain=_DRAWN)
        self.shape = nn.Linear(features, shape.shape)
        with torch.no_grad():
            self.shape.weight.mul_(0.1)  # at first the outlines alone speak
        self.meaning = nn.Linear(features, shape.meaning)

    def forward(self, pixels: Any) -> tuple[Any, Any]:
        """Return (B, shape) and (B, meaning)."""
        scaled = (pixels - 0.5) * 4
        found = self.trunk(scaled)
        where = self.places(found)
        if where.shape[-1] != _MAP:  # smaller pictures, early in the training
            where = nn.functional.interpolate(where, (_MAP, _MAP), mode="bilinear", align_corners=False)
        features = self.neck(torch.cat([found.mean(dim=(2, 3)), where.flatten(1)], dim=1))
        with torch.autocast(pixels.device.type, enabled=False):
            drawn = self.drawn(self.outlines(scaled.float()))
        return self.shape(features) + drawn, self.meaning(features)


class Outlines(nn.Module):
    """Histograms of gradients and a colour layout, by fixed formulas: what a network of few pictures learns last.

    The picture at 64 x 64; the energy of its gradients in 8 directions without sign, each direction counting what lies
    within 45 degrees of it; means over 8 x 8 and 4 x 4 cells, their roots, each scaled to unit norm; and the mean
    colours of 4 x 4 cells.
    Source: Dalal and Triggs, CVPR 2005, with the roots of Arandjelovic and Zisserman, CVPR 2012, for block norms.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dim = _DIRECTIONS * (8 * 8 + 4 * 4) + 3 * 4 * 4
        slope = torch.zeros(2, 1, 3, 3)
        slope[0, 0, 1] = torch.tensor([-1.0, 0, 1])
        slope[1, 0, :, 1] = torch.tensor([-1.0, 0, 1])
        angle = torch.arange(_DIRECTIONS) * (math.pi / _DIRECTIONS)
        self.register_buffer("slope", slope, persistent=False)
        self.register_buffer("luma", torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("turned", torch.stack([angle.cos(), angle.sin()], 1)[..., None, None], persistent=False)

    def forward(self, scaled: Any) -> Any:
        """Return (B, dim) of (B, 3, S, S)."""
        side = scaled.shape[-1]
        if side == 128:
            scaled = nn.functional.avg_pool2d(scaled, 2)
        elif side != 64:
            scaled = nn.functional.interpolate(scaled, (64, 64), mode="bilinear", align_corners=False)
        grey = nn.functional.conv2d(scaled, self.luma)
        slopes = nn.functional.conv2d(nn.functional.pad(grey, (1, 1, 1, 1), mode="replicate"), self.slope)
        strength = (slopes * slopes).sum(dim=1, keepdim=True).clamp(min=1e-8).sqrt()
        energy = (nn.functional.conv2d(slopes, self.turned).abs() - 0.7 * strength).relu()
        fine = nn.functional.avg_pool2d(energy, 8)
        coarse = nn.functional.avg_pool2d(fine, 2)
        colours = nn.functional.avg_pool2d(scaled, 16).flatten(1)
        rows = [(each.flatten(1) + 1e-6).sqrt() for each in (coarse, fine)]
        rows = [nn.functional.normalize(each) * weight**0.5 for each, weight in zip(rows, (0.6, 0.3), strict=True)]
        return torch.cat([*rows, nn.functional.normalize(colours) * 0.1**0.5], dim=1)


class ForUse(nn.Module):
    """The network as it is exported: from (pixels - 0.5) * 4 to both vectors side by side, each of norm 1 / sqrt(2).

    The normalisation before the last layer is folded into it: one product gives both.
    """

    def __init__(self, network: Compact) -> None:
        super().__init__()
        network = network.to("cpu").eval()
        self.trunk, self.places, self.outlines = network.trunk, network.places, network.outlines
        self.drawn = network.drawn
        self.lengths = [network.shape.out_features, network.meaning.out_features]
        neck = network.neck
        factor = neck.weight / torch.sqrt(neck.running_var + neck.eps)
        shift = neck.bias - neck.running_mean * factor
        weight = torch.cat([network.shape.weight, network.meaning.weight])
        self.last = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.last.weight.copy_(weight * factor)
            self.last.bias.copy_(torch.cat([network.shape.bias, network.meaning.bias]) + weight @ shift)

    def forward(self, pixel_values: Any) -> Any:
        """Return (B, shape + meaning)."""
        found = self.trunk(pixel_values)
        features = torch.cat([found.mean(dim=(2, 3)), self.places(found).flatten(1)], dim=1)
        shape, meaning = self.last(features).split(self.lengths, dim=1)
        both = (shape + self.drawn(self.outlines(pixel_values)), meaning)
        return torch.cat([nn.functional.normalize(each) for each in both], dim=1) * 0.5**0.5


def ready(network: Compact, device: str) -> Compact:
    """Return it on the device, channels last, as convolutions are quickest."""
    return network.to(device, memory_format=torch.channels_last)


class _Block(nn.Module):
    def __init__(self, width: int, wide: int, stride: int) -> None:
        super().__init__()
        self.first = _step(width, wide, 3, stride)
        self.second = _step(wide, wide, 3, 1, active=False)
        self.around = nn.Identity() if width == wide and stride == 1 else _step(width, wide, 1, stride, active=False)
        nn.init.zeros_(self.second[1].weight)  # starts as the identity (Goyal et al., 2017, section 5.1)
        self.end = nn.ReLU(inplace=True)

    def forward(self, pixels: Any) -> Any:
        return self.end(self.second(self.first(pixels)) + self.around(pixels))


def _step(width: int, wide: int, side: int, stride: int, *, active: bool = True) -> Any:
    layers: list[Any] = [nn.Conv2d(width, wide, side, stride, side // 2, bias=False), nn.BatchNorm2d(wide)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if active else nn.Sequential(*layers)
