"""Backbones of timm."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ...embed.neural.exported import Wanted, parse_exported
from ...embed.neural.timm import create
from . import Backbone, split_name

__all__ = ["open_timm"]


class _ToMap(nn.Module):
    """A network of timm whose feature map has its channels last, turned round."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Any) -> Any:
        return self.network.forward_features(pixels).permute(0, 3, 1, 2)


class _Features(nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Any) -> Any:
        return self.network.forward_features(pixels)


def open_timm(name: str, *, side: int = 0) -> Backbone:
    """Return a network of timm by its name, with its published weights, a checkpoint's, or none."""
    bare, weights, checkpoint = split_name(name)
    wanted = Wanted("timm", bare) if not checkpoint else parse_exported("timm", f"{bare}?checkpoint={checkpoint}")
    full, network, config = create(wanted, weights=weights != "none", side=side)
    own = int(config["input_size"][-1])
    with torch.no_grad():
        example = network.eval().forward_features(torch.zeros(1, 3, side or own, side or own))
    tokens = example.ndim == 3
    last = not tokens and example.shape[-1] == network.num_features and example.shape[1] != network.num_features
    return Backbone(
        name=f"timm:{full}" + (f"?checkpoint={checkpoint}" if checkpoint else "?weights=none" if weights else ""),
        network=_ToMap(network) if last else _Features(network),
        gives="tokens" if tokens else "map",
        channels=int(example.shape[-1] if tokens or last else example.shape[1]),
        skip=int(getattr(network, "num_prefix_tokens", 0)) if tokens else 0,
        side=side or own,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        pretrained=weights != "none",
        licence=str(network.pretrained_cfg.get("license") or "") if weights != "none" else "",
    )
