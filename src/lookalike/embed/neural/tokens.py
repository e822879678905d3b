"""From words to the numbers that a text model reads: ``tokenizer.json`` and what its configuration says beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import MissingExtra, ModelError, NoSuchFile
from .model_file import read_json

__all__ = ["Tokens", "open_tokens"]

_LONGEST = 4096  # tokenizer_config.json says 10**30 where it does not know
# Trained on lower case, which not every tokenizer.json says, and with attention to the padding.
_SIGLIP = frozenset({"siglip", "siglip2", "siglip_text_model", "siglip2_text_model"})


class Tokens:
    """A tokenizer with the length and padding of its model; made by ``open_tokens``.

    Attributes:
        length: every text becomes this many tokens: cut off, or filled up with the padding token.
    """

    def __init__(self, tokenizer: Any, length: int, *, lower: bool, masked: bool) -> None:
        self.length = length
        self._tokenizer = tokenizer
        self._lower = lower
        self._masked = masked

    def encode(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return token ids and attention mask, both (B, length)."""
        found = self._tokenizer.encode_batch([text.lower() if self._lower else text for text in texts])
        ids = np.array([text.ids for text in found], np.int64)
        mask = np.array([text.attention_mask for text in found], np.int64)
        return ids, mask if self._masked else np.ones_like(mask)


def open_tokens(folder: Path, *, length: int | None = None) -> Tokens:
    """Open the ``tokenizer.json`` of a folder.

    Every text is filled up to the length that the model was trained with: where attention is causal (CLIP) that
    changes nothing, and where it is not (SigLIP, MobileCLIP) it is what the model expects. The length is the graph's,
    else ``model_max_length`` of ``tokenizer_config.json``, else ``text_config.max_position_embeddings`` of
    ``config.json``, else what ``tokenizer.json`` cuts off at, else 77. Padding token and
    side are those of the configuration, else of ``tokenizer.json``, else token 0 on the right.

    Args:
        folder: where ``tokenizer.json`` lies.
        length: the fixed length of the model's input; None where the graph leaves it open.

    Raises:
        NoSuchFile: no tokenizer there. ModelError: it cannot be read.
        MissingExtra: the package ``tokenizers`` is not installed.
    """
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as missing:
        raise MissingExtra(
            "searching by words needs the package 'tokenizers', which is not installed.",
            hint="Try: pip install 'lookalike[hub]'",
        ) from missing
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise NoSuchFile(f"the text model needs {path}, which is not there.", hint="Put it beside the model.")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as broken:  # the package raises bare Exception
        raise ModelError(f"{path} cannot be read as a tokenizer: {broken}") from broken
    config = _json(folder / "tokenizer_config.json")
    about = _json(folder / "config.json")
    wanted = length or _length(config, about, tokenizer.truncation)
    pad = _pad_token(config, folder)
    if pad is None and tokenizer.padding:
        pad = str(tokenizer.padding["pad_token"])
    number = tokenizer.token_to_id(pad) if pad is not None else 0
    if number is None:
        raise ModelError(f"{path} does not have the padding token {pad!r} that its configuration names.")
    tokenizer.enable_truncation(wanted)
    side = str(config.get("padding_side") or (tokenizer.padding or {}).get("direction") or "right")
    tokenizer.enable_padding(direction=side.lower(), pad_id=number, pad_token=pad or "", length=wanted)
    kinds = {str(about.get("model_type")), str(_part(about, "text_config").get("model_type"))}
    lower = bool(kinds & _SIGLIP) or config.get("do_lower_case") is True
    return Tokens(tokenizer, wanted, lower=lower, masked=not kinds & _SIGLIP)


def _length(config: Mapping[str, Any], about: Mapping[str, Any], truncation: Mapping[str, Any] | None) -> int:
    said = (
        config.get("model_max_length"),
        _part(about, "text_config").get("max_position_embeddings"),
        (truncation or {}).get("max_length"),
    )
    return next((int(value) for value in said if isinstance(value, (int, float)) and 0 < value <= _LONGEST), 77)


def _pad_token(config: Mapping[str, Any], folder: Path) -> str | None:
    for said in (config, _json(folder / "special_tokens_map.json")):
        token = said.get("pad_token")
        token = token.get("content") if isinstance(token, Mapping) else token
        if isinstance(token, str):
            return token
    return None


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = config.get(name)
    return part if isinstance(part, Mapping) else {}


def _json(path: Path) -> Mapping[str, Any]:
    return read_json(path) if path.is_file() else {}
