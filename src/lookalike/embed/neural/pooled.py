"""What becomes of a network's output: a row as it is, or a feature map or tokens pooled to one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from ...errors import BadInput, ModelError, NoSuchFile
from ...protocols import Pooling
from ..pooling import create, describe
from ..pooling.average import Average
from ..pooling.scales import MultiScale
from ..pooling.tokens import ClassToken

__all__ = ["Output", "Plan", "choose_pooling", "split_pooling"]

_TAKES = {3: "tokens", 4: "map"}


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is pooled, how, and at which sizes of the picture.

    Attributes:
        pooling: of a feature map or tokens; of several maps where there are several outputs.
        outputs: names of the network's outputs; empty: the one that is taken anyway.
        scales: sizes, 1 being the network's own.
        over: makes the rows of several sizes one.
    """

    pooling: Pooling
    outputs: tuple[str, ...] = ()
    scales: tuple[float, ...] = (1.0,)
    over: MultiScale = field(default_factory=MultiScale)

    @property
    def fingerprint(self) -> str:
        """Return what it adds to a fingerprint; outputs are named by the embedder."""
        sizes = "" if self.scales == (1.0,) else f"/{','.join(f'{s:g}' for s in self.scales)}/{describe(self.over)}"
        return f"/{describe(self.pooling)}{sizes}"


@dataclass(frozen=True)
class Output:
    """How an output becomes rows.

    Args:
        layout: of the network's input; a feature map is taken to have the same.
        plan: what was asked for; None means the class token or the mean over all positions.
        source: what gives the output, for messages.
    """

    layout: Literal["nchw", "nhwc"]
    plan: Plan | None
    source: str

    @property
    def pooling(self) -> Pooling | None:
        """Return the pooling that was asked for."""
        return None if self.plan is None else self.plan.pooling

    @property
    def fingerprint(self) -> str:
        """Return what the pooling adds to a fingerprint: nothing when none was asked for."""
        return "" if self.plan is None else self.plan.fingerprint

    def rows(self, outputs: Sequence[npt.NDArray[Any]], batch: int) -> npt.NDArray[Any]:
        """Return (B, D) of what the network gave, not normalised.

        Raises:
            ModelError: an output that is no row, tokens or feature map, or that the pooling does not take.
        """
        if self.pooling is not None and self.pooling.takes == "maps":
            for each in outputs:
                if each.ndim != 4 or len(each) != batch or 0 in each.shape:
                    raise ModelError(
                        f"{self.source} gave an output of shape {each.shape}; {describe(self.pooling)} joins maps."
                    )
            return self.pooling([self._map(each) for each in outputs])
        (output,) = outputs
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
        if output.ndim == 3:
            return (self.pooling or ClassToken())(output.astype(np.float32, copy=False))
        return (self.pooling or Average())(self._map(output))

    def _map(self, output: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        features = output.astype(np.float32, copy=False)
        return features if self.layout == "nchw" else features.transpose(0, 3, 1, 2)


def split_pooling(spec: str) -> tuple[str, str]:
    """Split ``PATH?pooling=NAME&OPTION=VALUE`` into the path and the rest, question mark and all.

    A path that is there, question mark and all, is not split.
    """
    path, _, query = spec.rpartition("?pooling=")
    if not path or Path(spec).expanduser().exists():
        return spec, ""
    return path, f"?pooling={query}"


def choose_pooling(query: str, about: dict[str, Any], *, source: Path) -> Plan | None:
    """Return what the specification names, else ``lookalike.json``, else None.

    Args:
        query: ``?pooling=gem&p=4``, or nothing; values are JSON, or else text. Besides the pooling's own options:
            ``outputs=a,b`` which of the network's outputs are pooled (with ``pooling=layers``, and ``of=NAME`` for what
            pools each); ``scales=0.7,1,1.4`` the sizes that the picture is looked at, and ``over=max|gem|mean`` how
            their rows become one; ``parameters=FILE.npz`` arrays for options of their names, beside the model.
        about: what ``lookalike.json`` says: ``{"pooling": "gem", "pooling_options": {"p": 4}}``.
        source: where ``lookalike.json`` is or would be: a relative ``parameters`` is looked for beside it.

    Raises:
        UnknownName: no such pooling.
        BadInput, NoSuchFile: the pooling cannot be made of its options.
        ModelError: ``about`` is not as above.
    """
    if query:
        options = {key: _value(text) for key, text in parse_qsl(query[1:], keep_blank_values=True)}
        return _plan(str(options.pop("pooling")), options, source.parent)
    name, options = about.get("pooling"), about.get("pooling_options", {})
    if name is None and not options:
        return None
    if not isinstance(name, str) or not isinstance(options, dict):
        raise ModelError(
            f"{source}: pooling should be a name and pooling_options an object, got {name!r} and {options!r}."
        )
    return _plan(name, dict(options), source.parent)


def _plan(name: str, options: dict[str, Any], folder: Path) -> Plan:
    outputs = tuple(str(each) for each in _several(options.pop("outputs", [])))
    scales = _scales(_several(options.pop("scales", [1])))
    over = MultiScale(method=options.pop("over", "max"))
    if "parameters" in options:
        options |= _parameters(folder / Path(str(options.pop("parameters"))).expanduser())
    if name == "layers" and "of" in options:
        options["pooling"] = create(str(options.pop("of")))
    pooling = create(name, **options)
    if pooling.takes not in ("map", "tokens") and not (pooling.takes == "maps" and len(outputs) > 1):
        raise BadInput(
            f"{describe(pooling)} joins several {pooling.takes}; a network's one output has none to join.",
            hint="Name them: outputs=A,B. For several sizes give scales=0.7,1,1.4 with another pooling.",
        )
    if pooling.takes != "maps" and len(outputs) > 1:
        raise BadInput(f"{describe(pooling)} pools one output, got {', '.join(outputs)}.", hint="Use pooling=layers.")
    return Plan(pooling, outputs, scales, over)


def _several(value: Any) -> list[Any]:
    """Return the parts of ``a,b``, of a list, or of a single value."""
    return value.split(",") if isinstance(value, str) else list(value) if isinstance(value, list) else [value]


def _scales(values: list[Any]) -> tuple[float, ...]:
    try:
        scales = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        scales = ()
    if not scales or not all(0.1 <= scale <= 4 for scale in scales):
        raise BadInput(f"scales should be sizes from 0.1 to 4, 1 being the network's own, got {values!r}.")
    return scales


def _parameters(file: Path) -> dict[str, npt.NDArray[Any]]:
    if not file.is_file():
        raise NoSuchFile(f"no such file of parameters: {file}", hint="It is looked for beside the model.")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {key: arrays[key] if arrays[key].ndim else arrays[key].item() for key in arrays.files}
    except (OSError, ValueError, EOFError, AttributeError, BadZipFile) as broken:
        raise BadInput(f"{file} is no .npz file of arrays: {broken}.") from broken


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
