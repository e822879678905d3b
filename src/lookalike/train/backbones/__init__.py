"""The table of backbones: where networks to train come from. A new source is one file and one line here.

A name is ``SOURCE:NAME``, perhaps with ``?weights=none`` (start from random weights) or ``?checkpoint=PATH``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import ModelError
from ...registry import Registry

__all__ = ["BACKBONES", "Backbone", "open_backbone", "split_name"]

BACKBONES: Registry[Any] = Registry(
    "backbone",
    {
        "hf:": "lookalike.train.backbones.transformers:open_transformers",
        "timm:": "lookalike.train.backbones.timm:open_timm",
        "torchvision:": "lookalike.train.backbones.torchvision:open_torchvision",
    },
    extras={"hf:": "train", "timm:": "train", "torchvision:": "train"},
)


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A network without its last layers.

    Attributes:
        name: what makes it again.
        network: a torch module from (B, 3, S, S), normalised, to what ``gives`` says.
        gives: ``map`` (B, C, H, W) or ``tokens`` (B, T, C).
        channels: C.
        skip: tokens before the patches; 0 of a map.
        side: S that it was made for.
        mean, std: of its input.
        pretrained: whether it starts from somebody's weights.
        licence: of those, where it is known.
    """

    name: str
    network: Any
    gives: str
    channels: int
    skip: int
    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    pretrained: bool
    licence: str = ""


def open_backbone(name: str, *, side: int = 0) -> Backbone:
    """Return the backbone of a name, for squares of ``side`` pixels (0: its own size).

    Raises:
        UnknownName: no such source or network. NoSuchFile: no such checkpoint.
        MissingExtra: torch or the library is not installed.
        ModelError: weights that cannot be fetched or do not fit.
    """
    try:
        made: Backbone = BACKBONES.create(name, side=side)
    except ModelError as failed:
        if "could not be fetched" not in failed.message:
            raise
        bare = name.partition("?")[0]
        raise ModelError(
            failed.message,
            hint=f"Name weights that are here (--backbone '{bare}?checkpoint=FILE'), or start at random "
            f"('{bare}?weights=none').",
        ) from failed
    return made


def split_name(name: str) -> tuple[str, str, str]:
    """Return the name, ``none`` or nothing for its weights, and the path of a checkpoint or nothing.

    Raises:
        BadInput: another word behind the question mark.
    """
    from ...errors import BadInput

    bare, mark, rest = name.partition("?")
    if not mark:
        return bare, "", ""
    key, _, value = rest.partition("=")
    if key == "weights" and value == "none":
        return bare, "none", ""
    if key == "checkpoint" and value:
        return bare, "", value
    raise BadInput(
        f"{name!r}: what follows the question mark is not known.", hint="Write ?weights=none or ?checkpoint=PATH."
    )
