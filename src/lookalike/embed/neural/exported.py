"""Models of torch libraries, exported to ONNX once: the folders that hold them, found again without torch.

Each is a model folder (``model.onnx`` or ``vision_model.onnx`` and ``text_model.onnx``, ``preprocessor_config.json``,
``lookalike.json``, ``README.md``), so that it opens as ``onnx:FOLDER`` too. ``lookalike.json`` says which names it
answers to, the hash of the weights that went in, and the hashes of the files that came out: a damaged folder is made
again.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import BadInput, MissingExtra, ModelError, NoSuchFile
from .model_file import WITHOUT_NETWORK, digest, find_model, made_hash, read_json
from .onnx import OnnxEmbedder, first_line, open_folder

__all__ = [
    "Made",
    "Wanted",
    "exported_folder",
    "loading",
    "open_exported",
    "parse_exported",
    "unreachable",
]

_log = logging.getLogger("lookalike.models")

_ABOUT = "lookalike.json"
_CHECKPOINT = "?checkpoint="


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a specification asks for.

    Attributes:
        library: ``timm``, ``open_clip`` or ``torchvision``.
        name: the model's name in that library, perhaps with a tag.
        checkpoint: weights in a file of one's own, absolute; None takes the published ones.
    """

    library: str
    name: str
    checkpoint: Path | None = None

    def __str__(self) -> str:
        return f"{self.library}:{self.name}{f'{_CHECKPOINT}{self.checkpoint}' if self.checkpoint else ''}"


@dataclass(frozen=True, slots=True)
class Made:
    """What an export says of itself.

    Attributes:
        name: the model's full name, with the tag of its weights.
        weights: sha256 of what was loaded, the same for the same weights in whatever file: 64 hex digits.
        libraries: their versions.
        licence: of the weights, where the library knows it.
    """

    name: str
    weights: str
    libraries: dict[str, str] = field(default_factory=dict)
    licence: str = ""


def parse_exported(library: str, text: str) -> Wanted:
    """Read ``NAME`` or ``NAME?checkpoint=PATH``.

    Raises:
        BadInput: no name, or no path.
    """
    name, mark, path = text.partition(_CHECKPOINT)
    if not name or (mark and not path) or ("?" in name and not mark):
        raise BadInput(
            f"'{library}:{text}' does not name a model.",
            hint=f"Write {library}:NAME or {library}:NAME?checkpoint=PATH.",
        )
    return Wanted(library, name, Path(path).expanduser().absolute() if path else None)


def exported_folder() -> Path:
    """Return where exported models are kept: in ``$LOOKALIKE_CACHE``, else in the usual place for caches."""
    own = os.environ.get("LOOKALIKE_CACHE")
    if own:
        return Path(own).expanduser() / "models" / "exported"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "lookalike" / "exported"


def open_exported(
    wanted: Wanted, export: Callable[[Wanted, Path], Made], *, device: str, threads: int | None
) -> OnnxEmbedder:
    """Open a model from its folder, which ``export`` fills when it is not there yet.

    Args:
        wanted: the model.
        export: writes the files of a model into a new folder; it alone may import torch.
        device: as ``open_onnx`` takes it.
        threads: as ``open_onnx`` takes it.

    Raises:
        NoSuchFile: no such checkpoint.
        MissingExtra: the library is not installed, and the model was not exported before.
        BadInput: an unknown name. ModelError: weights that cannot be fetched or used.
    """
    hashed = _checkpoint_hash(wanted)
    root = exported_folder()
    folder = _find(root, str(wanted), hashed) or _make(root, wanted, hashed, export)
    about = read_json(folder / _ABOUT)
    name = str(about["name"])
    # The full name, so that a collection asks for the same weights when a library has made others its default.
    spec = str(Wanted(wanted.library, name, wanted.checkpoint))
    model = find_model(str(folder), scheme="onnx", suffix=".onnx")
    return open_folder(model, spec, f"{wanted.library}:{name}", about=about, device=device, threads=threads)


