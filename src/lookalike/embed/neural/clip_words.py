"""open_clip's tokenizers, written as a ``tokenizer.json`` that the package ``tokenizers`` reads.

Source: open_clip/tokenizer.py (SimpleTokenizer, HFTokenizer, and the cleaning before both). Left out of the cleaning:
mending wrongly decoded text (ftfy) and HTML's ``&amp;``, of which searches have none.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

from ...errors import ModelError
from .model_file import read_json
from .onnx import first_line

__all__ = ["write_bpe", "write_published"]

_START, _END = "<start_of_text>", "<end_of_text>"
_MERGES = 49152 - 256 - 2
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_PUNCTUATION = r"[!-/:-@\[-`{-~]"  # string.punctuation


def write_bpe(merges: Path, folder: Path, *, length: int, clean: str = "lower") -> None:
    """Write CLIP's byte-pair tokenizer: whole merges in a gzipped file, padding by token 0.

    Args:
        merges: ``bpe_simple_vocab_16e6.txt.gz``, as it lies in open_clip.
        folder: where ``tokenizer.json`` and ``tokenizer_config.json`` are written.
        length: tokens a text.
        clean: ``lower``, ``whitespace`` or ``canonicalize``.
    """
    with gzip.open(merges, "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[1 : _MERGES + 1]
    pairs = [(left, right) for left, right in (line.split() for line in lines)]
    letters = _byte_letters()
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in pairs), _START, _END]
    numbers = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(BPE(vocab=numbers, merges=pairs, end_of_word_suffix="</w>", continuing_subword_prefix=""))
    tokenizer.normalizer = _cleaning(clean)
    words = pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True)
    letters_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, letters_only])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in (_START, _END)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_START} $A {_END}", special_tokens=[(token, numbers[token]) for token in (_START, _END)]
    )
    _write(tokenizer, folder, {"pad_token": vocabulary[0], "padding_side": "right", "model_max_length": length})


def write_published(
    source: Path, config: Path | None, folder: Path, *, length: int, clean: str = "whitespace", strip_end: bool = False
) -> None:
    """Write a published ``tokenizer.json`` again, with open_clip's cleaning in front of it.

    Args:
        source: the published file.
        config: the ``tokenizer_config.json`` beside it, which names the token of padding.
        folder: where both are written.
        length: tokens a text.
        clean: ``lower``, ``whitespace`` or ``canonicalize``.
        strip_end: whether the separator at the end becomes token 0, as for open_clip's BERT-like models.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        tokenizer = Tokenizer.from_file(str(source))
    except Exception as broken:  # the package raises bare Exception
        raise ModelError(f"{source} cannot be read as a tokenizer: {first_line(broken)}") from broken
    own = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
    tokenizer.normalizer = normalizers.Sequence([_cleaning(clean), *own])
    said = dict(read_json(config)) if config is not None else {}
    if strip_end:
        named = said.get("sep_token", "[SEP]")
        end = str(named.get("content") if isinstance(named, Mapping) else named)
        tokenizer = _without_end(tokenizer, end)
    kept: dict[str, Any] = {key: said[key] for key in ("pad_token", "padding_side", "do_lower_case") if key in said}
    _write(tokenizer, folder, {**kept, "model_max_length": length})


def _without_end(tokenizer: Tokenizer, end: str) -> Tokenizer:
    """Return the tokenizer with 0 as the number of the token at the end."""
    number, first = tokenizer.token_to_id(end), tokenizer.token_to_id("[CLS]")
    if number is None or first is None:
        raise ModelError(f"the text model's tokenizer has no {end!r} or no '[CLS]'; it is not like BERT's.")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"[CLS] $A {end}",
        special_tokens=[
            {"id": "[CLS]", "ids": [first], "tokens": ["[CLS]"]},
            {"id": end, "ids": [0], "tokens": [str(tokenizer.id_to_token(0))]},
        ],
    )
    return tokenizer


def _cleaning(kind: str) -> Any:
    whitespace = [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    if kind == "whitespace":
        return normalizers.Sequence(whitespace)
    if kind == "lower":
        return normalizers.Sequence([normalizers.NFC(), *whitespace, normalizers.Lowercase()])
    if kind == "canonicalize":
        marks = [normalizers.Replace("_", " "), normalizers.Replace(Regex(_PUNCTUATION), "")]
        return normalizers.Sequence([normalizers.NFC(), *marks, normalizers.Lowercase(), *whitespace])
    raise ModelError(f"the text model cleans its texts in a way that is not known here: {kind!r}.")


def _byte_letters() -> list[str]:
    """Return the 256 letters that stand for bytes, in the order of CLIP's vocabulary: those that print come first."""
    printed = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printed]
    return [chr(byte) for byte in printed] + [chr(256 + number) for number in range(len(others))]


def _write(tokenizer: Tokenizer, folder: Path, config: dict[str, Any]) -> None:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
