"""The file or folder that holds a model: finding it, naming it, hashing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...errors import BadInput, ModelError, NoSuchFile

__all__ = [
    "PICKLES",
    "WITHOUT_NETWORK",
    "ModelFile",
    "digest",
    "find_model",
    "made_hash",
    "read_json",
    "refuse_pickles",
]

WITHOUT_NETWORK = (
    "Without a network `--embedder builtin` works at once; a model's folder copied here opens as onnx:FOLDER."
)
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


class ModelFile:
    """Where a model lies, and what lies beside it.

    Attributes:
        given: the absolute path that the caller named: the file, or its folder.
        weights: the absolute path of the model file itself.
    """

    def __init__(self, given: Path, weights: Path) -> None:
        self.given = given
        self.weights = weights

    @property
    def name(self) -> str:
        """Return the name that a person would call it by: the stem, or the folder's for ``model.onnx``."""
        stem = self.weights.stem
        if stem == "vision_model" and self.weights.parent != self.given and self.given.is_dir():
            return self.given.name  # the layout of the hub: FOLDER/onnx/vision_model.onnx
        return self.weights.parent.name if stem == "model" and self.weights.parent.name else stem

    def beside_path(self, name: str) -> Path | None:
        """Return the file of this name next to the weights, or in the folder given; None when there is none."""
        places = [self.weights.with_name(name)]
        if self.weights.parent != self.given and self.given.is_dir():
            places.append(self.given / name)
        return next((place for place in places if place.is_file()), None)

    def beside(self, name: str) -> dict[str, Any] | None:
        """Return the JSON object in that file, None when there is no such file."""
        path = self.beside_path(name)
        return None if path is None else read_json(path)


def find_model(path: str, *, scheme: str, suffix: str) -> ModelFile:
    """Find the model that ``scheme:path`` names: a file, or a folder with ``model`` + suffix in it.

    Raises:
        BadInput: the path is empty.
        NoSuchFile: nothing there, or no model in the folder.
    """
    if not path:
        raise BadInput(f"{scheme}: needs a path.", hint=f"Write {scheme}:PATH, with the path of a {suffix} file.")
    given = Path(path).expanduser().absolute()
    if given.is_dir():
        names = [f"vision_model{suffix}", f"model{suffix}"]
        candidates = [given / folder / name for name in names for folder in ("", "onnx")]
        found = next((c for c in candidates if c.is_file()), None)
        if found is None:
            only = sorted(given.glob(f"*{suffix}"))
            if len(only) != 1:
                refuse_pickles([p.name for p in sorted(given.iterdir())] if not only else [], str(given))
                seen = ", ".join(p.name for p in only) or f"no {suffix} file"
                raise NoSuchFile(
                    f"the folder {given} has no model{suffix}; it has {seen}.", hint="Name the file itself."
                )
            found = only[0]
        return ModelFile(given, found)
    if not given.is_file():
        raise NoSuchFile(f"no such model file: {given}", hint=f"{scheme}: takes a {suffix} file or a folder with one.")
    refuse_pickles([given.name], str(given.parent))
    return ModelFile(given, given)


def refuse_pickles(names: Sequence[str], where: str) -> None:
    """Refuse a place that has pickled weights only: reading a pickle runs whatever code it holds.

    Raises:
        ModelError: one of the names is of a pickle.
    """
    found = next((name for name in names if name.lower().endswith(PICKLES)), None)
    if found is not None:
        raise ModelError(
            f"{found!r} in {where} is a pickled checkpoint, which is refused: opening one runs the code in it.",
            hint="Give the model as ONNX (`optimum-cli export onnx` makes it) or as .tflite.",
        )


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file.

    Raises:
        ModelError: the file is not a JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as broken:
        raise ModelError(f"{path} is not a JSON file: {broken}") from broken
    if not isinstance(value, dict):
        raise ModelError(f"{path} should hold a JSON object, not a {type(value).__name__}")
    return value


def made_hash(model: ModelFile, about: Mapping[str, Any]) -> str | None:
    """Return the hash of the weights that an ONNX file was exported from, as ``lookalike.json`` beside it says.

    Two exports of the same weights differ in their bytes; this tells that they are one model. None where nothing is
    said, or where the files are not those that it was said of.
    """
    made = about.get("exported")
    if not isinstance(made, Mapping) or not isinstance(made.get("weights"), str):
        return None
    files = made.get("files")
    if not isinstance(files, Mapping) or model.weights.name not in files:
        return None
    for name, said in files.items():
        path = model.weights.with_name(str(name))
        if not path.is_file() or digest([path]) != said:
            return None
    return str(made["weights"])


def digest(paths: Sequence[Path]) -> str:
    """Return the sha256 of a file's contents, or of the digests of several files in order: 64 hex digits.

    Hashes are remembered within the process by path, size and time, since weights may be gigabytes.
    """
    stats = [(path, path.stat()) for path in paths]
    digests = [_file_digest(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


@lru_cache(maxsize=64)
def _file_digest(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