@contextmanager
def loading(library: str) -> Iterator[None]:
    """Say in one sentence what is missing where a library of torch is imported."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise MissingExtra(
            f"the embedder '{library}:' needs the package {missing.name!r}, which is not installed.",
            hint="Try: pip install 'lookalike[models]' (where there is no GPU, a CPU build of torch first).",
        ) from missing
    except (ImportError, RuntimeError, OSError) as broken:  # of a torchvision built for another torch: RuntimeError
        raise MissingExtra(
            f"{library} is installed but cannot be loaded: {first_line(broken).rstrip('.')}.",
            hint="torch and torchvision must be of one build: install both from the same place.",
        ) from broken


def unreachable(what: str, failed: Exception) -> ModelError:
    """Return what to say of weights that could not be fetched."""
    return ModelError(f"{what} could not be fetched: {first_line(failed).rstrip('.')}.", hint=WITHOUT_NETWORK)


def _checkpoint_hash(wanted: Wanted) -> str | None:
    """Return the hash of the checkpoint; None where there is none, or where only its export is left."""
    if wanted.checkpoint is None or not wanted.checkpoint.is_file():
        return None
    return digest([wanted.checkpoint])


def _find(root: Path, spec: str, hashed: str | None) -> Path | None:
    """Return the folder that answers to this name and was made of this checkpoint, whole."""
    for about in sorted(root.glob(f"*/{_ABOUT}")):
        try:
            made = read_json(about).get("exported", {})
        except ModelError:
            continue
        if about.parent.name.startswith("."):
            continue  # another process is writing it
        if spec not in made.get("specs", []) or (hashed is not None and made.get("checkpoint") != hashed):
            continue
        try:
            model = find_model(str(about.parent), scheme="onnx", suffix=".onnx")
        except NoSuchFile:
            continue
        if made_hash(model, read_json(about)) is not None:
            return about.parent
    return None


def _make(root: Path, wanted: Wanted, hashed: str | None, export: Callable[[Wanted, Path], Made]) -> Path:
    if wanted.checkpoint is not None and hashed is None:
        raise NoSuchFile(
            f"no such checkpoint: {wanted.checkpoint}",
            hint="A .safetensors file, or one of torch with nothing but weights in it.",
        )
    from filelock import FileLock

    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".lock"):
            found = _find(root, str(wanted), hashed)  # another process may have made it meanwhile
            if found is not None:
                return found
            _log.info("Exporting %s to ONNX, once; this can take a minute.", wanted)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=root) as new:
                made = export(wanted, Path(new))
                return _keep(root, Path(new), wanted, made, hashed)
    except OSError as failed:
        if failed.filename is None or not str(failed.filename).startswith(str(root)):
            raise
        raise ModelError(
            f"the exported model cannot be stored in {root}: {failed.strerror}.",
            hint="Set LOOKALIKE_CACHE to a folder that can be written.",
        ) from failed


def _keep(root: Path, new: Path, wanted: Wanted, made: Made, hashed: str | None) -> Path:
    """Move a folder to its place, or give its name to the one there that is the same model."""
    full = str(Wanted(wanted.library, made.name, wanted.checkpoint))
    specs = list(dict.fromkeys([full, str(wanted)]))
    same = _find(root, full, hashed)
    if same is not None:
        about = read_json(same / _ABOUT)
        about["exported"]["specs"] = list(dict.fromkeys([*about["exported"]["specs"], *specs]))
        _write(same / _ABOUT, about)
        return same
    files = {path.relative_to(new).as_posix(): digest([path]) for path in sorted(new.glob("*.onnx*"))}
    exported: dict[str, Any] = {"specs": specs, "weights": made.weights, "files": files, "with": made.libraries}
    if hashed is not None:
        exported["checkpoint"] = hashed
    _write(new / _ABOUT, {"name": made.name, "exported": exported})
    (new / "README.md").write_text(_card(wanted, made), encoding="utf-8")
    safe = "".join(c if c.isalnum() or c in "-._" else "-" for c in made.name)[-80:]
    place = root / f"{wanted.library}-{safe}-{made.weights[:12]}"
    shutil.rmtree(place, ignore_errors=True)  # damaged, or it would have been found
    new.rename(place)
    new.mkdir()  # for the temporary folder's own tidying up
    return place


def _write(path: Path, value: dict[str, Any]) -> None:
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(json.dumps(value, indent=1), encoding="utf-8")
    aside.replace(path)


def _card(wanted: Wanted, made: Made) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in made.libraries.items())
    source = (
        f"its weights are those of {wanted.checkpoint}" if wanted.checkpoint else "its weights are the published ones"
    )
    licence = f"Licence of the weights, as the library states it: {made.licence}.\n" if made.licence else ""
    return (
        f"# {made.name}\n\nThe model `{made.name}` of {wanted.library}, exported to ONNX by lookalike ({versions}); "
        f"{source}.\nIt opens as `onnx:FOLDER`.\n{licence}"
    )
