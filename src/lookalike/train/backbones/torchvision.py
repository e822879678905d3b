"""Backbones of torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...embed.neural.exported import Wanted
from ...embed.neural.preprocess import IMAGENET_MEAN, IMAGENET_STD
from ...embed.neural.torchvision import create
from . import Backbone, split_name

__all__ = ["open_torchvision"]


class _Rows(nn.Module):
    """A network that pools itself: its rows as maps of a single position, whose every pooling is the row."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Any) -> Any:
        return self.network(pixels)[:, :, None, None]


def open_torchvision(name: str, *, side: int = 0) -> Backbone:
    """Return a network of torchvision by its name; convolutional ones give their last feature map."""
    bare, weights, checkpoint = split_name(name)
    wanted = Wanted("torchvision", bare, Path(checkpoint).expanduser().absolute() if checkpoint else None)
    full, network, preprocess = create(wanted, weights=weights != "none")
    own = (preprocess.crop or (224, 224))[0]
    body = _map_of(network)
    with torch.no_grad():
        example = body.eval()(torch.zeros(1, 3, side or own, side or own))
    return Backbone(
        name=f"torchvision:{full}"
        + (f"?checkpoint={checkpoint}" if checkpoint else "?weights=none" if weights else ""),
        network=body,
        gives="map",
        channels=int(example.shape[1]),
        skip=0,
        side=side or own,
        mean=preprocess.mean if preprocess.mean else IMAGENET_MEAN,
        std=preprocess.std if preprocess.std else IMAGENET_STD,
        pretrained=weights != "none",
    )


def _map_of(network: Any) -> Any:
    """Return what gives the network's last feature map, where it is built of such; else its rows."""
    if hasattr(network, "features"):
        return network.features
    if hasattr(network, "layer4"):
        return nn.Sequential(
            *(
                getattr(network, part)
                for part in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
            )
        )
    return _Rows(network)
