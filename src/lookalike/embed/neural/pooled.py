"""What becomes of a network's output: a row as it is, or a feature map or tokens pooled to one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

import numpy as np
import numpy.typing as npt

from ...errors import BadInput, ModelError
from ...protocols import Pooling
from ..pooling import create, describe
from ..pooling.average import Average
from ..pooling.tokens import ClassToken

__all__ = ["Output", "choose_pooling", "split_pooling"]

_TAKES = {3: "tokens", 4: "map"}


@dataclass(frozen=True)
class Output:
    """How an output becomes rows.

    Args:
        layout: of the network's input; a feature map is taken to have the same.
        pooling: what was asked for; None means the class token or the mean over all positions.
        source: what gives the output, for messages.
    """

    layout: Literal["nchw", "nhwc"]
    pooling: Pooling | None
    source: str

    @property
    def fingerprint(self) -> str:
        """Return what the pooling adds to a fingerprint: nothing when none was asked for."""
        return f"/{describe(self.pooling)}" if self.pooling is not None else ""

    def rows(self, output: npt.NDArray[Any], batch: int) -> npt.NDArray[Any]:
        """Return (B, D) of what the network gave, not normalised.

        Raises:
            ModelError: an output that is no row, tokens or feature map, or that the pooling does not take.
        """
        if output.ndim not in (2, 3, 4) or output.shape[0] != batch or 0 in output.shape:
            raise ModelError(
                f"{self.source} gave an output of shape {output.shape} for {batch} images; (B, D), (B, tokens, D) or a "
                "feature map (B, D, H, W) is needed.",
                hint="This may be a detector, or a model that was not exported for embedding.",
            )
        if self.pooling is not None and self.pooling.takes != _TAKES.get(output.ndim):
            kind = {2: "rows, which need no pooling", 3: "tokens", 4: "a feature map"}[output.ndim]
            raise ModelError(
                f"{self.source} gives {kind}; the pooling {describe(self.pooling)} takes {self.pooling.takes}.",
                hint="Leave the pooling out." if output.ndim == 2 else f"Name one that takes {_TAKES[output.ndim]}.",
            )
        if output.ndim == 2:
            return output
        features = output.astype(np.float32, copy=False)
        if output.ndim == 3:
            return (self.pooling or ClassToken())(features)
        return (self.pooling or Average())(features if self.layout == "nchw" else features.transpose(0, 3, 1, 2))


def split_pooling(spec: str) -> tuple[str, str]:
    """Split ``PATH?pooling=NAME&OPTION=VALUE`` into the path and the rest, question mark and all.

    A path that is there, question mark and all, is not split.
    """
    path, _, query = spec.rpartition("?pooling=")
    if not path or Path(spec).expanduser().exists():
        return spec, ""
    return path, f"?pooling={query}"


def choose_pooling(query: str, about: dict[str, Any], *, source: str) -> Pooling | None:
    """Return the pooling that the specification names, else ``lookalike.json``, else None.

    Args:
        query: ``?pooling=gem&p=4``, or nothing; values are JSON, or else text.
        about: what ``lookalike.json`` says: ``{"pooling": "gem", "pooling_options": {"p": 4}}``.
        source: what has ``about``, for messages.

    Raises:
        UnknownName: no such pooling.
        BadInput: the pooling cannot be made of its options.
        ModelError: ``about`` is not as above.
    """
    if query:
        options = {key: _value(text) for key, text in parse_qsl(query[1:], keep_blank_values=True)}
        return _single(create(str(options.pop("pooling")), **options))
    name, options = about.get("pooling"), about.get("pooling_options", {})
    if name is None and not options:
        return None
    if not isinstance(name, str) or not isinstance(options, dict):
        raise ModelError(
            f"{source}: pooling should be a name and pooling_options an object, got {name!r} and {options!r}."
        )
    return _single(create(name, **options))


def _single(pooling: Pooling) -> Pooling:
    if pooling.takes not in _TAKES.values():
        raise BadInput(f"{describe(pooling)} joins several {pooling.takes}; a network's one output has none to join.")
    return pooling


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
