"""Two towers, one space: an image model and the text model that was trained with it (CLIP, SigLIP and their kin)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import BadInput, ModelError
from ...types import Vectors
from ..unit import unit
from .onnx import TEXT_INPUTS, OnnxEmbedder, external_files, first_line, open_session, text_dtype
from .tokens import Tokens, open_tokens

__all__ = ["TwoTowers"]

_GREY = np.full((1, 1, 3), 128, np.uint8)
_WANTED_OUTPUTS = ("text_embeds", "pooler_output", "text_features", "sentence_embedding", "embedding")


class TwoTowers(OnnxEmbedder):
    """An image tower, and the text tower of the same space, which is loaded at the first text.

    Args:
        towers: returns the ONNX file of the text tower and the folder of its ``tokenizer.json``; it may download them.
        device: where the text tower runs.
        options: as ``OnnxEmbedder`` takes them.
    """

    def __init__(self, *parts: Any, towers: Callable[[], tuple[Path, Path]], device: str, **options: Any) -> None:
        super().__init__(*parts, **options)
        self._towers = towers
        self._device = device
        self._text: _TextTower | None = None
        self._loading = threading.Lock()

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Return (B, D) unit rows in the space of the images.

        Texts are cut off at the length that the model was trained with (77 tokens for CLIP, 64 for SigLIP).

        Raises:
            BadInput: an empty text. MissingExtra: the package ``tokenizers`` is not installed.
            ModelError: the text tower cannot be used, or is of another space.
        """
        if not texts:
            return np.zeros((0, self.space.dim), np.float32)
        if not all(text.strip() for text in texts):
            raise BadInput("an empty text has no vector.", hint="Give at least one word.")
        with self._loading:
            if self._text is None:
                self._text = _TextTower(*self._towers(), image=self.prepare(_GREY), device=self._device)
        rows = self._text.embed(texts)
        if rows.shape[1] != self.space.dim:
            raise ModelError(
                f"{self._text.weights} gives {rows.shape[1]} numbers a text, and the image tower {self.space.dim}: "
                "they are not of one space.",
                hint="Export both towers with their projections (CLIPTextModelWithProjection and its like).",
            )
        return unit(rows, source=str(self._text.weights))


class _TextTower:
    """A text model, or the text's side of a graph that has both; that one is shown a grey ``image`` beside the text."""

    def __init__(self, weights: Path, folder: Path, *, image: npt.NDArray[np.uint8], device: str) -> None:
        external_files(weights)
        self.weights = weights
        self._session = open_session(weights, device=device)
        inputs = {given.name: given for given in self._session.get_inputs()}
        pixels = inputs.pop("pixel_values", None)
        self._filler: dict[str, Any] = {}
        if pixels is not None:
            kind = np.float16 if pixels.type == "tensor(float16)" else np.float32
            self._filler["pixel_values"] = np.zeros((1, 3, *image.shape[:2]), kind)
        unknown = [name for name in inputs if name not in TEXT_INPUTS]
        if unknown or "input_ids" not in inputs:
            raise ModelError(
                f"{weights} is no text model that is known here: its inputs are {', '.join(inputs) or 'none'}.",
                hint=f"input_ids is needed, and {', '.join(TEXT_INPUTS[1:])} may be there.",
            )
        self._inputs = {name: text_dtype(given) for name, given in inputs.items()}
        length = inputs["input_ids"].shape[-1]
        self._tokens: Tokens = open_tokens(folder, length=length if isinstance(length, int) else None)
        names = [output.name for output in self._session.get_outputs()]
        flat = [o.name for o in self._session.get_outputs() if isinstance(o.shape, list) and len(o.shape) == 2]
        output = next((name for name in [*_WANTED_OUTPUTS, *flat] if name in names), None)
        if output is None:
            raise ModelError(f"{weights} has no output of one vector a text; it has {', '.join(names)}.")
        self._output = output

    def embed(self, texts: Sequence[str]) -> Any:
        """Return (B, D), not normalised."""
        ids, mask = self._tokens.encode(texts)
        known = {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(ids),
            "position_ids": np.broadcast_to(np.arange(ids.shape[1]), ids.shape),
        }
        feed = {name: known[name].astype(kind) for name, kind in self._inputs.items()}
        try:
            (rows,) = self._session.run([self._output], {**feed, **self._filler})
        except Exception as failed:  # ONNX Runtime's exceptions share no public base
            raise ModelError(f"{self.weights} failed on {len(texts)} texts: {first_line(failed)}") from failed
        rows = np.asarray(rows)
        if rows.ndim != 2 or len(rows) != len(texts):
            raise ModelError(f"{self.weights} gave an output of shape {rows.shape} for {len(texts)} texts.")
        return rows
