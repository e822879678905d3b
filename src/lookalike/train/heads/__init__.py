"""The table of poolings that can be trained. A new one is one file and one line here.

Each is a torch module made of the number of channels; ``dimension`` says how long its rows are, ``takes`` whether it
reads a ``map`` (B, C, H, W) or ``tokens`` (B, T, C), and ``definition()`` gives the pooling of ``embed.pooling`` with
the same parameters, which tests hold it to.
"""

from __future__ import annotations

import inspect
from typing import Any

from ...errors import BadInput
from ...registry import Registry

__all__ = ["HEADS", "create_pooling"]

HEADS: Registry[Any] = Registry(
    "pooling",
    {
        "average": "lookalike.train.heads.simple:AveragePool",
        "cgd": "lookalike.train.heads.cgd:CGDPool",
        "cls": "lookalike.train.heads.tokens:ClassTokenPool",
        "drop-block": "lookalike.train.heads.drop_block:DropBlockPool",
        "gem": "lookalike.train.heads.gem:GeMPool",
        "max": "lookalike.train.heads.simple:MaxPool",
        "netvlad": "lookalike.train.heads.netvlad:NetVLADPool",
        "patch-mean": "lookalike.train.heads.tokens:PatchMeanPool",
        "r-mac": "lookalike.train.heads.rmac:RMACPool",
    },
)


def create_pooling(name: str, *, gives: str, channels: int, skip: int = 0) -> Any:
    """Return the pooling of a name; ``auto`` is GeM of a map, the class token (or the patches' mean) of tokens.

    Args:
        name: a name of the table, perhaps with options: ``gem?p=4``.
        gives: what the backbone gives, ``map`` or ``tokens``.
        channels: C.
        skip: tokens before the patches.

    Raises:
        UnknownName: no such pooling. BadInput: it does not take what the backbone gives, or has no such option.
    """
    from urllib.parse import parse_qsl

    if name == "auto":
        name = "gem" if gives == "map" else ("cls" if skip else "patch-mean")
    name, _, query = name.partition("?")
    options: dict[str, Any] = {key: _value(text) for key, text in parse_qsl(query)}
    if _takes(name) == "tokens":
        options["skip"] = skip
    try:
        pooling = HEADS.create(name, channels=channels, **options)
    except TypeError as wrong:
        raise BadInput(f"the pooling {name!r}: {str(wrong).rpartition('__init__() ')[2]}.") from wrong
    if pooling.takes != gives:
        fit = [each for each in HEADS.names() if _takes(each) == gives]
        raise BadInput(
            f"the pooling {name!r} takes {pooling.takes}, but the backbone gives {gives}.",
            hint=f"Use one of {', '.join(fit)}.",
        )
    return pooling


def _takes(name: str) -> str:
    return "tokens" if "skip" in inspect.signature(HEADS.factory(name)).parameters else "map"


def _value(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text
