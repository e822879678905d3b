"""Models by name from a hub: ``hf:org/name``, repositories with ONNX files in the layout of Hugging Face."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from ...errors import BadInput, ModelError
from .model_file import digest, refuse_pickles
from .onnx import OnnxEmbedder, external_names, open_session, read_input, read_preprocess
from .onnx_classifier import with_features
from .repository import Repository
from .towers import TwoTowers

__all__ = ["HubName", "open_hub", "parse_hub_name"]

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_REVISION = re.compile(r"[\w./-]+", re.ASCII)
_VARIANT = re.compile(r"[a-z0-9_]+")
_HINT = "Write hf:ORG/NAME, hf:ORG/NAME@REVISION or hf:ORG/NAME?variant=quantized."
_TEXT_FILES = ("tokenizer_config.json", "special_tokens_map.json", "config.json")


@dataclass(frozen=True, slots=True)
class HubName:
    """What ``hf:`` is followed by.

    Attributes:
        repository: ``org/name``.
        revision: a branch, tag or commit.
        variant: which of several files: ``quantized``, ``int8``, ``fp16``, ...; empty for the one in full precision.
    """

    repository: str
    revision: str = "main"
    variant: str = ""

    def __str__(self) -> str:
        revision = "" if self.revision == "main" else f"@{self.revision}"
        return f"hf:{self.repository}{revision}{f'?variant={self.variant}' if self.variant else ''}"


def parse_hub_name(text: str) -> HubName:
    """Read ``org/name``, ``org/name@revision`` or either with ``?variant=fp16``.

    Raises:
        BadInput: it is not written so.
    """
    where, _, query = text.partition("?")
    repository, at, revision = where.partition("@")
    options = dict(parse_qsl(query, keep_blank_values=True))
    variant = options.pop("variant", "")
    if not _NAME.fullmatch(repository) or (at and not _REVISION.fullmatch(revision)):
        raise BadInput(f"'hf:{text}' does not name a repository of the hub.", hint=_HINT)
    if options or (query and not _VARIANT.fullmatch(variant)):
        raise BadInput(f"'hf:{text}' has an option that is not known: {query!r}.", hint=_HINT)
    return HubName(repository, revision or "main", variant)


def open_hub(name: str, *, device: str = "auto", threads: int | None = None) -> OnnxEmbedder:
    """Open the ONNX files of a repository on the hub, downloaded once and then taken from the cache.

    The image model is ``onnx/vision_model.onnx`` or ``onnx/model.onnx`` (or either without the folder), prepared for
    as ``preprocessor_config.json`` says. Beside a ``vision_model.onnx`` words can be searched too, by
    ``text_model.onnx`` and ``tokenizer.json``, fetched at the first text; and by a ``model.onnx`` that has both towers.
    The output taken is as for ``onnx:PATH`` (``image_embeds``, ``pooler_output``, the class token, the mean of a
    feature map); of a classifier, which gives ``logits`` only, it is what the last layer reads.

    Needs the extra ``hub``. The endpoint is ``$HF_ENDPOINT``, the cache ``$LOOKALIKE_CACHE/models`` or the usual one
    of ``$HF_HOME``.

    Args:
        name: ``org/name``, with ``@revision`` and ``?variant=quantized`` where wanted.
        device: ``cpu``, ``cuda`` or ``coreml``; ``auto`` takes the best that is there.
        threads: threads of one run; None leaves it to ONNX Runtime.

    Raises:
        BadInput: the name cannot be understood, or no such device.
        ModelError: no network and nothing in the cache, no such repository, no ONNX file in it, or unusable files.
    """
    wanted = parse_hub_name(name)
    repository = Repository(wanted.repository, wanted.revision)
    suffix = f"_{wanted.variant}" if wanted.variant else ""
    stems = ("onnx/vision_model", "onnx/model", "vision_model", "model")
    weights = repository.first([f"{stem}{suffix}.onnx" for stem in stems])
    if weights is None:
        raise _no_weights(repository, wanted)
    files = [weights, *_external(repository, weights)]
    config = repository.file("preprocessor_config.json")
    if config is None:
        raise ModelError(
            f"{repository} has no preprocessor_config.json, which says what its model expects of an image.",
            hint="Download the folder, write that file into it, and open it as onnx:FOLDER.",
        )
    spec = str(HubName(wanted.repository, wanted.revision, wanted.variant))
    output, data = with_features(weights)
    session = open_session(weights, device=device, threads=threads, data=data)
    wanted_input = read_input(session, spec)
    preprocess = read_preprocess(config, weights, wanted_input)
    label = f"hf:{wanted.repository}{suffix}"
    if not weights.name.startswith("vision_model") and not wanted_input.fillers:
        return OnnxEmbedder(session, spec, label, digest(files), preprocess, output=output)
    return TwoTowers(
        session,
        spec,
        label,
        digest(files),
        preprocess,
        output=output,
        towers=lambda: _text_tower(repository, weights),
        device=device,
    )


def _text_tower(repository: Repository, vision: Path) -> tuple[Path, Path]:
    """Fetch the text model of an image model, perhaps the same file; return it and the folder of its tokenizer."""
    folder = "onnx/" if vision.parent.name == "onnx" else ""
    name = f"{folder}{vision.name.replace('vision_model', 'text_model')}"
    weights = repository.file(name)
    tokenizer = repository.file("tokenizer.json")
    if weights is None or tokenizer is None:
        missing = name if weights is None else "tokenizer.json"
        raise ModelError(f"{repository} has no {missing}, so words cannot be searched.", hint="Search by an image.")
    _external(repository, weights)
    for other in _TEXT_FILES:
        repository.file(other)
    return weights, tokenizer.parent


def _external(repository: Repository, weights: Path) -> list[Path]:
    """Check the weights, and fetch the files that hold more of them."""
    repository.check(weights)
    folder = "onnx/" if weights.parent.name == "onnx" else ""
    files = []
    for name in external_names(weights):
        if Path(name).name != name:
            raise ModelError(f"{weights} keeps weights in {name!r}, outside its own folder; that is refused.")
        file = repository.file(folder + name)
        if file is None:
            raise ModelError(f"{repository} lacks {folder}{name}, which holds weights of {weights.name}.")
        repository.check(file)
        files.append(file)
    return files


def _no_weights(repository: Repository, wanted: HubName) -> ModelError:
    listing = repository.listing()
    models = [file for file in listing if file.endswith(".onnx")]
    if not models:
        refuse_pickles([file for file in listing if "/" not in file], str(repository))
    what = f"a variant {wanted.variant!r} of its model" if wanted.variant else "a model as ONNX"
    seen = f"; it has {', '.join(models[:12])}" if models else ""
    variants = sorted({found[1] for m in models if (found := re.search(r"(?:^|/)(?:vision_)?model_(\w+)\.onnx$", m))})
    hint = f"Known variants: {', '.join(variants)}." if variants else ""
    return ModelError(
        f"{repository} does not have {what} (onnx/model.onnx or onnx/vision_model.onnx){seen}.",
        hint=hint or "Look for a repository with ONNX files: those of onnx-community and Xenova have them.",
    )
